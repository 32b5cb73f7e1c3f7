"""The one place where errors become HTTP: the web's own refusals, and the status of every error."""

from __future__ import annotations

from typing import Any

from recflow.errors import (
    BadRecord,
    DataError,
    ExpressionError,
    FlowError,
    RecflowError,
    SandboxError,
    ServiceError,
    UnknownItem,
)


class WebError(RecflowError):
    """A request that cannot be answered as asked.

    Args:
        details: what the answer holds beside the sentence.
    """

    status = 400

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class BadRequest(WebError):
    """The request makes no sense."""


class LoginNeeded(WebError):
    """Nobody is logged in, or the key is wrong."""

    status = 401


class NotAllowed(WebError):
    """Who is logged in may not do this."""

    status = 403


class NotFound(WebError):
    """What the address names does not exist."""

    status = 404


class Conflict(WebError):
    """Somebody changed it in between, or it is in use."""

    status = 409


class TooLarge(WebError):
    """The body of the request is larger than this server reads."""

    status = 413


class Blocked(WebError):
    """The flow has problems that keep it from being activated; ``details["problems"]`` lists them."""

    status = 422


class Busy(WebError):
    """There is too much to do already; the same request may do well in a while."""

    status = 503


#: First match wins.
_STATUS: tuple[tuple[type[RecflowError], int], ...] = (
    (FlowError, 422),
    (ExpressionError, 422),
    (SandboxError, 422),
    (BadRecord, 400),
    (UnknownItem, 404),
    (DataError, 409),
    (ServiceError, 502),
)


def status_of(error: RecflowError) -> int:
    """The HTTP status an error answers with."""
    if isinstance(error, WebError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def as_object(error: RecflowError) -> dict[str, Any]:
    """The body of an answer to the editor: the sentence, and what belongs to it."""
    if isinstance(error, WebError):
        return {"message": error.message, **error.details}
    places = ("node_id", "field", "position", "line", "column")
    known = {name: value for name in places if (value := getattr(error, name, None)) is not None}
    return {"message": error.message, **known}
