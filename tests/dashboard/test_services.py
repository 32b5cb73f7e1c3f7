"""Other machines in the running product: who is asked, what it costs, what is kept, what never leaves."""

import asyncio
import json
import logging
from datetime import UTC, date, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User as Account
from django.test import AsyncClient

from dashboard import runs
from dashboard.catalogue import writing
from dashboard.models import CallLogEntry, OutsideLimits
from dashboard.outside import call_log, changes, directory
from dashboard.outside.kept_answers import AnswerFile
from dashboard.outside.spending import Both, DayBudget, SpendingBook
from recflow.data.feedback import UserHistory
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.engine.context import RunRequest
from recflow.engine.executor import execute
from recflow.engine.flow import load_flow
from recflow.errors import BudgetExceeded
from recflow.llm.budget import Limit
from recflow.llm.standin import serve
from recflow.nodes.outside import Asked
from recflow.outbound.call import breaker_status
from recflow.outbound.client import close_clients
from tests.scripted_server import ScriptedServer, hang, json_reply, status

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

CHAT = "/v1/chat/completions"
KEY = "sk-very-secret-key-9876"
TOKEN = "shop/token+4711"
FLOW = {
    "name": "Home",
    "nodes": [
        {"id": "s", "type": "data-source"},
        {"id": "l", "type": "latest"},
        {"id": "k", "type": "ranker", "settings": {"kind": "llm", "endpoint": "gpt"}},
        {"id": "p", "type": "non-personalized"},
        {"id": "f", "type": "fallback"},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": p, "source": p[0], "target": p[1]} for p in ("sl", "lk", "kr", "sp", "pf", "fr")],
}


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True)
async def clean(settings, tmp_path, monkeypatch):
    """Files of its own, nothing remembered, no connection left open."""
    settings.STAND_IN_URL = ""
    book, answers = SpendingBook(tmp_path / "spending"), AnswerFile(tmp_path / "answers")
    monkeypatch.setattr(directory, "_book", book)
    monkeypatch.setattr(directory, "_answers", answers)
    directory.changed()
    yield
    call_log.writer.flush()
    directory.changed()
    await close_clients()
    book.close()
    answers.close()


@pytest.fixture
async def rows():
    @sync_to_async
    def put():
        writing.put_users([UserRecord("ann")])
        writing.put_items(
            [ItemRecord(f"m{n}", time_us=n * 1_000_000, comment=f"Movie {n}") for n in range(1, 5)]
        )
        writing.put_feedback([FeedbackRecord("like", "ann", "m4", 1.0, time_us=10)], overwrite=True)
        runs.store.snapshot(fresh=True)
        runs.services.memo.clear()

    await put()


@pytest.fixture
async def client(db):
    made = AsyncClient()
    await made.aforce_login(await Account.objects.acreate_superuser("ada"))
    return made


async def request(client, method, path, body=None):
    if method == "get":
        return await client.get(path)
    return await getattr(client, method)(path, json.dumps(body), content_type="application/json")


async def send(client, method, path, body=None):
    answer = await request(client, method, path, body)
    return answer.status_code, answer.json()


async def set_up(client, server, **more):
    """The endpoint gpt on the scripted server, which may be called."""
    await send(client, "put", "/api/settings/networks", {"networks": [f"127.0.0.1:{server.port}"]})
    body = {"base_url": server.url("/v1"), "model": "m", "key": KEY, "timeout_s": 60, **more}
    status_code, shown = await send(client, "put", "/api/settings/endpoints/gpt", body)
    assert status_code == 200
    return shown


def completion(text):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 300, "completion_tokens": 9}
    return json_reply({"model": "m", "choices": [choice], "usage": usage})


async def run_flow(document=FLOW, user_id="ann", **wanted):
    said = []
    snapshot, history = await sync_to_async(runs.load_user, thread_sensitive=False)(user_id)
    request = RunRequest(history, now=1_000_000_000, **wanted)
    result = await execute(
        load_flow(document), request, snapshot, runs.services, lambda e: said.append(e.message())
    )
    return snapshot.items.ids.texts(result.result.items), result, said


async def test_an_endpoint_is_shown_without_its_key(client, server):
    shown = await set_up(client, server)
    assert (shown["has_key"], shown["last4"]) == (True, "9876")
    _, settings = await send(client, "get", "/api/settings")
    (endpoint,) = settings["endpoints"]
    assert endpoint["base_url"] == server.url("/v1")
    assert KEY not in json.dumps([shown, settings])


