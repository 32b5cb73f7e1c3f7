"""The wrapping of a chat answer: JSON or server-sent events in, one ``Completion`` out.

Services agree on the outline and on little else: content may be text, null or parts, reasoning has two names,
usage may be missing or wrong, errors come with status 200, and some gateways stream although nobody asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from recflow.errors import ReplyUnreadable, ServiceError
from recflow.outbound.error_bodies import error_within, first_choice, index_of
from recflow.outbound.events import documents_of_events, is_done, is_event_stream
from recflow.outbound.redact import hide, redact, shown
from recflow.outbound.retry import classify_told

_SHOWN = 500
#: Fields for thoughts; some services send both names and fill the second.
_REASONING = ("reasoning_content", "reasoning")
#: Tokens of one call that are believed.
MOST_TOKENS = 10**9


@dataclass(frozen=True)
class Usage:
    """Tokens as the service counts them; None where it does not say.

    Args:
        cached: part of ``prompt`` that was read from the service's prompt cache.
        reasoning: part of ``completion`` that was spent on reasoning.
    """

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True)
class Completion:
    """What the model said, out of its wrapping.

    Args:
        content: the text of the message, "" when it has none.
        reasoning: text of a separate reasoning field, "" without.
        finish_reason: as reported; "cut" for a stream that ended without saying so.
        refusal: the model's own words when it refuses.
        has_tool_calls: it asked for a tool.
        model: who answered, as the service says; the stand-in names itself here.
        fingerprint: build of the service.
        is_streamed: it came as events although one answer was asked for.
    """

    content: str
    reasoning: str = ""
    finish_reason: str | None = None
    refusal: str = ""
    has_tool_calls: bool = False
    usage: Usage = Usage()
    model: str = ""
    fingerprint: str = ""
    is_streamed: bool = False


def read_envelope(body: bytes, content_type: str = "", secrets: tuple[str, ...] = ()) -> Completion:
    """The completion in a body that came with a good status.

    Args:
        secrets: texts that no error may show; the completion is as the service wrote it.

    Raises:
        ReplyUnreadable: it is no JSON, or no chat answer (kind ``not_json``, ``no_choices``).
        ServiceError: it is an error all the same; kind and retryable as if its status had said so.
    """
    text = body.decode("utf-8-sig", "replace").strip().lstrip("\ufeff")
    if is_event_stream(text, content_type):
        return _read_stream(text, secrets)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable("The answer is not JSON.", "not_json", text, secrets) from None
    if not isinstance(document, dict):
        raise _unreadable("The answer is JSON, but not an object.", "no_choices", text, secrets)
    _refuse_errors(document, secrets)
    choice = first_choice(document)
    message = choice.get("message") if choice else None
    if choice and isinstance(choice.get("text"), str) and not isinstance(message, dict):
        message = {"content": choice["text"]}
    if not isinstance(message, dict):
        raise _unreadable("The answer holds no message.", "no_choices", text, secrets)
    content, thoughts = _texts(message.get("content"))
    return Completion(
        content=content,
        reasoning=_reasoning(message) or thoughts,
        finish_reason=_text_or_none(choice.get("finish_reason")),
        refusal=_text_or_none(message.get("refusal")) or "",
        has_tool_calls=bool(message.get("tool_calls") or message.get("function_call")),
        usage=_usage(document.get("usage")),
        model=_text_or_none(document.get("model")) or "",
        fingerprint=_text_or_none(document.get("system_fingerprint")) or "",
    )


def without_secrets(completion: Completion, secrets: Iterable[str]) -> Completion:
    """The same with every secret hidden, should the service repeat one."""
    texts = ("content", "reasoning", "finish_reason", "refusal", "model", "fingerprint")
    found = {name: text for name in texts if (text := getattr(completion, name))}
    return replace(completion, **{name: hide(text, secrets) for name, text in found.items()})


def _unreadable(sentence: str, kind: str, text: str, secrets: tuple[str, ...]) -> ReplyUnreadable:
    return ReplyUnreadable(sentence, kind=kind, status=200, raw=redact(text, secrets)[:_SHOWN])


def _refuse_errors(document: dict, secrets: tuple[str, ...]) -> None:
    """Raises the error that a good status hides."""
    error = error_within(document)
    if error is None:
        return
    decision = classify_told(error)
    raise ServiceError(
        f"The service answered 200 with an error. {decision.sentence}: {shown(decision.detail, secrets)}",
        kind=decision.kind,
        status=200,
        retryable=decision.retries > 0,
    )


def _texts(content: object) -> tuple[str, str]:
    """Text and thoughts of a content field: a string, null, or a list of parts."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return "", ""
    said, thought = [], []
    for part in content:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type", "text"))
            text = part.get("text", part.get("thinking", part.get("content")))
            if isinstance(text, str):
                (thought if "think" in kind or "reason" in kind else said).append(text)
    return "".join(said), "".join(thought)


