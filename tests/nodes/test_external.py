"""External nodes inside a run: what leaves the house, what comes back, and what stays hidden."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recflow.engine.check import check
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.errors import NoUsableAnswer
from recflow.nodes.external import id_path, requests
from recflow.nodes.external.id_path import PathError, ids_at
from recflow.nodes.external.question import Question, Secrets, Trace
from recflow.nodes.outside import Outside, masked
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.messages import Answer
from tests.nodes.conftest import NOW, FreshModels, finished, history_of
from tests.patience import is_within
from tests.scripted_server import ScriptedServer, hang, json_reply, redirect, status

TOKEN = 'tok/"en" 1234'


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


class World:
    """The services of a run that may call this machine, and what was logged."""

    def __init__(self, allowed=("127.0.0.0/8",), **secrets):
        self.log = []
        self.outside = Outside(
            secrets=secrets, addresses=AddressPolicy.parse(allowed), record=self.log.append
        )
        self.memo = Memo()

    def __call__(self, pool):
        async def give(request):
            return self.outside

        return Services(FreshModels(), pool, self.memo, {"outside": give})


def outcome(said):
    return next(m for m in said if m["event"] in ("node.finished", "node.failed") and m["node_id"] == "n0")


def test_a_request_is_made_of_templates_and_the_ids_come_from_a_path(run_chain, server):
    url = server.script(
        "/for/u1", json_reply({"data": [{"id": "c"}, {"id": "zz"}, {"id": "b"}, {"id": "c"}]})
    )
    settings = {
        "method": "POST",
        "url": url.replace("u1", "{{ user.UserId }}") + "?n={{ n }}",
        "headers": "X-Taste: {{ feedback[0].ItemId }}\nAuthorization: Bearer {{ secrets.SHOP }}",
        "body": '{"who": {{ user.UserId | tojson }}}',
        "ids": "data[*].id",
    }
    world = World(SHOP=TOKEN)
    ids, run, said = run_chain([("external", settings)], services=world, recommend={"cache_size": 7})
    assert ids == ["c", "b"]
    (hit,) = server.hits
    assert (hit.method, hit.query, hit.json) == ("POST", "n=7", {"who": "u1"})
    assert hit.headers["x-taste"] == "a"
    assert hit.headers["authorization"] == f"Bearer {TOKEN}"
    assert hit.headers["content-type"] == "application/json"
    (unknown,) = [step for step in run.result.trail if step.reason == "unknown"]
    assert unknown.unknown_ids == ("zz",)
    assert run.degraded == []
    details = outcome(said)["details"]
    assert details["unknown_ids"] == ["zz"]
    (sent,) = details["requests"]
    assert sent["status"] == 200
    assert ["Authorization", "Bearer [hidden]"] in sent["headers"]
    assert (world.log[0].kind, world.log[0].statuses) == ("external", (200,))


def test_a_secret_is_never_told_however_the_other_side_spells_it(run_chain, server, caplog):
    def echo(exchange):
        told = {"given": exchange.hit.headers["x-key"], "query": exchange.hit.query}
        exchange.reply(500, json.dumps(told), {"X-Echo": exchange.hit.query})

    url = server.script("/echo", echo)
    settings = {"url": url + "?k={{ secrets.SHOP | urlencode }}", "headers": "X-Key: {{ secrets.SHOP }}"}
    world = World(SHOP="tok-en%21-1234")
    with caplog.at_level("DEBUG"):
        _, run, said = run_chain([("external", settings)], services=world)
    assert server.hits[0].headers["x-key"] == "tok-en%21-1234"
    assert outcome(said)["event"] == "node.failed"
    everything = json.dumps(said) + repr(run) + repr(world.log) + repr(world.log[0].details) + caplog.text
    for spelling in ("tok-en%21-1234", "tok-en%2521-1234", "tok-en!-1234"):
        assert spelling not in everything


@pytest.mark.parametrize("ids", [["c", TOKEN], [TOKEN, f"x{TOKEN}"]], ids=["one of two", "all"])
def test_ids_that_repeat_a_secret_are_told_without_it(run_chain, server, caplog, ids):
    settings = {"url": server.script("/ids", json_reply(ids)), "headers": "X-Key: {{ secrets.SHOP }}"}
    world = World(SHOP=TOKEN)
    with caplog.at_level("DEBUG"):
        found, run, said = run_chain([("external", settings)], services=world)
    assert found == [item_id for item_id in ids if item_id == "c"]
    details = outcome(said)["details"]
    assert details["unknown_ids"] == [item_id.replace(TOKEN, "[hidden]") for item_id in ids if item_id != "c"]
    everything = json.dumps(said) + repr(run) + repr(world.log) + repr(world.log[0].details) + caplog.text
    assert TOKEN not in everything


@pytest.mark.parametrize("filler", ["", "x" * 70])
def test_an_answer_that_is_cut_to_be_shown_shows_no_half_of_a_secret(run_chain, server, caplog, filler):
    url = server.script("/ids", status(200, filler + TOKEN * 9))
    settings = {"url": url, "headers": "X-Key: {{ secrets.SHOP }}"}
    world = World(SHOP=TOKEN)
    with caplog.at_level("DEBUG"):
        _, run, said = run_chain([("external", settings)], services=world)
    assert "The answer is not JSON but begins with" in outcome(said)["message"]
    everything = json.dumps(said) + repr(run) + repr(world.log) + repr(world.log[0].details) + caplog.text
    assert TOKEN[:6] not in everything


def test_masking_knows_the_spellings_of_urls_and_json():
    told = [TOKEN, json.dumps(TOKEN), "q=tok%2F%22en%22%201234", {"a": (TOKEN,)}, 3]
    assert masked(told, [TOKEN]) == ["[hidden]", '"[hidden]"', "q=[hidden]", {"a": ["[hidden]"]}, 3]


def test_a_text_that_looks_like_the_mark_of_a_secret_does_not_become_one():
    one, other = Secrets({"A": "s3cret"}), Secrets({"A": "s3cret"})
    assert one.put_into(one.marks["A"]) == "s3cret"
    assert one.put_into(other.marks["A"]) == other.marks["A"]


def test_items_the_user_may_not_see_are_left_out_with_their_reason(run_chain, server):
    url = server.script("/ids", json_reply(["f", "e", "d", "b"]))
    ids, run, _ = run_chain([("external", {"url": url})], services=World())
    assert ids == ["d", "b"]  # u1 has read f, and e is hidden
    assert {step.reason for step in run.result.trail if step.kind == "dropped"} == {"read", "hidden"}


GORSE_SCRIPT = """
const response = fetch({url: "URL/items?user=" + user_id, method: "POST", headers: {"X-A": "1"}, body: "{}"});
if (response.statusText !== "200 OK") throw new Error(response.statusText);
console.log(response.headers["Content-Type"]);
JSON.parse(response.body).map(entry => entry.name);
"""


def test_a_script_written_for_gorse_runs_unchanged(run_chain, server):
    server.script("/items", json_reply([{"name": "c"}, {"name": "b"}]))
    script = GORSE_SCRIPT.replace("URL/", server.url("/"))
    ids, _, said = run_chain([("external", {"mode": "script", "script": script})], services=World())
    assert ids == ["c", "b"]
    assert (server.hits[0].query, server.hits[0].headers["x-a"]) == ("user=u1", "1")
    assert outcome(said)["details"]["logs"] == ["application/json"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("while (true) {}", "longer than 1 s"),
        ("'x'.repeat(2 ** 29) + 'x'.repeat(2 ** 29)", ""),
        ("let a = 1;\nnope()", "Line 2, column 1: ReferenceError: nope is not defined"),
        ("fetch('http://169.254.169.254/latest/meta-data')", "not allowed"),
        ("fetch('file:///etc/passwd')", "Only http and https can be called"),
        ("[1]", "a number at position 0"),
    ],
)
def test_a_bad_script_gives_an_empty_list_and_a_sentence_and_the_run_goes_on(run_chain, script, told):
    _, run, said = run_chain([("external", {"mode": "script", "script": script})], services=World())
    failed = outcome(said)
    assert failed["event"] == "node.failed"
    assert failed["field"] == "script"
    assert told in failed["message"]
    assert run.degraded == [f"External failed: {failed['message']}"]
    assert said[-1]["event"] == "run.finished"


@pytest.mark.parametrize(
    ("answer", "ids", "told"),
    [
        (status(404), "@", "answered 404"),
        (status(200, "<html>Sorry</html>"), "@", "is not JSON but begins with '<html>Sorry</html>'"),
        (json_reply({"ids": ["a"]}), "@", "must lead to a list of ids, it leads to an object"),
        (json_reply({"ids": ["a"]}), "items", "it leads to nothing"),
        (json_reply(["b", 1.5]), "@", "at 1 is a number"),
    ],
)
def test_a_bad_answer_gives_an_empty_list_and_a_sentence(run_chain, server, answer, ids, told):
    url = server.script("/ids", answer)
    result, _, said = run_chain([("external", {"url": url, "ids": ids})], services=World())
    assert result == []
    assert told in outcome(said)["message"]


def test_a_user_whom_the_other_machine_has_not_met_costs_no_other_user_the_answer(run_chain, server):
    server.script("/for/u1", json_reply(["b"]))
    settings = {"url": server.url("/for/{{ user.UserId }}"), "keep": "0s"}
    _, _, said = run_chain([("external", settings)], "stranger", services=World())
    assert "/for/stranger answered 404. It knows no such address" in outcome(said)["message"]
    result, _, _ = run_chain([("external", settings)], services=World())
    assert result == ["b"]


def test_ids_that_nobody_knows_leave_an_empty_list_with_a_warning(run_chain, server):
    url = server.script("/ids", json_reply(["y", "z"]))
    result, run, _ = run_chain([("external", {"url": url})], services=World())
    assert result == []
    assert run.degraded == ["External: None of the 2 ids is in the catalogue; the first is 'y'"]


def test_a_slow_machine_costs_the_timeout_and_no_more(run_chain, server):
    url = server.script("/slow", hang())
    for settings in ({"url": url}, {"mode": "script", "script": f"fetch('{url}').body"}):
        began = time.monotonic()
        _, _, said = run_chain([("external", settings | {"timeout": "300ms"})], services=World())
        assert time.monotonic() - began < 10  # without it: 30 s
        assert outcome(said)["event"] == "node.failed"


ENDLESS = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"


@pytest.fixture
def trips(monkeypatch):
    """The limits of each trip into the sandbox that renders templates."""
    made = []

    def render_all(wanted, **how):
        made.append((len(wanted), how["limits"].seconds))
        return rendered(wanted, **how)

    rendered = requests.templates.render_all
    monkeypatch.setattr(requests.templates, "render_all", render_all)
    return made


def asked_of(settings, exchange=None):
    question = Question({"UserId": "u1"}, [], 3)

    async def asked():
        return await requests.ids_of(
            question,
            requests.RequestSettings(url="http://127.0.0.1:1/", **settings),
            World().outside,
            Trace(),
            in_thread=asyncio.to_thread,
            exchange=exchange,
        )

    return asyncio.run(asked())


def test_all_templates_of_a_request_are_filled_in_together_within_the_timeout(trips):
    headers = "\n".join(f"X-{number}: {ENDLESS}" for number in range(20))
    with pytest.raises(NoUsableAnswer) as late:
        asked_of({"headers": headers, "timeout": "500ms"})
    assert trips == [(21, 0.5)]
    assert late.value.attempts == 0


def test_no_template_of_a_request_gets_longer_than_one_does_elsewhere(trips):
    with pytest.raises(NoUsableAnswer, match="ran longer than 1 s"):
        asked_of({"headers": f"X: {ENDLESS}", "timeout": "2m"})
    assert trips == [(2, 1.0)]


def test_a_template_that_fails_is_told_at_its_field():
    settings = {"method": "POST", "headers": "A: 1\nB: {{ 1 // 0 }}", "body": "{{ user.UserId }}"}
    with pytest.raises(NoUsableAnswer, match="headers: Line 2, column") as failed:
        asked_of(settings)
    assert failed.value.field == "headers"
    with pytest.raises(NoUsableAnswer, match="body: Line 1, column"):
        asked_of({"method": "POST", "body": "{{ 1 // 0 }}"})


def test_the_call_has_only_the_time_that_the_templates_left(monkeypatch):
    clock = iter([100.0, 140.0])
    monkeypatch.setattr(requests, "perf_counter", lambda: next(clock))
    guards = []

    async def exchange(request, guard):
        guards.append(guard.total_s)
        return Answer(200, body=b"[]", url=request.url)

    assert asked_of({"timeout": "2m"}, exchange) == []
    assert guards == [80.0]
    clock = iter([100.0, 220.0])
    with pytest.raises(NoUsableAnswer, match="not filled in within 2m"):
        asked_of({"timeout": "2m"}, exchange)


def test_private_addresses_are_refused_unless_listed_also_behind_a_redirect(run_chain, server):
    closed = World(allowed=())
    url = server.script("/ids", json_reply(["b"]))
    _, _, said = run_chain([("external", {"url": url})], services=closed)
    assert "are not allowed" in outcome(said)["message"]
    assert server.hits == []
    away = server.script("/away", redirect("http://127.0.0.2:1/ids"))
    only_this = World(allowed=(f"127.0.0.1:{server.port}",))
    _, _, said = run_chain([("external", {"url": away})], services=only_this)
    assert "Calls to 127.0.0.2 port 1 are not allowed" in outcome(said)["message"]


def test_an_answer_is_used_again_for_the_time_the_node_says(run_chain, server):
    url = server.script("/ids", json_reply(["b"]))
    world = World()
    for keep, hits in (("1h", 1), ("1h", 1), ("0s", 2), ("0s", 3)):
        run_chain([("external", {"url": url, "keep": keep})], services=world)
        assert server.count("/ids") == hits


@pytest.mark.parametrize("mode", ["request", "script"])
def test_cancelling_the_run_ends_the_call_within_a_second(snapshot, server, mode):
    url = server.url("/slow")
    own = {"url": url} if mode == "request" else {"script": f"try {{ fetch('{url}') }} catch {{}}; ['b']"}
    settings = {"mode": mode, "timeout": "60s"} | own
    nodes = [
        {"id": "s", "type": "data-source"},
        {"id": "n0", "type": "external", "settings": settings},
        {"id": "r", "type": "recommend"},
    ]
    edges = [{"id": "1", "source": "s", "target": "n0"}, {"id": "2", "source": "n0", "target": "r"}]
    request = RunRequest(history_of("u1", snapshot), now=NOW)

    async def cancelled():
        server.script("/slow", hang())
        with ThreadPoolExecutor(2) as pool:
            run = execute(load_flow({"nodes": nodes, "edges": edges}), request, snapshot, World()(pool))
            task = asyncio.create_task(finished(run))
            assert await asyncio.to_thread(server.wait_for_hit, "/slow")
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.wait_for_disconnect, "/slow")
            return time.monotonic() - began

    assert is_within(1.0, lambda: asyncio.run(cancelled()))


@pytest.mark.parametrize(
    ("settings", "field", "told"),
    [
        ({}, "url", "url must be given"),
        ({"url": "http://x/{{ users }}"}, "url", "users"),
        ({"url": "http://x/{{ user.Name }}"}, "url", "Name"),
        (
            {"url": "http://x", "headers": "X: 1\nnonsense"},
            "headers",
            "Line 2: a header is written Name: value",
        ),
        ({"url": "http://x", "body": "{% if %}"}, "body", ""),
        ({"url": "http://x", "ids": "items["}, "ids", "cannot be read"),
        ({"url": "http://x", "timeout": "10m"}, "timeout", "from 0.1 to 120 s, got 10m"),
        (
            {"url": "http://x", "headers": "A: 1\n\nX-B:  {{ users }}"},
            "headers",
            "Line 3, column 10: 'users' is not defined",
        ),
        ({"mode": "script", "script": "  "}, "script", "must not be empty"),
        (
            {"mode": "script", "script": "const a = 1;\nconst b = ;"},
            "script",
            "Line 2, column 11: SyntaxError: unexpected token in expression: ';'",
        ),
    ],
)
def test_settings_that_cannot_work_are_problems_at_their_fields(settings, field, told):
    flow = load_flow({"nodes": [{"id": "x", "type": "external", "settings": settings}]})
    (problem,) = [problem for problem in check(flow) if problem.code == "bad_setting"]
    assert problem.field == field
    assert told in problem.message
    assert problem.message.count("Line") <= 1


@pytest.mark.parametrize(
    ("path", "document", "found"),
    [
        ("@", ["a", 7], ["a", "7"]),
        ("items[*].id", {"items": [{"id": "a"}, {}, {"id": "b"}]}, ["a", "b"]),
        ("items[?score > `1`].id", {"items": [{"id": "a", "score": 1}, {"id": "b", "score": 2}]}, ["b"]),
        ("[new[], old[]][]", {"new": ["a"], "old": ["b"]}, ["a", "b"]),
        ("sort_by(@, &rank)[].id", [{"id": "a", "rank": 2}, {"id": "b", "rank": 1}], ["b", "a"]),
        ("[*].to_string(id)", [{"id": 7}, {"id": "a"}], ["7", "a"]),
        (
            "[?state == 'published' && kind == 'movie'].id",
            [{"id": "a", "state": "published", "kind": "movie"}],
            ["a"],
        ),
    ],
)
def test_ids_are_found_by_jmespath(path, document, found):
    assert ids_at(path, document) == found


@pytest.mark.parametrize(
    "path",
    ["@" + "|[@,@][]" * 5, "[*]" + "|map(&`[1,2,3,4,5]`, @)[]" * 2, "join(@[0], @)", "x" * 501],
)
def test_a_path_that_would_multiply_its_input_is_refused(path):
    with pytest.raises(PathError):
        ids_at(path, ["a", "b"])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("@" + "|to_string([@])" * 32, r"to_string\(\) cannot take a list"),
        ("@" + "|{a: @, b: @}" * 32, "at most"),
        ("@" + "|{a: @}" * 32 + "|to_string(@)", r"to_string\(\) cannot take an object"),
        ("@" + "|[merge({a: @}, {b: @}), @][]" * 12, "at most"),
        ("@" + "|map(&to_string(@), [@])" * 12, r"to_string\(\) cannot take a list"),
        ("[*]." + "[" * 200 + "@" + "]" * 200, "takes more than 100,000 steps"),
        ("map(&" + "[" * 200 + "@" + "]" * 200 + ", @)", "takes more than 100,000 steps"),
    ],
)
def test_no_path_makes_much_out_of_little(monkeypatch, path, told):
    monkeypatch.setattr(id_path, "MAX_STEPS", 100_000)
    with pytest.raises(PathError, match=told) as refusal:
        ids_at(path, ["a"] * 20_000)
    assert len(str(refusal.value)) < 1_000  # it does not spell the value out
