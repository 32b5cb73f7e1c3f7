"""Gorse's endpoints for single recommenders: popular and the like, neighbors, collaborative, sessions.

A recommender is a node of the active flow, found by its type and name. Items the asking user has feedback on
are dropped before the offset counts, so pages never overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from ninja import Router

from dashboard import lists
from dashboard.api.gorse import body_list, now_for_lists, number
from dashboard.catalogue import reading
from dashboard.errors import NotFound
from dashboard.lists import Listing
from recflow.engine.flow import Node
from recflow.errors import BadRecord
from recflow.interop.objects import feedback_from

router = Router(tags=["recommendations"])

Rows = list[dict[str, Any]]


@router.get("/non-personalized/{name}")
def non_personalized(request: HttpRequest, response: HttpResponse, name: str) -> Rows:
    return _non_personalized(request, response, name, wanted_categories(request))


@router.get("/popular")
def popular(request: HttpRequest, response: HttpResponse) -> Rows:
    """What gorsejs still calls; the non-personalized recommender of that name."""
    return _non_personalized(request, response, "popular", wanted_categories(request))


@router.get("/popular/{category}")
def popular_of_category(request: HttpRequest, response: HttpResponse, category: str) -> Rows:
    return _non_personalized(request, response, "popular", [category])


@router.get("/item-to-item/{name}/{item_id}")
def item_to_item(request: HttpRequest, response: HttpResponse, name: str, item_id: str) -> Rows:
    node = lists.recommender("item-to-item", name)
    if node is None:
        return []
    return show(request, response, lists.neighbors_of_item(node, item_id, wanted_categories(request)))


@router.get("/item/{item_id}/neighbors")
def item_neighbors(request: HttpRequest, response: HttpResponse, item_id: str) -> Rows:
    node = _first("item-to-item")
    return show(request, response, lists.neighbors_of_item(node, item_id, wanted_categories(request)))


@router.get("/item/{item_id}/neighbors/{category}")
def item_neighbors_of_category(
    request: HttpRequest, response: HttpResponse, item_id: str, category: str
) -> Rows:
    return show(request, response, lists.neighbors_of_item(_first("item-to-item"), item_id, [category]))


@router.get("/user-to-user/{name}/{user_id}")
def user_to_user(request: HttpRequest, response: HttpResponse, name: str, user_id: str) -> Rows:
    node = lists.recommender("user-to-user", name)
    return [] if node is None else show(request, response, lists.neighbors_of_user(node, user_id), who=None)


@router.get("/user/{user_id}/neighbors")
def user_neighbors(request: HttpRequest, response: HttpResponse, user_id: str) -> Rows:
    return show(request, response, lists.neighbors_of_user(_first("user-to-user"), user_id), who=None)


@router.get("/collaborative-filtering/{user_id}")
def collaborative(request: HttpRequest, response: HttpResponse, user_id: str) -> Rows:
    return _collaborative(request, response, user_id, wanted_categories(request))


@router.get("/collaborative-filtering/{user_id}/{category}")
def collaborative_of_category(
    request: HttpRequest, response: HttpResponse, user_id: str, category: str
) -> Rows:
    return _collaborative(request, response, user_id, [category])


@router.post("/session/recommend")
def session_recommend(request: HttpRequest) -> Rows:
    return _session(request, wanted_categories(request))


@router.post("/session/recommend/{category}")
def session_recommend_of_category(request: HttpRequest, category: str) -> Rows:
    return _session(request, [category])


def wanted_categories(request: HttpRequest) -> list[str]:
    """The categories of the query; an item has to carry all of them."""
    return [name for name in request.GET.getlist("category") if name]


def show(
    request: HttpRequest, response: HttpResponse, listing: Listing, *, who: str | None = "user-id"
) -> Rows:
    """The part of a list that was asked for.

    Args:
        request: says n and offset.
        response: gets the time of the list.
        listing: the whole list.
        who: name of the query parameter with the user whose items are left out; None for lists of users.
    """
    response["Last-Modified"] = http_date(listing.as_of // 1_000_000)
    if who is not None and (user_id := request.GET.get(who)):
        feedback = reading.feedback_of_user(user_id, until_us=now_for_lists())
        listing = listing.less({row.item_id for row in feedback})
    return _page(request, listing)


def _page(request: HttpRequest, listing: Listing) -> Rows:
    n = number(request, "n", settings.CONFIGURATION.server.default_n)
    offset = number(request, "offset", 0)
    # A score may be infinite where an expression divides by nothing; JSON has no such number.
    return [
        {"Id": identifier, "Score": score if math.isfinite(score) else 0.0}
        for identifier, score in listing.rows[offset : offset + n]
    ]


def _non_personalized(
    request: HttpRequest, response: HttpResponse, name: str, categories: Sequence[str]
) -> Rows:
    node = lists.recommender("non-personalized", name)
    return [] if node is None else show(request, response, lists.proposals(node, categories=categories))


def _collaborative(
    request: HttpRequest, response: HttpResponse, user_id: str, categories: Sequence[str]
) -> Rows:
    node = _first("collaborative")
    return show(request, response, lists.proposals(node, lists.history_of(user_id), categories))


def _session(request: HttpRequest, categories: Sequence[str]) -> Rows:
    node = _first("item-to-item")
    feedback = [_place(number, row) for number, row in enumerate(body_list(request))]
    return _page(request, lists.proposals(node, lists.session_history(feedback), categories))


def _place(number: int, row: dict[str, Any]) -> Any:
    try:
        return feedback_from(row)
    except BadRecord as error:
        raise BadRecord(f"row {number}: {error.message}") from error


def _first(kind: str) -> Node:
    """
    Raises:
        NotFound: the active flow has no such recommender.
    """
    node = lists.recommender(kind)
    if node is None:
        raise NotFound(f"The active flow has no {kind} recommender")
    return node