async def test_an_empty_key_keeps_the_one_there_is_and_a_new_address_clears_it(client, server):
    await set_up(client, server)
    shown = await set_up(client, server, key="", model="m2")
    assert (shown["has_key"], shown["model"]) == (True, "m2")
    body = {"base_url": "https://elsewhere.example/v1", "model": "m2"}
    _, moved = await send(client, "put", "/api/settings/endpoints/gpt", body)
    assert (moved["has_key"], moved["last4"]) == (False, "")


async def test_the_last_letters_of_a_short_key_are_not_shown(client, server):
    shown = await set_up(client, server, key="shortkey")
    assert (shown["has_key"], shown["last4"]) == (True, "")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"base_url": "ftp://x", "model": "m"}, "http:// or https://"),
        ({"base_url": "https://me:pw@x/v1", "model": "m"}, "no user name"),
        ({"base_url": "https://x/v1?key=1", "model": "m"}, "query"),
        ({"base_url": "https://x", "model": ""}, "model"),
        ({"base_url": "https://x", "model": "m", "key": f"{KEY}\n{KEY}"}, "visible ASCII"),
        ({"base_url": "https://x", "model": "m", "rpm": 5}, "rpm"),
    ],
)
async def test_nonsense_is_refused_in_a_sentence_without_the_key(client, body, told):
    status_code, answer = await send(client, "put", "/api/settings/endpoints/gpt", body)
    assert status_code == 422
    assert told in answer["message"]
    assert KEY not in json.dumps(answer)


async def test_who_is_not_logged_in_sees_and_changes_nothing(server):
    stranger = AsyncClient()
    for method, path in (
        ("get", "/api/settings"),
        ("get", "/api/endpoints"),
        ("put", "/api/settings/endpoints/gpt"),
        ("post", "/api/preview/prompt"),
        ("post", "/api/preview/external"),
        ("get", "/api/calls"),
    ):
        status_code, _ = await send(stranger, method, path, {})
        assert status_code == 401, path


async def test_the_configuration_gives_the_endpoint_default_and_only_it_can_change_it(client, settings):
    section = settings.CONFIGURATION.openai.model_copy(
        update={
            "base_url": "http://127.0.0.1:9/v1",
            "chat_completion_model": "qwen",
            "chat_completion_rpm": 60,
        }
    )
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"openai": section})
    directory.changed()
    _, (listed,) = await send(client, "get", "/api/endpoints")
    assert (listed["name"], listed["model"], listed["origin"]) == ("default", "qwen", "configuration")
    body = {"base_url": "https://x", "model": "m"}
    status_code, answer = await send(client, "put", "/api/settings/endpoints/default", body)
    assert status_code == 409
    assert "config.toml" in answer["message"]
    found = await directory.current_soon()
    policy = found.endpoints["default"].endpoint.call_policy
    assert (policy.rate.requests_per_minute, policy.rate.tokens_per_minute) == (60, 0)
    assert policy.rate_file


async def test_the_stand_in_is_default_until_something_else_is(client, settings):
    settings.STAND_IN_URL = "http://127.0.0.1:9/v1"
    directory.changed()
    _, (listed,) = await send(client, "get", "/api/endpoints")
    assert (listed["origin"], listed["problem"]) == ("stand-in", "")
    assert "no language model" in listed["notice"]
    await send(client, "put", "/api/settings/endpoints/default", {"base_url": "https://x", "model": "m"})
    _, (listed,) = await send(client, "get", "/api/endpoints")
    assert (listed["origin"], listed["notice"]) == ("settings", "")


async def test_a_flow_whose_endpoint_is_missing_has_a_blocking_problem_at_that_field(client):
    _, answer = await send(client, "post", "/api/flows/check", {"document": FLOW})
    (problem,) = [p for p in answer["problems"] if p["severity"] == "blocking"]
    assert (problem["node_id"], problem["field"], problem["code"]) == ("k", "endpoint", "no_endpoint")
    assert "There is no endpoint 'gpt'" in problem["message"]


async def test_a_run_asks_the_named_endpoint_and_the_log_and_counters_hear_of_it(client, server, rows):
    server.script(CHAT, completion("```csv\n3\n1\n2\n```"))
    await set_up(client, server)
    await send(client, "put", "/api/settings/prices", {"model": "m", "input": 10, "output": 100})
    ids, _, _ = await run_flow()
    assert ids[:3] == ["m1", "m3", "m2"]  # latest gave m3, m2, m1
    await asyncio.to_thread(call_log.writer.flush)
    _, (entry,) = await send(client, "get", "/api/calls?node_id=k")
    assert (entry["flow"], entry["status"], entry["endpoint"], entry["user_id"]) == (
        "Home",
        "ok",
        "gpt",
        "ann",
    )
    assert entry["cost"] == pytest.approx((300 * 10 + 9 * 100) / 1e6)
    assert entry["details"]["calls"][0]["answer"] == "```csv\n3\n1\n2\n```"
    _, (node,) = await send(client, "get", "/api/calls/nodes")
    assert (node["calls"], node["failed"], node["tokens_in"], node["failed_share"]) == (1, 0, 300, 0.0)
    assert node["ms_p50"] == pytest.approx(entry["ms"])
    _, settings = await send(client, "get", "/api/settings")
    assert settings["spent_today"] == {"tokens": 309, "cost": pytest.approx(0.0039)}


