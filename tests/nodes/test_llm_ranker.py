"""The rankers that ask a model, inside a run: what they send, what comes out, who answers when they fail."""

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
from recflow.llm.budget import Limit
from recflow.llm.endpoint import Endpoint, Price
from recflow.llm.standin import serve
from recflow.nodes.outside import NamedEndpoint, Outside
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy, reset_breaker
from recflow.outbound.client import Guard
from tests.nodes.conftest import DAY, NOW, FreshModels, finished, history_of
from tests.patience import is_within
from tests.scripted_server import ScriptedServer, hang, json_reply, status

CHAT = "/v1/chat/completions"
KEY = "sk-very-secret-1234"
#: Latest gives d, c, b to u1, who likes a and has read f; the ranker gets them in that order as 1, 2, 3.
CHAIN = [("latest", {}), ("ranker", {"kind": "llm"})]


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


def guard(total_s=30.0):
    return Guard(AddressPolicy.parse(["127.0.0.0/8"]), total_s=total_s, connect_s=20.0, idle_s=20.0)


def completion(text, **usage):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return json_reply({"model": "m", "choices": [choice], **({"usage": usage} if usage else {})})


class World:
    """The services of a run with one endpoint, and what was logged of it."""

    def __init__(self, url, *, model="m", total_s=30.0, notice="", price=None, **outside):
        policy = EndpointPolicy(f"ranker test {url}", guard(total_s))
        self.endpoint = Endpoint(url, model, key=KEY, policy=policy, price=price)
        self.log = []
        reset_breaker(policy.name)
        self.outside = Outside(
            endpoints={"default": NamedEndpoint("default", self.endpoint, notice)},
            record=self.log.append,
            **outside,
        )

    def __call__(self, pool):
        async def give(request):
            return self.outside

        return Services(FreshModels(), pool, Memo(), {"outside": give})


def with_fallback(*ranker, **settings):
    """Source -> latest -> ranker -> recommend, and popular items as the fallback."""
    nodes = [
        {"id": "s", "type": "data-source", "settings": {"positive": ["like"], "read": ["read"]}},
        {"id": "l", "type": "latest", "name": "newest"},
        {"id": "k", "type": "ranker", "settings": {"kind": "llm", **settings}},
        {"id": "p", "type": "non-personalized", "settings": {"score": "len(feedback)"}},
        {"id": "f", "type": "fallback"},
        {"id": "r", "type": "recommend"},
    ]
    pairs = ("sl", "lk", "kr", "sp", "pf", "fr")
    edges = [{"id": pair, "source": pair[0], "target": pair[1]} for pair in pairs]
    return {"name": "Home", "nodes": nodes, "edges": edges}


def event(said, name, node_id):
    return next(m for m in said if m["event"] == name and m["node_id"] == node_id)


def test_the_list_comes_in_the_order_of_the_model_and_its_scores_fall_from_one(run_chain, server):
    world = World(server.script(CHAT, completion("```csv\n2\n3\n1\n```")).removesuffix("/chat/completions"))
    ids, run, said = run_chain(CHAIN, services=world)
    assert ids == ["c", "b", "d"]
    assert run.result.scores.tolist() == pytest.approx([1, 2 / 3, 1 / 3])  # (3 - k) / 3
    assert run.degraded == []
    (step,) = [step for step in run.result.trail if step.note == "ranked"]
    assert step.ranks_before.tolist() == [2, 3, 1]
    assert event(said, "node.finished", "n1")["details"]["status"] == "ok"


