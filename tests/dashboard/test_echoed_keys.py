"""Services that repeat the key they were given, in every shape an answer can have: nobody may read it."""

import asyncio
import json
import logging

import pytest
from asgiref.sync import sync_to_async

from dashboard.models import CallLogEntry
from dashboard.outside import call_log, changes, directory
from recflow.outbound import call
from tests.dashboard.test_services import (
    CHAT,
    FLOW,
    PROMPT,
    clean,
    client,
    request,
    rows,
    run_flow,
    send,
    server,
)
from tests.scripted_server import json_reply, sse, status

__all__ = ["clean", "client", "rows", "server"]
pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

#: Longer than what is shown of a token, so that cutting it would leave a piece.
KEY = "zebra/" + "7Qx+" * 40
#: What would be left of it.
PIECES = (KEY[:8], KEY[-8:], "zebra%2F")
RERANK = "/v1/rerank"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr(call, "backoff", lambda tries, rng: 0.0)


def choice(**fields):
    return {"choices": [{"index": 0, "message": {"content": ""}, **fields}]}


def message(**fields):
    return json_reply({"choices": [{"index": 0, "finish_reason": "stop", "message": fields}]})


def deltas(*texts):
    return [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]


ERROR = {"code": 401, "message": f"wrong key {KEY}"}
FILLER = "x" * 480 + " "
SHAPES = {
    "a status": status(401, {"error": ERROR}),
    "a status and text": status(500, f"{FILLER}{KEY}"),
    "many times, beyond what is read": status(500, KEY * 400),
    "an error without a message": status(400, {"error": {"reason": KEY, "code": KEY}}),
    "a detail": status(422, {"detail": [{"loc": ["body", KEY], "msg": KEY, "input": KEY * 40}]}),
    "a header": status(500, "", X_Request_Id=KEY, Retry_After="0"),
    "a redirect": status(302, "", Location=f"http://127.0.0.1:9/{KEY}?k={KEY}"),
    "a good status, an error at the top": json_reply({"error": ERROR}),
    "an error in a choice": json_reply(choice(finish_reason="error", error=ERROR)),
    "a long error in a choice": json_reply(choice(error={"code": 400, "message": FILLER + KEY})),
    "a wordless error in a choice": json_reply(choice(error={"code": 400, "why": FILLER + KEY})),
    "an error in an event": sse([*deltas("a"), {"error": ERROR}]),
    "a long error in an event": sse([{"error": {"code": 400, "message": FILLER + KEY}}]),
    "no choices": json_reply({"key": KEY, "choices": []}),
    "no JSON": status(200, f"<html>{FILLER}{KEY}"),
    "a stream without events": status(200, f": {FILLER}{KEY}\n\n", Content_Type="text/event-stream"),
    "content": message(content=f"1\n{KEY}\n2\n3 {KEY}"),
    "content that is cut when it is read": message(content=f"1\n{'y' * 100}{KEY}\n2\n3"),
    "prose": message(content=f"Your key, {KEY}, is fine."),
    "content as JSON": message(content=json.dumps({"ranking": ["1", KEY, {"id": KEY}]})),
    "reasoning": message(content="", reasoning_content=f"{KEY} " * 9, reasoning=KEY),
    "refusal": message(content=None, refusal=f"I refuse {KEY}"),
    "every other field": json_reply(
        {
            "model": KEY,
            "system_fingerprint": KEY,
            "choices": [{"finish_reason": KEY, "message": {"content": "2\n1", "role": KEY}}],
        }
    ),
    "a stream": sse([{"model": KEY, **part} for part in deltas("1\n", KEY, "\n2")]),
    "a stream that splits it": sse(deltas("1\n", KEY[:3], KEY[3:90], KEY[90:], "\n2", *KEY)),
    "a stream that breaks behind it": sse(deltas("1\n", KEY[:90], KEY[90:]), done=False),
}


@pytest.fixture
async def ask(client, server, rows):
    """Asks in every way there is; gives all that was said, to anybody."""
    await send(client, "put", "/api/settings/networks", {"networks": [f"127.0.0.1:{server.port}"]})
    for name in ("default", "gpt"):
        body = {"base_url": server.url("/v1"), "model": "m", "key": KEY, "timeout_s": 60}
        assert (await send(client, "put", f"/api/settings/endpoints/{name}", body))[0] == 200
    told = []

    async def post(path, body, *, is_text=False):
        if is_text:
            answer = await client.post(path, body, content_type="text/plain")
        else:
            answer = await request(client, "post", path, body)
        parts = [part async for part in answer] if answer.streaming else [answer.content]
        told.append(f"{path} {dict(answer.headers)} {b''.join(parts).decode()}")

    async def anew():
        """As if nobody had asked before."""
        for named in (await directory.current_soon()).endpoints.values():
            await asyncio.to_thread(changes._start_anew, named.endpoint)

    async def everything():
        await post("/api/chat", "Say hello", is_text=True)
        await anew()
        for stream in (False, True):
            asked = {"messages": [{"role": "user", "content": "hello"}], "stream": stream}
            await post("/api/chat/completions", asked)
            await anew()
        await post("/api/preview/prompt/send", PROMPT)
        await anew()
        for way in ("chat", "jina"):
            await post("/api/settings/endpoints/gpt/test", {"way": way})
            await anew()
        for settings in ({"kind": "llm", "endpoint": "gpt"}, {"kind": "rerank", "endpoint": "gpt"}):
            nodes = [node | {"settings": settings} if node["id"] == "k" else node for node in FLOW["nodes"]]
            _, result, events = await run_flow(FLOW | {"nodes": nodes})
            told.append(json.dumps(events) + repr(result))
            await anew()
        await asyncio.to_thread(call_log.writer.flush)
        for path in ("/api/calls", "/api/calls/nodes", "/settings", "/api/endpoints"):
            told.append((await request(client, "get", path)).content.decode())
        kept = await sync_to_async(lambda: list(CallLogEntry.objects.values()))()
        told.append(json.dumps(kept, default=str))
        return told

    return everything


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_a_key_that_a_service_repeats_is_read_nowhere(ask, server, caplog, shape):
    server.script(CHAT, shape)
    server.script(RERANK, shape)
    with caplog.at_level(logging.DEBUG):
        told = [*await ask(), caplog.text]
    assert all(hit.headers["authorization"] == f"Bearer {KEY}" for hit in server.hits)
    assert server.count(CHAT) > 4
    assert server.count(RERANK) > 1
    found = [
        (piece, text[max(0, text.index(piece) - 200) :][:400])
        for text in told
        for piece in PIECES
        if piece in text
    ]
    assert found == []
