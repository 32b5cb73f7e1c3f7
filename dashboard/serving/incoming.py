"""Feedback on its way in: many requests share one transaction, and each is answered when that is committed.

A transaction costs the same for one row and for thirty, and SQLite lets in one writer at a time. So while one
is being committed the next ones gather, and go in together. What is stored is what would have been stored one
after the other, in the order in which the requests came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import OperationalError, transaction

from dashboard.catalogue.writing import FeedbackWrite, put_feedback_together
from dashboard.errors import Busy
from dashboard.serving.threads import in_thread
from dashboard.taste import note_new_taste

#: Seconds in which requests gather before a transaction begins.
GATHER_S = 0.004
#: Rows of one transaction, if it is of several requests: others wait for it.
MOST_ROWS = 2_000
#: Rows that may wait for a database which stands still; some hundred megabytes. Further ones are refused.
MOST_WAITING = 500_000


def store_feedback(writes: Sequence[FeedbackWrite]) -> None:
    """Store feedback, and note whose lists are older than their taste now; one transaction."""
    with transaction.atomic(using=settings.CATALOGUE_DATABASE):
        put_feedback_together(writes)
        note_new_taste([write.feedback for write in writes])


class Incoming:
    """The feedback that has come into this process and is not stored yet.

    Args:
        store: writes some of it in one transaction.
    """

    def __init__(self, store: Callable[[Sequence[FeedbackWrite]], None] = store_feedback) -> None:
        self._store = store
        self._waiting: list[tuple[FeedbackWrite, asyncio.Future[None]]] = []
        self._n_rows = 0
        self._writing: asyncio.Task | None = None
        # A thread of its own keeps one connection, and never waits behind a flow that is being run.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="incoming")

    async def put(self, write: FeedbackWrite) -> None:
        """Store the feedback; returns when it is committed.

        Raises:
            Busy: too much waits already.
            DatabaseError: it could not be stored.
        """
        if self._n_rows and self._n_rows + len(write.feedback) > MOST_WAITING:
            raise Busy(f"{self._n_rows:,} rows wait for the database already: send these again in a while")
        self._n_rows += len(write.feedback)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._work())
        await stored

    def close(self) -> None:
        """Nothing more will come."""
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            together = self._take()
            error = await self._try([write for write, _ in together])
            # One row that the database does not take must not cost the others theirs.
            is_anyones = len(together) == 1 or isinstance(error, OperationalError)
            for write, stored in together:
                self._n_rows -= len(write.feedback)
                own = error if error is None or is_anyones else await self._try([write])
                if stored.done():  # whoever asked has gone
                    continue
                if own is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(own)

    def _take(self) -> list[tuple[FeedbackWrite, asyncio.Future[None]]]:
        """The next ones that go together: at least one, in the order in which they came."""
        n_rows = 0
        for place, (write, _) in enumerate(self._waiting):
            n_rows += len(write.feedback)
            if place and n_rows > MOST_ROWS:
                break
        else:
            place = len(self._waiting)
        together, self._waiting = self._waiting[:place], self._waiting[place:]
        return together

    async def _try(self, writes: list[FeedbackWrite]) -> Exception | None:
        """Store them all or none; why it was none."""
        try:
            await in_thread(self._store, writes, executor=self._thread)
        except Exception as error:  # each request tells it to its client and to the log
            return error
        return None