def test_the_model_sees_the_newest_likes_and_who_proposed_each_candidate(run_chain, server):
    world = World(server.script(CHAT, completion("1\n2\n3")).removesuffix("/chat/completions"))
    prompt = (
        "{% for e in feedback %}{{ e.ItemId }} {{ e.FeedbackType }} {{ e.Labels.tags[0] }};{% endfor %}|"
        "{% for i in items %}{{ i.ItemId }} {{ i.rank_in }} {{ i.sources | join('+') }} "
        "{{ i.Categories | join('+') }} {{ i.Timestamp.Year() }};{% endfor %}"
    )
    chain = [
        ("latest", {}),
        ("ranker", {"kind": "llm", "prompt": prompt, "system": "", "use_aliases": False}),
    ]
    run_chain(chain, user_id="u2", services=world)
    (hit,) = server.hits_of(CHAT)
    (message,) = hit.json["messages"]
    # u2 liked b and then a; day 999 and 990 after 1970 lie in 1972
    assert message["content"] == "b like red;a like red;|d 1 Latest x+y 1972;c 2 Latest y 1972;"
    assert hit.headers["authorization"] == f"Bearer {KEY}"


def test_what_the_model_leaves_out_follows_as_appended_and_what_it_invents_is_told(run_chain, server):
    world = World(server.script(CHAT, completion("```csv\n3\n77\n3\n```")).removesuffix("/chat/completions"))
    ids, run, said = run_chain(CHAIN, services=world)
    assert ids == ["b", "d", "c"]
    notes = {note: step.items.tolist() for step in run.result.trail if (note := step.note)}
    assert (len(notes["ranked"]), len(notes["appended"])) == (1, 2)
    (made_up,) = [step for step in run.result.trail if step.reason == "invented"]
    assert made_up.unknown_ids == ("77",)
    assert run.degraded == [
        "Ranker: 2 of 3 candidates were not ranked: "
        "The answer left candidates out; they follow in the order they came."
    ]
    (call,) = event(said, "node.finished", "n1")["details"]["calls"]
    assert call["answer"] == "```csv\n3\n77\n3\n```"
    assert call["dropped"] == [
        {"text": "77", "reason": "unknown"},
        {"text": "3", "reason": "duplicate"},
    ]
    assert world.log[0].status == "partial"


def test_details_tell_tokens_by_part_cost_attempts_and_movement(run_chain, server):
    first, second = status(500), completion("2\n1\n3", prompt_tokens=400, completion_tokens=6)
    url = server.script(CHAT, first, second).removesuffix("/chat/completions")
    world = World(url, price=Price(input=2.0, output=10.0), total_s=20.0)
    _, _, said = run_chain(CHAIN, services=world)
    details = event(said, "node.finished", "n1")["details"]
    assert [(row["item_id"], row["rank"], row["rank_before"], row["origin"]) for row in details["items"]] == [
        ("c", 1, 2, "ranked"),
        ("d", 2, 1, "ranked"),
        ("b", 3, 3, "ranked"),
    ]
    (call,) = details["calls"]
    assert [(a["status"], a["kind"]) for a in call["attempts"]] == [(500, "server_error"), (200, "ok")]
    assert call["tokens"]["in"] == 400
    assert call["tokens"]["is_estimated"] is False
    assert set(call["tokens"]["estimate"]) == {"rules", "history", "candidates", "answer"}
    assert call["cost"] == pytest.approx((400 * 2 + 6 * 10) / 1e6)
    assert call["finish_reason"] == "stop"
    assert call["messages"][0]["role"] == "system"
    json.dumps(details)


def test_an_unknown_price_makes_the_cost_unknown_and_not_zero(run_chain, server):
    world = World(server.script(CHAT, completion("1\n2\n3")).removesuffix("/chat/completions"))
    _, _, said = run_chain(CHAIN, services=world)
    assert event(said, "node.finished", "n1")["details"]["cost"] is None
    assert world.log[0].cost is None


