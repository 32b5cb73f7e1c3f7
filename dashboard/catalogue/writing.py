"""Every write to the catalogue: in batches, in a transaction that also counts the catalogue's version up.

Each write says which users and items it touched (changes.py), so that the next snapshot reads only those.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from django.conf import settings
from django.db import connections, transaction

from dashboard.catalogue.changes import Touched, note
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.data.types import NO_TIME

Row = Literal["user", "item"]

#: Ids looked up by one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535.
IDS_A_QUERY = 5_000

_TABLES = {
    "user": ("catalogue_user", "user_id"),
    "item": ("catalogue_item", "item_id"),
    "type": ("catalogue_feedback_type", "name"),
}

_ADD_FEEDBACK = """
INSERT INTO catalogue_feedback (user_number, item_number, type_number, value, time_us, updated_us, comment)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (user_number, item_number, type_number) DO UPDATE SET
"""
_LARGEST = sys.float_info.max
# Halves are looked at first: a sum beyond all numbers is refused by PostgreSQL, and infinite on SQLite.
_SUM_UP = f"""
    value = CASE
        WHEN catalogue_feedback.value / 2 + excluded.value / 2 > {_LARGEST / 2!r} THEN {_LARGEST!r}
        WHEN catalogue_feedback.value / 2 + excluded.value / 2 < -{_LARGEST / 2!r} THEN -{_LARGEST!r}
        ELSE catalogue_feedback.value + excluded.value END,
    time_us = CASE WHEN excluded.time_us < catalogue_feedback.time_us
              THEN excluded.time_us ELSE catalogue_feedback.time_us END,
    updated_us = CASE WHEN excluded.updated_us > catalogue_feedback.updated_us
                 THEN excluded.updated_us ELSE catalogue_feedback.updated_us END,
    comment = excluded.comment
"""
_OVERWRITE = """
    value = excluded.value, time_us = excluded.time_us, updated_us = excluded.updated_us,
    comment = excluded.comment
