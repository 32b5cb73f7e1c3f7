"""Answers kept in memory, each until something is written that it depends on, by whichever process.

Every question looks whether anything was written at all. Only when something was, the log of changes tells
what: feedback takes the answers to its users away, anything else takes all of them. So a shop that writes
two hundred times a second still answers everybody else from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dashboard.serving.rows import Mark, Position, Rows
from dashboard.store import now_us

#: Answers kept, usually of some hundred bytes each; and their bytes, for one of a thousand items has 40,000.
MAX_KEPT = 50_000
MAX_BYTES = 64 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Kept:
    """An answer as it went out."""

    headers: Headers
    body: bytes
    good_until_us: int


@dataclass(eq=False)
class Asking:
    """A question that is being answered; what is written meanwhile makes the answer not worth keeping."""

    user_id: str
    is_current: bool = True


class Memory:
    """Answers by question.

    Args:
        rows: say what was written.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._mark: Mark | None = None
        self._position: Position | None = None
        self._catching_up = asyncio.Lock()
        self._kept: dict[Hashable, Kept] = {}
        self._n_bytes = 0
        self._user_of: dict[Hashable, str] = {}
        self._places: dict[str, set[Hashable]] = {}
        self._asking: set[Asking] = set()

    async def catch_up(self) -> Position:
        """Forget what is wrong by now; returns how far the writes are.

        Whoever calls this sees all that was committed before the call.
        """
        mark = await self._rows.mark()
        if mark != self._mark or self._position is None:
            async with self._catching_up:
                if mark != self._mark or self._position is None:  # nobody did it while we waited
                    before, now = self._position, await self._rows.position(mark)
                    if before != now:
                        self._forget(before and await self._rows.touched(before, now))
                    self._position, self._mark = now, mark
        return self._position

    def find(self, place: Hashable) -> Kept | None:
        """The answer to a question that is still good; ``catch_up`` comes first."""
        kept = self._kept.get(place)
        return kept if kept is not None and now_us() < kept.good_until_us else None

    @contextmanager
    def asking(self, user_id: str) -> Iterator[Asking]:
        """Around the making of an answer for a user."""
        asking = Asking(user_id)
        self._asking.add(asking)
        try:
            yield asking
        finally:
            self._asking.discard(asking)

    def keep(self, asking: Asking, place: Hashable, kept: Kept) -> None:
        """Keep the answer to a question, if nothing has been written since that it depends on."""
        if not asking.is_current:
            return
        if place in self._kept:
            self._drop(place)
        self._n_bytes += len(kept.body)
        while self._kept and (len(self._kept) >= MAX_KEPT or self._n_bytes > MAX_BYTES):
            self._drop(next(iter(self._kept)))
        self._kept[place] = kept
        self._user_of[place] = asking.user_id
        self._places.setdefault(asking.user_id, set()).add(place)

    def _forget(self, user_ids: set[str] | None) -> None:
        """Drop the answers to these users, or all."""
        for asking in self._asking:
            if user_ids is None or asking.user_id in user_ids:
                asking.is_current = False
        if user_ids is None:
            self._kept.clear()
            self._n_bytes = 0
            self._user_of.clear()
            self._places.clear()
        else:
            for user_id in user_ids:
                for place in list(self._places.get(user_id, ())):
                    self._drop(place)

    def _drop(self, place: Hashable) -> None:
        self._n_bytes -= len(self._kept.pop(place).body)
        user_id = self._user_of.pop(place)
        places = self._places[user_id]
        places.remove(place)
        if not places:
            del self._places[user_id]