def test_a_failing_ranker_gives_nothing_and_the_fallback_answers(run_chain, server):
    world = World(server.script(CHAT, status(401, {"error": f"bad key {KEY}"})).removesuffix(CHAT[3:]))
    ids, run, said = run_chain.document(with_fallback(), services=world)
    # popular: a is liked thrice but known to u1, b twice, c and d once
    assert ids[0] == "b"
    failed = event(said, "node.failed", "k")
    assert failed["message"].endswith("; fallback taken")
    assert failed["field"] == "endpoint"
    assert failed["details"]["calls"][0]["attempts"][0]["status"] == 401
    assert run.degraded == [f"Ranker failed: {failed['message']}"]
    assert KEY not in json.dumps(said)
    assert (world.log[0].status, world.log[0].reason, world.log[0].flow) == ("failed", "auth", "Home")
    assert KEY not in repr(world.log) + json.dumps(world.log[0].details)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (with_fallback(on_failure="keep"), "The answer names no candidate; the order that came in was kept"),
        (None, "The answer names no candidate; there is no fallback in this flow, so the order"),
    ],
    ids=["as the setting says", "without a fallback"],
)
def test_or_the_order_that_came_in_is_kept_and_the_run_says_so(run_chain, server, document, why):
    world = World(server.script(CHAT, completion("A fine list.")).removesuffix("/chat/completions"))
    ids, run, said = (
        run_chain.document(document, services=world) if document else run_chain(CHAIN, services=world)
    )
    assert ids[:3] == ["d", "c", "b"]
    assert run.degraded[0].startswith(f"Ranker: {why}")
    finished = event(said, "node.finished", "k" if document else "n1")
    assert finished["details"]["calls"][0]["answer"] == "A fine list."


def test_a_template_that_fails_on_this_user_is_shown_at_the_prompt_with_its_line(run_chain, server):
    world = World(server.url("/v1"))
    document = with_fallback(prompt="{{ items | length }}\n{{ user.Labels.a.b }}")
    _, _, said = run_chain.document(document, services=world)
    failed = event(said, "node.failed", "k")
    assert failed["field"] == "prompt"
    assert server.hits == []


NOT_SET_UP = "There is no endpoint 'gpt'; none is set up yet: choose or add one in Settings"


def test_an_endpoint_that_is_not_set_up_is_shown_at_its_field_and_the_fallback_answers(run_chain):
    ids, _, said = run_chain.document(with_fallback(endpoint="gpt"))
    failed = event(said, "node.failed", "k")
    assert failed["field"] == "endpoint"
    assert failed["message"] == f"{NOT_SET_UP}; fallback taken"
    assert (failed["details"]["reason"], failed["details"]["calls"]) == ("not_configured", [])
    assert ids[0] == "b"


@pytest.mark.parametrize(
    "document", [with_fallback(endpoint="gpt", on_failure="keep"), None], ids=["as set", "no fallback"]
)
@pytest.mark.parametrize("kind", ["llm", "rerank"])
def test_without_its_endpoint_a_ranker_keeps_the_order_that_came_in(run_chain, kind, document):
    if document is None:
        ids, run, _ = run_chain([("latest", {}), ("ranker", {"kind": kind, "endpoint": "gpt"})])
    else:
        document["nodes"][2]["settings"]["kind"] = kind
        ids, run, _ = run_chain.document(document)
    assert ids[:3] == ["d", "c", "b"]
    assert run.degraded[0].startswith(f"Ranker: {NOT_SET_UP}; ")


@pytest.mark.parametrize(
    ("document", "first"), [(with_fallback(), "b"), (with_fallback(on_failure="keep"), "d")]
)
def test_a_fault_of_our_own_is_a_failed_ranking_and_stands_in_the_log(
    run_chain, server, document, first, monkeypatch, caplog
):
    async def faulty(*_, **__):
        raise TypeError("a fault of ours")

    monkeypatch.setattr("recflow.nodes.ranker.llm.rank_with_llm", faulty)
    world = World(server.url("/v1"))
    ids, run, _ = run_chain.document(document, services=world)
    assert ids[0] == first
    assert "a fault inside RecFlow (TypeError)" in run.degraded[0]
    assert "Traceback" in caplog.text
    assert (world.log[0].status, world.log[0].reason) == ("failed", "internal")


