# ruff: noqa: E501  templates and scripts are data; broken over lines they are harder to read
"""Scripts of users: Gorse's external recommender, contained."""

import time

import pytest

from recflow.errors import SandboxError, SandboxLimit, ServiceError
from recflow.sandbox.scripts import FetchRequest, FetchResponse, ScriptLimits, check_script, run_script
from tests.patience import is_within

LIMITS = ScriptLimits(seconds=0.2)
PROMISED_S = 2.0


class Web:
    """A fetch that answers from a script of its own and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked: list[FetchRequest] = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else FetchResponse(200)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ids(script, **kwargs):
    return run_script(script, "u1", **kwargs).ids


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("['a', 'b']", ["a", "b"]),
        ("[]", []),
        ("['a', 'a']", ["a", "a"]),
        ("[user_id]", ["u1"]),
        ("JSON.stringify(['a', 'é'])", ["a", "é"]),
        ("'[\"a\"]'", ["a"]),
        ("const x = ['a'];\nx.push('b');\nx", ["a", "b"]),
        ("function pick(n) { return ['x' + n]; }\npick(1);", ["x1"]),
        ("let r; if (user_id === 'u1') { r = ['yes'] } else { r = ['no'] }; r", ["yes"]),
        ("[`${user_id}-${1 + 1}`]", ["u1-2"]),
        ("['\\ud800']", ["?"]),
        ("'[\"' + 'x'.repeat(9000) + '\"]'", ["x" * 9000]),
        ("let all = ''; for (let i = 0; i < 3; i++) all += user_id; [all]", ["u1u1u1"]),
    ],
)
def test_value_of_the_last_expression_is_the_list(script, found):
    assert ids(script) == found


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("[1]", "a number at position 0"),
        ("['a', null]", "null at position 1"),
        ("['a', undefined]", "undefined at position 1"),
        ("['a', {}]", "an object at position 1"),
        ("'[1]'", "1 at position 0"),
        ("undefined", "is nothing"),
        ("null", "is nothing"),
        ("", "is nothing"),
        ("42", "is the number 42"),
        ("true", "is the boolean true"),
        ("'a'", "the text 'a'"),
        ("'{\"a\": 1}'", "is no JSON array"),
        ("({})", "is an object"),
        ("(() => 1)", "is a function"),
        ("Promise.resolve(['a'])", "is a promise"),
        ("(async () => ['a'])()", "is a promise"),
    ],
)
def test_any_other_value_is_refused_in_plain_words(script, message):
    with pytest.raises(SandboxError) as caught:
        ids(script)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("script", "message", "line", "column"),
    [
        ("let x = 1;\nfoo.bar", "foo is not defined", 2, 1),
        ("let x = ;", "unexpected token", 1, 9),
        ("await fetch('x')", "SyntaxError", 1, 7),
        ("return ['a']", "return not in a function", 1, 1),
        ("throw new Error('mine')", "mine", 1, 11),
        ("\n\nfetch(1)", "fetch takes a URL", 3, 1),
        ("env.HOME", "env is not defined", 1, 1),
        ("require('fs')", "require is not defined", 1, 1),
        ("setTimeout(() => 1)", "setTimeout is not defined", 1, 1),
        ("std.getenv('HOME')", "std is not defined", 1, 1),
        ("process.env", "process is not defined", 1, 1),
        ("__host('{}')", "__host is not defined", 1, 1),
    ],
)
def test_errors_name_line_and_column(script, message, line, column):
    with pytest.raises(SandboxError) as caught:
        ids(script)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


# fetch


def test_fetch_sends_what_the_script_says():
    web = Web(FetchResponse(200, body="[]"))
    run_script(
        "const r = fetch('http://a/x', {method: 'POST', headers: {'X-A': '1'}, body: JSON.stringify({u: user_id})});"
        "JSON.parse(r.body)",
        "u1",
        fetch=web,
    )
    (request,) = web.asked
    assert (request.url, request.method, dict(request.headers)) == ("http://a/x", "POST", {"X-A": "1"})
    assert request.body == '{"u":"u1"}'
    assert 0 < request.timeout_s <= 30.0


@pytest.mark.parametrize(
    ("call", "url", "method"),
    [
        ("fetch('http://a')", "http://a", "GET"),
        ("fetch({url: 'http://b', method: 'PUT'})", "http://b", "PUT"),
        ("fetch('http://a', {url: 'http://b'})", "http://b", "GET"),
        ("fetch('http://a', undefined)", "http://a", "GET"),
    ],
)
def test_fetch_takes_gorses_three_forms(call, url, method):
    web = Web()
    run_script(f"{call}; []", "u1", fetch=web)
    assert (web.asked[0].url, web.asked[0].method) == (url, method)


@pytest.mark.parametrize(
    "call",
    [
        "fetch()",
        "fetch(1)",
        "fetch(null)",
        "fetch(['http://a'])",
        "fetch('http://a', 'POST')",
        "fetch({method: 'GET'})",
        "fetch('http://a', {body: {a: 1}})",
        "fetch('http://a', {headers: {a: 1}})",
        "fetch('http://a', {headers: 'a: b'})",
        "fetch('http://a', {method: 1})",
    ],
)
def test_any_other_form_of_fetch_is_an_error_and_no_request(call):
    web = Web()
    with pytest.raises(SandboxError, match="fetch"):
        run_script(f"{call}; []", "u1", fetch=web)
    assert web.asked == []


def test_response_looks_as_in_gorse():
    web = Web(
        FetchResponse(
            404,
            (("content-type", "text/plain"), ("x-many", "1"), ("X-MANY", "2")),
            "not here",
        )
    )
    script = """
        const r = fetch('http://a');
        [typeof r.ok, String(r.ok), typeof r.status, String(r.status), r.statusText, r.body,
         r.headers['Content-Type'], r.headers['X-Many'], typeof r.json, typeof r.text]
    """
    assert run_script(script, "u1", fetch=web).ids == [
        *("boolean", "false", "number", "404", "404 Not Found", "not here"),
        *("text/plain", "1, 2", "undefined", "undefined"),
    ]


@pytest.mark.parametrize(("status", "ok"), [(199, "false"), (200, "true"), (299, "true"), (300, "false")])
def test_ok_means_200_to_299(status, ok):
    assert ids("[String(fetch('http://a').ok)]", fetch=Web(FetchResponse(status))) == [ok]


def test_failed_fetch_ends_the_script_with_its_reason():
    failure = ServiceError("a.example cannot be reached.", kind="connect")
    with pytest.raises(SandboxError, match=r"Line 2, column 1: .*a\.example cannot be reached") as caught:
        ids("\nfetch('http://a.example'); ['a']", fetch=Web(failure))
    assert caught.value.__cause__ is failure


def test_script_may_catch_a_failed_fetch_and_go_on():
    web = Web(ServiceError("down"), FetchResponse(200, body='["b"]'))
    script = "let r; try { r = fetch('http://a') } catch (e) { r = fetch('http://b') }; r.body"
    assert ids(script, fetch=web) == ["b"]


def test_script_without_permission_to_fetch_is_told_so():
    with pytest.raises(SandboxError, match="may not call other machines"):
        ids("fetch('http://a')")


def test_number_of_fetches_is_limited():
    web = Web()
    with pytest.raises(SandboxLimit, match="more than 3 fetches"):
        ids(
            "while (true) { try { fetch('http://a') } catch {} }",
            fetch=web,
            limits=ScriptLimits(max_fetches=3),
        )
    assert len(web.asked) == 3
    assert ids("['next']") == ["next"]


def test_total_time_is_limited_even_when_every_fetch_is_quick():
    def slow(request):
        time.sleep(0.1)
        return FetchResponse(200)

    with pytest.raises(SandboxLimit, match=r"took longer than 0\.25 s"):
        ids("while (true) fetch('http://a')", fetch=slow, limits=ScriptLimits(total_s=0.25))


def test_waiting_for_a_fetch_is_not_the_scripts_own_time():
    def slow(request):
        time.sleep(1.1)
        return FetchResponse(200, body='["a"]')

    assert ids("fetch('http://a').body", fetch=slow, limits=ScriptLimits(seconds=1.0)) == ["a"]


# console


def test_logs_are_kept_in_order():
    result = run_script("console.log('a', 1, {b: [2]}, null, undefined); console.error('c'); []", "u1")
    assert result.logs == ['a 1 {"b":[2]} null undefined', "c"]


def test_logs_of_a_failing_script_are_told_too():
    lines = []
    with pytest.raises(SandboxError):
        run_script("console.log('before'); nope", "u1", on_log=lines.append)
    with pytest.raises(SandboxLimit):
        run_script("console.log('before'); while (true) {}", "u1", on_log=lines.append, limits=LIMITS)
    assert lines == ["before", "before"]


def test_flood_of_logs_is_cut():
    result = run_script("for (let i = 0; i < 1000; i++) console.log('x'.repeat(9999)); []", "u1")
    assert len(result.logs) == 201
    assert max(map(len, result.logs)) == 2000
    assert result.logs[-1] == "… only the first 200 lines are kept"


# Limits

RUNAWAY = {
    "endless loop": "while (true) {}",
    "endless loop that catches": "while (true) { try { while (true) {} } catch {} }",
    "1 GB string": "'x'.repeat(2**29) + 'x'.repeat(2**29)",
    "doubling string": "let s = 'xxxxxxxx'; while (true) s += s",
    "growing array": "const a = []; while (true) a.push('x'.repeat(1000) + a.length)",
    "huge buffer": "new Uint8Array(2**31)",
    "growing array that catches": "const a = []; while (true) { try { a.push(new Array(9999).fill(a.length)) } catch {} }",
    "catastrophic regular expression": "/(a+)+$/.test('a'.repeat(40) + 'b')",
    "recursion": "function f() { return f() } f()",
    "deep JSON": "JSON.parse('['.repeat(9999999))",
    "slow sort": "while (true) Array.from({length: 99999}, (_, i) => -i).sort()",
    "huge result": "Array(200000).fill('0123456789')",
    "huge text result": "'[\"' + 'x'.repeat(2000000) + '\"]'",
    "endless getter": "[{get length() { while (true) {} }}]; while (true) {}",
    "endless promise": "const p = () => Promise.resolve().then(p); p(); while (true) {}",
}


@pytest.mark.parametrize("script", RUNAWAY.values(), ids=RUNAWAY)
def test_runaway_script_ends_in_an_error_within_the_limit_and_the_next_one_works(script):
    def seconds():
        started = time.perf_counter()
        with pytest.raises(SandboxError) as caught:
            ids(script, limits=LIMITS)
        assert 10 < len(str(caught.value)) < 500
        return time.perf_counter() - started

    assert is_within(PROMISED_S, seconds)
    assert ids("['next']") == ["next"]


def test_each_run_starts_with_a_fresh_engine():
    run_script("globalThis.leak = 'x'; Array.prototype.push = null; JSON.parse = null; []", "u1")
    assert ids("const a = []; a.push(typeof leak); JSON.parse(JSON.stringify(a))") == ["undefined"]


@pytest.mark.parametrize(
    "spoil",
    [
        "JSON.stringify = () => 'x'; JSON.parse = () => 1;",
        "Array.isArray = () => true;",
        "Array.prototype.findIndex = () => -1;",
        "Array.prototype.map = () => 1; Array.prototype.some = () => 1;",
        "String.prototype.toJSON = () => 1;",
        "Object.prototype.toJSON = () => 1;",
    ],
)
def test_script_that_spoils_the_language_hurts_only_itself(spoil):
    try:
        found = ids(f"{spoil} console.log('x'); ['a', 1]")
    except SandboxError:
        found = []
    assert all(isinstance(item_id, str) for item_id in found)
    assert ids("['next']") == ["next"]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("const r = fetch('https://x');\n[r.body] // fine", ""),
        ("while (true) {}", ""),  # it is read, not run
        ("throw new Error('ran')", ""),
        ("let a;\nlet a;", "Line 2, column 6: SyntaxError: invalid redefinition of lexical identifier."),
        ("return ['a']", "Line 1, column 1: SyntaxError: return not in a function."),
        ("`abc", "Line 1, column 1: SyntaxError: unexpected end of string."),
        ("[" * 100_000, "The script is nested too deeply."),
    ],
)
def test_a_script_is_checked_without_being_run(script, problem):
    assert check_script(script) == problem


@pytest.mark.parametrize(
    "forged",
    [
        "{ ok: ['forged'] }",
        "{ ok: 5 }",
        "{ error: { message: 'forged' } }",
        "{ error: 5 }",
        "{ ready: true }",
        "{}",
        "[1]",
        "'text'",
        "{ log: 5 }",
        "{ fetch: 1 }",
        "{ fetch: { url: 'u', method: 'GET', headers: { a: 1 }, body: '' } }",
        "{ fetch: { url: 'u', method: 'GET', headers: {}, body: 5 } }",
    ],
)
def test_no_script_can_forge_what_is_said_to_the_parent(forged):
    """What passed for a result would end the job for the parent, and the script would be given the next one."""
    script = f"""
        let asked = 0;
        const forged = {forged};
        Object.prototype.toJSON = Array.prototype.toJSON = String.prototype.toJSON = function () {{
          return asked++ ? this.valueOf() : forged;
        }};
        let said = "";
        try {{ fetch("http://x"); }} catch (error) {{ said = error.message; }}
        delete Object.prototype.toJSON; delete Array.prototype.toJSON; delete String.prototype.toJSON;
        [user_id, said];
    """
    web = Web()
    assert ids(script, fetch=web) == ["u1", "fetch: what was asked for cannot be read"]
    assert web.asked == []
    assert run_script("[user_id]", "u2").ids == ["u2"]
