"""The engine's view of the rows: the only place where rows become arrays.

A snapshot is brought up to date in a background thread when the catalogue's version says that the rows have
changed; who asks meanwhile gets the one before, so a run never waits for an import. After a few writes only
what they touched is read again; after many, or when the log of changes does not reach back, all rows are.
Saved snapshots are mapped by other processes, and refreshed from there. A user's history is always read from
the rows, so feedback posted a moment ago counts in the very next run.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connections

from dashboard.catalogue import changes
from dashboard.catalogue.streaming import one_moment, stream
from recflow.data import snapshot as snapshot_files
from recflow.data.building import ItemRow, UserRow, item_table, user_table
from recflow.data.feedback import FeedbackLog, UserHistory
from recflow.data.refreshing import Changes, refreshed
from recflow.data.snapshot import Snapshot

logger = logging.getLogger(__name__)

_FEEDBACK_ROW = np.dtype(
    [("user", np.int32), ("item", np.int32), ("type", np.int16), ("value", np.float32), ("time", np.int64)]
)
#: A snapshot of unchanged rows is dated anew after this long, so that windows such as "this week" move on.
_REDATE_AFTER_S = 3600.0
#: Under a stream of writes at most this share of a core goes into refreshing.
_BUSY_SHARE = 0.2
#: A refresh that would read more rows than this, and than this share of all, is no quicker than a full build:
#: a row read again is looked up by its ids and costs four times as much.
_FEW_ROWS = 20_000
_SMALL_SHARE = 0.05
#: Ids looked up by one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535.
_IDS_A_QUERY = 5_000
#: How the name of a folder begins that is being written; once it is so old, whoever wrote it was killed.
_DRAFT = "draft-"
_LEFT_OVER_S = 3600.0
_ITEM = "item_id, is_hidden, categories, time_us, labels, comment"


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class RowStore:
    """recflow.data.store.Store over the catalogue database.

    Args:
        folder: where snapshots are saved.
        clock: microseconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = now_us) -> None:
        self._folder = folder
        self._clock = clock
        self._current: tuple[str, Snapshot] | None = None
        self._building = threading.Lock()
        self._swapping = threading.Lock()
        self._worker: threading.Thread | None = None
        self._not_before = 0.0

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """The newest snapshot that is ready; the same object until the rows change.

        Args:
            fresh: wait for one that holds everything committed before this call, and save it.
        """
        version = catalogue_version()
        if self._current is None or fresh:
            self._refresh(version, save=fresh)
        current = self._current
        assert current is not None
        if current[0] != version:
            self._refresh_in_background()
        if self._clock() - current[1].taken_at > _REDATE_AFTER_S * 1e6:
            current = self._date_anew(current)
        return current[1]

    def history(self, user_id: str, snapshot: Snapshot) -> UserHistory:
        """The user's feedback as it is this moment, newest first; an empty one for an unknown user."""
        with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:
            cursor.execute("SELECT number, labels, comment FROM catalogue_user WHERE user_id = %s", [user_id])
            user = cursor.fetchone()
            if user is None:
                return UserHistory(user_id)
            cursor.execute(
                "SELECT i.item_id, t.name, f.value, f.time_us FROM catalogue_feedback f "
                "JOIN catalogue_item i ON i.number = f.item_number "
                "JOIN catalogue_feedback_type t ON t.number = f.type_number "
                "WHERE f.user_number = %s ORDER BY f.time_us DESC, i.item_id, t.name",
                [user[0]],
            )
            rows = cursor.fetchall()
        item_ids = tuple(row[0] for row in rows)
        return UserHistory(
            user_id,
            snapshot.items.ids.find_many(item_ids),
            item_ids,
            tuple(row[1] for row in rows),
            np.array([row[2] for row in rows], dtype=np.float32),
            np.array([row[3] for row in rows], dtype=np.int64),
            True,
            json.loads(user[1]),
            user[2],
        )

    def _refresh(self, wanted: str, *, save: bool = False) -> None:
        """Go on from the newest snapshot there is, in memory or saved; what took a full build is saved."""
        with self._building:
            started = time.monotonic()
            current = self._current
            if current is None or current[0] != wanted:
                base = current or _newest(self._folder)
                current = _open(self._folder, wanted) or (base and refresh(base, self._clock()))
                save = save or current is None
                current = current or build(self._clock())
                with self._swapping:
                    self._current = current
            if save:
                _save(self._folder, current[1], current[0])
            finished = time.monotonic()
            self._not_before = finished + (finished - started) * (1 / _BUSY_SHARE - 1)

    def _refresh_in_background(self) -> None:
        if self._building.locked() or time.monotonic() < self._not_before:
            return

        def work() -> None:
            try:
                self._refresh(catalogue_version())
            except Exception:
                logger.exception("The snapshot could not be rebuilt; runs go on with the one before")
            finally:
                connections.close_all()

        self._worker = threading.Thread(target=work, name="snapshot", daemon=True)
        self._worker.start()

    def _date_anew(self, current: tuple[str, Snapshot]) -> tuple[str, Snapshot]:
        now = self._clock()
        version, snapshot = current
        dated = (
            version,
            replace(snapshot, version=f"{version}-{now}", taken_at=now, _views={}, _lock=threading.Lock()),
        )
        with self._swapping:
            if self._current is current:
                self._current = dated
        return dated