def test_one_candidate_needs_no_model(run_chain, server):
    world = World(server.url("/v1"))
    chain = [("filter", {"condition": "item.ItemId == 'c'"}), ("ranker", {"kind": "llm"})]
    ids, run, _ = run_chain([("latest", {}), *chain], services=world)
    assert ids == ["c"]
    assert server.hits == []
    assert run.degraded == []


def test_a_used_up_budget_takes_the_fallback_and_says_so(run_chain, server):
    limit = Limit("this run", max_tokens=100)
    world = World(server.url("/v1"), budget=limit)
    _, _, said = run_chain.document(with_fallback(), services=world)
    assert (
        "The limit of 100 tokens for this run would be passed" in event(said, "node.failed", "k")["message"]
    )
    assert server.hits == []


@pytest.mark.parametrize(
    ("kind", "path", "handler"),
    [
        ("llm", CHAT, completion("3\n2\n1")),
        (
            "rerank",
            "/v1/rerank",
            json_reply({"results": [{"index": n, "relevance_score": n} for n in range(3)]}),
        ),
    ],
)
def test_an_answer_is_kept_for_the_time_the_node_says(run_chain, server, kind, path, handler):
    kept, asked_for = {}, []

    def answers(seconds):
        asked_for.append(seconds)
        return kept

    server.script(path, handler)
    world = World(server.url("/v1"), answers=answers)
    chain = [("latest", {}), ("ranker", {"kind": kind, "keep": "2h"})]
    first, _, _ = run_chain(chain, services=world)
    second, _, said = run_chain(chain, services=world)
    assert first == second == ["b", "c", "d"]
    assert server.count(path) == 1
    assert asked_for == [7200.0, 7200.0]
    assert event(said, "node.finished", "n1")["details"]["calls"][0]["is_kept"] is True
    chain[1][1]["keep"] = "0s"
    run_chain(chain, services=world)
    assert server.count(path) == 2


def test_cancelling_the_run_aborts_the_call_within_a_second(snapshot, server):
    world = World(server.url("/v1"))
    request = RunRequest(history_of("u1", snapshot), now=NOW)

    async def cancelled():
        server.script(CHAT, hang())
        with ThreadPoolExecutor(2) as pool:
            run = execute(load_flow(with_fallback()), request, snapshot, world(pool))
            task = asyncio.create_task(finished(run))
            assert await asyncio.to_thread(server.wait_for_hit, CHAT)
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.wait_for_disconnect, CHAT)
            return time.monotonic() - began

    assert is_within(1.0, lambda: asyncio.run(cancelled()))


def test_the_stand_in_ranks_by_likeness_and_is_named_wherever_it_answers(run_chain):
    with serve() as url:
        world = World(url, model="recflow-stand-in", notice="This is no language model.")
        # u2 likes a (red, old) and b (red): d shares both tags and stands before c (blue)
        ids, _, said = run_chain(CHAIN, user_id="u2", services=world)
    assert ids == ["d", "c"]
    details = event(said, "node.finished", "n1")["details"]
    assert details["notice"] == "This is no language model."
    assert details["calls"][0]["model"] == "recflow-stand-in"


@pytest.mark.parametrize(
    ("path", "templates"),
    [
        (CHAT, {"kind": "llm", "prompt": "{{ user.UserId }}{% for i in items %}, {{ i.text }}{% endfor %}"}),
        ("/v1/rerank", {"kind": "rerank", "query_template": "about {{ user.UserId }}"}),
    ],
)
def test_only_the_chosen_fields_of_items_leave_the_server_and_no_user_id(run_chain, server, path, templates):
    def sent(**settings):
        server.script(path, status(400))
        run_chain([("latest", {}), ("ranker", templates | settings)], services=World(server.url("/v1")))
        return server.hits_of(path)[-1].body.decode()

    only_categories = sent(item_fields=["Categories"])
    assert "blue" not in only_categories  # a tag of c
    assert "u1" not in only_categories
    assert "blue" in sent(item_fields=["Labels"])
    assert "u1" in sent(send_user_id=True)