@pytest.mark.parametrize("days", [1, 7, 30])
async def test_calls_are_counted_over_a_day_a_week_and_a_month(client, days):
    assert await send(client, "get", f"/api/calls/nodes?days={days}") == (200, [])


async def test_calls_are_counted_over_no_other_time(client):
    status, answer = await send(client, "get", "/api/calls/nodes?days=2")
    assert (status, answer["message"]) == (400, "days must be 1, 7 or 30, got 2")


async def test_the_same_question_is_paid_for_once_also_after_a_restart(client, server, rows):
    server.script(CHAT, completion("1\n2\n3"))
    await set_up(client, server)
    for _ in range(2):
        await run_flow(use_pins=False)
        runs.services.memo.clear()  # as after a restart; the file of answers is still there
    assert server.count(CHAT) == 1


async def test_a_changed_endpoint_starts_with_a_closed_circuit_and_forgets_results(client, server, rows):
    server.script(CHAT, status(401))
    await set_up(client, server)
    _, first, _ = await run_flow()
    assert "fallback taken" in first.degraded[0]
    assert breaker_status("gpt (1)").state == "open"
    server.script(CHAT, completion("2\n1\n3"))
    await set_up(client, server, key=KEY + "2")
    assert breaker_status("gpt (1)").state == "closed"
    ids, second, _ = await run_flow()
    assert ids[:3] == ["m2", "m3", "m1"]
    assert second.degraded == []
    server.script(CHAT, completion("1\n3\n2"))
    await set_up(client, server, model="another")
    ids, _, said = await run_flow()
    assert ids[:3] == ["m3", "m1", "m2"]
    assert not next(m for m in said if m["event"] == "node.finished" and m["node_id"] == "k")["cached"]


async def test_a_day_that_is_used_up_takes_the_fallback_and_says_why(client, server, rows):
    await set_up(client, server)
    await send(client, "put", "/api/settings/limits", {"day_tokens": 50})
    _, result, _ = await run_flow()
    assert "The limit of 50 tokens for today would be passed" in result.degraded[0]
    assert server.count(CHAT) == 0


async def test_a_limit_of_money_refuses_a_model_of_unknown_price(client, server, rows):
    await set_up(client, server)
    await send(client, "put", "/api/settings/limits", {"run_cost": 1.5})
    _, result, _ = await run_flow()
    assert "because the price of this model is unknown" in result.degraded[0]


def test_a_day_is_booked_in_a_file_and_a_refusal_books_nothing(tmp_path):
    days = [date(2026, 1, 1)]
    book = SpendingBook(tmp_path / "book")
    day = DayBudget(book, max_tokens=100, clock=lambda: days[0])
    run = Limit("this run", max_tokens=1000)
    both = Both(run, day)
    both.reserve(60, 0.5)(80, 0.4)
    with pytest.raises(BudgetExceeded, match="100 tokens for today"):
        both.reserve(30, 0.1)
    assert (run.tokens, run.cost) == (80, pytest.approx(0.4))
    assert book.of(days[0]) == (80, pytest.approx(0.4))
    days[0] = date(2026, 1, 2)
    both.reserve(30, 0.1)
    book.close()
    again = SpendingBook(tmp_path / "book")
    assert (again.of(date(2026, 1, 1))[0], again.of(date(2026, 1, 2))[0]) == (80, 30)
    again.close()


def test_a_call_over_midnight_is_settled_on_the_day_on_which_it_was_booked(tmp_path):
    days = [date(2026, 1, 1)]
    book = SpendingBook(tmp_path / "book")
    day = DayBudget(book, max_tokens=100, clock=lambda: days[0])
    settle = day.reserve(60, 0.5)
    days[0] = date(2026, 1, 2)
    day.reserve(40, 0.2)(30, 0.25)  # of somebody else
    settle(10, 0.1)
    assert book.of(date(2026, 1, 1)) == (10, pytest.approx(0.1))
    assert book.of(days[0]) == (30, pytest.approx(0.25))
    with pytest.raises(BudgetExceeded):
        day.reserve(71, 0.0)
    book.close()


