"""Requests and tokens per minute, and calls at once, kept in one SQLite file by all processes of the server.

A token bucket per endpoint and kind: it refills evenly and holds a sixth of a minute's worth, so a burst
after a pause stays small. A call *reserves* its estimated tokens before it starts and *settles* what it
really used afterwards. Reserving books a place in the line at once (the level may go below zero) and says
how long to wait, so callers are served in order and no two processes spend the same tokens.

A call that is under way holds a *place* among those the endpoint takes at once. Whoever is killed cannot give
it back, so a place has an end of its own: a moment after the call's deadline. Who finds none free stands in
line as long as it keeps looking, so a process with thousands of calls does not keep the others out.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recflow.errors import BudgetExceeded

_BURST_S = 10.0  # a sixth of a minute
_STANDS_S = 2.0  # in line, after the last look
_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (
    name TEXT NOT NULL, kind TEXT NOT NULL, level REAL NOT NULL, filled_at REAL NOT NULL,
    PRIMARY KEY (name, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS visitor (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, most INTEGER NOT NULL, came_at REAL NOT NULL,
    ends_at REAL NOT NULL, is_inside INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """What an endpoint allows; 0 is no limit."""

    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0

    @property
    def is_unlimited(self) -> bool:
        return not self.requests_per_minute and not self.tokens_per_minute


@dataclass(frozen=True, slots=True)
class Reservation:
    """A place in the line: wait ``wait_s`` before the call, then settle."""

    name: str
    rate: Rate
    tokens: float
    wait_s: float


class RateLedger:
    """The buckets of one file. Times are wall-clock seconds, the one clock that processes share."""

    def __init__(self, path: Path | str) -> None:
        # One connection per process under a lock: opening costs more than the whole transaction.
        self._lock = threading.Lock()
        self._rows = sqlite3.connect(
            path, timeout=20.0, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=OFF")  # after a crash the buckets may start anew
        self._rows.executescript(_SCHEMA)

    def reserve(self, name: str, rate: Rate, tokens: float, now: float, patience_s: float) -> Reservation:
        """Books one request and its estimated tokens.

        Raises:
            BudgetExceeded: the wait would be longer than ``patience_s``; nothing is booked.
        """
        with self._transaction():
            levels = [
                (kind, self._level(name, kind, per_minute, now), per_minute, cost)
                for kind, per_minute, cost in _costs(rate, 1.0, tokens)
            ]
            # A call larger than the bucket may start when the bucket is full, and leaves a debt.
            waits = [(min(cost, _capacity(p)) - level) * 60.0 / p for _, level, p, cost in levels]
            wait_s = max(0.0, *waits) if waits else 0.0
            if wait_s <= patience_s:
                for kind, level, _, cost in levels:
                    self._store(name, kind, level - cost, now)
        if wait_s > patience_s:
            limits = " and ".join(f"{p:g} {kind} a minute" for kind, _, p, _ in levels)
            raise BudgetExceeded(
                f"The limit of {limits} would be passed; the next call may start in {wait_s:.1f} s.",
                kind="rate_limit",
                retryable=True,
                retry_after_s=wait_s,
                attempts=0,
            )
        return Reservation(name, rate, tokens, wait_s)

    def settle(self, reservation: Reservation, tokens_used: float, now: float) -> None:
        """Replaces the estimate by what the call really used."""
        self._give_back(reservation, 0.0, reservation.tokens - tokens_used, now)

    def cancel(self, reservation: Reservation, now: float) -> None:
        """The call never reached the service: everything goes back."""
        self._give_back(reservation, 1.0, reservation.tokens, now)

    def take_place(self, name: str, most: int, place: str, now: float, ends_at: float) -> bool:
        """Takes a place under that id; false when ``most`` are taken or stood for already: look again soon.

        Whoever may go in only while fewer are inside lets those pass that need not wait for that.
        """
        with self._transaction():
            self._rows.execute("DELETE FROM visitor WHERE ends_at <= ?", (now,))
            row = self._rows.execute("SELECT came_at FROM visitor WHERE id = ?", (place,)).fetchone()
            came_at = now if row is None else row[0]
            before = self._rows.execute(
                "SELECT count(*) FROM visitor WHERE name = ? AND id <> ? AND "
                "(is_inside OR (most >= ? AND (came_at, id) < (?, ?)))",
                (name, place, most, came_at, place),
            ).fetchone()[0]
            is_free = before < most
            if not is_free:
                ends_at = now + _STANDS_S
            self._rows.execute(
                "REPLACE INTO visitor VALUES (?, ?, ?, ?, ?, ?)",
                (place, name, most, came_at, ends_at, is_free),
            )
        return is_free

    def give_back_place(self, place: str) -> None:
        """The call is over, or stands in line no longer. What has ended may be given back too."""
        with self._transaction():
            self._rows.execute("DELETE FROM visitor WHERE id = ?", (place,))

    def places_taken(self, name: str, now: float) -> int:
        """Calls that are under way now, of all processes."""
        found = self._rows.execute(
            "SELECT count(*) FROM visitor WHERE name = ? AND is_inside AND ends_at > ?", (name, now)
        ).fetchone()
        return found[0]

    def close(self) -> None:
        with self._lock:
            self._rows.close()

    def _give_back(self, reservation: Reservation, requests: float, tokens: float, now: float) -> None:
        with self._transaction():
            for kind, per_minute, amount in _costs(reservation.rate, requests, tokens):
                level = self._level(reservation.name, kind, per_minute, now) + amount
                self._store(reservation.name, kind, min(level, _capacity(per_minute)), now)

    def _level(self, name: str, kind: str, per_minute: float, now: float) -> float:
        row = self._rows.execute(
            "SELECT level, filled_at FROM bucket WHERE name = ? AND kind = ?", (name, kind)
        ).fetchone()
        if row is None:
            return _capacity(per_minute)
        level, filled_at = row
        passed = max(0.0, now - filled_at)  # a clock set back must not drain the bucket
        return min(_capacity(per_minute), level + passed * per_minute / 60.0)

    def _store(self, name: str, kind: str, level: float, now: float) -> None:
        self._rows.execute("REPLACE INTO bucket VALUES (?, ?, ?, ?)", (name, kind, level, now))

    def _transaction(self) -> _Immediate:
        return _Immediate(self._rows, self._lock)


class _Immediate:
    """BEGIN IMMEDIATE: read and write are one step, for threads by the lock, for processes by SQLite."""

    def __init__(self, rows: sqlite3.Connection, lock: threading.Lock) -> None:
        self._rows, self._lock = rows, lock

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._rows.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._rows.execute("ROLLBACK" if kind else "COMMIT")
        finally:
            self._lock.release()


@cache
def ledger_at(path: str) -> RateLedger:
    """The ledger of a file; one per process."""
    return RateLedger(path)


def _costs(rate: Rate, requests: float, tokens: float) -> list[tuple[str, float, float]]:
    """(kind, allowed per minute, amount) for each limit that is set."""
    limits = (("requests", rate.requests_per_minute, requests), ("tokens", rate.tokens_per_minute, tokens))
    return [limit for limit in limits if limit[1]]


def _capacity(per_minute: float) -> float:
    return max(1.0, per_minute * _BURST_S / 60.0)
