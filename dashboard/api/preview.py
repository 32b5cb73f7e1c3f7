"""Whom to preview for, and items to ask about: look-ups for the editor's fields."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router

from dashboard.api.gorse import now_for_lists
from dashboard.catalogue import reading
from recflow.interop.times import format_time

router = Router()

#: Feedback shown of one user.
RECENT = 20


@router.get("/preview/users")
def list_users(
    request: HttpRequest,
    kind: Literal["prefix", "random", "cold", "heavy"] = "prefix",
    q: str = "",
    n: int = Query(10, ge=1, le=100),
) -> list[dict[str, Any]]:
    rows = {
        "prefix": lambda: reading.users_like(q, n),
        "random": lambda: reading.random_users(n),
        "cold": lambda: reading.cold_users(n),
        "heavy": lambda: reading.heavy_users(n),
    }[kind]()
    return [{"user_id": user_id, "feedback": count} for user_id, count in rows]


@router.get("/preview/user")
def get_user(request: HttpRequest, user_id: str) -> dict[str, Any]:
    """What one user did lately; in an address "a/b" or ".." would be something else."""
    feedback = reading.feedback_of_user(user_id, until_us=now_for_lists())
    recent = feedback[:RECENT]
    titles = reading.titles_of([row.item_id for row in recent])
    return {
        "user_id": user_id,
        "known": reading.get_user(user_id) is not None,
        "feedback": len(feedback),
        "recent": [
            {
                "item_id": row.item_id,
                "title": titles[row.item_id],
                "type": row.type,
                "value": row.value,
                "time": format_time(row.time_us),
            }
            for row in recent
        ],
    }


@router.get("/preview/items")
def list_items(request: HttpRequest, q: str = "", n: int = Query(10, ge=1, le=100)) -> list[dict[str, Any]]:
    return [
        {"item_id": item.item_id, "title": item.comment or item.item_id, "categories": list(item.categories)}
        for item in reading.items_like(q, n)
    ]