def test_what_is_saved_while_the_rows_are_read_is_seen_by_the_next_look(monkeypatch):
    read = directory.read

    def read_before_a_change():
        found = read()
        monkeypatch.setattr(directory, "read", read)
        OutsideLimits.objects.update_or_create(defaults={"day_tokens": 77})
        directory.changed()
        return found

    monkeypatch.setattr(directory, "read", read_before_a_change)
    directory.changed()
    assert directory.current().limits.day_tokens is None
    assert directory.current().limits.day_tokens == 77


def test_an_answer_is_good_for_as_long_as_the_question_says(tmp_path):
    now = [1000.0]
    file = AnswerFile(tmp_path / "answers", clock=lambda: now[0])
    file.for_seconds(60)["k"] = b"answer"
    now[0] = 1061.0
    assert file.for_seconds(60).get("k") is None
    assert file.for_seconds(90).get("k") == b"answer"
    assert list(file.for_seconds(90)) == ["k"]
    file.close()


async def test_a_preview_uses_kept_answers_and_leaves_none():
    serving = await directory.outside_for(RunRequest(UserHistory("ann"), use_pins=False))
    looking = await directory.outside_for(RunRequest(UserHistory("ann")))
    serving.kept_for(60)["a"] = b"paid for"
    looking.kept_for(60)["b"] = b"looked at"
    assert looking.kept_for(60)["a"] == b"paid for"
    assert list(serving.kept_for(60)) == ["a"]


def entry(node_id="k", **changed):
    fields = {"flow": "Home", "node_id": node_id, "node_name": "LLM", "kind": "llm", "endpoint": "gpt"}
    fields |= {"model": "m", "user_id": "ann", "status": "ok", "details": {"calls": ["secret taste"]}}
    return Asked(**fields | changed)


def test_the_log_keeps_the_newest_calls_of_each_node_and_none_that_are_too_old():
    OutsideLimits.objects.create(log_calls=2, log_days=7)
    call_log.write([entry(reason=str(n)) for n in range(4)] + [entry("other")])
    assert [e["reason"] for e in call_log.newest(10, node_id="k")] == ["3", "2"]
    assert len(call_log.newest(10, node_id="other")) == 1
    CallLogEntry.objects.filter(node_id="other").update(at=datetime.now(UTC) - timedelta(days=8))
    call_log.write([entry()])
    assert call_log.newest(10, node_id="other") == []
    assert sum(node["calls"] for node in call_log.by_node(1)) == 6  # counters are not pruned


def failing_after(*statuses, **changed):
    """What is said of the node when these were its calls, oldest first."""
    CallLogEntry.objects.all().delete()
    call_log.write([entry(status=said, **changed) for said in statuses])
    return [(node["node_id"], node["message"]) for node in call_log.failing("Home")]


def test_a_text_that_no_database_takes_costs_no_other_call_its_place_in_the_log():
    odd = "half \ud83d and \0 nothing"
    call_log.write(
        [
            entry("a"),
            entry("b", message=odd, model=odd, flow=odd, node_name=odd, user_id=odd, reason=odd),
            entry("c", details={"answer": odd}),
        ]
    )
    by_node = {kept["node_id"]: kept for kept in call_log.newest(9)}
    assert sorted(by_node) == ["a", "b", "c"]
    assert by_node["b"]["message"] == "half ? and \ufffd nothing"
    assert [kept["node_id"] for kept in call_log.newest(9, flow=odd)] == ["b"]
    assert call_log.failing(odd) == []


def test_a_node_fails_too_often_by_the_share_of_its_last_fifty_calls():
    assert failing_after(*["failed"] * 9 + ["ok"] * 41) == [("k", "18 % of its last 50 rankings failed")]
    assert failing_after(*["failed"] * 9 + ["ok"] * 50) == []  # the failures are older than the last 50
    assert failing_after(*["failed"] * 4) == []  # too few to say anything
    assert failing_after(*["partial"] * 5) == []
    assert failing_after(*["failed"] * 5, kind="external") == [("k", "100 % of its last 5 requests failed")]
    assert failing_after(*["failed"] * 5, flow="Other") == []


def test_which_share_is_too_much_is_a_setting():
    calls = ["failed"] + ["ok"] * 9
    assert failing_after(*calls) == []  # 10 % are accepted unless Settings say otherwise
    OutsideLimits.objects.update_or_create(id=1, defaults={"warn_failed_percent": 9.5})
    assert failing_after(*calls) == [("k", "10 % of its last 10 rankings failed")]
    OutsideLimits.objects.update(warn_failed_percent=100)
    assert failing_after(*["failed"] * 10) == []


