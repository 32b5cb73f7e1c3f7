"""The few rows that an answer needs, read on the shortest way, and what was written since the last look.

Both databases are read in the event loop itself, on a connection of its own: a hop to a thread and Django's
layers cost a millisecond, and many while other threads are at work. SQLite answers at once; PostgreSQL is
waited for, and requests that come together share one look at how far the writes are.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
import psycopg
from django.conf import settings
from django.db import connections

from dashboard.list_bodies import bodies
from dashboard.serving.sqlite_watch import watch
from recflow.data.feedback import FeedbackRule

T = TypeVar("T")
#: The same as long as nothing was written.
Mark = Hashable
Query = Callable[[str, Sequence[Any]], Awaitable[list[tuple]]]

_PREPARED = (
    "SELECT version, item_ids, scores, made_at_us, (SELECT w.asked_at_us FROM catalogue_wanted_list w "
    "WHERE w.user_id = p.user_id) FROM catalogue_prepared_list p"
)
_WRITTEN = (
    "(SELECT origin FROM catalogue_version), (SELECT number FROM catalogue_version), "
    "(SELECT number FROM catalogue_list_version)"
)
_ACTIVATED = "(SELECT MAX(id) FROM dashboard_activation), (SELECT version_id FROM dashboard_activeversion)"


_LOOK = f"SELECT {_WRITTEN}, {_ACTIVATED}"
#: With the oldest version of the log in each row: all requests wait for this, so it is one round trip.
_CHANGED = "SELECT kind, name, (SELECT MIN(version) FROM catalogue_change) FROM catalogue_change"


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
class Position:
    """How far the writes that answers depend on have come.

    Args:
        origin: which catalogue it is; another one has nothing to do with this.
        number: its writes, each with a line in the log of changes.
        lists: times that lists were prepared or taken away.
        activation: the newest one, and the active version.
    """

    origin: str | None
    number: int | None
    lists: int | None
    activation: tuple


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


async def read_touched(query: Query, mark: str, before: Position, now: Position) -> set[str] | None:
    """Whose answers may be others since ``before``; None for everybody's.

    Feedback changes the answers to its users. Items, lists and versions change anybody's.
    """
    is_about_users = (before.origin, before.lists, before.activation) == (
        now.origin,
        now.lists,
        now.activation,
    )
    if not is_about_users or before.number is None:
        return None
    rows = await query(f"{_CHANGED} WHERE version > {mark}", [before.number])
    if not rows or rows[0][2] > before.number + 1:  # the log does not reach back
        return None
    return {name for _, name, _ in rows} if all(kind == "user" for kind, _, _ in rows) else None


async def read_prepared(query: Query, mark: str, versions: Sequence[str], user_id: str) -> Prepared | None:
    """The list of the first of these versions that has one for the user."""
    for version in versions:
        rows = await query(f"{_PREPARED} WHERE p.version = {mark} AND p.user_id = {mark}", [version, user_id])
        if rows:
            name, item_ids, scores, made_at_us, wanted_at_us = rows[0]
            elsewhere = bodies()
            if elsewhere is not None:
                body = await elsewhere.read(version, user_id, made_at_us)
                if body is None:  # lost, as when Redis was emptied: as good as no list
                    continue
                item_ids, scores = body
            is_behind = wanted_at_us is not None and wanted_at_us >= made_at_us
            numbers = [score if score is not None else 0.0 for score in orjson.loads(scores)]
            items = list(zip(orjson.loads(item_ids), numbers, strict=True))
            return Prepared(name, items, made_at_us, is_behind)
    return None


async def has_prepared(query: Query, mark: str, versions: Sequence[str]) -> bool:
    """Whether lists are made in advance at all."""
    statement = f"SELECT 1 FROM catalogue_prepared_list WHERE version = {mark} LIMIT 1"
    for version in versions:
        if await query(statement, [version]):
            return True
    return False


async def read_standing(
    query: Query, mark: str, user_id: str, item_ids: Sequence[str], seen: Seen
) -> dict[str, Standing]:
    """How items stand with a user, of those that exist and are not hidden."""
    if not item_ids:
        return {}
    condition, values = seen.condition(mark)
    rows = await query(
        "SELECT i.item_id, i.time_us, i.categories, (SELECT MIN(f.time_us) FROM catalogue_feedback f "
        f"WHERE f.user_number = (SELECT number FROM catalogue_user WHERE user_id = {mark}) "
        f"AND f.item_number = i.number AND ({condition})) FROM catalogue_item i "
        f"WHERE NOT i.is_hidden AND i.item_id IN ({', '.join([mark] * len(item_ids))})",
        [user_id, *values, *item_ids],
    )
    return {row[0]: Standing(*row[1:]) for row in rows}


class SqliteRows:
    """Reads two files; a look at mapped memory tells whether anything was written, by whomever."""

    def __init__(self) -> None:
        paths = {
            name: Path(connections[name].settings_dict["NAME"])
            for name in ("default", settings.CATALOGUE_DATABASE)
        }
        self._databases = {name: _open(path) for name, path in paths.items()}
        self._catalogue = self._databases[settings.CATALOGUE_DATABASE]
        self._marks = [watch(self._databases[name], path) for name, path in paths.items()]

    async def mark(self) -> Mark:
        """What changes with every transaction that any connection of any process commits."""
        return tuple([mark() for mark in self._marks])

    async def position(self, mark: Mark) -> Position:
        """How far the writes are, at that mark or later."""
        written = self._catalogue.execute(f"SELECT {_WRITTEN}").fetchone()
        return Position(*written, self._databases["default"].execute(f"SELECT {_ACTIVATED}").fetchone())

    async def touched(self, before: Position, now: Position) -> set[str] | None:
        return await read_touched(self._query, "?", before, now)

    async def read(self, reader: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What one of the functions above finds."""
        return await reader(self._query, "?", *args)

    def close(self) -> None:
        for database in self._databases.values():
            database.close()

    async def _query(self, statement: str, values: Sequence[Any]) -> list[tuple]:
        return self._catalogue.execute(statement, values).fetchall()


