"""The table of failures, end to end: how often the service is asked, and what order the user gets.

Every row runs over a real socket against a server that misbehaves on purpose.
"""

import asyncio
import dataclasses
import random
import re
import socket
import threading
import time

import pytest

from recflow.llm.prompts import PromptTemplate
from recflow.llm.ranking import rank_with_llm
from recflow.llm.settings import LlmSettings
from recflow.outbound import addresses
from recflow.outbound.call import EndpointPolicy, Timing, breaker_status
from recflow.outbound.client import Guard
from tests import scripted_server as play
from tests.patience import PATIENCE_S
from tests.scripted_server import json_reply, status

CHAT = "/v1/chat/completions"
TEMPLATE = PromptTemplate("{% for i in items %}{{ i.ItemId }},{{ i.Comment }}\n{% endfor %}")
ITEMS = [{"ItemId": name, "Comment": "x"} for name in "abc"]
GOOD = json_reply({"choices": [{"message": {"content": "3\n1\n2"}, "finish_reason": "stop"}]})
CAB, ABC = (2, 0, 1), (0, 1, 2)
SLACK_S = 10.0  # what a busy machine may add to a deadline; without one it would be 20 s and more


def said(message, http=400, **fields):
    return status(http, {"error": {"message": message} | fields})


def completion(content, finish_reason="stop", **message):
    return json_reply(
        {"choices": [{"message": {"content": content} | message, "finish_reason": finish_reason}]}
    )


async def no_sleep(_seconds):
    """Waits are asserted by the tests of outbound; here they would only cost time."""


def hurried():
    return Timing(sleep=no_sleep, rng=random.Random(1))


async def rank(endpoint, **options):
    settings = LlmSettings(**options)
    return await rank_with_llm(endpoint, TEMPLATE, {}, [], ITEMS, settings, timing=hurried())


GIVEN_UP = [
    ("reset before headers", play.reset(), 3, "reset"),
    ("reset in the body", play.reset_in_body(), 3, "reset"),
    ("short body", play.short_body(), 3, "reset"),
    (
        "cut JSON is not salvaged",
        status(200, '{"choices": [{"message": {"content": "3\\n1\\n2'),
        3,
        "cut_reply",
    ),
    ("empty 200", status(200, ""), 2, "unreadable"),
    ("HTML with 200", status(200, "<html><script>3</script></html>"), 2, "unreadable"),
    ("error object with 200, rate limit", said("slow", 200, code=429), 3, "rate_limited"),
    ("error object with 200, bad key", said("no", 200, code="invalid_api_key"), 1, "auth"),
    ("no choices", json_reply({"choices": []}), 1, "no_choices"),
    ("body over the cap", play.endless_body(), 1, "too_large"),
    ("gzip bomb", play.gzip_bomb(20), 1, "too_large"),
    *(
        (f"{code} redirect", play.redirect("http://127.0.0.1:9/elsewhere", code), 1, "redirect")
        for code in (301, 302, 307, 308)
    ),
    ("content filter 400", said("blocked", code="content_filter"), 1, "content_filter"),
    ("content filter 421", status(421, "no"), 1, "content_filter"),
    ("bad request", said("messages is wrong"), 1, "bad_request"),
    ("405", status(405), 1, "bad_request"),
    ("406", status(406), 1, "bad_request"),
    ("413", status(413), 1, "batch_too_large"),
    ("415", status(415), 1, "bad_request"),
    ("422", said("nonsense", 422), 1, "bad_request"),
    ("401", said("bad key", 401), 1, "auth"),
    ("402", said("pay", 402), 1, "payment"),
    ("403", said("not for you", 403), 1, "auth"),
    ("404", said("no such model", 404), 1, "not_found"),
    ("408", status(408), 3, "conflict"),
    ("409", status(409), 3, "conflict"),
    ("425", status(425), 3, "conflict"),
    ("424", status(424), 2, "inference_failed"),
    ("429", said("slow down", 429), 3, "rate_limited"),
    ("429 with a long Retry-After", status(429, "", Retry_After="99"), 1, "rate_limited"),
    ("429 without quota", said("no money", 429, code="insufficient_quota"), 1, "quota"),
    ("499", status(499), 1, "client_closed"),
    ("500", status(500), 3, "server_error"),
    ("500 that is a bad request", said("1 validation error for Body: messages", 500), 1, "bad_request"),
    ("501", status(501), 1, "not_offered"),
    ("502", status(502), 3, "server_error"),
    ("504", status(504), 3, "server_error"),
    ("505", status(505), 1, "not_offered"),
    ("520", status(520), 3, "server_error"),
    *((f"{code}", status(code), 3, "server_error") for code in (521, 522, 523, 524)),
    ("529", status(529), 3, "server_error"),
    ("418", status(418), 1, "bad_request"),
    ("599", status(599), 3, "server_error"),
    ("empty content", completion(""), 1, "empty"),
    ("null content", completion(None), 1, "empty"),
    (
        "reasoning without an answer",
        completion("", "length", reasoning_content="I wonder"),
        1,
        "reasoning_only",
    ),
    ("tool calls", completion(None, "tool_calls", tool_calls=[{}]), 1, "tool_calls"),
    ("refusal", completion(None, refusal="no"), 1, "refusal"),
    ("filtered answer", completion("", "content_filter"), 1, "content_filter"),
    ("prose", completion("What a nice list."), 1, "no_candidate"),
]
#: What a person reads: a sentence of ours, or who answered what, with its own words if it had any, and how
#: often it was tried.
SAID = re.compile(
    r"([A-Z][^.:]+\.|http://127\.0\.0\.1:\d+/v1/chat/completions "
    r"(answered \d{3}\. [A-Z][^.:]+(\.|: \S.*?)|broke the connection before the answer was complete\.))"
    r"( \((?P<tries>\d) tries in \d+\.\d s\))?"
)