async def test_the_settings_page_shows_the_newest_calls_of_a_node(client):
    message = "The service <b>said</b> no."
    await sync_to_async(call_log.write)([entry(status="failed", message=message)])
    answer = await client.get("/api/calls/failing?flow=Home")
    assert (answer.status_code, answer.json()) == (200, [])
    page = (await client.get("/settings?flow=Home&node=k")).content.decode()
    assert "The service &lt;b&gt;said&lt;/b&gt; no." in page
    assert "No call of this node is kept." in (await client.get("/settings?node=x")).content.decode()


def test_without_prompts_neither_user_nor_text_is_kept_but_counts_are():
    OutsideLimits.objects.create(log_prompts=False)
    call_log.write([entry(cost=None), entry(status="failed", reason="auth")])
    kept = call_log.newest(10)
    assert [(e["user_id"], e["details"]) for e in kept] == [("", None), ("", None)]
    assert "taste" not in json.dumps(list(CallLogEntry.objects.values()), default=str)
    (node,) = call_log.by_node(1)
    assert (node["calls"], node["failed"], node["reasons"], node["cost"]) == (2, 1, {"auth": 1}, None)


PROMPT = {"settings": {"kind": "llm", "endpoint": "gpt"}, "user_id": "ann", "items": ["m1", "m2", "m3"]}


def with_settings(**settings):
    return PROMPT | {"settings": PROMPT["settings"] | settings}


async def test_the_prompt_is_shown_for_the_user_as_the_preview_supposes_them(client, server, rows):
    await set_up(client, server)
    body = PROMPT | {"items": ["m1", "m2"], "data_source": {"positive": ["like"]}}
    liked = {"add": [{"item_id": "m3", "sense": "positive"}]}
    told = {}
    for name, what_if in {
        "as it is": None,
        "more": liked,
        "less": {"remove": [{"item_id": "m4", "type": "like"}]},
        "nobody": liked | {"anonymous": True},
    }.items():
        _, shown = await send(client, "post", "/api/preview/prompt", body | {"what_if": what_if})
        text = shown["messages"][1]["content"]
        told[name] = ["- Movie 3" in text, "- Movie 4" in text]
    assert told == {
        "as it is": [False, True],
        "more": [True, True],
        "less": [False, False],
        "nobody": [True, False],
    }


async def test_a_prompt_for_what_cannot_be_supposed_is_refused(client, server, rows):
    await set_up(client, server)
    never = PROMPT | {"what_if": {"remove": [{"item_id": "m1", "type": "like"}]}}
    status, said = await send(client, "post", "/api/preview/prompt", never)
    assert (status, said["message"]) == (422, "ann has no feedback 'like' on 'm1' to leave out")
    status, said = await send(client, "post", "/api/preview/prompt", PROMPT | {"what_if": {"ad": []}})
    assert (status, said["field"]) == (422, "what_if.ad")


async def test_the_prompt_is_shown_for_a_user_without_asking_anybody(client, server, rows):
    await set_up(client, server)
    await send(client, "put", "/api/settings/prices", {"model": "m", "input": 10, "output": 100})
    _, shown = await send(client, "post", "/api/preview/prompt", PROMPT)
    assert shown["problems"] == []
    assert [message["role"] for message in shown["messages"]] == ["system", "user"]
    assert "- Movie 4" in shown["messages"][1]["content"]
    assert "1,Movie 1\n2,Movie 2\n3,Movie 3" in shown["messages"][1]["content"]
    parts = shown["estimate"]
    assert parts["total"] == parts["rules"] + parts["history"] + parts["candidates"] + parts["answer"]
    assert shown["cost"] == pytest.approx((parts["prompt"] * 10 + parts["answer"] * 100) / 1e6)
    assert [item["item_id"] for item in shown["items"]] == ["m1", "m2", "m3"]
    assert server.hits == []


async def test_sources_of_candidates_reach_the_prompt_and_unknown_users_are_cold(client, server, rows):
    await set_up(client, server)
    prompt = "{{ feedback | length }}{% for i in items %}|{{ i.sources | join('+') }}{% endfor %}"
    body = with_settings(prompt=prompt, system="") | {
        "user_id": "nobody",
        "sources": {"m1": ["Latest", "Popular"], "m3": ["Popular"]},
    }
    _, shown = await send(client, "post", "/api/preview/prompt", body)
    assert shown["messages"] == [{"role": "user", "content": "0|Latest+Popular||Popular"}]


