"""One chat completion: POST {base_url}/chat/completions, as an OpenAI-compatible service wants it.

"Compatible" ends at the optional fields. What an endpoint refuses is left out or renamed, tried once more,
and remembered for that endpoint, so only the first call pays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from recflow.errors import ServiceError
from recflow.llm.endpoint import Endpoint, ThinkingOff, capabilities_of, remember_refusal
from recflow.llm.envelope import Completion, TextReader, read_envelope
from recflow.outbound.call import Attempt, Timing, call
from recflow.outbound.messages import Answer, Request
from recflow.outbound.retry import Decision, Hint

Message = Mapping[str, str]

#: Under this share of the estimate the service probably cut the input without a word.
_TRUNCATED_SHARE = 0.7

_WIDE = re.compile("[\u2e80-\U0010ffff]")
_RENAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
#: Names that services blame for the field which holds them.
_SENT_AS = {
    "json_schema": "response_format",
    "enable_thinking": "chat_template_kwargs",
    "thinking": "chat_template_kwargs",
}


@dataclass(frozen=True)
class ChatOptions:
    """What is asked of the model beside the messages.

    Args:
        temperature: None leaves it to the service.
        seed: None sends none.
        max_output_tokens: None leaves the answer uncapped.
        response_format: "json_schema" needs ``names``, the ids an answer may hold.
    """

    temperature: float | None = 0.0
    seed: int | None = None
    max_output_tokens: int | None = None
    response_format: Literal["off", "json_object", "json_schema"] = "off"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatResult:
    """A completion and what it took to get it.

    Args:
        prompt_tokens, completion_tokens: reported by the service, else our estimate.
        is_estimated: at least one of the two is ours.
        sent: the fields of the request beside the messages, as the last try sent them.
        warnings: sentences for the person at the editor.
    """

    completion: Completion
    attempts: tuple[Attempt, ...]
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    sent: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def estimate_tokens(text: str) -> int:
    """Tokens of a text, by rule: three characters a token, one token for each wide sign.

    Measured on prompts of film titles the rule of four that is often quoted counts a quarter too few.
    """
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return -(-(len(text) - wide) // 3) + wide


async def chat(
    endpoint: Endpoint,
    messages: Sequence[Message],
    options: ChatOptions,
    *,
    on_text: Callable[[str], None] | None = None,
    timing: Timing | None = None,
) -> ChatResult:
    """Asks the model once; retries, limits and deadline are the endpoint's policy.

    Args:
        on_text: told the text of the answer as it comes, which asks the service to stream it; all at the end
            where it does not.

    Raises:
        ServiceError: no usable answer came; ``kind`` says why, ``history`` holds the attempts.
    """
    attempts: list[Attempt] = []
    estimate = sum(estimate_tokens(message["content"]) for message in messages)
    payload = build_payload(endpoint, messages, options, is_streamed=on_text is not None)
    reader = TextReader(on_text) if on_text is not None else None
    url = endpoint.url("/chat/completions")
    request = Request.json(url, payload, endpoint.headers, secrets=endpoint.secrets)

    def note(attempt: Attempt) -> None:
        attempts.append(attempt)
        if reader is not None:
            reader.start_again()

    def adapt(decision: Decision, _answer: Answer, request: Request) -> Request | None:
        nonlocal payload
        if decision.hint is not Hint.DROP_PARAMETER or decision.parameter is None:
            return None
        changed = without_parameter(endpoint, payload, decision.parameter)
        if changed is None:
            return None
        payload = changed
        return replace(request, body=Request.json(url, changed).body)

    try:
        called = await call(
            endpoint.call_policy,
            request,
            tokens=estimate + (options.max_output_tokens or 0),
            tokens_used=_tokens_used,
            adapt=adapt,
            on_attempt=note,
            on_piece=reader.feed if reader is not None else None,
            timing=timing,
        )
        content_type = called.answer.header("content-type") or ""
        completion = read_envelope(called.answer.body, content_type, endpoint.secrets)
    except ServiceError as error:
        error.history, error.attempts = tuple(attempts), len(attempts)
        raise
    if reader is not None and not reader.has_told:
        on_text(completion.content)
    return _result(completion, tuple(attempts), estimate, payload)


def build_payload(
    endpoint: Endpoint, messages: Sequence[Message], options: ChatOptions, *, is_streamed: bool = False
) -> dict[str, Any]:
    """The body of the request, without what this endpoint is known to refuse."""
    payload: dict[str, Any] = {
        "model": endpoint.model,
        "messages": _without_thinking(endpoint, [dict(message) for message in messages]),
        "stream": is_streamed,
    }
    if is_streamed:
        payload["stream_options"] = {"include_usage": True}
    if options.temperature is not None:
        payload["temperature"] = options.temperature
    if options.seed is not None:
        payload["seed"] = options.seed
    if options.max_output_tokens is not None:
        payload[endpoint.output_cap_field] = options.max_output_tokens
    if options.response_format == "json_object":
        payload["response_format"] = {"type": "json_object"}
    elif options.response_format == "json_schema":
        payload["response_format"] = {"type": "json_schema", "json_schema": ranking_schema(options.names)}
    match endpoint.thinking_off:
        case ThinkingOff.ENABLE_THINKING:
            payload["chat_template_kwargs"] = {"enable_thinking": False}
        case ThinkingOff.THINKING:
            payload["chat_template_kwargs"] = {"thinking": False}
        case ThinkingOff.REASONING_EFFORT:
            payload["reasoning_effort"] = "none"
    for parameter, instead in capabilities_of(endpoint).items():
        _replace_parameter(payload, parameter, instead)
    return payload


def ranking_schema(names: Sequence[str]) -> dict[str, Any]:
    """A JSON schema for {"ranking": [...]} of these names; repeats it cannot forbid everywhere."""
    entries = {"type": "array", "items": {"type": "string", "enum": list(names)}}
    schema = {"type": "object", "properties": {"ranking": entries}, "required": ["ranking"]}
    return {"name": "ranking", "strict": True, "schema": schema | {"additionalProperties": False}}


def without_parameter(endpoint: Endpoint, payload: dict[str, Any], parameter: str) -> dict[str, Any] | None:
    """The payload with a refused parameter renamed, weakened or left out; None when it was not sent.

    What was done is remembered for the endpoint.
    """
    parameter = _SENT_AS.get(parameter, parameter)
    if parameter not in payload or parameter in ("model", "messages"):
        return None
    known = capabilities_of(endpoint)
    instead: str | None = None
    if parameter == "response_format" and payload[parameter].get("type") == "json_schema":
        instead = "json_object"
    elif parameter in _RENAMES and _RENAMES[parameter] not in known:
        instead = _RENAMES[parameter]
    remember_refusal(endpoint, parameter, instead)
    changed = dict(payload)
    _replace_parameter(changed, parameter, instead)
    return changed


def _replace_parameter(payload: dict[str, Any], parameter: str, instead: str | None) -> None:
    value = payload.pop(parameter, None)
    if value is None or instead is None:
        return
    if parameter == "response_format":
        payload["response_format"] = {"type": instead}
    else:
        payload[instead] = value


def _without_thinking(endpoint: Endpoint, messages: list[dict[str, str]]) -> list[dict[str, str]]:
    if endpoint.thinking_off is ThinkingOff.SYSTEM_TEXT:
        return [{"role": "system", "content": "detailed thinking off"}, *messages]
    if endpoint.thinking_off is ThinkingOff.SUFFIX and messages:
        messages[-1]["content"] += " /no_think"
    return messages


def _tokens_used(answer: Answer) -> float | None:
    try:
        usage = read_envelope(answer.body, answer.header("content-type") or "").usage
    except ServiceError:
        return None
    if usage.prompt is None or usage.completion is None:
        return None
    return usage.prompt + usage.completion


def _result(
    completion: Completion, attempts: tuple[Attempt, ...], estimate: int, payload: dict
) -> ChatResult:
    usage = completion.usage
    warnings = []
    if usage.prompt is not None and usage.prompt < _TRUNCATED_SHARE * estimate:
        warnings.append(
            f"The service counted {usage.prompt} tokens of input where about {estimate} were sent: "
            "it probably cut the prompt without a word."
        )
    said = completion.content + completion.reasoning
    return ChatResult(
        completion=completion,
        attempts=attempts,
        prompt_tokens=estimate if usage.prompt is None else usage.prompt,
        completion_tokens=estimate_tokens(said) if usage.completion is None else usage.completion,
        is_estimated=usage.prompt is None or usage.completion is None,
        sent={name: value for name, value in payload.items() if name != "messages"},
        warnings=tuple(warnings),
    )
