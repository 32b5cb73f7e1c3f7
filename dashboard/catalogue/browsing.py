"""The catalogue as people leaf through it: pages of users and items that match what was typed.

Every statement ends after one page, and a page can only be so far down, so a look at millions of rows costs
as much as a look at thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connections

from dashboard.catalogue.reading import ITEMS, carrying, escaped, item_of, query
from recflow.data.records import ItemRecord

#: Rows on a page, and how many pages can be turned; further down a better search term helps more.
PAGE_SIZE = 50
MAX_PAGE = 200

_LAST_CHARACTER = "\U0010ffff"

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a longer list.

    Args:
        rows: what stands on it.
        number: which page, the first is 1.
        has_next: something comes after it that can be turned to.
        is_cut: more comes after it, but only a search gets there.
    """

    rows: list[Row]
    number: int = 1
    has_next: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class UserRow:
    """A user in a list.

    Args:
        user_id: the outside id.
        comment: mostly a name.
        n_feedback: rows of feedback of theirs.
    """

    user_id: str
    comment: str
    n_feedback: int


def users_beginning_with(prefix: str, number: int = 1) -> Page[UserRow]:
    """A page of the users whose id begins with a text, by id."""
    condition, values = _begins_with("user_id", prefix)
    # Feedback is counted outside: only for the rows of this page, not for those that are passed over.
    rows = query(
        "SELECT u.user_id, u.comment, "
        "(SELECT COUNT(*) FROM catalogue_feedback f WHERE f.user_number = u.number) FROM "
        f"(SELECT number, user_id, comment FROM catalogue_user WHERE {condition} ORDER BY user_id "
        "LIMIT %s OFFSET %s) u ORDER BY u.user_id",
        [*values, PAGE_SIZE + 1, _offset(number)],
    )
    return _page([UserRow(*row) for row in rows], number)


def items_matching(text: str, category: str = "", number: int = 1) -> Page[ItemRecord]:
    """A page of the items with a text in their id or title; those whose id begins with it come first.

    Args:
        text: in any case; "" for all items.
        category: only items that carry it; "" for any.
        number: which page.
    """
    conditions, values = ["1 = 1"], []
    order = "item_id"
    if text:
        part = f"%{escaped(text.lower())}%"
        conditions.append("(LOWER(item_id) LIKE %s ESCAPE '!' OR LOWER(comment) LIKE %s ESCAPE '!')")
        values += [part, part]
        order = "CASE WHEN LOWER(item_id) LIKE %s ESCAPE '!' THEN 0 ELSE 1 END, item_id"
    if category:
        condition, value = carrying(category, "categories")
        conditions.append(condition)
        values.append(value)
    if text:
        values.append(part[1:])
    rows = query(
        f"{ITEMS} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT %s OFFSET %s",
        [*values, PAGE_SIZE + 1, _offset(number)],
    )
    return _page([item_of(row) for row in rows], number)


def _begins_with(column: str, prefix: str) -> tuple[str, list[str]]:
    """A condition that an index answers; SQLite's LIKE uses none, PostgreSQL's uses Django's own."""
    if not prefix:
        return "1 = 1", []
    if connections[settings.CATALOGUE_DATABASE].vendor == "sqlite":
        return f"{column} >= %s AND {column} < %s", [prefix, prefix + _LAST_CHARACTER]
    return f"{column} LIKE %s ESCAPE '!'", [f"{escaped(prefix)}%"]


def _page(rows: list[Row], number: int) -> Page[Row]:
    more = len(rows) > PAGE_SIZE
    return Page(rows[:PAGE_SIZE], number, more and number < MAX_PAGE, more and number >= MAX_PAGE)


def _offset(number: int) -> int:
    return (number - 1) * PAGE_SIZE