@pytest.mark.parametrize(
    ("prompt", "line"),
    [("{% for i in items %}\n{{ i.Titel }}{% endfor %}", 2), ("{{ items }}\n\n{% if %}", 3)],
)
async def test_problems_of_a_template_come_with_line_and_column(client, server, rows, prompt, line):
    await set_up(client, server)
    _, shown = await send(client, "post", "/api/preview/prompt", with_settings(prompt=prompt))
    problem = shown["problems"][0]
    assert (problem["field"], problem["line"]) == ("prompt", line)
    assert problem["column"] >= 1


async def test_what_fails_for_this_user_only_has_its_line_too_and_nothing_is_sent(client, server, rows):
    await set_up(client, server)
    prompt = "{{ items | length }}\n{{ user.Labels.taste }}"
    _, shown = await send(client, "post", "/api/preview/prompt/send", with_settings(prompt=prompt))
    (problem,) = shown["problems"]
    assert (problem["field"], problem["line"]) == ("prompt", 2)
    assert shown["outcome"] is None
    assert server.hits == []


async def test_sending_shows_answer_order_and_dropped_tokens_and_keeps_nothing(client, server, rows):
    server.script(CHAT, completion("Sure!\n```csv\n3\n9\n```"))
    await set_up(client, server)
    for _ in range(2):
        _, shown = await send(client, "post", "/api/preview/prompt/send", PROMPT)
    outcome = shown["outcome"]
    assert (outcome["status"], outcome["calls"][0]["answer"]) == ("partial", "Sure!\n```csv\n3\n9\n```")
    assert [(i["item_id"], i["rank_before"], i["origin"]) for i in outcome["items"]] == [
        ("m3", 3, "ranked"),
        ("m1", 1, "appended"),
        ("m2", 2, "appended"),
    ]
    assert {"text": "9", "reason": "unknown"} in outcome["calls"][0]["dropped"]
    assert server.count(CHAT) == 2
    assert len(directory.answers().for_seconds(1e9)) == 0


async def test_leaving_the_page_ends_the_call_upstream(client, server, rows):
    server.script(CHAT, hang())
    await set_up(client, server, timeout_s=30)
    asked = asyncio.create_task(send(client, "post", "/api/preview/prompt/send", PROMPT))
    assert await asyncio.to_thread(server.wait_for_hit, CHAT)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await asyncio.to_thread(server.wait_for_disconnect, CHAT, 15.0)  # its deadline is 30 s


async def test_a_pasted_answer_is_read_without_a_call(client, server, rows):
    await set_up(client, server)
    body = PROMPT | {"answer": "2\n1\n2"}
    _, read = await send(client, "post", "/api/preview/prompt/read", body)
    assert [i["item_id"] for i in read["items"]] == ["m2", "m1", "m3"]
    assert [i["origin"] for i in read["items"]] == ["ranked", "ranked", "appended"]
    assert read["dropped"] == [{"text": "2", "reason": "duplicate"}]
    by_id = with_settings(use_aliases=False) | {"answer": "m3"}
    _, read = await send(client, "post", "/api/preview/prompt/read", by_id)
    assert read["items"][0]["item_id"] == "m3"
    assert server.hits == []


async def test_a_reranker_shows_query_and_documents(client, server, rows):
    server.script("/v1/rerank", json_reply({"results": [{"index": 1, "relevance_score": 2.0}]}))
    await set_up(client, server)
    body = with_settings(kind="rerank", query_template="likes {{ feedback[0].Comment }}")
    _, shown = await send(client, "post", "/api/preview/prompt/send", body)
    assert shown["messages"][0] == {"role": "query", "content": "likes Movie 4"}
    assert [m["content"] for m in shown["messages"][1:]] == ["Movie 1", "Movie 2", "Movie 3"]
    assert [i["item_id"] for i in shown["outcome"]["items"]] == ["m2", "m1", "m3"]


async def test_the_preview_of_an_external_node_shows_the_exchange_with_secrets_hidden(client, server, rows):
    def answer(exchange):
        exchange.reply(200, json.dumps({"ids": ["m2", "zz"], "you": exchange.hit.headers["x-key"]}))

    url = server.script("/ids", answer)
    await set_up(client, server)
    assert (await send(client, "put", "/api/settings/secrets/SHOP", {"value": TOKEN}))[0] == 200
    settings = {
        "url": url + "?k={{ secrets.SHOP | urlencode }}",
        "headers": "X-Key: {{ secrets.SHOP }}",
        "ids": "ids",
    }
    _, shown = await send(client, "post", "/api/preview/external", {"settings": settings, "user_id": "ann"})
    assert server.hits[0].headers["x-key"] == TOKEN
    assert (shown["ids"], shown["unknown_ids"]) == (["m2", "zz"], ["zz"])
    assert shown["items"] == [{"item_id": "m2", "title": "Movie 2"}]
    (sent,) = shown["requests"]
    assert (sent["status"], sent["method"]) == (200, "GET")
    assert "[hidden]" in sent["url"]
    assert "[hidden]" in sent["response_body"]
    assert "shop" not in json.dumps(shown)
    script = {"mode": "script", "script": "console.log('hi'); fetch('" + url + "').status; nope()"}
    _, shown = await send(client, "post", "/api/preview/external", {"settings": script, "user_id": "ann"})
    assert shown["logs"] == ["hi"]
    assert shown["problems"][0]["field"] == "script"
    _, shown = await send(client, "post", "/api/preview/external", {"settings": {}, "user_id": "ann"})
    assert shown["problems"][0]["message"] == "url must be given"


