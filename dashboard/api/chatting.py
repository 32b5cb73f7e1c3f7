"""Gorse's endpoints that put a question to the default endpoint: a bare prompt, or a chat in OpenAI's form.

The answer is sent on as it comes. What is asked is paid for like any other, so it takes an editor or the
administrator's key; whoever closes the connection ends the call upstream. A call that fails on the way can
change no status any more: the last thing that is sent then says why, in text as the last line, in OpenAI's
form as an event that a program can tell from the answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Literal
from uuid import uuid4

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.api.admin import edit
from dashboard.api.gorse import body_object
from dashboard.errors import BadRequest, TooLarge
from dashboard.outside import asking
from recflow.errors import RecflowError
from recflow.llm.chat import ChatOptions, ChatResult

logger = logging.getLogger(__name__)
router = Router(tags=["dashboard"])
#: Roles are in the database, and these wait for others.
may_ask = sync_to_async(edit)

MAX_PROMPT_BYTES = 200_000
_TEXT = "text/plain; charset=utf-8"
_EVENTS = "text/event-stream"
#: No proxy may hold the pieces back until there are many of them.
_AT_ONCE = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """What of OpenAI's request is passed on; another field is refused, for without it the answer is another.

    Args:
        model: that of the default endpoint; may be left out, as in Gorse.
        stream_options: the usage always comes at the end.
    """

    model_config = ConfigDict(extra="forbid")

    model: str = ""
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    seed: int | None = Field(None, ge=0, lt=2**63)
    max_tokens: int | None = Field(None, ge=1, le=asking.MAX_OUTPUT_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=asking.MAX_OUTPUT_TOKENS)

    @property
    def options(self) -> ChatOptions:
        most = self.max_completion_tokens or self.max_tokens or asking.MAX_OUTPUT_TOKENS
        return ChatOptions(temperature=self.temperature, seed=self.seed, max_output_tokens=most)


@router.post("/chat", auth=may_ask)
async def chat(request: HttpRequest) -> HttpResponse:
    """What the default endpoint answers to the body, which is the prompt; its text as it comes."""
    raw = _within_limit(request.body)
    try:
        prompt = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The prompt is no text in UTF-8") from error
    if not prompt.strip():
        raise BadRequest("The body has to be the prompt, and it is empty")
    parts = await _begun(asking.streamed([{"role": "user", "content": prompt}]))
    return StreamingHttpResponse(_texts(parts), content_type=_TEXT, headers=_AT_ONCE)


@router.post("/chat/completions", auth=may_ask)
async def complete(request: HttpRequest) -> HttpResponse:
    """The same in OpenAI's form: one object, or with ``stream`` its pieces as events."""
    _within_limit(request.body)
    try:
        wanted = ChatRequest.model_validate(body_object(request))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{place}: {first['msg']}") from error
    messages = [message.model_dump() for message in wanted.messages]
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time())}
    if wanted.stream:
        parts = await _begun(asking.streamed(messages, wanted.options, model=wanted.model))
        return StreamingHttpResponse(_events(head, parts), content_type=_EVENTS, headers=_AT_ONCE)
    result = await asking.answer(messages, wanted.options, model=wanted.model)
    message = {"role": "assistant", "content": result.completion.content}
    choice = {"index": 0, "message": message, "finish_reason": _finish(result)}
    whole = head | {"object": "chat.completion", "choices": [choice]} | _facts(result)
    return HttpResponse(orjson.dumps(whole), content_type="application/json")


def _within_limit(raw: bytes) -> bytes:
    if len(raw) > MAX_PROMPT_BYTES:
        raise TooLarge(f"A prompt may have {MAX_PROMPT_BYTES:,} bytes, got {len(raw):,}")
    return raw


async def _begun(parts: AsyncGenerator[str | ChatResult, None]) -> AsyncGenerator[str | ChatResult, None]:
    """The same parts, once the first is there: what fails before it is still told by a status."""
    first = await anext(parts)

    async def all_of_it() -> AsyncGenerator[str | ChatResult, None]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return all_of_it()


async def _texts(parts: AsyncGenerator[str | ChatResult, None]) -> AsyncIterator[bytes]:
    """The text; Gorse, too, ends one that broke off with a line that says why."""
    async with aclosing(parts):
        try:
            async for part in parts:
                if isinstance(part, str):
                    yield part.encode("utf-8", "replace")
        except RecflowError as error:
            _note_broken(error)
            yield f"\n\n[The answer broke off here: {error.message}]\n".encode("utf-8", "replace")


async def _events(
    head: dict[str, Any], parts: AsyncGenerator[str | ChatResult, None]
) -> AsyncIterator[bytes]:
    """Server-sent events as OpenAI's clients read them; a failure on the way is an event too."""
    head = head | {"object": "chat.completion.chunk"}
    async with aclosing(parts):
        try:
            async for part in parts:
                if isinstance(part, str):
                    yield _event(head | {"choices": [_piece({"role": "assistant", "content": part}, None)]})
                else:
                    yield _event(head | {"choices": [_piece({}, _finish(part))]} | _facts(part))
        except RecflowError as error:
            _note_broken(error)
            yield _event({"error": {"message": error.message, "type": type(error).__name__}})
    yield b"data: [DONE]\n\n"


def _note_broken(error: RecflowError) -> None:
    """The log of requests says 200, for that is what went out first."""
    logger.warning("An answer of the default endpoint broke off: %s", error.message)


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _piece(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _finish(result: ChatResult) -> str:
    """Why it ended; a service whose stream broke off without a word did not finish by itself."""
    reason = result.completion.finish_reason
    return "length" if reason == "cut" else reason or "stop"


def _facts(result: ChatResult) -> dict[str, Any]:
    tokens = {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.completion_tokens}
    usage = tokens | {"total_tokens": sum(tokens.values())}
    return {"model": result.completion.model, "usage": usage}
