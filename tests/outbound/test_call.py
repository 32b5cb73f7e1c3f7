"""The table of failures over real sockets: how often the service is hit, how long it takes, what the caller
gets."""

import asyncio
import dataclasses
import itertools
import threading
import time

import pytest

from recflow.errors import (
    AddressRefused,
    BudgetExceeded,
    ReplyUnreadable,
    ServiceError,
    ServiceRefused,
    ServiceTimeout,
)
from recflow.outbound import call as call_module
from recflow.outbound.call import EndpointPolicy, breaker_status, call, reset_breaker
from recflow.outbound.client import close_clients
from recflow.outbound.learned import Learned
from recflow.outbound.messages import Request
from recflow.outbound.places import Place
from recflow.outbound.rate import Rate, RateLedger
from recflow.outbound.retry import Hint
from tests.patience import PATIENCE_S
from tests.scripted_server import (
    drip,
    endless_body,
    gzip_bomb,
    hang,
    json_reply,
    redirect,
    reset,
    reset_in_body,
    short_body,
    sse,
    status,
)

OK = json_reply({"ok": True})
KEY = "sk-very-secret-sesame"
SLACK_S = 10.0  # what a busy machine may add; without the deadline it would be 20 s and more


@pytest.fixture
def policy(guard, request):
    """A fresh endpoint for each test: circuits are kept by name."""
    return EndpointPolicy(name=request.node.name, guard=guard)


def to(server, path="/v1/rank"):
    return Request.json(server.url(path), {"query": "x"}, {"Authorization": f"Bearer {KEY}"})


def error_body(message, code=None):
    return {"error": {"message": message, "code": code}}


RECOVERS = {  # what the service does before it works again; hits until then
    "reset before the headers": [reset()],
    "reset in the body, twice": [reset_in_body(), reset_in_body()],
    "short body": [short_body()],
    "cut JSON": [status(200, b'{"ok": tr')],
    "empty 200": [status(200)],
    "HTML 200": [status(200, b"<html>")],
    "408": [status(408)],
    "409 and 425": [status(409), status(425)],
    "424": [status(424)],
    "429 twice": [status(429), status(429)],
    "429 with Retry-After": [status(429, Retry_After="1")],
    "500 and 502": [status(500), status(502)],
    "504 and 524": [status(504), status(524)],
    "520 and 529": [status(520), status(529)],
    "503 while loading": [status(503)] * 6,
    "error object in a 200": [status(200, error_body("slow down", "rate_limit_exceeded"))],
}


@pytest.mark.parametrize("before", RECOVERS.values(), ids=RECOVERS)
async def test_call_goes_through_when_the_service_recovers(server, policy, timing, before):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=60.0))
    server.script("/v1/rank", *before, OK)
    called = await call(policy, to(server), timing=timing)
    assert called.answer.body == b'{"ok": true}'
    assert server.count("/v1/rank") == len(before) + 1
    assert [attempt.number for attempt in called.attempts] == list(range(1, len(before) + 2))
    assert called.attempts[-1].kind == "ok"