async def test_no_key_or_secret_is_in_any_answer_page_export_or_log_line(client, server, rows, caplog):
    """The search for the key: everything the server says while it is used, misused and shown."""
    echo = f"Invalid key {KEY}, want something like Bearer {KEY}"
    server.script(CHAT, status(401, {"error": {"message": echo}}), completion(f"1\n{KEY}\n2\n3"))
    server.script("/ids", status(500, f"{TOKEN} {KEY}"))
    told = []

    async def say(method, path, body=None):
        answer = await request(client, method, path, body)
        told.append(f"{path} {answer.status_code} {dict(answer.headers)} {answer.content.decode()}")
        return answer

    with caplog.at_level(logging.DEBUG):
        told.append(json.dumps(await set_up(client, server)))
        await say("put", "/api/settings/secrets/SHOP", {"value": TOKEN})
        await say("put", "/api/settings/endpoints/gpt", {"base_url": "nonsense", "model": "", "key": KEY})
        await say("put", "/api/settings/secrets/1", {"value": TOKEN})
        for _ in range(2):
            await say("post", "/api/preview/prompt", PROMPT)
            await say("post", "/api/preview/prompt/send", PROMPT)
            _, result, events = await run_flow()
            told.append(json.dumps(events) + repr(result))
            changes._start_anew((await directory.current_soon()).endpoints["gpt"].endpoint)
        external = {"url": server.url("/ids"), "headers": "X-Key: {{ secrets.SHOP }}"}
        await say("post", "/api/preview/external", {"settings": external, "user_id": "ann"})
        made = await say("post", "/api/flows", {"name": "Home", "document": FLOW})
        await asyncio.to_thread(call_log.writer.flush)
        for path in (
            "/settings",
            "/flows",
            f"/flows/{made.json()['id']}",
            f"/api/flows/{made.json()['id']}",
            "/api/settings",
            "/api/endpoints",
            "/api/calls",
            "/api/calls/nodes",
            "/api/flow-schema",
        ):
            await say("get", path)
        told.append(repr(await directory.current_soon()))
        rows_kept = await sync_to_async(lambda: list(CallLogEntry.objects.values()))()
        told.append(json.dumps(rows_kept, default=str))
    assert any("Bearer" in hit.headers.get("authorization", "") for hit in server.hits)
    assert any(hit.headers.get("x-key") == TOKEN for hit in server.hits)
    everything = [*told, caplog.text]
    assert [text[:200] for text in everything if KEY in text or TOKEN in text] == []


async def test_the_settings_page_changes_what_the_api_shows(client, server):
    body = {"action": "save-endpoint", "name": "gpt", "base_url": server.url("/v1"), "model": "m", "key": KEY}
    answer = await client.post("/settings", body)
    assert answer.status_code == 302
    body = {
        "action": "save-limits",
        "currency": "EUR",
        "day_tokens": "1000",
        "run_cost": "",
        "log_prompts": "on",
    }
    body |= {"log_calls": "5", "log_days": "2"}
    assert (await client.post("/settings", body)).status_code == 302
    assert (
        await client.post("/settings", {"action": "save-networks", "networks": "10.0.0.0/8\nmodels:80"})
    ).status_code == 302
    _, shown = await send(client, "get", "/api/settings")
    assert shown["endpoints"][0]["has_key"] is True
    assert shown["limits"]["day_tokens"] == 1000
    assert shown["limits"]["run_cost"] is None
    assert shown["networks"] == ["10.0.0.0/8", "models:80"]
    page = (await client.get("/settings")).content.decode()
    assert "ends in 9876" in page
    assert "10.0.0.0/8\nmodels:80\n</textarea>" in page
    assert KEY not in page


async def test_the_settings_page_says_what_is_wrong_and_keeps_what_was_typed(client):
    body = {"action": "save-endpoint", "name": "g p t", "base_url": "https://x/v1", "model": "m", "key": KEY}
    answer = await client.post("/settings", body)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "The name of an endpoint has 1 to 64 letters" in page
    assert 'value="https://x/v1"' in page
    assert KEY not in page


