"""Questions to the default endpoint over the REST API: as text, in OpenAI's form, piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

import pytest
from asgiref.sync import sync_to_async
from pydantic import SecretStr

from dashboard.models import CallLogEntry
from dashboard.outside import asking, call_log, directory
from dashboard.outside.spending import today
from recflow.errors import ServiceError
from recflow.llm import standin
from recflow.outbound.client import close_clients
from tests.scripted_server import ScriptedServer, hang, status

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {"X-API-Key": "adm1n"}
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Say hello"}]
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


@pytest.fixture(autouse=True)
async def no_connection_left_open():
    yield
    await close_clients()


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def default(settings, tmp_path, server):
    """The scripted server as the default endpoint, with a folder of its own for what is spent."""
    settings.DATA_DIR = tmp_path
    master = settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("adm1n")})
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"master": master})
    settings.STAND_IN_URL = server.url("/v1")
    directory.changed()
    yield
    directory.changed()


def event(text=None, finish=None):
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "model": "m"}


def speaking(*documents, go_on=None):
    """An answer in events; after the first it waits to be told to go on."""

    def handler(exchange):
        exchange.head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        for place, document in enumerate(documents):
            exchange.write(b"data: " + json.dumps(document).encode() + b"\n\n")
            if place == 0 and go_on is not None:
                go_on.wait(10)
        exchange.write(b"data: [DONE]\n\n")
        exchange.close()

    return handler


HELLO_THERE = speaking(event("Hel"), event("lo"), event(finish="stop"), USAGE)


async def text_of(answer):
    return b"".join([piece async for piece in answer.streaming_content]).decode()


def post(client, path, body):
    kind = "text/plain" if isinstance(body, (bytes, str)) else "application/json"
    return client.post(path, body, content_type=kind, headers=KEY)


@sync_to_async
def logged():
    call_log.writer.flush()
    (entry,) = CallLogEntry.objects.all()
    return entry


async def test_a_prompt_is_answered_in_text_and_booked(default, server, async_client):
    server.script(CHAT, HELLO_THERE)
    answer = await post(async_client, "/api/chat", "Say hello")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer["X-Accel-Buffering"] == "no"
    assert await text_of(answer) == "Hello"
    sent = server.hits_of(CHAT)[0].json
    assert (sent["messages"], sent["stream"], sent["max_tokens"]) == (HELLO, True, asking.MAX_OUTPUT_TOKENS)
    entry = await logged()
    assert (entry.node_id, entry.status, entry.tokens_in, entry.tokens_out) == ("chat", "ok", 7, 2)


async def test_a_piece_is_there_before_the_model_has_ended(default, server):
    go_on = threading.Event()
    server.script(CHAT, speaking(event("Hel"), event("lo"), go_on=go_on))
    parts = asking.streamed(HELLO)
    assert await anext(parts) == "Hel"
    go_on.set()
    assert await anext(parts) == "lo"
    assert (await anext(parts)).completion.content == "Hello"
    assert [part async for part in parts] == []


async def test_whoever_leaves_ends_the_call_and_pays_for_what_was_said(default, server):
    def handler(exchange):
        exchange.head(200, {"Content-Type": "text/event-stream"})
        exchange.write(b"data: " + json.dumps(event("Hello")).encode() + b"\n\n")
        exchange.hang()

    server.script(CHAT, handler)
    parts = asking.streamed(HELLO)
    assert await anext(parts) == "Hello"
    await parts.aclose()
    assert await asyncio.to_thread(server.wait_for_disconnect, CHAT)
    entry = await logged()
    assert (entry.status, entry.reason) == ("failed", "cancelled")
    assert (entry.tokens_in, entry.tokens_out) == (3, 2)  # nine letters and five, three a token


@pytest.mark.parametrize(
    ("handlers", "state", "statuses", "tokens"),
    [
        ((status(500), HELLO_THERE), "ok", [500, 200], (3 + 7, 2)),  # nine letters, and what was reported
        ((status(400),), "failed", [400], (3, 0)),
    ],
)
async def test_every_try_is_booked(default, server, handlers, state, statuses, tokens):
    spent_before, _ = directory.book().of(today())
    server.script(CHAT, *handlers)
    with contextlib.suppress(ServiceError):
        await asking.answer(HELLO)
    entry = await logged()
    assert (entry.status, entry.statuses) == (state, statuses)
    assert (entry.tokens_in, entry.tokens_out) == tokens
    assert directory.book().of(today())[0] - spent_before == sum(tokens)


async def test_a_service_that_does_not_stream_gives_all_of_it_at_the_end(default, settings, async_client):
    with standin.serve(standin.StandIn()) as url:
        settings.STAND_IN_URL = url
        directory.changed()
        answer = await post(async_client, "/api/chat", "Say hello")
        assert await text_of(answer)


async def test_a_chat_in_openais_form(default, server, async_client):
    server.script(CHAT, HELLO_THERE)
    body = {"messages": HELLO, "temperature": 0.5, "max_tokens": 9}
    answer = await post(async_client, "/api/chat/completions", body)
    found = answer.json()
    assert found["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    ]
    assert found["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert (found["object"], found["model"]) == ("chat.completion", "m")
    sent = server.hits_of(CHAT)[0].json
    assert (sent["temperature"], sent["max_tokens"], sent["stream"]) == (0.5, 9, False)


async def test_a_chat_in_openais_form_piece_by_piece(default, server, async_client):
    server.script(CHAT, HELLO_THERE)
    answer = await post(async_client, "/api/chat/completions", {"messages": HELLO, "stream": True})
    assert answer["Content-Type"] == "text/event-stream"
    *events, done, end = (await text_of(answer)).split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    documents = [json.loads(one.removeprefix("data: ")) for one in events]
    assert [one["choices"][0]["delta"].get("content") for one in documents] == ["Hel", "lo", None]
    assert [one["choices"][0]["finish_reason"] for one in documents] == [None, None, "stop"]
    assert {one["object"] for one in documents} == {"chat.completion.chunk"}
    assert documents[-1]["usage"]["total_tokens"] == 9


def breaking(exchange):
    """One piece of an answer, and then the connection is gone."""
    exchange.head(200, {"Content-Type": "text/event-stream", "Content-Length": "9999"})
    exchange.write(b"data: " + json.dumps(event("Hel")).encode() + b"\n\n")
    exchange.close()


async def test_a_stream_that_breaks_is_not_begun_again_and_says_so(default, server, async_client, caplog):
    server.script(CHAT, breaking)
    answer = await post(async_client, "/api/chat/completions", {"messages": HELLO, "stream": True})
    first, failed, _, _ = (await text_of(answer)).split("\n\n")
    assert '"content":"Hel"' in first
    assert "broke the connection" in json.loads(failed.removeprefix("data: "))["error"]["message"]
    assert server.count(CHAT) == 1
    assert "An answer of the default endpoint broke off" in caplog.text


async def test_a_text_that_breaks_off_ends_with_a_line_that_says_why(default, server, async_client, caplog):
    server.script(CHAT, breaking)
    answer = await post(async_client, "/api/chat", "Say hello")
    said, _, why = (await text_of(answer)).partition("\n\n")
    assert (answer.status_code, said) == (200, "Hel")
    assert why.startswith("[The answer broke off here: ")
    assert why.endswith("]\n")
    assert "broke the connection" in why
    assert "An answer of the default endpoint broke off" in caplog.text
    assert (await logged()).status == "failed"


async def test_an_answer_over_the_cap_is_ended(default, server):
    def handler(exchange):
        exchange.head(200, {"Content-Type": "text/event-stream", "Connection": "close"})
        line = b"data: " + json.dumps(event("x" * 60_000)).encode() + b"\n\n"
        while exchange.write(line):
            pass

    server.script(CHAT, handler)
    parts = asking.streamed(HELLO)
    with pytest.raises(Exception, match="longer than 2,097,152 bytes"):
        [part async for part in parts]


@pytest.mark.parametrize(
    ("path", "body", "code", "sentence"),
    [
        ("/api/chat", b" ", 400, "The body has to be the prompt, and it is empty"),
        ("/api/chat", b"\xff", 400, "The prompt is no text in UTF-8"),
        ("/api/chat", b"x" * 200_001, 413, "A prompt may have 200,000 bytes, got 200,001"),
        ("/api/chat/completions", {"messages": []}, 400, "messages: "),
        ("/api/chat/completions", {"messages": HELLO, "tools": []}, 400, "tools: "),
        ("/api/chat/completions", {"messages": HELLO, "max_tokens": 4097}, 400, "max_tokens: "),
        (
            "/api/chat/completions",
            {"messages": HELLO, "model": "other"},
            400,
            "The default endpoint has the model",
        ),
    ],
)
async def test_what_cannot_be_asked_is_refused(default, async_client, server, path, body, code, sentence):
    answer = await post(async_client, path, body)
    assert answer.status_code == code
    assert answer.content.decode().startswith(sentence)
    assert server.hits == []


@pytest.mark.parametrize("more", [{}, {"stream": True}])
async def test_what_fails_before_the_first_piece_has_a_status(default, server, async_client, more):
    server.script(CHAT, status(400))
    answer = await post(async_client, "/api/chat/completions", {"messages": HELLO} | more)
    assert answer.status_code == 502
    assert "answered 400" in answer.content.decode()


async def test_without_an_endpoint_nobody_is_asked(default, settings, async_client):
    settings.STAND_IN_URL = ""
    directory.changed()
    answer = await post(async_client, "/api/chat", "hello")
    assert (answer.status_code, answer.content.decode()[:30]) == (502, "There is no endpoint 'default'"[:30])


async def test_a_model_that_says_nothing_is_given_up(default, server, monkeypatch):
    server.script(CHAT, hang())
    monkeypatch.setattr("dashboard.outside.preview.PATIENCE_S", 0.3)
    with pytest.raises(Exception, match=r"within 0\.\d+ s"):
        await anext(asking.streamed(HELLO))