def _reasoning(message: Mapping) -> str:
    found = [text for name in _REASONING if isinstance(text := message.get(name), str)]
    return next((text for text in found if text.strip()), "".join(found[:1]))  # of a stream, blanks count


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _usage(fields: object) -> Usage:
    if not isinstance(fields, dict):
        return Usage()
    prompt_details, completion_details = (
        fields.get(name) if isinstance(fields.get(name), dict) else {}
        for name in ("prompt_tokens_details", "completion_tokens_details")
    )
    return Usage(
        prompt=token_count(fields.get("prompt_tokens")),
        completion=token_count(fields.get("completion_tokens")),
        cached=token_count(prompt_details.get("cached_tokens")),
        reasoning=token_count(completion_details.get("reasoning_tokens")),
    )


def token_count(value: object) -> int | None:
    """Tokens as a service reports them; None for a number that no call can take, and no budget could book."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if is_count else None


def _read_stream(text: str, secrets: tuple[str, ...]) -> Completion:
    """Puts the pieces of a stream together; a stream that breaks off says so in ``finish_reason``."""
    content: list[str] = []
    reasoning: list[str] = []
    finish_reason, refusal, has_tool_calls = None, "", False
    usage, model, fingerprint, n_events = Usage(), "", "", 0
    for document in documents_of_events(text):
        if not isinstance(document, dict):
            continue
        _refuse_errors(document, secrets)
        n_events += 1
        model = model or _text_or_none(document.get("model")) or ""
        fingerprint = fingerprint or _text_or_none(document.get("system_fingerprint")) or ""
        if isinstance(document.get("usage"), dict):
            usage = _usage(document["usage"])
        choice = first_choice(document)
        if choice is None or index_of(choice) != 0:
            continue
        delta = _delta(choice)
        said, thought = _texts(delta.get("content", choice.get("text")))
        content.append(said)
        reasoning.append(_reasoning(delta) or thought)
        refusal += _text_or_none(delta.get("refusal")) or ""
        has_tool_calls = has_tool_calls or bool(delta.get("tool_calls"))
        finish_reason = _text_or_none(choice.get("finish_reason")) or finish_reason
    if not n_events:
        raise _unreadable(
            "The answer is a stream without any event that can be read.", "not_json", text, secrets
        )
    return Completion(
        content="".join(content),
        reasoning="".join(reasoning),
        finish_reason=finish_reason or (None if is_done(text) else "cut"),
        refusal=refusal,
        has_tool_calls=has_tool_calls,
        usage=usage,
        model=model,
        fingerprint=fingerprint,
        is_streamed=True,
    )


def _delta(choice: Mapping) -> dict:
    return next((choice[name] for name in ("delta", "message") if isinstance(choice.get(name), dict)), {})


class TextReader:
    """The text of a stream while it comes; ``read_envelope`` reads the same bytes again when all are there.

    Args:
        on_text: told each piece of the text. An answer that is no stream tells nothing.
    """

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._line = bytearray()
        self.has_told = False

    def feed(self, piece: bytes) -> bool:
        """Takes the next bytes; true when they held text that was told."""
        *lines, rest = piece.split(b"\n")
        told = False
        for line in lines:
            text = _text_of_line(bytes(self._line + line))
            self._line.clear()
            if text:
                self._on_text(text)
                told = self.has_told = True
        self._line += rest
        return told

    def start_again(self) -> None:
        """Forgets half a line of a try that failed."""
        self._line.clear()


def _text_of_line(line: bytes) -> str:
    """What one event adds to the text, if the line is one."""
    try:
        document = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
    except (ValueError, RecursionError):
        return ""
    choice = first_choice(document) if isinstance(document, dict) else None
    if choice is None or index_of(choice) != 0:
        return ""
    return _texts(_delta(choice).get("content", choice.get("text")))[0]
