"""What all of Gorse's endpoints share: the key, errors as plain text, numbers, cursors, checked rows.

Field names, statuses and sentences follow Gorse, so that its clients work unchanged. Two things are stricter:
a body has to be declared as JSON (else any web page could post to a server without a key), and ids have a
greatest length.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.renderers import BaseRenderer

from dashboard.access import key_fits
from dashboard.api.bodies import read_json
from dashboard.errors import BadRequest, LoginNeeded, WebError, status_of
from dashboard.store import now_us
from recflow.data.records import FeedbackRecord, Record
from recflow.errors import BadRecord, RecflowError
from recflow.interop.objects import check_storable

R = TypeVar("R", bound=Record)

#: Rows on one page at most; the cursor leads to the rest.
MAX_PAGE = 10_000


class BadCursor(WebError):
    """A cursor that no page of ours has given. Gorse answers 500, as if it were the server's fault."""


class Orjson(BaseRenderer):
    """Answers as strict JSON, made fast."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data)


def needs_key(request: HttpRequest) -> bool:
    """Ninja's ``auth`` of every endpoint but the health checks."""
    if not key_fits(request.headers.get("X-API-Key")):
        raise LoginNeeded("unauthorized")
    return True


api = NinjaAPI(
    title="RecFlow",
    description="Gorse's REST API. Times are RFC 3339; errors are plain text.",
    urls_namespace="gorse",
    docs_url=None,
    openapi_url=None,  # api/openapi.py describes what these functions read by hand
    auth=needs_key,
    renderer=Orjson(),
)


def as_text(error: RecflowError) -> HttpResponse:
    """An error as Gorse's clients want it: the sentence and nothing else."""
    return HttpResponse(
        error.message.encode("utf-8", "replace"),
        status=status_of(error),
        content_type="text/plain; charset=utf-8",
    )


@api.exception_handler(RecflowError)
def refuse(request: HttpRequest, error: RecflowError) -> HttpResponse:
    return as_text(error)


@api.exception_handler(HttpError)
def refuse_request(request: HttpRequest, error: HttpError) -> HttpResponse:
    return as_text(BadRequest(str(error)))


def number(request: HttpRequest, name: str, default: int) -> int:
    """A whole number from the query; missing or empty is the default.

    Raises:
        BadRequest: it is no whole number, or below 0.
    """
    text = request.GET.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequest(f"{name} must be a whole number from 0, got {text[:40]!r}")
    return int(text)


def page_size(request: HttpRequest) -> int:
    """Rows the client wants on one page."""
    return max(1, min(number(request, "n", settings.CONFIGURATION.server.default_n), MAX_PAGE))


def cursor_of(request: HttpRequest) -> str:
    """Where the page begins, "" for the first one; gorsejs writes ``Cursor``."""
    text = request.GET.get("cursor") or request.GET.get("Cursor") or ""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError as error:  # no base64, no ASCII even, or no UTF-8 in it
        raise BadCursor(f"{text[:80]!r} is not a cursor of this server") from error


def page(name: str, rows: Sequence[R], n: int, place: Callable[[R], str], show: Callable[[R], dict]) -> dict:
    """The first n rows, and the cursor of the one behind them."""
    cursor = base64.b64encode(place(rows[n]).encode()).decode() if len(rows) > n else ""
    return {"Cursor": cursor, name: [show(row) for row in rows[:n]]}


def now_for_lists() -> int:
    """Feedback dated later does not show in lists; microseconds since 1970."""
    return now_us() + int(settings.CONFIGURATION.server.clock_error_s * 1e6)


def body_object(request: HttpRequest) -> dict[str, Any]:
    """The body as one JSON object."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object")
    return body


def body_list(request: HttpRequest) -> list[dict[str, Any]]:
    """The body as a list of JSON objects."""
    return list_of_objects(read_json(request))


def list_of_objects(body: Any) -> list[dict[str, Any]]:
    """The value of a body, if it is a list of JSON objects."""
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise BadRequest("The body must be a list of JSON objects")
    return body


def records(rows: list[dict[str, Any]], make: Callable[[dict[str, Any]], R]) -> list[R]:
    """Each row as a record; the first that is none is named by its place.

    Raises:
        BadRecord: a row cannot be stored.
    """
    made = []
    for place, row in enumerate(rows):
        try:
            record = make(row)
            check(record)
        except BadRecord as error:
            where = f"row {place}: " if len(rows) > 1 else ""
            raise BadRecord(f"{where}{error.message}") from error
        made.append(record)
    return made


def check(record: Record) -> None:
    """What no database could keep, and what Gorse refuses.

    Raises:
        BadRecord: an id is missing or too long, a text holds a null character, labels have a wrong form.
    """
    check_storable(record)
    if not isinstance(record, FeedbackRecord):
        check_labels(record.labels)


def check_text(text: str) -> None:
    """PostgreSQL keeps every character but one."""
    if "\0" in text:
        raise BadRecord(f"A text may not hold the null character, got {text[:40]!r}")


def check_labels(labels: object) -> None:
    """Gorse's rule: null, a text, a number, a list of one of the two, or a map of these.

    Raises:
        BadRecord: they have another form.
    """
    if isinstance(labels, dict):
        for value in labels.values():
            check_labels(value)
    elif isinstance(labels, list):
        texts = all(isinstance(value, str) for value in labels)
        if not texts and not all(_is_number(value) for value in labels):
            raise BadRecord(f"A list of labels holds texts or numbers only, got {str(labels)[:80]}")
    elif labels is not None and not isinstance(labels, str) and not _is_number(labels):
        raise BadRecord(f"Labels are texts, numbers, lists of them, or maps, got {str(labels)[:80]}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
