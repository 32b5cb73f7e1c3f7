"""What a service says when it refuses: its error object, whatever shape it chose.

Four shapes are common: {"error": {"message", "type", "code", "param"}}, {"error": "text"}, {"detail": ...}
(FastAPI, whose detail may be a list with the place of the fault) and plain text. Some tell it with a good
status, beside a choice that holds half an answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from .messages import Answer


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error object, flattened.

    Args:
        message: the sentence of the service; the whole body when it has no known shape.
        codes: its ``code`` and ``type``, in lower case.
        parameter: the field of our request that it blames, as far as it says so.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    parameter: str | None = None

    def mentions(self, *words: str) -> bool:
        """Whether a code equals, or the message contains, one of the (lower case) words."""
        text = self.message.lower()
        return any(word in self.codes or word in text for word in words)


def parse_json(answer: Answer) -> object | None:
    """The body as JSON; None when it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def read_error(answer: Answer) -> ErrorBody:
    """The error in an answer that failed."""
    document = parse_json(answer)
    if not isinstance(document, dict):
        return ErrorBody(message=answer.text)
    return error_object(document) or _from_fields(document, answer.text)


def error_object(document: dict) -> ErrorBody | None:
    """The ``error`` or ``detail`` of a JSON object; None when it has neither."""
    error = document.get("error")
    if isinstance(error, dict):
        return _from_fields(error, json.dumps(error))
    if isinstance(error, str) and error:
        return _from_fields(document | {"message": document.get("message") or error}, error)
    detail = document.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        place = detail[0].get("loc")
        place = place if isinstance(place, list) else ()
        fields = [part for part in place if isinstance(part, str) and part not in ("body", "query")]
        message = json.dumps(detail, ensure_ascii=False)
        return ErrorBody(message, _codes(detail[0]), fields[0] if fields else None)
    if detail:
        return ErrorBody(message=detail if isinstance(detail, str) else json.dumps(detail))
    return None


def error_within(document: dict) -> ErrorBody | None:
    """The error that an answer with a good status tells, at the top or in its first choice."""
    if document.get("error"):
        return error_object(document) or ErrorBody(message=json.dumps(document))
    choice = first_choice(document)
    if choice and (choice.get("error") or choice.get("finish_reason") == "error"):
        error = choice.get("error") or "The service reports an error without a word."
        return error_object({"error": error}) or ErrorBody(message=json.dumps(error))
    return None


def first_choice(document: dict) -> dict | None:
    """The choice with the lowest index in an answer of a chat model."""
    choices = document.get("choices")
    usable = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    return min(usable, key=index_of, default=None)


def index_of(choice: dict) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _from_fields(fields: dict, whole: str) -> ErrorBody:
    message = fields.get("message")
    parameter = fields.get("param")
    return ErrorBody(
        message if isinstance(message, str) and message else whole,
        _codes(fields),
        parameter if isinstance(parameter, str) and parameter else None,
    )


def _codes(fields: dict) -> tuple[str, ...]:
    found = (fields.get(name) for name in ("code", "type", "error_type", "status"))
    return tuple(str(code).lower() for code in found if isinstance(code, str | int) and code != "")