def catalogue_version() -> str:
    """What changes with every committed write to the catalogue."""
    with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:
        return _version(cursor)


def build(taken_at: int) -> tuple[str, Snapshot]:
    """A snapshot of all rows as they are at one moment, and the catalogue's version at that moment.

    Rows are streamed: beside the arrays themselves, only ids and texts of users and items are held.
    """
    with one_moment() as connection:
        with connection.cursor() as cursor:
            version = _version(cursor)
            cursor.execute("SELECT COUNT(*) FROM catalogue_feedback")
            n_feedback = cursor.fetchone()[0]
        user_numbers, user_rows = _rows(
            connection,
            f"SELECT number, user_id, labels, comment FROM catalogue_user ORDER BY {_in_order('user_id')}",
            lambda row: UserRow(*row),
        )
        item_numbers, item_rows = _rows(
            connection,
            f"SELECT number, {_ITEM} FROM catalogue_item ORDER BY {_in_order('item_id')}",
            _item_row,
        )
        type_numbers, type_names = _rows(
            connection,
            f"SELECT number, name FROM catalogue_feedback_type ORDER BY {_in_order('name')}",
            lambda row: row[0],
        )
        feedback = np.fromiter(
            stream(
                connection,
                "SELECT user_number, item_number, type_number, value, time_us FROM catalogue_feedback",
            ),
            _FEEDBACK_ROW,
            n_feedback,
        )
    log = FeedbackLog.from_rows(
        _index_of(user_numbers)[feedback["user"]],
        _index_of(item_numbers)[feedback["item"]],
        _index_of(type_numbers)[feedback["type"]].astype(np.int16),
        feedback["value"],
        feedback["time"],
        type_names=tuple(type_names),
        n_users=len(user_rows),
        n_items=len(item_rows),
    )
    return version, Snapshot(version, taken_at, user_table(user_rows), item_table(item_rows), log)


def refresh(base: tuple[str, Snapshot], taken_at: int) -> tuple[str, Snapshot] | None:
    """The snapshot after this one, made of what has changed since; None where a full build is needed.

    Args:
        base: the catalogue's version, and the snapshot of it.
        taken_at: microseconds since 1970.
    """
    origin, _, number = base[0].rpartition("-")
    with one_moment() as connection, connection.cursor() as cursor:
        version = _version(cursor)
        if version.rpartition("-")[0] != origin or not origin:
            return None
        touched = changes.since(cursor, int(number))
        if touched is None or not _is_small(touched, base[1]):
            return None
        found = _read(cursor, touched)
    try:
        return version, refreshed(base[1], found, version=version, taken_at=taken_at)
    except ValueError as error:
        logger.warning("The log of changes does not fit the snapshot, so all rows are read: %s", error)
        return None


def _is_small(touched: changes.Touched, snapshot: Snapshot) -> bool:
    """Whether reading what was touched is much less than reading everything."""
    log = snapshot.feedback
    users = snapshot.users.ids.find_many(list(touched.user))
    users = users[users >= 0]
    n_feedback = int((np.searchsorted(log.users, users + 1) - np.searchsorted(log.users, users)).sum())
    n_all = snapshot.n_users + snapshot.n_items + len(log)
    return len(touched) + n_feedback <= max(_FEW_ROWS, _SMALL_SHARE * n_all)


