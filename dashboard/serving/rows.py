"""The few rows that an answer needs, read on the shortest way.

SQLite is read in the event loop itself, on a connection of its own: that costs some microseconds, where
a hop to a thread and Django's layers cost a millisecond. Any other database is asked in a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

from dashboard.serving.sqlite_watch import watch
from recflow.data.feedback import FeedbackRule

T = TypeVar("T")
#: Changes with every write.
Mark = tuple[Any, ...]
Query = Callable[[str, Sequence[Any]], list[tuple]]

_PREPARED = (
    "SELECT version, item_ids, scores, made_at_us, (SELECT w.asked_at_us FROM catalogue_wanted_list w "
    "WHERE w.user_id = p.user_id) FROM catalogue_prepared_list p"
)


@dataclass(frozen=True)
class Prepared:
    """The list that was made for a user in advance, best first.

    Args:
        version: name of the version that made it.
        items: outside id and score.
        made_at_us: when it was made.
        is_behind: the user gave feedback since.
    """

    version: str
    items: list[tuple[str, float]]
    made_at_us: int
    is_behind: bool


@dataclass(frozen=True)
class Standing:
    """How an item stands with a user this moment; a hidden or deleted one has none.

    Args:
        time_us: the item's own time.
        categories: JSON list, or "null".
        seen_us: time of the oldest feedback of the user on it that counts, None without any.
    """

    time_us: int
    categories: str
    seen_us: int | None


@dataclass(frozen=True)
class Seen:
    """Which feedback keeps an item from a user: all of it, or with replacement only negative feedback."""

    only: tuple[FeedbackRule, ...] | None = None

    def condition(self, mark: str) -> tuple[str, list[Any]]:
        """As SQL over ``f`` with its values."""
        if self.only is None:
            return "1 = 1", []
        parts, values = ["1 = 0"], []
        for rule in self.only:
            part = f"f.type_number = (SELECT number FROM catalogue_feedback_type WHERE name = {mark})"
            values.append(rule.type)
            if rule.operator not in {"", "="}:
                part += f" AND f.value {rule.operator} {mark}"
                values.append(rule.bound)
            parts.append(f"({part})")
        return " OR ".join(parts), values


def read_prepared(query: Query, mark: str, versions: Sequence[str], user_id: str) -> Prepared | None:
    """The list of the first of these versions that has one for the user."""
    for version in versions:
        rows = query(f"{_PREPARED} WHERE p.version = {mark} AND p.user_id = {mark}", [version, user_id])
        if rows:
            name, item_ids, scores, made_at_us, wanted_at_us = rows[0]
            is_behind = wanted_at_us is not None and wanted_at_us >= made_at_us
            numbers = [score if score is not None else 0.0 for score in orjson.loads(scores)]
            items = list(zip(orjson.loads(item_ids), numbers, strict=True))
            return Prepared(name, items, made_at_us, is_behind)
    return None


def has_prepared(query: Query, mark: str, versions: Sequence[str]) -> bool:
    """Whether lists are made in advance at all."""
    statement = f"SELECT 1 FROM catalogue_prepared_list WHERE version = {mark} LIMIT 1"
    return any(query(statement, [version]) for version in versions)


def read_standing(
    query: Query, mark: str, user_id: str, item_ids: Sequence[str], seen: Seen
) -> dict[str, Standing]:
    """How items stand with a user, of those that exist and are not hidden."""
    if not item_ids:
        return {}
    condition, values = seen.condition(mark)
    rows = query(
        "SELECT i.item_id, i.time_us, i.categories, (SELECT MIN(f.time_us) FROM catalogue_feedback f "
        f"WHERE f.user_number = (SELECT number FROM catalogue_user WHERE user_id = {mark}) "
        f"AND f.item_number = i.number AND ({condition})) FROM catalogue_item i "
        f"WHERE NOT i.is_hidden AND i.item_id IN ({', '.join([mark] * len(item_ids))})",
        [user_id, *values, *item_ids],
    )
    return {row[0]: Standing(*row[1:]) for row in rows}


class SqliteRows:
    """Reads in the event loop; knows when anything was written, by whomever."""

    def __init__(self) -> None:
        names = dict.fromkeys(("default", settings.CATALOGUE_DATABASE))
        paths = [Path(connections[name].settings_dict["NAME"]) for name in names]
        self._databases = [_open(path) for path in paths]
        self._catalogue = self._databases[-1]
        self._marks = [watch(*pair) for pair in zip(self._databases, paths, strict=True)]

    def mark(self) -> Mark:
        """What changes with every transaction that any connection of any process commits."""
        return tuple([mark() for mark in self._marks])

    async def read(self, reader: Callable[..., T], *args: Any) -> T:
        """What one of the functions above finds."""
        return reader(self._query, "?", *args)

    def close(self) -> None:
        for database in self._databases:
            database.close()

    def _query(self, statement: str, values: Sequence[Any]) -> list[tuple]:
        return self._catalogue.execute(statement, values).fetchall()


class ThreadRows:
    """Reads in a thread through Django; cannot tell whether anything was written."""

    def mark(self) -> None:
        return None

    async def read(self, reader: Callable[..., T], *args: Any) -> T:
        return await sync_to_async(reader, thread_sensitive=False)(self._query, "%s", *args)

    def close(self) -> None:
        """Django closes its own connections."""

    def _query(self, statement: str, values: Sequence[Any]) -> list[tuple]:
        with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()


Rows = SqliteRows | ThreadRows


def open_rows() -> Rows:
    """The way that fits the database."""
    return SqliteRows() if connections[settings.CATALOGUE_DATABASE].vendor == "sqlite" else ThreadRows()


def _open(path: Path) -> sqlite3.Connection:
    # No read-only mode: with a write-ahead log a reader has to share its index.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    database.execute("PRAGMA query_only = 1")
    return database
