"""What was spent on each day, in one SQLite file that all processes of this machine share.

A file of its own, because a reservation is made on the event loop, between a prompt and its call: here that
takes some fifty microseconds, and no import or save can hold it up.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from recflow.errors import BudgetExceeded
from recflow.llm.budget import Budget, Limit, Settle

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (
    day TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost REAL NOT NULL
) WITHOUT ROWID
"""


def today() -> date:
    return datetime.now(UTC).date()


class SpendingBook:
    """Tokens and money by day (UTC)."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.Lock()
        self._rows = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=OFF")  # after a power cut today may count a little less
        self._rows.execute(_SCHEMA)

    def of(self, day: date) -> tuple[int, float]:
        with self._lock:
            return self._read(day)

    @contextmanager
    def changing(self, day: date, limit: Limit) -> Iterator[None]:
        """Lets ``limit`` start from what the day has spent, and keeps what it comes to."""
        with self._lock:
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                limit.tokens, limit.cost = self._read(day)
                yield
                self._rows.execute(
                    "REPLACE INTO spent VALUES (?, ?, ?)", (day.isoformat(), limit.tokens, limit.cost)
                )
            except BaseException:
                self._rows.execute("ROLLBACK")
                raise
            self._rows.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._rows.close()

    def _read(self, day: date) -> tuple[int, float]:
        query = "SELECT tokens, cost FROM spent WHERE day = ?"
        return self._rows.execute(query, (day.isoformat(),)).fetchone() or (0, 0.0)


@dataclass(frozen=True)
class DayBudget:
    """What may be spent on one day by everybody together; None is no limit."""

    book: SpendingBook
    max_tokens: int | None = None
    max_cost: float | None = None
    clock: Callable[[], date] = today

    def reserve(self, tokens: int, cost: float | None) -> Settle:
        limit = Limit("today", self.max_tokens, self.max_cost)
        day = self.clock()
        with self.book.changing(day, limit):
            limit.reserve(tokens, cost)

        def settle(used: int, paid: float | None) -> None:
            # On the day of the reservation: the next one has nothing of it to give back.
            booked = Limit("today")
            with self.book.changing(day, booked):
                booked.correct(used - tokens, (paid or 0.0) - (cost or 0.0))

        return settle


@dataclass(frozen=True)
class Both:
    """Two budgets that both have to hold."""

    first: Budget
    second: Budget

    def reserve(self, tokens: int, cost: float | None) -> Settle:
        settle_first = self.first.reserve(tokens, cost)
        try:
            settle_second = self.second.reserve(tokens, cost)
        except BudgetExceeded:
            settle_first(0, 0.0)
            raise

        def settle(used: int, paid: float | None) -> None:
            settle_first(used, paid)
            settle_second(used, paid)

        return settle