def _read(cursor: Any, touched: changes.Touched) -> Changes:
    """The rows of what was touched, as they are now."""
    users: dict[str, UserRow | None] = dict.fromkeys(touched.user)
    items: dict[str, ItemRow | None] = dict.fromkeys(touched.item)
    for row in _rows_of(
        cursor, "SELECT user_id, labels, comment FROM catalogue_user WHERE user_id", touched.user
    ):
        users[row[0]] = UserRow(*row)
    for row in _rows_of(cursor, f"SELECT {_ITEM} FROM catalogue_item WHERE item_id", touched.item):
        items[row[0]] = _item_row(row)
    cursor.execute("SELECT name FROM catalogue_feedback_type")
    type_names = tuple(sorted(row[0] for row in cursor.fetchall()))
    # CROSS JOIN, because SQLite then keeps the order of the tables and begins with the few users.
    feedback = _rows_of(
        cursor,
        "SELECT u.user_id, i.item_id, t.name, f.value, f.time_us FROM catalogue_user u "
        "CROSS JOIN catalogue_feedback f CROSS JOIN catalogue_item i CROSS JOIN catalogue_feedback_type t "
        "WHERE f.user_number = u.number AND i.number = f.item_number AND t.number = f.type_number "
        "AND u.user_id",
        touched.user,
    )
    return Changes(users, items, touched.emptied, list(feedback), type_names)


def _rows_of(cursor: Any, statement: str, ids: Collection[str]) -> Iterator[tuple]:
    """What a statement that ends in the name of a column finds for these ids."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _IDS_A_QUERY):
        block = wanted[start : start + _IDS_A_QUERY]
        cursor.execute(f"{statement} IN ({', '.join(['%s'] * len(block))})", block)
        yield from cursor.fetchall()


def _in_order(column: str) -> str:
    """The column in the order of its UTF-8 bytes, as SQLite compares; PostgreSQL would sort by a language."""
    is_postgresql = connections[settings.CATALOGUE_DATABASE].vendor == "postgresql"
    return f'{column} COLLATE "C"' if is_postgresql else column


def _item_row(row: tuple) -> ItemRow:
    """An item from the columns of _ITEM."""
    return ItemRow(row[0], bool(row[1]), tuple(json.loads(row[2]) or ()), *row[3:])


def _version(cursor: Any) -> str:
    cursor.execute("SELECT origin, number FROM catalogue_version")
    row = cursor.fetchone()
    return f"{row[0]}-{row[1]}" if row else "empty"


def _rows(connection: Any, statement: str, make: Callable[[tuple], Any]) -> tuple[list[int], list[Any]]:
    """The numbers (first column) and what is made of the other columns."""
    numbers: list[int] = []
    made: list[Any] = []
    for row in stream(connection, statement):
        numbers.append(row[0])
        made.append(make(row[1:]))
    return numbers, made


def _index_of(numbers: list[int]) -> np.ndarray:
    """(largest number + 1,) row number -> place; numbers only ever grow, so few places stay empty."""
    places = np.full(max(numbers, default=0) + 1, -1, dtype=np.int32)
    places[numbers] = np.arange(len(numbers), dtype=np.int32)
    return places


def _open(folder: Path, version: str) -> tuple[str, Snapshot] | None:
    try:
        return version, snapshot_files.load(folder / version)
    except (FileNotFoundError, ValueError):
        return None


def _newest(folder: Path) -> tuple[str, Snapshot] | None:
    """The newest snapshot that was saved, of whatever version."""
    try:
        complete = _complete(folder)
    except FileNotFoundError:  # another process is tidying up
        return None
    return _open(folder, complete[-1].name) if complete else None


def _complete(folder: Path) -> list[Path]:
    """Folders of saved snapshots, oldest first; within one tick of the clock, by their versions."""

    def age(meta: Path) -> tuple[int, int, str]:
        name = meta.parent.name  # ends in a number that counts up
        return meta.stat().st_mtime_ns, len(name), name

    found = (meta for meta in folder.glob("*/meta.json") if not meta.parent.name.startswith(_DRAFT))
    return [meta.parent for meta in sorted(found, key=age)]


def _save(folder: Path, snapshot: Snapshot, version: str) -> None:
    """Keep the snapshot for other processes; only the newest two stay."""
    if (folder / version).exists():
        return
    draft = folder / f"{_DRAFT}{os.getpid()}"
    try:
        for other in folder.glob(f"{_DRAFT}*"):
            with suppress(FileNotFoundError):  # another process was quicker
                if other.stat().st_mtime < time.time() - _LEFT_OVER_S:
                    shutil.rmtree(other, ignore_errors=True)
        snapshot_files.save(snapshot, draft)
        draft.rename(folder / version)
        for old in _complete(folder)[:-2]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not (folder / version).exists():  # another process may have been quicker
            logger.warning("The snapshot could not be saved to %s: %s", folder, error)


#: The store of this process.
store = RowStore(settings.DATA_DIR / "snapshots")
