"""Gorse's endpoints for feedback.

The server's front door takes POST and PUT /feedback by a shorter way (feeding.py); what they do is here.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from dashboard.api.gorse import BadCursor, body_list, cursor_of, now_for_lists, page, page_size, records
from dashboard.catalogue import reading, writing
from dashboard.catalogue.writing import FeedbackWrite
from dashboard.serving.incoming import store_feedback
from recflow.data.feedback import FeedbackRule
from recflow.data.records import FeedbackRecord
from recflow.errors import DataError
from recflow.interop.objects import feedback_from, to_object

router = Router(tags=["feedback"])

_PLACE = ("FeedbackType", "UserId", "ItemId")


@router.post("/feedback")
def add_feedback(request: HttpRequest) -> dict[str, int]:
    return _store(request, overwrite=False)


@router.put("/feedback")
def overwrite_feedback(request: HttpRequest) -> dict[str, int]:
    return _store(request, overwrite=True)


@router.get("/feedback")
def list_feedback(request: HttpRequest) -> dict[str, Any]:
    return _page(request, None)


@router.get("/feedback/{feedback_type}")
def list_feedback_of_type(request: HttpRequest, feedback_type: str) -> dict[str, Any]:
    return _page(request, feedback_type)


@router.get("/feedback/{user_id}/{item_id}")
def get_feedback_of_pair(request: HttpRequest, user_id: str, item_id: str) -> list[dict[str, Any]]:
    return [to_object(row) for row in reading.feedback_of_pair(user_id, item_id)]


@router.delete("/feedback/{user_id}/{item_id}")
def delete_feedback_of_pair(request: HttpRequest, user_id: str, item_id: str) -> dict[str, int]:
    return {"RowAffected": writing.delete_feedback(user_id, item_id)}


@router.get("/feedback/{feedback_type}/{user_id}/{item_id}")
def get_feedback(request: HttpRequest, feedback_type: str, user_id: str, item_id: str) -> dict[str, Any]:
    rows = reading.feedback_of_pair(user_id, item_id, feedback_type)
    return to_object(rows[0]) if rows else {}


@router.delete("/feedback/{feedback_type}/{user_id}/{item_id}")
def delete_feedback(request: HttpRequest, feedback_type: str, user_id: str, item_id: str) -> dict[str, int]:
    return {"RowAffected": writing.delete_feedback(user_id, item_id, feedback_type)}


@router.get("/user/{user_id}/feedback")
def list_feedback_of_user(request: HttpRequest, user_id: str) -> list[dict[str, Any]]:
    return [to_object(row) for row in reading.feedback_of_user(user_id, until_us=now_for_lists())]


@router.get("/user/{user_id}/feedback/{feedback_type}")
def list_feedback_of_user_and_type(
    request: HttpRequest, user_id: str, feedback_type: str
) -> list[dict[str, Any]]:
    """The type may be an expression such as read>=3; what is none is taken as a name."""
    try:
        rule = FeedbackRule.parse(feedback_type)
    except DataError:
        rule = FeedbackRule(feedback_type)
    rows = reading.feedback_of_user(user_id, until_us=now_for_lists(), rule=rule)
    return [to_object(row) for row in rows]


@router.get("/item/{item_id}/feedback")
def list_feedback_on_item(request: HttpRequest, item_id: str) -> list[dict[str, Any]]:
    return [to_object(row) for row in reading.feedback_on_item(item_id, until_us=now_for_lists())]


@router.get("/item/{item_id}/feedback/{feedback_type}")
def list_feedback_on_item_of_type(
    request: HttpRequest, item_id: str, feedback_type: str
) -> list[dict[str, Any]]:
    rows = reading.feedback_on_item(item_id, until_us=now_for_lists(), feedback_type=feedback_type)
    return [to_object(row) for row in rows]


def _store(request: HttpRequest, *, overwrite: bool) -> dict[str, int]:
    write = write_of(body_list(request), overwrite=overwrite)
    store_feedback([write])
    return {"RowAffected": len(write.feedback)}


def write_of(rows: list[dict[str, Any]], *, overwrite: bool) -> FeedbackWrite:
    """What a request asks to be stored.

    Raises:
        BadRecord: a row cannot be.
    """
    server = settings.CONFIGURATION.server
    return FeedbackWrite(
        records(rows, feedback_from),
        overwrite,
        insert_users=server.auto_insert_user,
        insert_items=server.auto_insert_item,
    )


def _page(request: HttpRequest, feedback_type: str | None) -> dict[str, Any]:
    n = page_size(request)
    place = _place(cursor_of(request))
    if feedback_type is not None and place == ("", "", ""):
        place = (feedback_type, "", "")
    rows = reading.feedback_from(place, n + 1, until_us=now_for_lists(), feedback_type=feedback_type)
    return page("Feedback", rows, n, _cursor, to_object)


def _cursor(row: FeedbackRecord) -> str:
    return orjson.dumps(dict(zip(_PLACE, (row.type, row.user_id, row.item_id), strict=True))).decode()


def _place(cursor: str) -> tuple[str, str, str]:
    if not cursor:
        return ("", "", "")
    try:
        fields = orjson.loads(cursor)
        first, user_id, item_id = (fields[name] for name in _PLACE)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BadCursor(f"{cursor[:80]!r} is not a cursor of this server") from error
    return str(first), str(user_id), str(item_id)
