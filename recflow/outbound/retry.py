"""What to do after each way a call can end: the table of failures, and the reading of an answer into it.

``RULES`` is the table. ``classify`` finds the row for an answer or an error. How long to wait is in
``waits.py``, who acts on it in ``call.py``. stamina is not used: what to do depends on the body, on the
time left and on the circuit, so it would run a loop around our own decision and hide the attempts we have
to show.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from recflow.errors import ServiceError

from .error_bodies import ErrorBody, error_within, parse_json, read_error
from .events import documents_of_events, is_event_stream
from .messages import Answer


class Hint(StrEnum):
    """What the caller can change so that the same call may go through."""

    SHRINK_PROMPT = "shrink_prompt"
    DROP_PARAMETER = "drop_parameter"
    SPLIT_BATCH = "split_batch"


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the table, with what this answer adds to it.

    Args:
        kind: the class of outcome, a short machine word that also ends up in ``ServiceError.kind``.
        retries: further tries of the same request, counted over the whole call.
        wait: how to pace them: jittered backoff, or the longer steps of a service that is still starting.
        opens_circuit: nothing will change until somebody acts or the service recovers.
        counts_as_failure: five of these in a row open the circuit; of a service that is loading, five calls
            that waited in vain. False when the service is alive and merely dislikes this request.
        is_config_error: the endpoint's settings are wrong; waiting helps nobody.
        throttled: fewer calls at once would help.
        parameter: the request field to drop or rename (``drop_parameter``).
        batch_limit: documents the service takes at once, where it says so (``split_batch``).
        detail: what the service said, in full and with whatever secrets it repeats.
    """

    kind: str
    sentence: str
    retries: int = 0
    wait: Literal["backoff", "loading"] = "backoff"
    opens_circuit: bool = False
    counts_as_failure: bool = False
    is_config_error: bool = False
    throttled: bool = False
    hint: Hint | None = None
    parameter: str | None = None
    batch_limit: int | None = None
    detail: str = ""


def _rules(*rows: Decision) -> MappingProxyType[str, Decision]:
    return MappingProxyType({row.kind: row for row in rows})


_LOADING_STEPS = 20  # a model takes its time to load; the deadline ends this, not the count

RULES = _rules(
    Decision("ok", "It answered."),
    # no answer
    Decision("dns", "Its name has no address", 2, counts_as_failure=True),
    Decision("connect", "It cannot be reached", 2, counts_as_failure=True),
    Decision("tls", "Its certificate is not accepted", opens_circuit=True, is_config_error=True),
    Decision("timeout", "It did not answer in time", 1, counts_as_failure=True),
    Decision("reset", "It broke the connection", 2, counts_as_failure=True),
    Decision("cut_reply", "Its answer ends early", 2, counts_as_failure=True),
    Decision("unreadable", "Its answer is not JSON", 1, counts_as_failure=True),
    Decision("too_large", "Its answer is too long"),
    Decision("bad_url", "The request cannot be sent", is_config_error=True),
    Decision("address", "The address is not allowed", is_config_error=True),
    # it answered, and refuses this request
    Decision("redirect", "It redirects elsewhere", is_config_error=True),
    Decision("context_length", "The prompt is too long for the model", hint=Hint.SHRINK_PROMPT),
    Decision("unsupported_parameter", "It refuses a parameter", hint=Hint.DROP_PARAMETER),
    Decision("batch_too_large", "It takes fewer documents at once", hint=Hint.SPLIT_BATCH),
    Decision("content_filter", "It refuses the content"),
    Decision("bad_request", "It refuses the request", is_config_error=True),
    Decision("not_offered", "It does not offer this call", is_config_error=True),
    # it refuses us
    Decision("auth", "It refuses the key", opens_circuit=True, is_config_error=True),
    Decision("payment", "It wants to be paid", opens_circuit=True, is_config_error=True),
    Decision("not_found", "It knows no such model or path", opens_circuit=True, is_config_error=True),
    Decision("quota", "Its quota is used up", opens_circuit=True),
    # it may work in a moment
    Decision("conflict", "It was not ready for the request", 2, counts_as_failure=True),
    Decision("inference_failed", "Its model failed", 1, counts_as_failure=True),
    Decision("rate_limited", "It has had too many calls", 2, counts_as_failure=True, throttled=True),
    Decision("loading", "It is still loading or full", _LOADING_STEPS, "loading", counts_as_failure=True),
    Decision("server_error", "It failed inside", 2, counts_as_failure=True),
    Decision("client_closed", "The call was given up on the way"),
)

_STATUS_KINDS = {
    400: "bad_request",
    401: "auth",
    402: "payment",
    403: "auth",
    404: "not_found",
    408: "conflict",
    409: "conflict",
    413: "batch_too_large",
    421: "content_filter",
    424: "inference_failed",
    425: "conflict",
    429: "rate_limited",
    499: "client_closed",
    501: "not_offered",
    503: "loading",
    505: "not_offered",
}