GIVES_UP = {  # behaviour -> hits, kind, error
    "reset": (reset(), 3, "reset", ServiceError),
    "short body": (short_body(), 3, "reset", ServiceError),
    "cut JSON": (status(200, b'{"ok": tr'), 3, "cut_reply", ReplyUnreadable),
    "empty 200": (status(200), 2, "unreadable", ReplyUnreadable),
    "HTML 200": (status(200, b"<html>Log in</html>"), 2, "unreadable", ReplyUnreadable),
    "gzip bomb": (gzip_bomb(megabytes=32), 1, "too_large", ServiceError),
    "endless body": (endless_body(), 1, "too_large", ServiceError),
    "301": (redirect("https://elsewhere.example/v1", 301), 1, "redirect", ServiceError),
    "302": (redirect("https://elsewhere.example/v1", 302), 1, "redirect", ServiceError),
    "307": (redirect("https://elsewhere.example/v1", 307), 1, "redirect", ServiceError),
    "308": (redirect("https://elsewhere.example/v1", 308), 1, "redirect", ServiceError),
    "400": (status(400, error_body("no such field")), 1, "bad_request", ServiceError),
    "400 context": (status(400, error_body("maximum context length")), 1, "context_length", ServiceError),
    "400 filter": (status(400, error_body("", "content_filter")), 1, "content_filter", ServiceError),
    "401": (status(401), 1, "auth", ServiceError),
    "402": (status(402), 1, "payment", ServiceError),
    "403": (status(403), 1, "auth", ServiceError),
    "404": (status(404), 1, "not_found", ServiceError),
    "405": (status(405), 1, "bad_request", ServiceError),
    "408": (status(408), 3, "conflict", ServiceError),
    "413": (status(413), 1, "batch_too_large", ServiceError),
    "415": (status(415), 1, "bad_request", ServiceError),
    "421": (status(421), 1, "content_filter", ServiceError),
    "422": (status(422), 1, "bad_request", ServiceError),
    "424": (status(424), 2, "inference_failed", ServiceError),
    "429": (status(429), 3, "rate_limited", ServiceError),
    "429 quota": (status(429, error_body("", "insufficient_quota")), 1, "quota", ServiceError),
    "499": (status(499), 1, "client_closed", ServiceError),
    "500": (status(500), 3, "server_error", ServiceError),
    "500 validation": (status(500, error_body("Input should be a list")), 1, "bad_request", ServiceError),
    "501": (status(501), 1, "not_offered", ServiceError),
    "502": (status(502), 3, "server_error", ServiceError),
    "error object": (status(200, error_body("fell over")), 3, "server_error", ServiceError),
}


@pytest.mark.parametrize(("handler", "hits", "kind", "error"), GIVES_UP.values(), ids=GIVES_UP)
async def test_call_gives_up_after_exactly_the_tries_of_the_table(
    server, policy, timing, handler, hits, kind, error
):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=60.0))
    server.script("/v1/rank", handler)
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), timing=timing)
    assert type(caught.value) is error
    assert server.count("/v1/rank") == hits
    assert (caught.value.kind, caught.value.attempts) == (kind, hits)
    assert [attempt.kind for attempt in caught.value.history] == [kind] * hits


@pytest.mark.parametrize(
    "handler", [hang(), drip(b'{"ok":' + b" " * 500, every_s=0.05)], ids=["hang", "drip"]
)
async def test_deadline_covers_all_tries_together(server, policy, handler):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=0.5, idle_s=0.2))
    server.script("/v1/rank", handler)
    started = time.perf_counter()
    with pytest.raises(ServiceTimeout) as caught:
        await call(policy, to(server))
    assert time.perf_counter() - started < 0.5 + SLACK_S
    assert caught.value.kind == "timeout"
    assert server.count("/v1/rank") <= 2  # one retry, if time was left


async def test_silent_service_is_tried_once_more_while_time_is_left(server, policy, timing):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, idle_s=0.2))
    server.script("/v1/rank", hang(), OK)
    called = await call(policy, to(server), timing=timing)
    assert [attempt.kind for attempt in called.attempts] == ["timeout", "ok"]


async def test_refused_connection_is_tried_three_times(server, policy, timing):
    request = to(server)
    gone = dataclasses.replace(request, url="http://127.0.0.2:9/")  # nobody listens there
    with pytest.raises(ServiceError) as caught:
        await call(policy, gone, timing=timing)
    assert (caught.value.kind, caught.value.attempts) == ("connect", 3)


async def test_address_that_is_not_allowed_is_no_failure_of_the_service(server, policy, timing):
    request = dataclasses.replace(to(server), url="http://10.0.0.1/")
    for _ in range(6):  # more than would open a circuit
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.1 port 80 are not allowed"):
            await call(policy, request, timing=timing)


async def test_event_stream_and_plain_text_json_are_answers(server, policy):
    server.script(
        "/v1/rank", sse([{"choices": []}], done=False), status(200, b"[1]", Content_Type="text/plain")
    )
    assert (await call(policy, to(server))).answer.body.startswith(b"data:")
    assert (await call(policy, to(server))).answer.body == b"[1]"


# Waiting


async def test_retry_after_is_obeyed_to_the_second(server, policy, clock, timing):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=60.0))
    server.script("/v1/rank", status(429, Retry_After="7"), OK)
    called = await call(policy, to(server), timing=timing)
    assert clock.sleeps == [7.0]
    assert [attempt.waited_ms for attempt in called.attempts] == pytest.approx([0.0, 7000.0])