@pytest.mark.parametrize(
    ("handler", "hits", "reason"), [row[1:] for row in GIVEN_UP], ids=[row[0] for row in GIVEN_UP]
)
async def test_failure_keeps_the_incoming_order_and_says_why(server, endpoint, handler, hits, reason):
    server.script(CHAT, handler)
    started = time.perf_counter()
    ranking = await rank(endpoint, temperature=None)
    assert time.perf_counter() - started < endpoint.policy.guard.total_s + SLACK_S
    assert (ranking.order, ranking.status, ranking.reason) == (ABC, "failed", reason)
    assert ranking.origins == ("incoming",) * 3
    assert server.count(CHAT) == hits
    assert len(ranking.calls) == 1
    assert len(ranking.calls[0].attempts) == hits
    found = SAID.fullmatch(ranking.message)
    assert found, ranking.message
    assert (found["tries"] or "1") == str(hits)
    assert "secret" not in ranking.message + repr(ranking.calls)


RECOVERED = [
    ("reset", play.reset()),
    ("short body", play.short_body()),
    ("cut JSON", status(200, '{"choices": [{"mess')),
    ("HTML", status(200, "<html>")),
    ("424", status(424)),
    ("429 with Retry-After", status(429, "", Retry_After="1")),
    ("500", status(500)),
    ("503 while loading", status(503, "Loading model")),
    ("504", status(504)),
    ("error in 200", said("busy", 200, code=503)),
    ("stream with an error", play.sse([{"error": {"message": "busy", "code": 500}}])),
]


@pytest.mark.parametrize("handler", [row[1] for row in RECOVERED], ids=[row[0] for row in RECOVERED])
async def test_a_passing_failure_is_tried_again(server, endpoint, handler):
    server.script(CHAT, handler, GOOD)
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.status, server.count(CHAT)) == (CAB, "ok", 2)
    assert [attempt.kind == "ok" for attempt in ranking.calls[0].attempts][-1]


async def test_a_loading_service_is_asked_again_in_long_steps(server, endpoint, guard):
    patient = EndpointPolicy("llm test", dataclasses.replace(guard, total_s=60.0))
    server.script(CHAT, *[status(503, "Loading model")] * 4, GOOD)
    ranking = await rank(dataclasses.replace(endpoint, policy=patient))
    assert (ranking.order, server.count(CHAT)) == (CAB, 5)


@pytest.mark.parametrize(
    ("answer", "order", "reason"),
    [
        (completion("3"), (2, 0, 1), "missing"),
        (completion("2\n9\n2"), (1, 0, 2), "missing"),
        (completion("2\n", "length"), (1, 0, 2), "cut"),
    ],
)
async def test_a_partial_answer_is_completed_in_incoming_order(server, endpoint, answer, order, reason):
    server.script(CHAT, answer)
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.status, ranking.reason) == (order, "partial", reason)
    expected = ["appended"] * 3
    expected[order[0]] = "ranked"
    assert ranking.origins == tuple(expected)


@pytest.mark.parametrize(
    "answer",
    [
        status(200, b"\xef\xbb\xbf" + b'{"choices": [{"message": {"content": "3\\n1\\n2"}}]}'),
        status(200, '{"choices": [{"message": {"content": "3\\n1\\n2"}}]}', Content_Type="text/plain"),
        play.sse([{"choices": [{"delta": {"content": text}}]} for text in ("3\n1", "\n2")], done=False),
        completion("", reasoning="3\n1\n2"),
        completion("<think>1 2 3</think>\n```json\n[3, 1, 2]\n```"),
    ],
    ids=["bom", "text/plain", "stream", "list in reasoning", "think"],
)
async def test_unusual_but_good_answers_count(server, endpoint, answer):
    server.script(CHAT, answer)
    assert (await rank(endpoint)).order == CAB
    assert server.count(CHAT) == 1


@pytest.mark.parametrize(
    "handler",
    [
        play.hang(),
        play.hang_after_headers(),
        play.drip(b'{"choices": ' * 50, 0.03),
        play.keep_alive_spaces(0.03),
    ],
    ids=["hang", "hang after headers", "drip", "keep-alive spaces"],
)
async def test_the_deadline_holds_whatever_trickles_in(server, endpoint, guard, handler):
    policy = EndpointPolicy("llm test", dataclasses.replace(guard, total_s=0.4))
    server.script(CHAT, handler)
    started = time.perf_counter()
    ranking = await rank(dataclasses.replace(endpoint, policy=policy))
    assert time.perf_counter() - started < 0.4 + SLACK_S
    assert (ranking.order, ranking.reason, server.count(CHAT)) == (ABC, "timeout", 1)


