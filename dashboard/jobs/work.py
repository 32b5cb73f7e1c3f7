"""A job in the hands of a worker: how it reports, asks whether to go on, and spreads its parts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

from dashboard.jobs import ledger, remote
from dashboard.models import Job
from recflow.errors import RunCancelled

#: Seconds between two writes of the progress, and between two looks at whether to go on.
WRITE_EVERY_S = 0.25
LOOK_EVERY_S = 0.5


class Reporter:
    """Writes progress to the ledger and raises when the work must stop; often called, seldom writing.

    It needs nothing but the database, so it also serves the parts of a job that run in other processes.

    Args:
        job_id: the job.
        worker: who has claimed it.
        clock: seconds, monotonic.
    """

    def __init__(self, job_id: int, worker: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.job_id = job_id
        self.worker = worker
        self._clock = clock
        self._next_write = self._next_look = clock()

    def progress(self, share: float, text: str) -> None:
        """How far the work is; the end is always written."""
        now = self._clock()
        if now >= self._next_write or share >= 1:
            self._next_write = now + WRITE_EVERY_S
            ledger.progress(self.job_id, self.worker, share, text)

    def add(self, **counts: Any) -> None:
        """Count what was made and paid; see ``ledger.add``."""
        ledger.add(self.job_id, self.worker, **counts)

    def check(self) -> None:
        """Stop here if the job was cancelled, paused or taken up by another process.

        Raises:
            RunCancelled: it was.
        """
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_S
        if why := ledger.must_stop(self.job_id, self.worker):
            raise RunCancelled(why)


@dataclass(eq=False)
class Work:
    """What the function of a job's kind is given.

    Args:
        job: the row as it was claimed.
        worker: who has claimed it.
        executor: where arithmetic runs: threads of this process, or workers on other machines.
        window: parts handed out at a time; the rest waits here, where it can still be cancelled.
    """

    job: Job
    worker: str
    executor: Executor
    window: int = 4

    def __post_init__(self) -> None:
        self._reporter = Reporter(self.job.pk, self.worker)

    def say(self, line: str) -> None:
        """Add a line to the job's log."""
        ledger.write_down(self.job, self.worker, line)

    def progress(self, share: float, text: str) -> None:
        self._reporter.progress(share, text)

    def add(self, **counts: Any) -> None:
        self._reporter.add(**counts)

    def check(self) -> None:
        self._reporter.check()

    def remember(self, **values: Any) -> None:
        """Keep facts about the job beside its parameters."""
        self.job.parameters |= values
        Job.objects.filter(pk=self.job.pk, worker=self.worker).update(parameters=self.job.parameters)

    def call(self, function: str, *args: Any) -> Any:
        """Run one function where arithmetic runs, and wait for it; see ``call_each``."""
        results: list[Any] = []
        self.call_each(function, [args], results.append)
        return results[0]

    def call_each(
        self, function: str, calls: Iterable[tuple], on_done: Callable[[Any], None] = lambda result: None
    ) -> None:
        """Run a function for each tuple of arguments, at most ``window`` at a time.

        Args:
            function: "module:name" below dashboard.jobs; given the job's number and worker, then the rest.
            calls: the rest of the arguments; plain values, for they may travel.
            on_done: hears each result, in the order in which they come.

        Raises:
            RunCancelled: the job has to stop; what was handed out stops at its own next check.
        """
        waiting = deque(calls)
        running: set[Future] = set()
        try:
            while waiting or running:
                self.check()
                while waiting and len(running) < self.window:
                    args = (self.job.pk, self.worker, *waiting.popleft())
                    running.add(self.executor.submit(remote.call, function, *args))
                done, running = wait(running, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)
                for future in done:
                    on_done(_result(future))
        except BaseException:
            for future in running:
                future.cancel()
            raise


def _result(future: Future) -> Any:
    try:
        return future.result()
    except CancelledError:
        raise remote.PartFailed("The workers that did this job are gone") from None