async def test_retry_after_beyond_the_deadline_falls_back_now_and_keeps_the_circuit_open(
    server, policy, clock, timing
):
    server.script("/v1/rank", status(429, Retry_After="90"), OK)
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), timing=timing)
    assert (caught.value.kind, caught.value.retry_after_s, clock.sleeps) == ("rate_limited", 90.0, [])
    clock.now += 89
    with pytest.raises(ServiceRefused):
        await call(policy, to(server), timing=timing)
    assert server.count("/v1/rank") == 1
    clock.now += 1
    assert (await call(policy, to(server), timing=timing)).answer.status == 200


async def test_nothing_asked_for_means_jittered_backoff(server, policy, clock, timing):
    server.script("/v1/rank", status(500), status(500), OK)
    await call(policy, to(server), timing=timing)
    first, second = clock.sleeps
    assert 0 <= first <= 0.5
    assert 0 <= second <= 1.0


async def test_loading_service_is_asked_until_the_deadline(server, policy, clock, timing):
    policy = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=20.0))
    server.script("/v1/rank", status(503))
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), timing=timing)
    assert caught.value.kind == "loading"
    assert 4 <= server.count("/v1/rank") <= 10  # steps of 2 to 5 s in 20 s
    assert all(2.0 <= wait <= 5.0 for wait in clock.sleeps)


async def test_max_retries_of_zero_means_one_try(server, policy, timing):
    server.script("/v1/rank", status(500))
    with pytest.raises(ServiceError):
        await call(dataclasses.replace(policy, max_retries=0), to(server), timing=timing)
    assert server.count("/v1/rank") == 1


# Changing the request


async def test_refused_parameter_is_dropped_and_the_call_repeated_once(server, policy, timing):
    server.script("/v1/rank", status(400, error_body("Unsupported parameter: 'temperature'")), OK)

    def adapt(decision, answer, request):
        assert (decision.hint, decision.parameter) == (Hint.DROP_PARAMETER, "temperature")
        return Request.json(request.url, {"query": "without"})

    called = await call(policy, to(server), adapt=adapt, timing=timing)
    assert [hit.json["query"] for hit in server.hits] == ["x", "without"]
    assert [attempt.kind for attempt in called.attempts] == ["unsupported_parameter", "ok"]


async def test_context_overflow_shrinks_once_and_never_loops(server, policy, timing):
    server.script("/v1/rank", status(400, error_body("maximum context length is 4096")))
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), adapt=lambda decision, answer, request: request, timing=timing)
    assert (caught.value.kind, server.count("/v1/rank")) == ("context_length", 2)


async def test_request_that_cannot_be_changed_is_not_repeated(server, policy, timing):
    server.script("/v1/rank", status(413))
    with pytest.raises(ServiceError):
        await call(policy, to(server), adapt=lambda *_: None, timing=timing)
    assert server.count("/v1/rank") == 1


# Circuit


async def test_five_failures_open_the_circuit_and_one_probe_closes_it(server, policy, clock, timing):
    server.script("/v1/rank", *[status(500)] * 5, OK)
    for hits in (3, 5):  # the second call is cut short by the circuit
        with pytest.raises(ServiceError) as caught:
            await call(policy, to(server), timing=timing)
        assert caught.value.kind == "server_error"
        assert server.count("/v1/rank") == hits
    with pytest.raises(ServiceRefused, match="It failed inside, status 500"):
        await call(policy, to(server), timing=timing)
    assert server.count("/v1/rank") == 5
    clock.now += 60
    await call(policy, to(server), timing=timing)
    await call(policy, to(server), timing=timing)
    assert server.count("/v1/rank") == 7


async def test_refused_key_opens_the_circuit_until_the_settings_change(server, policy):
    server.script("/v1/rank", status(401, error_body("bad key")), OK)
    with pytest.raises(ServiceError):
        await call(policy, to(server))
    assert (breaker_status(policy.name).state, breaker_status(policy.name).reason) == (
        "open",
        "It refuses the key, status 401",
    )
    with pytest.raises(ServiceRefused):
        await call(policy, to(server))
    reset_breaker(policy.name)
    assert (await call(policy, to(server))).answer.status == 200


