"""Gorse's endpoints for users."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from dashboard.api.gorse import (
    body_list,
    body_object,
    check_labels,
    check_text,
    cursor_of,
    page,
    page_size,
    records,
)
from dashboard.catalogue import reading, writing
from dashboard.errors import NotFound
from recflow.interop.objects import to_object, user_from

router = Router(tags=["users"])


@router.post("/user")
def insert_user(request: HttpRequest) -> dict[str, int]:
    writing.put_users(records([body_object(request)], user_from))
    return {"RowAffected": 1}


@router.post("/users")
def insert_users(request: HttpRequest) -> dict[str, int]:
    users = records(body_list(request), user_from)
    writing.put_users(users)
    return {"RowAffected": len(users)}


@router.get("/users")
def list_users(request: HttpRequest) -> dict[str, Any]:
    n = page_size(request)
    users = reading.users_from(cursor_of(request), n + 1)
    return page("Users", users, n, lambda user: user.user_id, to_object)


@router.get("/user/{user_id}")
def get_user(request: HttpRequest, user_id: str) -> dict[str, Any]:
    user = reading.get_user(user_id)
    if user is None:
        raise NotFound(f"{user_id[:80]}: user not found")
    return to_object(user)


@router.patch("/user/{user_id}")
def patch_user(request: HttpRequest, user_id: str) -> dict[str, int]:
    given = {key.lower(): value for key, value in body_object(request).items() if value is not None}
    record = user_from(given | {"userid": user_id})
    check_labels(record.labels)
    check_text(record.comment)
    writing.patch_user(
        user_id, **{name: getattr(record, name) for name in ("labels", "comment") if name in given}
    )
    return {"RowAffected": 1}


@router.delete("/user/{user_id}")
def delete_user(request: HttpRequest, user_id: str) -> dict[str, int]:
    writing.delete_user(user_id)
    return {"RowAffected": 1}