async def test_silence_is_tried_once_more_while_time_is_left(server, endpoint, guard):
    policy = EndpointPolicy("llm test", dataclasses.replace(guard, idle_s=0.2))
    server.script(CHAT, play.hang(), GOOD)
    ranking = await rank(dataclasses.replace(endpoint, policy=policy))
    assert (ranking.order, server.count(CHAT)) == (CAB, 2)


async def test_nobody_listens(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ranking = await rank(dataclasses.replace(endpoint, base_url=f"http://127.0.0.1:{port}/v1"))
    assert (ranking.order, ranking.reason) == (ABC, "connect")
    assert len(ranking.calls[0].attempts) == 3


async def test_a_name_without_an_address_is_looked_up_three_times(endpoint, monkeypatch):
    asked = []

    async def lookup(host, port):
        asked.append(host)
        raise OSError("no such name")

    monkeypatch.setattr(addresses, "lookup", lookup)
    ranking = await rank(dataclasses.replace(endpoint, base_url="https://models.example/v1"))
    assert (ranking.order, ranking.reason, asked) == (ABC, "dns", ["models.example"] * 3)


async def test_a_connection_without_tls_is_given_up_at_once(server, endpoint):
    base_url = server.url("/v1").replace("http://", "https://")
    ranking = await rank(dataclasses.replace(endpoint, base_url=base_url))
    assert (ranking.order, ranking.reason, server.hits) == (ABC, "tls", [])
    assert len(ranking.calls[0].attempts) == 1
    assert breaker_status("llm test").state == "open"


async def test_an_address_that_is_not_allowed_is_never_called(server, endpoint):
    policy = EndpointPolicy("llm test", Guard(total_s=2.0))
    server.script(CHAT, GOOD)
    ranking = await rank(dataclasses.replace(endpoint, policy=policy))
    assert (ranking.order, ranking.reason, server.count(CHAT)) == (ABC, "address", 0)


async def test_a_refused_key_opens_the_circuit_and_the_next_ranking_asks_nobody(server, endpoint):
    server.script(CHAT, said("bad key", 401))
    await rank(endpoint)
    ranking = await rank(endpoint)
    assert (ranking.order, ranking.reason, server.count(CHAT)) == (ABC, "circuit_open", 1)
    assert breaker_status("llm test").state == "open"


@pytest.mark.parametrize("is_stated_in_code", [True, False])
async def test_context_length_is_met_with_one_shorter_prompt(server, endpoint, is_stated_in_code):
    template = PromptTemplate("{% for f in feedback %}{{ f.Comment }}\n{% endfor %}" + TEMPLATE.user)
    refusal = (
        said("too long", code="context_length_exceeded")
        if is_stated_in_code
        else said("This model's maximum context length is 4096 tokens")
    )
    server.script(CHAT, refusal, GOOD)
    told = [{"ItemId": f"h{i}", "Comment": "y" * 60} for i in range(16)]
    ranking = await rank_with_llm(endpoint, template, {}, told, ITEMS, LlmSettings(), timing=hurried())
    assert (ranking.order, ranking.status, server.count(CHAT)) == (CAB, "ok", 2)
    first, second = (hit.json["messages"][0]["content"].count("y") for hit in server.hits_of(CHAT))
    assert (first, second) == (16 * 60, 8 * 60)  # 0.6 of about 400 tokens holds 8 of 16 entries
    assert ranking.notes == ("The model found the prompt too long; it was asked again with a shorter one.",)


async def test_context_length_is_never_met_twice(server, endpoint):
    server.script(CHAT, said("maximum context length is 10 tokens"))
    template = PromptTemplate("{% for f in feedback %}{{ f.Comment }}{% endfor %}" + TEMPLATE.user)
    told = [{"ItemId": "h", "Comment": "y" * 300}]
    ranking = await rank_with_llm(endpoint, template, {}, told, ITEMS, LlmSettings(), timing=hurried())
    assert (ranking.order, ranking.reason, server.count(CHAT)) == (ABC, "context_length", 2)


async def test_cancelling_closes_the_connection(server, endpoint):
    arrived, gone = threading.Event(), threading.Event()

    def wait_for_the_end(exchange):
        arrived.set()
        if exchange.wait_for_disconnect(PATIENCE_S):
            gone.set()
        exchange.close()

    server.script(CHAT, wait_for_the_end)
    task = asyncio.create_task(rank(endpoint))
    assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gone.wait, PATIENCE_S)


async def test_a_wrong_template_fails_with_its_place_and_no_call(server, endpoint):
    server.script(CHAT, GOOD)
    ranking = await rank_with_llm(endpoint, PromptTemplate("a\n{{ nope }}"), {}, [], ITEMS, LlmSettings())
    assert (ranking.order, ranking.reason, server.count(CHAT)) == (ABC, "template", 0)
    assert (ranking.error.line, ranking.error.column) == (2, 4)