async def test_requests_it_dislikes_do_not_open_the_circuit(server, policy, timing):
    server.script("/v1/rank", status(400))
    for _ in range(8):
        with pytest.raises(ServiceError):
            await call(policy, to(server), timing=timing)
    assert server.count("/v1/rank") == 8


async def test_cancelled_probe_does_not_keep_the_circuit_open(server, policy, clock, timing):
    server.script("/v1/rank", status(401), hang(), OK)
    with pytest.raises(ServiceError):
        await call(policy, to(server), timing=timing)
    clock.now += 60
    probe = asyncio.create_task(call(policy, to(server), timing=timing))
    assert await asyncio.to_thread(server._wait_until, lambda: server.count("/v1/rank") == 2, PATIENCE_S)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert (await call(policy, to(server), timing=timing)).answer.status == 200


# Limits


async def test_concurrency_limit_holds(server, policy):
    running, most = itertools.count(), []
    inside = 0

    def handler(exchange):
        nonlocal inside
        next(running)
        inside += 1
        most.append(inside)
        exchange.pause(0.05)
        inside -= 1
        exchange.reply(200, "[]")

    server.script("/v1/rank", handler)
    policy = dataclasses.replace(policy, concurrency=2)
    await asyncio.gather(*(call(policy, to(server)) for _ in range(6)))
    assert (len(most), max(most)) == (6, 2)


@pytest.mark.parametrize("steps", range(6))
async def test_whoever_is_cancelled_as_a_place_becomes_free_gets_no_answer(server, policy, steps):
    server.script("/v1/rank", hang())
    policy = dataclasses.replace(policy, concurrency=1)
    gate = call_module._gate_of(policy)
    await gate.enter()
    asking = asyncio.create_task(call(policy, to(server)))
    for _ in range(6):
        await asyncio.sleep(0)
    gate.leave()
    for _ in range(steps):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert gate.try_enter()


async def test_no_free_place_within_the_deadline_is_an_error_that_says_so(server, policy):
    server.script("/v1/rank", hang())
    guard = dataclasses.replace(policy.guard, total_s=1.0)
    first = asyncio.create_task(call(dataclasses.replace(policy, guard=guard, concurrency=1), to(server)))
    assert await asyncio.to_thread(server.wait_for_hit, "/v1/rank")
    brief = dataclasses.replace(policy, guard=dataclasses.replace(guard, total_s=0.2), concurrency=1)
    with pytest.raises(BudgetExceeded, match=r"busy with 1 other calls.*within 0\.2 s"):
        await call(brief, to(server))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_waiting_for_a_place_does_not_count_for_whoever_has_patience(server, policy):
    """The second call waits for the first longer than its own deadline, and is then answered at once."""
    free = threading.Event()

    def handler(exchange):
        free.wait(PATIENCE_S)
        exchange.reply(200, "[]")

    server.script("/v1/rank", handler)
    slow = dataclasses.replace(policy, concurrency=1, patience_s=PATIENCE_S)
    brief = dataclasses.replace(slow, guard=dataclasses.replace(policy.guard, total_s=2.0), max_retries=0)
    first = asyncio.create_task(call(slow, to(server)))
    assert await asyncio.to_thread(server.wait_for_hit, "/v1/rank")
    second = asyncio.create_task(call(brief, to(server)))
    await asyncio.sleep(2.1)
    free.set()
    assert (await first).in_line_s == 0.0
    assert (await second).in_line_s > 2.0


async def test_patience_has_an_end_too(server, policy):
    server.script("/v1/rank", hang())
    first = asyncio.create_task(call(dataclasses.replace(policy, concurrency=1), to(server)))
    assert await asyncio.to_thread(server.wait_for_hit, "/v1/rank")
    with pytest.raises(BudgetExceeded, match=r"no place became free within 0\.1 s"):
        await call(dataclasses.replace(policy, concurrency=1, patience_s=0.1), to(server))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_waiting_for_the_rate_does_not_count_for_whoever_has_patience(
    server, policy, clock, timing, tmp_path
):
    server.script("/v1/rank", OK)
    rate = {"rate": Rate(requests_per_minute=6), "rate_file": str(tmp_path / "rate.sqlite3")}
    brief = dataclasses.replace(policy.guard, total_s=5.0)
    patient = dataclasses.replace(policy, **rate, guard=brief, patience_s=30.0)
    called = [await call(patient, to(server), timing=timing) for _ in range(2)]
    assert clock.sleeps == pytest.approx([10.0])  # one each ten seconds
    assert [one.in_line_s for one in called] == pytest.approx([0.0, 10.0])