class _Line:
    """A connection to PostgreSQL, made when it is needed and again when it was cut."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection | None = None
        self._opening = asyncio.Lock()

    async def query(self, statement: str, values: Sequence[Any]) -> list[tuple]:
        """All rows; a read is asked again once, for the server may have been restarted."""
        try:
            return await self._ask(statement, values)
        except psycopg.OperationalError:
            return await self._ask(statement, values)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.pgconn.finish()  # close() would have to be awaited

    async def _ask(self, statement: str, values: Sequence[Any]) -> list[tuple]:
        cursor = await (await self._open()).execute(statement, values)
        return await cursor.fetchall()

    async def _open(self) -> psycopg.AsyncConnection:
        """One connection for however many requests come while it is being made."""
        async with self._opening:
            if self._connection is None or self._connection.closed:
                self._connection = await _connect()
            return self._connection


class PostgresRows:
    """Reads over a connection of its own, and looks over two others; the position itself is the mark.

    A request may only trust a look at the position that began after it did. Those that come while one is
    under way share the next one, so that many requests cost one round trip.
    """

    def __init__(self) -> None:
        # Every request waits for looks and changes: neither is to stand behind the reads of single answers.
        self._reads, self._looks, self._changes = _Line(), _Line(), _Line()
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[Position] | None = None

    async def mark(self) -> Mark:
        """How far the writes are."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        return await asyncio.shield(self._next)

    async def position(self, mark: Mark) -> Position:
        """The mark itself."""
        assert isinstance(mark, Position)
        return mark

    async def touched(self, before: Position, now: Position) -> set[str] | None:
        return await read_touched(self._changes.query, "%s", before, now)

    async def read(self, reader: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What one of the functions above finds."""
        return await reader(self._reads.query, "%s", *args)

    def close(self) -> None:
        """No more reading."""
        for line in (self._reads, self._looks, self._changes):
            line.close()

    async def _look(self) -> Position:
        async with self._looking:
            self._next = None  # whoever comes from here on may not trust this look
            ((*written, newest, active),) = await self._looks.query(_LOOK, [])
            return Position(*written, (newest, active))


Rows = SqliteRows | PostgresRows


def open_rows() -> Rows:
    """The way that fits the database."""
    return SqliteRows() if connections[settings.CATALOGUE_DATABASE].vendor == "sqlite" else PostgresRows()


async def _connect() -> psycopg.AsyncConnection:
    """As Django connects, but for asyncio."""
    database = connections[settings.CATALOGUE_DATABASE]
    given = database.get_connection_params()
    names = ("dbname", "user", "password", "host", "port", *database.settings_dict["OPTIONS"])
    return await psycopg.AsyncConnection.connect(
        **{name: given[name] for name in names if name in given}
        # A plan for whatever items reads all feedback while the tables are new: it took 80 ms.
        | {"options": f"{given.get('options', '')} -c plan_cache_mode=force_custom_plan"},
        autocommit=True,
    )


def _open(path: Path) -> sqlite3.Connection:
    # No read-only mode: with a write-ahead log a reader has to share its index.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    database.execute("PRAGMA query_only = 1")
    return database
