"""Gorse's endpoints for looking at users, items and what each recommender says, with all fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Router

from dashboard import access, lists
from dashboard.api.feedback import list_feedback_of_user, list_feedback_of_user_and_type
from dashboard.api.gorse import cursor_of, now_for_lists, number, page, page_size
from dashboard.api.recommenders import wanted_categories
from dashboard.catalogue import reading
from dashboard.errors import NotFound
from dashboard.lists import Listing
from dashboard.models import PreparedList
from recflow.data.records import UserRecord
from recflow.data.types import NO_TIME
from recflow.interop.objects import to_object
from recflow.interop.times import format_time

router = Router(tags=["dashboard"])

Rows = list[dict[str, Any]]

#: Rows of a list when the request does not say.
SHOWN = 100


@router.get("/dashboard/users")
def list_users(request: HttpRequest) -> dict[str, Any]:
    n = page_size(request)
    users = reading.users_from(cursor_of(request), n + 1)
    times = _times([user.user_id for user in users])
    return page("Users", users, n, lambda user: user.user_id, lambda user: _user(user, times))


@router.get("/dashboard/user/{user_id}")
def get_user(request: HttpRequest, user_id: str) -> dict[str, Any]:
    user = reading.get_user(user_id)
    if user is None:
        raise NotFound(f"{user_id[:80]}: user not found")
    return _user(user, _times([user_id]))


@router.get("/dashboard/user/{user_id}/feedback")
def feedback_of_user(request: HttpRequest, user_id: str) -> Rows:
    return _with_items(request, list_feedback_of_user(request, user_id))


@router.get("/dashboard/user/{user_id}/feedback/{feedback_type}")
def feedback_of_user_and_type(request: HttpRequest, user_id: str, feedback_type: str) -> Rows:
    return _with_items(request, list_feedback_of_user_and_type(request, user_id, feedback_type))


@router.get("/dashboard/latest")
def latest(request: HttpRequest) -> Rows:
    rows = reading.latest_items(
        number(request, "n", SHOWN),
        number(request, "offset", 0),
        categories=wanted_categories(request),
        until_us=now_for_lists(),
    )
    return _items([(item_id, time_us // 1_000_000) for item_id, time_us in rows])


@router.get("/dashboard/non-personalized/{name}")
def non_personalized(request: HttpRequest, name: str) -> Rows:
    node = lists.recommender("non-personalized", name)
    return _shown(request, lists.proposals(node, categories=wanted_categories(request)) if node else None)


@router.get("/dashboard/item-to-item/{name}/{item_id}")
def item_to_item(request: HttpRequest, name: str, item_id: str) -> Rows:
    node = lists.recommender("item-to-item", name)
    found = lists.neighbors_of_item(node, item_id, wanted_categories(request)) if node else None
    return _shown(request, found)


@router.get("/dashboard/user-to-user/{name}/{user_id}")
def user_to_user(request: HttpRequest, name: str, user_id: str) -> Rows:
    node = lists.recommender("user-to-user", name)
    rows = _page(request, lists.neighbors_of_user(node, user_id) if node else None)
    times = _times([other for other, _ in rows])
    return [
        _user(user, times) | {"Score": score}
        for other, score in rows
        if (user := reading.get_user(other)) is not None
    ]


@router.get("/dashboard/recommend/{user_id}")
def recommend(request: HttpRequest, user_id: str) -> Rows:
    """What a run of the whole active flow gives the user now."""
    access.refuse_other_sites(request)  # the flow may ask a model, which costs money
    found = lists.proposals(None, lists.history_of(user_id), wanted_categories(request))
    return _shown(request, found)


@router.get("/dashboard/recommend/{user_id}/{recommender}")
def recommend_by(request: HttpRequest, user_id: str, recommender: str) -> Rows:
    return _by(request, user_id, recommender, None)


@router.get("/dashboard/recommend/{user_id}/{recommender}/{name}")
def recommend_by_name(request: HttpRequest, user_id: str, recommender: str, name: str) -> Rows:
    return _by(request, user_id, recommender, name)


def _by(request: HttpRequest, user_id: str, kind: str, name: str | None) -> Rows:
    access.refuse_other_sites(request)
    node = lists.recommender(kind, name)
    if node is None:
        full = kind if name is None else f"{kind}/{name}"
        raise NotFound(f"The active flow has no recommender {full[:80]!r}")
    return _shown(request, lists.proposals(node, lists.history_of(user_id), wanted_categories(request)))


def _page(request: HttpRequest, listing: Listing | None) -> list[tuple[str, float]]:
    n, offset = number(request, "n", SHOWN), number(request, "offset", 0)
    rows = listing.rows[offset : offset + n] if listing is not None else []
    return [(identifier, score if math.isfinite(score) else 0.0) for identifier, score in rows]


def _shown(request: HttpRequest, listing: Listing | None) -> Rows:
    return _items(_page(request, listing))


def _items(rows: Sequence[tuple[str, float]]) -> Rows:
    """Items with all their fields and the score; those deleted a moment ago are left out."""
    found = reading.items_of([item_id for item_id, _ in rows])
    return [to_object(found[item_id]) | {"Score": score} for item_id, score in rows if item_id in found]


def _with_items(request: HttpRequest, feedback: Rows) -> Rows:
    offset = number(request, "offset", 0)
    rows = feedback[offset : offset + number(request, "n", SHOWN)]
    found = reading.items_of([row["ItemId"] for row in rows])
    return [
        row | {"Item": to_object(found[row["ItemId"]]) if row["ItemId"] in found else None} for row in rows
    ]


def _times(user_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """When each user was last active, and when their list was made."""
    active = reading.last_feedback_of(user_ids)
    made = dict(
        PreparedList.objects.filter(user_id__in=user_ids)
        .order_by("made_at_us")
        .values_list("user_id", "made_at_us")
    )
    return {name: (active.get(name, NO_TIME), made.get(name, NO_TIME)) for name in user_ids}


def _user(user: UserRecord, times: dict[str, tuple[int, int]]) -> dict[str, Any]:
    active, updated = times[user.user_id]
    return to_object(user) | {
        "LastActiveTime": format_time(active),
        "LastUpdateTime": format_time(updated),
    }