async def test_throttled_endpoint_gets_fewer_calls_at_once(server, policy, timing):
    server.script("/v1/rank", status(429), OK)
    policy = dataclasses.replace(policy, concurrency=8)
    await call(policy, to(server), timing=timing)
    assert call_module._gate_of(policy).width == 4


async def test_rate_is_kept_and_waited_for(server, policy, clock, timing, tmp_path):
    policy = dataclasses.replace(
        policy,
        guard=dataclasses.replace(policy.guard, total_s=30.0),
        rate=Rate(requests_per_minute=6),
        rate_file=str(tmp_path / "rate.sqlite3"),
    )
    server.script("/v1/rank", OK)
    await call(policy, to(server), timing=timing)
    await call(policy, to(server), timing=timing)
    assert clock.sleeps == pytest.approx([10.0])  # one each ten seconds
    short = dataclasses.replace(policy, guard=dataclasses.replace(policy.guard, total_s=5.0))
    with pytest.raises(BudgetExceeded, match="6 requests a minute"):
        await call(short, to(server), timing=timing)
    assert server.count("/v1/rank") == 2


async def test_true_token_count_replaces_the_estimate(server, policy, clock, timing, tmp_path):
    policy = dataclasses.replace(
        policy,
        guard=dataclasses.replace(policy.guard, total_s=60.0),
        rate=Rate(tokens_per_minute=600),  # a bucket of 100, 10 a second
        rate_file=str(tmp_path / "rate.sqlite3"),
    )
    server.script("/v1/rank", json_reply({"usage": 20}))
    for _ in range(2):
        await call(policy, to(server), tokens=80, tokens_used=lambda answer: 20, timing=timing)
    assert clock.sleeps == []  # 100 - 20 leaves room for 80; without settling it would wait 6 s


# What the caller is told


async def test_key_is_in_no_message_and_no_record(server, policy, timing):
    said = f"Incorrect API key provided: {KEY}. You sent Bearer {KEY}"
    server.script("/v1/rank", status(401, error_body(said), X_Request_Id="req-7"))
    seen = []
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), on_attempt=seen.append, timing=timing)
    error = caught.value
    assert "Incorrect API key provided: [hidden]" in str(error)
    assert KEY not in f"{error} {error.history} {seen} {breaker_status(policy.name)}"
    assert (error.status, error.request_id, len(seen)) == (401, "req-7", 1)


async def test_key_echoed_in_an_unreadable_body_is_hidden_in_the_raw_text(server, policy, timing):
    server.script("/v1/rank", status(200, f"<html>key={KEY}</html>"))
    with pytest.raises(ReplyUnreadable) as caught:
        await call(policy, to(server), timing=timing)
    assert caught.value.raw == "<html>key=[hidden]</html>"


async def test_message_names_host_status_reason_and_tries(server, policy, timing):
    server.script("/v1/rank", status(500, error_body("out of luck")))
    with pytest.raises(ServiceError) as caught:
        await call(policy, to(server), timing=timing)
    where = server.url("/v1/rank")
    assert str(caught.value).startswith(f"{where} answered 500. It failed inside: out of luck (3 tries in ")


async def test_redirect_names_its_target(server, policy):
    server.script("/v1/rank", redirect("https://elsewhere.example/v1"))
    with pytest.raises(ServiceError, match=r"It redirects elsewhere: https://elsewhere\.example/v1"):
        await call(policy, to(server))


