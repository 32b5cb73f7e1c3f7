"""The engine's view of the rows: the only place where rows become arrays.

A snapshot is built in a background thread when the catalogue's version says that the rows have changed;
who asks meanwhile gets the one before, so a run never waits for an import. Each snapshot is saved, and other
processes (and the next start) map the file instead of building their own. A user's history is always read
from the rows, so feedback posted a moment ago counts in the very next run.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connections

from dashboard.catalogue.streaming import one_moment, stream
from recflow.data import snapshot as snapshot_files
from recflow.data.building import ItemRow, UserRow, item_table, user_table
from recflow.data.feedback import FeedbackLog, UserHistory
from recflow.data.snapshot import Snapshot

logger = logging.getLogger(__name__)

_FEEDBACK_ROW = np.dtype(
    [("user", np.int32), ("item", np.int32), ("type", np.int16), ("value", np.float32), ("time", np.int64)]
)
#: A snapshot of unchanged rows is dated anew after this long, so that windows such as "this week" move on.
_REDATE_AFTER_S = 3600.0
#: Under a stream of writes at most this share of a core goes into rebuilding.
_BUSY_SHARE = 0.2


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
            fresh: wait for one that holds everything committed before this call.
        """
        version = catalogue_version()
        if self._current is None or (fresh and self._current[0] != version):
            self._refresh(version)
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

    def _refresh(self, wanted: str) -> None:
        with self._building:
            if self._current is not None and self._current[0] == wanted:
                return
            started = time.monotonic()
            current = _open(self._folder, wanted) or build(self._clock())
            with self._swapping:
                self._current = current
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
            "SELECT number, user_id, labels, comment FROM catalogue_user ORDER BY user_id",
            lambda row: UserRow(*row),
        )
        item_numbers, item_rows = _rows(
            connection,
            "SELECT number, item_id, is_hidden, categories, time_us, labels, comment FROM catalogue_item "
            "ORDER BY item_id",
            lambda row: ItemRow(row[0], bool(row[1]), tuple(json.loads(row[2]) or ()), *row[3:]),
        )
        type_numbers, type_names = _rows(
            connection, "SELECT number, name FROM catalogue_feedback_type ORDER BY name", lambda row: row[0]
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


def _save(folder: Path, snapshot: Snapshot, version: str) -> None:
    """Keep the snapshot for other processes; only the newest two stay."""
    if (folder / version).exists():
        return
    draft = folder / f"draft-{os.getpid()}"
    try:
        snapshot_files.save(snapshot, draft)
        draft.rename(folder / version)
        complete = sorted(folder.glob("*/meta.json"), key=lambda path: path.stat().st_mtime)
        for meta in complete[:-2]:
            shutil.rmtree(meta.parent, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not (folder / version).exists():  # another process may have been quicker
            logger.warning("The snapshot could not be saved to %s: %s", folder, error)


#: The store of this process.
store = RowStore(settings.DATA_DIR / "snapshots")
