"""Users who were answered without a list of their own: noted now and then, never inside a request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

from django.db import Error

from dashboard.catalogue.reading import known_users
from dashboard.jobs import prepared
from dashboard.serving.threads import in_thread

logger = logging.getLogger(__name__)

#: Seconds between two writes; each makes the answers in memory old.
PERIOD_S = 1.0
#: Seconds in which a user is not noted twice.
QUIET_S = 60.0
#: Users remembered at most; whoever asks beyond that is noted at another time.
MAX_USERS = 10_000


class WaitingList:
    """Collects users and hands them to the jobs in batches."""

    def __init__(self) -> None:
        self._new: set[str] = set()
        self._noted: OrderedDict[str, float] = OrderedDict()  # until when; what is over first comes first
        self._writing: asyncio.Task | None = None

    def add(self, user_id: str) -> None:
        """This user should have a list."""
        now = time.monotonic()
        while self._noted and next(iter(self._noted.values())) <= now:
            self._noted.popitem(last=False)
        if user_id in self._noted or len(self._noted) >= MAX_USERS:
            return
        self._noted[user_id] = now + QUIET_S
        self._new.add(user_id)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def _write_soon(self) -> None:
        while self._new:
            await asyncio.sleep(PERIOD_S)
            await self.write()

    async def write(self) -> None:
        """Note whoever came since the last time, if anybody knows them."""
        new, self._new = self._new, set()
        try:
            await in_thread(_note, sorted(new))
        except Error as error:  # the next request of these users tries again
            for user_id in new:
                self._noted.pop(user_id, None)
            logger.warning("%d users could not be noted for a list: %s", len(new), error)


def _note(user_ids: list[str]) -> None:
    prepared.want(known_users(user_ids))