async def test_the_stand_in_ranks_in_a_run_and_is_named_there(settings, rows):
    with serve() as url:
        settings.STAND_IN_URL = url
        directory.changed()
        document = json.loads(json.dumps(FLOW))
        document["nodes"][2]["settings"]["endpoint"] = "default"
        _, result, said = await run_flow(document)
    assert result.degraded == []
    finished = next(m for m in said if m["event"] == "node.finished" and m["node_id"] == "k")
    assert "no language model" in finished["details"]["notice"]


TEST = "/api/settings/endpoints/gpt/test"


async def test_an_endpoint_is_tested_with_one_question_that_is_booked_and_logged(client, server):
    server.script(CHAT, completion("1\n2"))
    await set_up(client, server)
    price = {"model": "m", "input": 10.0, "output": 100.0}
    await send(client, "put", "/api/settings/prices", price)
    status_code, told = await send(client, "post", TEST, {})
    assert status_code == 200
    assert (told["ok"], told["status"], told["model"], told["tokens"]) == (True, 200, "m", 309)
    assert told["cost"] == pytest.approx((300 * 10 + 9 * 100) / 1e6)
    assert told["message"] == "It answered with a ranking."
    assert 0 < told["ms"] < 60_000
    (hit,) = server.hits_of(CHAT)
    assert hit.headers["authorization"] == f"Bearer {KEY}"
    assert len(hit.body) < 1000
    _, settings = await send(client, "get", "/api/settings")
    assert settings["spent_today"] == {"tokens": 309, "cost": 0.0039}
    call_log.writer.flush()
    _, (call,) = await send(client, "get", "/api/calls?n=5")
    assert (call["flow"], call["node_name"], call["status"]) == ("Settings", "Test of gpt", "ok")


@pytest.mark.parametrize(
    ("answer", "told_status", "words"),
    [
        (status(401, {"error": {"message": f"Wrong key {KEY}"}}), 401, "401"),
        (status(503, "busy"), 503, "503"),
        (completion("I like tea."), 200, "with no ranking of the items"),
        (status(200, "<html>hello</html>"), 200, "not JSON"),
    ],
)
async def test_a_test_that_fails_says_why_in_a_sentence_and_is_tried_once(
    client, server, answer, told_status, words
):
    server.script(CHAT, answer)
    await set_up(client, server)
    _, told = await send(client, "post", TEST, {})
    assert (told["ok"], told["status"]) == (False, told_status)
    assert words in told["message"]
    assert KEY not in json.dumps(told)
    assert server.count(CHAT) <= 2  # an envelope that cannot be read is asked for once more


async def test_a_test_of_a_reranker_speaks_its_dialect(client, server):
    scores = [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}]
    server.script("/v1/rerank", json_reply({"results": scores}))
    await set_up(client, server)
    _, told = await send(client, "post", TEST, {"way": "jina"})
    assert (told["ok"], told["status"]) == (True, 200)
    (hit,) = server.hits
    assert hit.json["documents"] == ["A pot of tea", "A pair of boots"]


async def test_a_test_keeps_to_the_budget_and_to_the_allowed_networks(client, server):
    await set_up(client, server)
    await send(client, "put", "/api/settings/limits", {"day_tokens": 5})
    _, told = await send(client, "post", TEST, {})
    assert (told["ok"], told["status"]) == (False, None)
    assert "The limit of 5 tokens for today would be passed" in told["message"]
    await send(client, "put", "/api/settings/limits", {})
    await send(client, "put", "/api/settings/networks", {"networks": []})
    _, told = await send(client, "post", TEST, {})
    assert "not allowed" in told["message"]
    assert server.hits == []


async def test_what_cannot_be_tested_is_refused(client, server):
    assert (await send(client, "post", TEST, {}))[0] == 404
    await set_up(client, server)
    assert (await send(client, "post", TEST, {"way": "fax"}))[0] == 400


async def test_the_settings_page_tests_an_endpoint_too(client, server):
    server.script(CHAT, completion("1\n2"), status(401, f"Wrong key {KEY}"))
    await set_up(client, server)
    said = []
    for _ in range(2):
        page = await client.post("/settings", {"action": "test-endpoint", "name": "gpt", "way": "chat"})
        assert page.status_code == 200
        said.append(page.content.decode())
    assert "It answered with a ranking. Status 200 after " in said[0]
    assert "model m, 309 tokens, price unknown." in said[0]
    assert "Status 401" in said[1]
    assert KEY not in said[0] + said[1]