"""


@dataclass(frozen=True)
class Change:
    """A write that is going on: its cursor, and what it has touched so far."""

    cursor: Any
    touched: Touched = field(default_factory=Touched)


@contextmanager
def change() -> Iterator[Change]:
    """A transaction that makes every process see that its snapshot is old, and what to read again.

    Whoever names nothing in ``touched`` says that anything may have changed.
    """
    # No savepoint inside another transaction: it was two of the eleven round trips that feedback takes on
    # PostgreSQL, and nobody goes on after a write that failed.
    with transaction.atomic(using=settings.CATALOGUE_DATABASE, savepoint=False):
        cursor = connections[settings.CATALOGUE_DATABASE].cursor()
        cursor.execute(
            "INSERT INTO catalogue_version (id, origin, number) VALUES (1, %s, 1) "
            "ON CONFLICT (id) DO UPDATE SET number = catalogue_version.number + 1 RETURNING number",
            [uuid.uuid4().hex],
        )
        (version,) = cursor.fetchone()
        going_on = Change(cursor)
        yield going_on
        note(cursor, version, going_on.touched)


def put_users(users: Sequence[UserRecord]) -> None:
    """Insert or replace users; of two with the same id the first counts."""
    rows = {user.user_id: (user.user_id, _text(user.labels), user.comment) for user in reversed(users)}
    if not rows:
        return
    with change() as write:
        write.touched.add("user", rows)
        write.cursor.executemany(
            "INSERT INTO catalogue_user (user_id, labels, comment) VALUES (%s, %s, %s) ON CONFLICT (user_id) "
            "DO UPDATE SET labels = excluded.labels, comment = excluded.comment",
            [rows[user_id] for user_id in sorted(rows)],
        )


def put_items(items: Sequence[ItemRecord]) -> None:
    """Insert or replace items; of two with the same id the first counts."""
    rows = {
        item.item_id: (
            item.item_id,
            item.is_hidden,
            _text(list(item.categories) or None),
            item.time_us,
            _text(item.labels),
            item.comment,
        )
        for item in reversed(items)
    }
    if not rows:
        return
    with change() as write:
        write.touched.add("item", rows)
        write.cursor.executemany(
            "INSERT INTO catalogue_item (item_id, is_hidden, categories, time_us, labels, comment) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (item_id) DO UPDATE SET "
            "is_hidden = excluded.is_hidden, categories = excluded.categories, time_us = excluded.time_us, "
            "labels = excluded.labels, comment = excluded.comment",
            [rows[item_id] for item_id in sorted(rows)],
        )


@dataclass(frozen=True)
class FeedbackWrite:
    """Feedback of one request or file; of two rows with the same key the first counts.

    Args:
        feedback: the rows.
        overwrite: a stored row is replaced; else values add up, as far as there are numbers, and the earlier
            time and the later update stay.
        insert_users: unknown users are made; else their rows are left out without a word, as Gorse does.
        insert_items: the same for items.
    """

    feedback: Sequence[FeedbackRecord]
    overwrite: bool
    insert_users: bool = True
    insert_items: bool = True

    @property
    def manner(self) -> tuple[bool, bool, bool]:
        """Writes of the same manner may share statements."""
        return self.overwrite, self.insert_users, self.insert_items


def put_feedback(
    feedback: Sequence[FeedbackRecord],
    *,
    overwrite: bool,
    insert_users: bool = True,
    insert_items: bool = True,
) -> None:
    """Insert feedback; see FeedbackWrite."""
    put_feedback_together([FeedbackWrite(feedback, overwrite, insert_users, insert_items)])


def put_feedback_together(writes: Iterable[FeedbackWrite]) -> None:
    """Several writes in one transaction; what is stored is the same as one after the other."""
    asked = [write for write in writes if write.feedback]
    if not asked:
        return
    with change() as going_on:
        for manner, alike in groupby(asked, key=lambda write: write.manner):
            _put_feedback(going_on, [write.feedback for write in alike], *manner)


def _put_feedback(
    write: Change,
    parts: Sequence[Sequence[FeedbackRecord]],
    overwrite: bool,
    insert_users: bool,
    insert_items: bool,
) -> None:
    feedback = [row for part in parts for row in part]
    write.touched.add("user", (row.user_id for row in feedback))
    users = _numbers(write, "user", (row.user_id for row in feedback), insert=insert_users)
    items = _numbers(write, "item", (row.item_id for row in feedback), insert=insert_items)
    types = _numbers(write, "type", (row.type for row in feedback), insert=True)
    rows: list[tuple] = []
    for part in parts:
        of_part: dict[tuple[int, int, int], tuple] = {}
        for row in part:
            user, item = users.get(row.user_id), items.get(row.item_id)
            if user is not None and item is not None:
                updated = row.time_us if row.updated_us == NO_TIME else row.updated_us
                key = (user, item, types[row.type])
                of_part.setdefault(key, (*key, row.value, row.time_us, updated, row.comment))
        rows += of_part.values()
    # In the order of the key: pages of the B-tree are then filled once instead of visited at random.
    rows.sort(key=lambda row: row[:3])
    write.cursor.executemany(_ADD_FEEDBACK + (_OVERWRITE if overwrite else _SUM_UP), rows)


def patch_user(user_id: str, **columns: Any) -> None:
    """Set some of ``labels`` and ``comment``; an unknown user is no error."""
    _patch("user", user_id, columns)


def patch_item(item_id: str, **columns: Any) -> None:
    """Set some of ``is_hidden``, ``categories``, ``time_us``, ``labels``, ``comment``; as above."""
    _patch("item", item_id, columns)


def delete_user(user_id: str) -> None:
    """Take away a user and all feedback of theirs."""
    _delete("user", user_id)


def delete_item(item_id: str) -> None:
    """Take away an item and all feedback on it."""
    _delete("item", item_id)


def set_category(item_id: str, category: str, *, present: bool) -> bool:
    """Add a category to an item or take it away; False when there is no such item."""
    with change() as write:
        write.touched.add("item", [item_id])
        write.cursor.execute("SELECT categories FROM catalogue_item WHERE item_id = %s", [item_id])
        row = write.cursor.fetchone()
        if row is None:
            return False
        names = [name for name in json.loads(row[0]) or [] if name != category]
        names += [category] if present else []
        write.cursor.execute(
            "UPDATE catalogue_item SET categories = %s WHERE item_id = %s", [_text(names or None), item_id]
        )
    return True


def delete_feedback(user_id: str, item_id: str, feedback_type: str | None = None) -> int:
    """Take away what a user said about an item, of one type or of all; how many rows that were."""
    statement = (
        "DELETE FROM catalogue_feedback "
        "WHERE user_number IN (SELECT number FROM catalogue_user WHERE user_id = %s) "
        "AND item_number IN (SELECT number FROM catalogue_item WHERE item_id = %s)"
    )
    values = [user_id, item_id]
    if feedback_type is not None:
        statement += " AND type_number IN (SELECT number FROM catalogue_feedback_type WHERE name = %s)"
        values.append(feedback_type)
    with change() as write:
        write.touched.add("user", [user_id])
        write.cursor.execute(statement, values)
        return write.cursor.rowcount


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _numbers(write: Change, kind: str, ids: Iterable[str], *, insert: bool) -> dict[str, int]:
    """Outside id -> number, of the ids that exist or are made now."""
    table, column = _TABLES[kind]
    wanted = sorted(set(ids))
    known = _find(write.cursor, table, column, wanted)
    missing = [name for name in wanted if name not in known]
    if insert and missing:
        blanks = {
            "user": "(user_id, labels, comment) VALUES (%s, 'null', '')",
            "item": "(item_id, is_hidden, categories, time_us, labels, comment) "
            f"VALUES (%s, FALSE, 'null', {NO_TIME}, 'null', '')",
            "type": "(name) VALUES (%s)",
        }[kind]
        write.cursor.executemany(
            f"INSERT INTO {table} {blanks} ON CONFLICT DO NOTHING", [(name,) for name in missing]
        )
        if kind == "item":  # users of feedback are touched anyway, and types are read at every refresh
            write.touched.add("item", missing)
        known |= _find(write.cursor, table, column, missing)
    return known


def _find(cursor: Any, table: str, column: str, ids: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(ids), IDS_A_QUERY):
        block = ids[start : start + IDS_A_QUERY]
        marks = ", ".join(["%s"] * len(block))
        cursor.execute(f"SELECT {column}, number FROM {table} WHERE {column} IN ({marks})", block)
        found.update(cursor.fetchall())
    return found


def _patch(kind: Row, identifier: str, columns: dict[str, Any]) -> None:
    if not columns:
        return
    table, column = _TABLES[kind]
    texts = {
        name: _text(value) if name in {"labels", "categories"} else value for name, value in columns.items()
    }
    assignments = ", ".join(f"{name} = %s" for name in texts)
    with change() as write:
        write.touched.add(kind, [identifier])
        write.cursor.execute(
            f"UPDATE {table} SET {assignments} WHERE {column} = %s", [*texts.values(), identifier]
        )


def _delete(kind: Row, identifier: str) -> None:
    table, column = _TABLES[kind]
    with change() as write:
        write.touched.add(kind, [identifier])
        if kind == "item":
            write.touched.add("emptied", [identifier])
        write.cursor.execute(
            f"DELETE FROM catalogue_feedback WHERE {kind}_number IN "
            f"(SELECT number FROM {table} WHERE {column} = %s)",
            [identifier],
        )
        write.cursor.execute(f"DELETE FROM {table} WHERE {column} = %s", [identifier])
