"""Answers of models that were paid for once, in one SQLite file that survives a restart.

How long an answer is good is the question's business, not the answer's: each node says how old an answer it
takes. The key is a digest of all that was asked, so nothing has to be thrown away when settings change.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path

_SCHEMA = "CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL)"
#: Answers kept at most; the oldest go first.
MAX_ANSWERS = 50_000
_PRUNE_EVERY = 500


class AnswerFile:
    """The answers of one file. Faults are the caller's to bear: rank_with_llm turns them into a call."""

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._writes = 0
        self._rows = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=OFF")  # a lost answer costs a call
        self._rows.execute(_SCHEMA)

    def for_seconds(self, seconds: float) -> MutableMapping[str, bytes]:
        """The answers that are at most that old."""
        return _Young(self, seconds)

    def to_look_at(self, seconds: float) -> MutableMapping[str, bytes]:
        """The same for a preview: what it puts in is gone with it."""
        return ChainMap({}, _Young(self, seconds))

    def find(self, key: str, seconds: float) -> bytes | None:
        with self._lock:
            query = "SELECT body FROM answer WHERE key = ? AND at >= ?"
            row = self._rows.execute(query, (key, self._clock() - seconds)).fetchone()
        return row and row[0]

    def keep(self, key: str, body: bytes) -> None:
        with self._lock:
            self._rows.execute("REPLACE INTO answer VALUES (?, ?, ?)", (key, self._clock(), body))
            self._writes += 1
            if self._writes % _PRUNE_EVERY == 0:
                oldest = "SELECT key FROM answer ORDER BY at DESC LIMIT -1 OFFSET ?"
                self._rows.execute(f"DELETE FROM answer WHERE key IN ({oldest})", (MAX_ANSWERS,))

    def forget(self, key: str) -> None:
        with self._lock:
            self._rows.execute("DELETE FROM answer WHERE key = ?", (key,))

    def keys(self, seconds: float) -> list[str]:
        with self._lock:
            query = "SELECT key FROM answer WHERE at >= ?"
            return [key for (key,) in self._rows.execute(query, (self._clock() - seconds,))]

    def close(self) -> None:
        with self._lock:
            self._rows.close()


class _Young(MutableMapping[str, bytes]):
    """The answers that are young enough, as the mapping that the rankers take for a cache."""

    def __init__(self, file: AnswerFile, seconds: float) -> None:
        self._file = file
        self._seconds = seconds

    def __getitem__(self, key: str) -> bytes:
        found = self._file.find(key, self._seconds)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, body: bytes) -> None:
        self._file.keep(key, body)

    def __delitem__(self, key: str) -> None:
        self._file.forget(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.keys(self._seconds))

    def __len__(self) -> int:
        return len(self._file.keys(self._seconds))
