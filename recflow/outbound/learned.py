"""What was learned of endpoints, kept in one SQLite file by all processes of the server.

Which parameters an endpoint refused, and how often it was started anew because somebody changed or reset
it: whichever process learns or resets, all of them go by it with their next call. A look costs microseconds,
as the rows are read again only after another process wrote some. What cannot be written, because the disk is
full for instance, is known to this process alone.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: A service may be updated without anybody telling: after so long a refused parameter is tried once more.
REFUSED_FOR_S = 86_400.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS refusal (
    endpoint TEXT NOT NULL, parameter TEXT NOT NULL, instead TEXT, seen_at REAL NOT NULL,
    PRIMARY KEY (endpoint, parameter)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS start (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""

logger = logging.getLogger(__name__)


class Learned:
    """The rows of one file. Times are wall-clock seconds, the one clock that processes share."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._has_complained = False
        self._rows = self._opened(path)
        self._version: int | None = None
        self._refused: dict[str, dict[str, tuple[str | None, float]]] = {}
        self._starts: dict[str, int] = {}

    def refusals(self, endpoint: str, now: float) -> dict[str, str | None]:
        """Parameters the endpoint refused, and what is sent instead; None means nothing."""
        with self._lock:
            self._catch_up()
            known = self._refused.get(endpoint, {})
            return {name: instead for name, (instead, at) in known.items() if now - at < REFUSED_FOR_S}

    def remember(self, endpoint: str, parameter: str, instead: str | None, now: float) -> None:
        """From now on ``parameter`` goes to the endpoint as ``instead``, or not at all."""
        with self._lock:
            self._catch_up()
            self._refused.setdefault(endpoint, {})[parameter] = (instead, now)
            self._write("REPLACE INTO refusal VALUES (?, ?, ?, ?)", endpoint, parameter, instead, now)

    def forget(self, endpoint: str) -> None:
        """Every parameter is tried again."""
        with self._lock:
            self._catch_up()
            self._refused.pop(endpoint, None)
            self._write("DELETE FROM refusal WHERE endpoint = ?", endpoint)

    def starts(self, name: str) -> int:
        """How often the endpoint of that name was started anew."""
        with self._lock:
            self._catch_up()
            return self._starts.get(name, 0)

    def start_anew(self, name: str) -> None:
        """Somebody changed or reset the endpoint: what any process holds against it no longer counts."""
        with self._lock:
            self._catch_up()
            self._starts[name] = self._starts.get(name, 0) + 1
            self._write(
                "INSERT INTO start VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1", name
            )

    def close(self) -> None:
        with self._lock:
            self._rows.close()

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        try:
            rows = sqlite3.connect(path, timeout=20.0, isolation_level=None, check_same_thread=False)
            rows.execute("PRAGMA journal_mode=WAL")
            rows.execute("PRAGMA synchronous=OFF")  # after a crash all may be learned anew
            rows.executescript(_SCHEMA)
            rows.execute("PRAGMA busy_timeout=500")  # later on, waiting happens on the event loop
            return rows
        except sqlite3.Error as error:
            if path == ":memory:":
                raise
            self._complain(error)
            return self._opened(":memory:")

    def _catch_up(self) -> None:
        """Reads what other processes wrote since the last look; the file itself tells whether they did."""
        with self._tolerant():
            version = self._rows.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return
            refused: dict[str, dict[str, tuple[str | None, float]]] = {}
            for endpoint, parameter, instead, seen_at in self._rows.execute("SELECT * FROM refusal"):
                refused.setdefault(endpoint, {})[parameter] = (instead, seen_at)
            starts = dict(self._rows.execute("SELECT name, number FROM start").fetchall())
            self._refused, self._starts, self._version = refused, starts, version

    def _write(self, statement: str, *values: object) -> None:
        with self._tolerant():
            self._rows.execute(statement, values)

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """A call goes on without what could not be read or written."""
        try:
            yield
        except sqlite3.Error as error:
            self._complain(error)

    def _complain(self, error: sqlite3.Error) -> None:
        if not self._has_complained:
            logger.warning("What endpoints refuse is not shared between processes: %s", error)
        self._has_complained = True


@cache
def learned_beside(rate_file: str) -> Learned:
    """What is kept beside the rates of all processes; of this process only where there is no such file."""
    return Learned(Path(rate_file).with_name("learned.sqlite3") if rate_file else ":memory:")