_CONTEXT_LENGTH = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length",
    "exceeds the available context size",
    "context window",
    "prompt is too long",
    "input is too long",
)
_BATCH = ("batch size", "too many documents", "maximum number of documents", "too many inputs")
_CONTENT = ("content_filter", "content_policy_violation", "content management policy", "content filter")
_QUOTA = (
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "exceeded your current quota",
    "insufficient balance",
    "credit balance is too low",
)
_VALIDATION = ("validation error", "input should be")
_REFUSED_PARAMETER = (
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "extra_forbidden",
    "unsupported parameter",
    "unsupported value",
    "unrecognized request argument",
    "unknown parameter",
    "unknown field",
    "unexpected field",
    "unexpected keyword argument",
    "extra inputs are not permitted",
    "extra fields not permitted",
    "type is unavailable now",
    "not supported with this model",
    "does not support",
    "is not supported",
)
# Fields that we or our users send beside model, messages, query and documents.
_OPTIONAL_FIELDS = re.compile(
    r"\b(max_completion_tokens|max_tokens_per_doc|max_tokens|temperature|top_p|top_n|seed|response_format"
    r"|json_schema|chat_template_kwargs|reasoning_effort|return_documents|truncate_prompt_tokens|truncate"
    r"|enable_thinking|thinking|instruct|stream)\b"
)
_NEEDED_FIELDS = frozenset(("model", "messages", "query", "documents", "texts", "input", "passages"))
_BATCH_LIMIT = re.compile(r"(?:maximum|max|limit|most)\D{0,40}?(\d{1,6})", re.IGNORECASE)

_HALF_A_WORD = re.compile(r"t|tr|tru|f|fa|fal|fals|n|nu|nul|[-+.eE]{0,2}")

_AN_ERROR_STATUS = re.compile(r"[45][0-9]{2}")
# Words some gateways put into the error object of a 200, and the status they should have sent.
_CODE_STATUS = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "overloaded_error": 529,
    "timeout": 504,
}


def classify(outcome: Answer | ServiceError, *, expects: Literal["json", "any"] = "json") -> Decision:
    """The row of the table for one try.

    Args:
        outcome: the answer, or the error that ``send`` raised.
        expects: ``json`` also judges the body of a 200 (empty, HTML, cut, an error object in disguise, also
            one within a choice or an event);
            ``any`` takes every 2xx as it is, and a 404 as one about this request alone.
    """
    if isinstance(outcome, ServiceError):
        return replace(RULES.get(outcome.kind, RULES["server_error"]), detail=str(outcome))
    if 200 <= outcome.status < 300:
        return _classify_success(outcome) if expects == "json" else RULES["ok"]
    if 300 <= outcome.status < 400:
        return replace(RULES["redirect"], detail=outcome.header("location") or "")
    decision = _classify_status(outcome.status, read_error(outcome))
    if expects == "any" and decision.kind == "not_found":
        # A model that is not there is there for nobody; an address may name a user unknown to the service.
        return replace(decision, sentence="It knows no such address", opens_circuit=False)
    return decision


def _classify_success(answer: Answer) -> Decision:
    document = parse_json(answer)
    is_stream = document is None and is_event_stream(answer.text, answer.header("content-type") or "")
    for told in documents_of_events(answer.text) if is_stream else [document]:
        if isinstance(told, dict) and (error := error_within(told)):
            return classify_told(error)
    if document is not None or is_stream:
        return RULES["ok"]
    kind = "cut_reply" if _is_cut(answer) else "unreadable"
    return replace(RULES[kind], detail=answer.text or "an empty body")


def classify_told(error: ErrorBody) -> Decision:
    """The row of the table for an error told with a good status."""
    return _classify_status(_status_in(error), error)


def _classify_status(status: int, error: ErrorBody) -> Decision:
    kind = _STATUS_KINDS.get(status, "server_error" if status >= 500 else "bad_request")
    if status in (400, 413, 422, 500):
        kind = _refusal_kind(status, error, otherwise=kind)
    elif status in (402, 403, 429) and error.mentions(*_QUOTA):
        kind = "quota"
    found = replace(RULES[kind], detail=error.message)
    if kind == "unsupported_parameter":
        return replace(found, parameter=_blamed_parameter(error))
    if kind == "batch_too_large":
        limit = _BATCH_LIMIT.search(error.message)
        return replace(found, batch_limit=int(limit[1]) if limit else None)
    return found


def _refusal_kind(status: int, error: ErrorBody, *, otherwise: str) -> str:
    """Which refusal a 400, 413, 422 or 500 is; only the words tell."""
    if error.mentions(*_CONTEXT_LENGTH):
        return "context_length"
    if error.mentions(*_BATCH):
        return "batch_too_large"
    if error.mentions(*_CONTENT):
        return "content_filter"
    is_validation = error.mentions(*_VALIDATION)
    if status == 500 and not is_validation:
        return otherwise
    if (is_validation or error.mentions(*_REFUSED_PARAMETER)) and _blamed_parameter(error):
        return "unsupported_parameter"
    return "bad_request" if status == 500 else otherwise  # llama-cpp-python reports bad requests as 500


def _blamed_parameter(error: ErrorBody) -> str | None:
    """The field to leave out; None when the blame is on one that no call can do without."""
    if error.parameter:
        name = error.parameter.partition(".")[0].partition("[")[0]
        return None if name in _NEEDED_FIELDS else name
    named = _OPTIONAL_FIELDS.search(error.message)
    return named[1] if named else None


def _status_in(error: ErrorBody) -> int:
    """The status that an error object inside a 200 stands for; 500 when it does not say."""
    for code in error.codes:
        if _AN_ERROR_STATUS.fullmatch(code):
            return int(code)
        if code in _CODE_STATUS:
            return _CODE_STATUS[code]
    return 500


def _is_cut(answer: Answer) -> bool:
    """Whether the body is JSON that stops too soon, as opposed to no JSON at all."""
    text = answer.text.strip()
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]  # where the parser stopped; of a cut text only half a word is left there
        return error.msg.startswith("Unterminated string") or _HALF_A_WORD.fullmatch(rest) is not None
    except (ValueError, RecursionError):  # a number too long to be read, or lists too deep
        return False
    return False
