"""Gorse's endpoints for items and their categories, and the latest of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from dashboard.api.gorse import (
    body_list,
    body_object,
    check_labels,
    check_text,
    cursor_of,
    now_for_lists,
    number,
    page,
    page_size,
    records,
)
from dashboard.catalogue import reading, writing
from dashboard.errors import NotFound
from recflow.data.records import ItemRecord
from recflow.interop.objects import item_from, to_object
from recflow.interop.times import parse_rfc3339

router = Router(tags=["items"])

#: Gorse's field -> the column a PATCH sets.
_COLUMNS = {
    "ishidden": "is_hidden",
    "categories": "categories",
    "timestamp": "time_us",
    "labels": "labels",
    "comment": "comment",
}


@router.post("/item")
def insert_item(request: HttpRequest) -> dict[str, int]:
    writing.put_items(records([body_object(request)], item_from))
    return {"RowAffected": 1}


@router.post("/items")
def insert_items(request: HttpRequest) -> dict[str, int]:
    items = records(body_list(request), item_from)
    writing.put_items(items)
    return {"RowAffected": len(items)}


@router.get("/items")
def list_items(request: HttpRequest) -> dict[str, Any]:
    n = page_size(request)
    if text := request.GET.get("q"):
        return {"Cursor": "", "Items": [_show(item) for item in reading.items_like(text, n)]}
    items = reading.items_from(cursor_of(request), n + 1)
    return page("Items", items, n, lambda item: item.item_id, _show)


@router.get("/item/{item_id}")
def get_item(request: HttpRequest, item_id: str) -> dict[str, Any]:
    item = reading.get_item(item_id)
    if item is None:
        raise NotFound(f"{item_id[:80]}: item not found")
    return _show(item)


@router.patch("/item/{item_id}")
def patch_item(request: HttpRequest, item_id: str) -> dict[str, int]:
    given = {key.lower(): value for key, value in body_object(request).items() if value is not None}
    if isinstance(given.get("timestamp"), str):
        parse_rfc3339(given["timestamp"])  # free-form dates are for inserts only
    record = item_from(given)
    check_labels(record.labels)
    check_text(record.comment)
    columns = {column: getattr(record, column) for field, column in _COLUMNS.items() if field in given}
    if "categories" in columns:
        columns["categories"] = list(record.categories) or None
    writing.patch_item(item_id, **columns)
    return {"RowAffected": 1}


@router.delete("/item/{item_id}")
def delete_item(request: HttpRequest, item_id: str) -> dict[str, int]:
    writing.delete_item(item_id)
    return {"RowAffected": 1}


@router.put("/item/{item_id}/category/{category}")
def add_category(request: HttpRequest, item_id: str, category: str) -> dict[str, int]:
    return _set_category(item_id, category, present=True)


@router.delete("/item/{item_id}/category/{category}")
def remove_category(request: HttpRequest, item_id: str, category: str) -> dict[str, int]:
    return _set_category(item_id, category, present=False)


@router.get("/latest")
def latest(request: HttpRequest) -> list[dict[str, Any]]:
    return _latest(request, [name for name in request.GET.getlist("category") if name])


@router.get("/latest/{category}")
def latest_of_category(request: HttpRequest, category: str) -> list[dict[str, Any]]:
    return _latest(request, [category])


def _latest(request: HttpRequest, categories: list[str]) -> list[dict[str, Any]]:
    rows = reading.latest_items(
        number(request, "n", settings.CONFIGURATION.server.default_n),
        number(request, "offset", 0),
        categories=categories,
        unseen_by=request.GET.get("user-id") or None,
        until_us=now_for_lists(),
    )
    return [{"Id": item_id, "Score": time_us // 1_000_000} for item_id, time_us in rows]


def _set_category(item_id: str, category: str, *, present: bool) -> dict[str, int]:
    if not writing.set_category(item_id, category, present=present):
        raise NotFound(f"{item_id[:80]}: item not found")
    return {"RowAffected": 1}


def _show(item: ItemRecord) -> dict[str, Any]:
    return to_object(item) | {"Categories": list(item.categories) or None}