def test_a_reranker_sorts_by_the_scores_of_the_service(run_chain, server):
    results = [{"index": 0, "relevance_score": 0.1}, {"index": 2, "relevance_score": 0.9}]
    server.script("/v1/rerank", json_reply({"results": results, "usage": {"total_tokens": 12}}))
    world = World(server.url("/v1"))
    settings = {
        "kind": "rerank",
        "query_template": "{{ feedback[0].ItemId }}",
        "document_template": "<{{ item.ItemId }}>",
    }
    ids, run, said = run_chain([("latest", {}), ("ranker", settings)], services=world)
    assert ids == ["b", "d", "c"]  # 0.9, 0.1, then the one without a score
    (hit,) = server.hits_of("/v1/rerank")
    assert (hit.json["query"], hit.json["documents"]) == ("a", ["<d>", "<c>", "<b>"])
    assert run.degraded[0].startswith("Ranker: 1 of 3 candidates were not ranked")
    assert event(said, "node.finished", "n1")["details"]["kind"] == "rerank"
    assert (world.log[0].kind, world.log[0].tokens_in) == ("rerank", 12)


def test_a_reranker_splits_the_list_at_its_batch_size(run_chain, server):
    def answer(exchange):
        n = len(exchange.hit.json["documents"])
        results = [{"index": place, "relevance_score": exchange.number + place} for place in range(n)]
        json_reply({"results": results})(exchange)

    server.script("/v1/rerank", answer)
    world = World(server.url("/v1"))
    ids, _, _ = run_chain([("latest", {}), ("ranker", {"kind": "rerank", "batch_size": 2})], services=world)
    assert [len(hit.json["documents"]) for hit in server.hits_of("/v1/rerank")] == [2, 1]
    assert ids == ["c", "b", "d"]  # d 1, c 2 in the first batch, b 2 in the second; a tie keeps the order


def problems_of(**settings):
    nodes = [{"id": "k", "type": "ranker", "settings": settings}]
    found = check(load_flow({"nodes": nodes}))
    return [(problem.field, problem.message) for problem in found if problem.code == "bad_setting"]


def test_settings_that_cannot_work_are_problems_at_their_fields():
    assert problems_of(kind="llm") == []
    assert problems_of(kind="rerank") == []
    assert problems_of(kind="llm", prompt="") == [("prompt", "prompt must not be empty")]
    ((field, message),) = problems_of(kind="llm", prompt="{% for i in items %}\n{{ i.Titel }}{% endfor %}")
    assert (field, message.startswith("Line 2, column ")) == ("prompt", True)
    assert "Titel" in message
    assert problems_of(kind="llm", prompt="Rank!") == [
        ("prompt", "The prompt does not show the candidates: loop over items in it")
    ]
    ((field, message),) = problems_of(kind="rerank", document_template="{{ items }}")
    assert (field, "items" in message) == ("document_template", True)
    ((field, _),) = problems_of(kind="llm", window_size=5, window_step=6)
    assert field == "window_step"


def test_an_item_that_was_liked_in_two_ways_is_told_once(run_chain, server):
    world = World(server.script(CHAT, completion("1\n2\n3")).removesuffix("/chat/completions"))
    twice = [("u1", "a", "star", 1, 905 * DAY)]
    run_chain(CHAIN, services=world, extra=twice, source={"positive": ["like", "star"]})
    (hit,) = server.hits_of(CHAT)
    told = hit.json["messages"][1]["content"].split("<history>")[1].split("</history>")[0]
    assert told.strip() == "- x; tags: red, old; v: 0, 0"
