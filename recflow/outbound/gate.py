"""How many calls of one endpoint run at the same time.

The width adapts as TCP does: halved when the service says "too many", one wider again after a full round of
successes, never wider than configured.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque


class Gate:
    """A first-come, first-served gate for one event loop.

    Args:
        width: calls at once; 0 means no limit until the service throttles.
    """

    def __init__(self, width: int = 0) -> None:
        self._configured = width
        self._width = width
        self._inside = 0
        self._successes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def width(self) -> int:
        """Calls that may run at once just now; 0 is no limit."""
        return self._width

    def try_enter(self) -> bool:
        """Takes a place if one is free and nobody waits for it. Whoever got in owes a ``leave``."""
        if self._waiting or not self._has_room():
            return False
        self._inside += 1
        return True

    async def enter(self) -> None:
        """Takes a place, in order of arrival. Whoever got in owes a ``leave``."""
        if self.try_enter():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # let in and cancelled in the same moment
                self.leave()
            else:
                with contextlib.suppress(ValueError):  # a place that became free passed it by
                    self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Gives the place back."""
        self._inside -= 1
        self._let_in()

    def narrow(self) -> None:
        """The service throttles: half as many from now on."""
        self._width = max(1, (self._width or self._inside) // 2)
        self._successes = 0

    def widen(self) -> None:
        """A call went well; a full round of those opens the gate by one."""
        if self._width == self._configured:
            return
        self._successes += 1
        if self._successes >= self._width:
            self._successes = 0
            self._width += 1
            self._let_in()

    def _has_room(self) -> bool:
        return self._width == 0 or self._inside < self._width

    def _let_in(self) -> None:
        while self._waiting and self._has_room():
            place = self._waiting.popleft()
            if not place.done():  # else whoever stood there went away
                self._inside += 1
                place.set_result(None)
