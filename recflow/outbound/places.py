"""A call's place among those that an endpoint takes at once, of all processes of the server."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from uuid import uuid4

from .rate import RateLedger

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.02, 0.1
#: A place lasts so much longer than its call may, so that none ends under a call.
_MARGIN_S = 5.0


class Place:
    """One place, from the first look for it until it is given back.

    Args:
        most: calls that the endpoint takes at once.
    """

    def __init__(self, ledger: RateLedger, name: str, most: int) -> None:
        self._ledger, self._name, self._most = ledger, name, most
        self._id = uuid4().hex
        self._is_given_up = False

    async def take(
        self,
        call_s: float,
        longest_s: float,
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> bool:
        """Takes a place as soon as a look finds one free; false when none was within ``longest_s``.

        Whoever is interrupted owes a ``give_up``.

        Args:
            call_s: how long the call may take.
        """
        step_s, left_s = _FIRST_LOOK_S, longest_s
        while not await asyncio.to_thread(self._try, wall(), call_s):
            if left_s <= 0:
                return False
            wait_s = min(step_s, left_s)
            await sleep(wait_s)
            left_s -= wait_s
            step_s = min(2 * step_s, _LONGEST_LOOK_S)
        return True

    async def give_back(self) -> None:
        await asyncio.to_thread(self._let_go)

    def give_up(self) -> None:
        """Gives it back without waiting, also if a look for it is still under way in a thread."""
        self._is_given_up = True
        self._let_go()

    def _try(self, now: float, call_s: float) -> bool:
        is_taken = self._ledger.take_place(self._name, self._most, self._id, now, now + call_s + _MARGIN_S)
        if is_taken and self._is_given_up:
            self._let_go()
        return is_taken

    def _let_go(self) -> None:
        # An answer is not thrown away because of this: the place has an end of its own.
        with contextlib.suppress(sqlite3.Error):
            self._ledger.give_back_place(self._id)