async def test_a_reset_by_another_process_closes_the_circuit_here(server, policy, timing, tmp_path):
    server.script("/v1/rank", status(401), OK)
    shared = dataclasses.replace(policy, rate_file=str(tmp_path / "rate.sqlite3"))
    with pytest.raises(ServiceError):
        await call(shared, to(server), timing=timing)
    with pytest.raises(ServiceRefused):
        await call(shared, to(server), timing=timing)
    other_process = Learned(tmp_path / "learned.sqlite3")
    other_process.start_anew(policy.name)
    other_process.close()
    assert breaker_status(policy.name, shared.rate_file).state == "closed"
    assert (await call(shared, to(server), timing=timing)).answer.status == 200


@pytest.fixture
def shared(policy, tmp_path):
    """One call at once, of all processes."""
    return dataclasses.replace(policy, concurrency=1, rate_file=str(tmp_path / "rate.sqlite3"))


@pytest.fixture
def other_process(shared):
    """The ledger as another process has it open."""
    opened = RateLedger(shared.rate_file)
    yield opened
    opened.close()


def test_calls_of_several_loops_and_processes_share_the_places(server, shared):
    """Two event loops have a gate each; only the file can keep their calls apart."""
    inside, most = [], []

    def handler(exchange):
        inside.append(exchange)
        most.append(len(inside))
        exchange.pause(0.01)
        inside.remove(exchange)
        exchange.reply(200, "[]")

    server.script("/v1/rank", handler)
    patient = dataclasses.replace(shared, guard=dataclasses.replace(shared.guard, total_s=PATIENCE_S))

    async def five():
        await asyncio.gather(*(call(patient, to(server)) for _ in range(5)))
        await close_clients()

    loops = [threading.Thread(target=asyncio.run, args=(five(),)) for _ in range(2)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert (len(most), max(most)) == (10, 1)


async def test_a_place_that_another_process_holds_is_waited_for(server, shared, other_process, timing, clock):
    server.script("/v1/rank", OK)
    assert other_process.take_place(shared.name, 1, "theirs", clock.now, clock.now + 60)

    async def sleep(seconds):
        await clock.sleep(seconds)
        if len(clock.sleeps) == 4:
            assert server.hits == []
            other_process.give_back_place("theirs")

    await call(shared, to(server), timing=dataclasses.replace(timing, sleep=sleep))
    assert clock.sleeps == pytest.approx([0.02, 0.04, 0.08, 0.1])
    assert other_process.places_taken(shared.name, clock.now) == 0


async def test_no_place_of_another_process_within_the_deadline_is_an_error_and_costs_no_rate(
    server, shared, other_process, timing, clock
):
    assert other_process.take_place(shared.name, 1, "theirs", clock.now, clock.now + 600)
    rate = Rate(requests_per_minute=6)  # a bucket of one
    with pytest.raises(BudgetExceeded, match="busy with 1 other calls") as busy:
        await call(dataclasses.replace(shared, rate=rate), to(server), timing=timing)
    assert (busy.value.kind, busy.value.attempts, server.hits) == ("concurrency", 0, [])
    assert sum(clock.sleeps) == pytest.approx(shared.guard.total_s)
    other_process.give_back_place("theirs")
    server.script("/v1/rank", OK)
    clock.sleeps.clear()
    await call(dataclasses.replace(shared, rate=rate), to(server), timing=timing)
    assert clock.sleeps == []


async def test_a_try_that_fails_holds_no_place_while_the_next_is_waited_for(
    server, shared, other_process, timing, clock
):
    server.script("/v1/rank", status(503), OK)
    taken = []

    async def sleep(seconds):
        taken.append(other_process.places_taken(shared.name, clock.now))
        await clock.sleep(seconds)

    await call(shared, to(server), timing=dataclasses.replace(timing, sleep=sleep))
    assert taken == [0]


async def test_whoever_is_cancelled_gives_the_place_back(server, shared, other_process):
    server.script("/v1/rank", hang())
    asking = asyncio.create_task(call(shared, to(server)))
    assert await asyncio.to_thread(server.wait_for_hit, "/v1/rank")
    assert other_process.places_taken(shared.name, time.time()) == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert other_process.places_taken(shared.name, time.time()) == 0


def test_whoever_gives_up_while_a_look_is_under_way_keeps_no_place(other_process):
    place = Place(other_process, "api", 1)
    place.give_up()
    place._try(time.time(), 60.0)  # the thread comes to it only now
    assert other_process.places_taken("api", time.time()) == 0
