"""The catalogue in pages and single rows, as records; and the look-ups of the editor's preview."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import connections

from dashboard.catalogue.streaming import stream
from recflow.data.feedback import FeedbackRule
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord

_USER = "SELECT user_id, labels, comment FROM catalogue_user"
ITEMS = "SELECT item_id, is_hidden, categories, time_us, labels, comment FROM catalogue_item"
# CROSS JOIN, because SQLite then keeps the order of the tables: users by id, and no sort of all feedback.
_FEEDBACK = """
SELECT t.name, u.user_id, i.item_id, f.value, f.time_us, f.updated_us, f.comment
FROM catalogue_user u CROSS JOIN catalogue_feedback f CROSS JOIN catalogue_item i
CROSS JOIN catalogue_feedback_type t
WHERE f.user_number = u.number AND i.number = f.item_number AND t.number = f.type_number
"""
#: How each database finds a text in a text.
_POSITION = {"sqlite": "instr", "postgresql": "strpos"}
#: Characters of a text that are looked for; SQLite refuses patterns of 50,000 bytes.
_LONGEST_LOOKED_FOR = 1_000


def get_user(user_id: str) -> UserRecord | None:
    rows = query(f"{_USER} WHERE user_id = %s", [user_id])
    return _user(rows[0]) if rows else None


def get_item(item_id: str) -> ItemRecord | None:
    rows = query(f"{ITEMS} WHERE item_id = %s", [item_id])
    return item_of(rows[0]) if rows else None


def items_of(item_ids: Sequence[str]) -> dict[str, ItemRecord]:
    """The items with these ids, those that exist."""
    found: dict[str, ItemRecord] = {}
    for start in range(0, len(item_ids), 1_000):
        block = list(item_ids[start : start + 1_000])
        marks = ", ".join(["%s"] * len(block))
        for row in query(f"{ITEMS} WHERE item_id IN ({marks})", block):
            found[row[0]] = item_of(row)
    return found


def shown_of(item_ids: Sequence[str]) -> set[str]:
    """Those of these items that exist and are not hidden."""
    found: set[str] = set()
    for start in range(0, len(item_ids), 1_000):
        block = list(item_ids[start : start + 1_000])
        marks = ", ".join(["%s"] * len(block))
        rows = query(
            f"SELECT item_id FROM catalogue_item WHERE NOT is_hidden AND item_id IN ({marks})", block
        )
        found.update(row[0] for row in rows)
    return found


def last_feedback_of(user_ids: Sequence[str]) -> dict[str, int]:
    """When each of these users last gave feedback; those who never did are missing."""
    if not user_ids:
        return {}
    marks = ", ".join(["%s"] * len(user_ids))
    return dict(
        query(
            "SELECT u.user_id, MAX(f.time_us) FROM catalogue_user u "
            f"JOIN catalogue_feedback f ON f.user_number = u.number WHERE u.user_id IN ({marks}) "
            "GROUP BY u.user_id",
            list(user_ids),
        )
    )


def users_from(user_id: str, n: int) -> list[UserRecord]:
    """The next n users by id, beginning with this id."""
    return [
        _user(row) for row in query(f"{_USER} WHERE user_id >= %s ORDER BY user_id LIMIT %s", [user_id, n])
    ]


def items_from(item_id: str, n: int) -> list[ItemRecord]:
    """The next n items by id, beginning with this id."""
    return [
        item_of(row) for row in query(f"{ITEMS} WHERE item_id >= %s ORDER BY item_id LIMIT %s", [item_id, n])
    ]


def feedback_from(
    place: tuple[str, str, str], n: int, *, until_us: int, feedback_type: str | None = None
) -> list[FeedbackRecord]:
    """The next n feedback by type, user and item, beginning at this place.

    Args:
        place: type, user id, item id.
        until_us: feedback dated later is left out.
        feedback_type: only of this type.
    """
    first_type, user_id, item_id = place
    if feedback_type is not None:
        names = [feedback_type]
    else:
        statement = "SELECT name FROM catalogue_feedback_type WHERE name >= %s ORDER BY name"
        names = [row[0] for row in query(statement, [first_type])]
    found: list[FeedbackRecord] = []
    for name in names:
        start = (user_id, item_id) if name == first_type else ("", "")
        found += _feedback(
            "AND t.name = %s AND f.time_us <= %s AND u.user_id >= %s AND (u.user_id > %s OR i.item_id >= %s) "
            "ORDER BY u.user_id, i.item_id LIMIT %s",
            [name, until_us, start[0], *start, n - len(found)],
        )
        if len(found) == n:
            break
    return found


def feedback_of_pair(user_id: str, item_id: str, feedback_type: str | None = None) -> list[FeedbackRecord]:
    """What a user said about an item, of one type or of all, future or not."""
    condition, values = "AND u.user_id = %s AND i.item_id = %s", [user_id, item_id]
    if feedback_type is not None:
        condition, values = f"{condition} AND t.name = %s", [*values, feedback_type]
    return _feedback(f"{condition} ORDER BY t.name", values)


def feedback_of_user(
    user_id: str, *, until_us: int, rule: FeedbackRule | None = None
) -> list[FeedbackRecord]:
    """What a user said, newest first."""
    condition, values = "AND u.user_id = %s AND f.time_us <= %s", [user_id, until_us]
    if rule is not None:
        condition, values = f"{condition} AND t.name = %s", [*values, rule.type]
        if rule.operator not in {"", "="}:
            condition, values = f"{condition} AND f.value {rule.operator} %s", [*values, rule.bound]
    return _feedback(f"{condition} ORDER BY f.time_us DESC, i.item_id, t.name", values)


def feedback_on_item(
    item_id: str, *, until_us: int, feedback_type: str | None = None
) -> list[FeedbackRecord]:
    """What was said about an item, by user; found by item first, which the index is for."""
    condition, values = "AND i.item_id = %s AND f.time_us <= %s", [item_id, until_us]
    if feedback_type is not None:
        condition, values = f"{condition} AND t.name = %s", [*values, feedback_type]
    by_item = _FEEDBACK.replace(
        "catalogue_user u CROSS JOIN catalogue_feedback f CROSS JOIN catalogue_item i",
        "catalogue_item i CROSS JOIN catalogue_feedback f CROSS JOIN catalogue_user u",
    )
    rows = query(f"{by_item} {condition} ORDER BY u.user_id, t.name", values)
    return [FeedbackRecord(*row) for row in rows]


def latest_items(
    n: int, offset: int, *, categories: Sequence[str] = (), unseen_by: str | None = None, until_us: int = 0
) -> list[tuple[str, int]]:
    """Items that are not hidden, newest first, with their time.

    Args:
        n: how many.
        offset: leave out so many first.
        categories: items must carry all of them.
        unseen_by: leave out what this user has feedback on, dated up to ``until_us``.
    """
    conditions, values = ["NOT i.is_hidden"], []
    for category in categories:
        condition, value = carrying(category, "i.categories")
        conditions.append(condition)
        values.append(value)
    if unseen_by is not None:
        conditions.append(
            "NOT EXISTS (SELECT 1 FROM catalogue_feedback f "
            "JOIN catalogue_user u ON u.number = f.user_number "
            "WHERE f.item_number = i.number AND u.user_id = %s AND f.time_us <= %s)"
        )
        values += [unseen_by, until_us]
    return query(
        f"SELECT i.item_id, i.time_us FROM catalogue_item i WHERE {' AND '.join(conditions)} "
        "ORDER BY i.time_us DESC, i.item_id LIMIT %s OFFSET %s",
        [*values, n, offset],
    )


def all_users(connection: Any) -> Iterator[UserRecord]:
    """Every user by id; the connection is of ``one_moment``."""
    return (_user(row) for row in stream(connection, f"{_USER} ORDER BY user_id"))


def all_items(connection: Any) -> Iterator[ItemRecord]:
    """Every item by id, hidden ones too."""
    return (item_of(row) for row in stream(connection, f"{ITEMS} ORDER BY item_id"))


def all_feedback(connection: Any, *, until_us: int) -> Iterator[FeedbackRecord]:
    """All feedback by user and item; what is dated later is left out."""
    statement = f"{_FEEDBACK} AND f.time_us <= {int(until_us)} ORDER BY u.user_id, i.item_id, t.name"
    return (FeedbackRecord(*row) for row in stream(connection, statement))


def known_users(user_ids: Sequence[str]) -> list[str]:
    """Those of these users who exist."""
    if not user_ids:
        return []
    marks = ", ".join(["%s"] * len(user_ids))
    statement = f"SELECT user_id FROM catalogue_user WHERE user_id IN ({marks}) ORDER BY user_id"
    return [row[0] for row in query(statement, list(user_ids))]


_COUNTED = "SELECT u.user_id, (SELECT COUNT(*) FROM catalogue_feedback f WHERE f.user_number = u.number)"
_NO_FEEDBACK = "NOT EXISTS (SELECT 1 FROM catalogue_feedback f WHERE f.user_number = u.number)"


def users_like(text: str, n: int) -> list[tuple[str, int]]:
    """Users whose id begins with a text, and how much feedback each gave."""
    return query(
        f"{_COUNTED} FROM catalogue_user u WHERE u.user_id LIKE %s ESCAPE '!' ORDER BY u.user_id LIMIT %s",
        [f"{escaped(text)}%", n],
    )


def random_users(n: int) -> list[tuple[str, int]]:
    """Some users, others each time."""
    return query(f"{_COUNTED} FROM catalogue_user u ORDER BY RANDOM() LIMIT %s", [n])


def cold_users(n: int) -> list[tuple[str, int]]:
    """Users without any feedback."""
    return query(
        f"SELECT u.user_id, 0 FROM catalogue_user u WHERE {_NO_FEEDBACK} ORDER BY u.user_id LIMIT %s", [n]
    )


def heavy_users(n: int) -> list[tuple[str, int]]:
    """The users who gave most feedback."""
    return query(
        "SELECT u.user_id, c.n FROM (SELECT user_number, COUNT(*) AS n FROM catalogue_feedback "
        "GROUP BY user_number ORDER BY n DESC, user_number LIMIT %s) c "
        "JOIN catalogue_user u ON u.number = c.user_number ORDER BY c.n DESC, u.user_id",
        [n],
    )


def items_like(text: str, n: int) -> list[ItemRecord]:
    """Items with a text in their id or title; those whose id begins with it come first."""
    part = f"%{escaped(text.lower())}%"
    rows = query(
        f"{ITEMS} WHERE LOWER(item_id) LIKE %s ESCAPE '!' OR LOWER(comment) LIKE %s ESCAPE '!' "
        "ORDER BY CASE WHEN LOWER(item_id) LIKE %s ESCAPE '!' THEN 0 ELSE 1 END, item_id LIMIT %s",
        [part, part, part[1:], n],
    )
    return [item_of(row) for row in rows]


def titles_of(item_ids: Sequence[str]) -> dict[str, str]:
    """What to call these items on a screen."""
    if not item_ids:
        return {}
    marks = ", ".join(["%s"] * len(item_ids))
    rows = query(f"SELECT item_id, comment FROM catalogue_item WHERE item_id IN ({marks})", list(item_ids))
    return {item_id: comment or item_id for item_id, comment in rows}


def carrying(category: str, column: str) -> tuple[str, str]:
    """The condition that an item carries a category, and its parameter."""
    position = _POSITION[connections[settings.CATALOGUE_DATABASE].vendor]
    # Categories are a JSON list: a name in its quotes is found where, and only where, it is an element.
    return f"{position}({column}, %s) > 0", json.dumps(category, ensure_ascii=False)


def query(statement: str, values: list[Any]) -> list[tuple]:
    """The rows of a statement about the catalogue."""
    with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _feedback(condition: str, values: list[Any]) -> list[FeedbackRecord]:
    return [FeedbackRecord(*row) for row in query(f"{_FEEDBACK} {condition}", values)]


def _user(row: tuple) -> UserRecord:
    return UserRecord(row[0], json.loads(row[1]), row[2])


def item_of(row: tuple) -> ItemRecord:
    """An item from a row of ITEMS."""
    categories = tuple(json.loads(row[2]) or ())
    return ItemRecord(row[0], bool(row[1]), categories, row[3], json.loads(row[4]), row[5])


def escaped(text: str) -> str:
    """A text as a part of a pattern for LIKE with ``ESCAPE '!'``; of a very long one, its beginning."""
    text = text[:_LONGEST_LOOKED_FOR]
    for sign in ("!", "%", "_"):
        text = text.replace(sign, f"!{sign}")
    return text
