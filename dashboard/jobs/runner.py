"""Runs jobs: claims one, keeps its heart beating, does it, writes down how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from django.db import close_old_connections, connections

from dashboard.evaluation import runs as evaluation
from dashboard.jobs import ledger, taking_in
from dashboard.jobs.kinds import KINDS
from dashboard.jobs.work import Work
from dashboard.models import Job
from recflow.errors import RecflowError, RunCancelled

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
#: Seconds between two looks for waiting jobs, and between two thoughts about what is due.
LOOK_EVERY_S = 1.0
PLAN_EVERY_S = 10.0
#: Seconds in which an error that comes back at every look, such as a full disk, is logged once.
TELL_EVERY_S = 60.0
#: Threads of the embedded runner: arithmetic uses all cores from one, the other fills its pauses.
THREADS = 2
#: Jobs that people wait for but nothing else does: they take their turn beside fits and lists.
ASIDE = frozenset({evaluation.KIND, taking_in.KIND})
#: The others, one at a time, for lists are made of models.
MAIN = frozenset(KINDS) - ASIDE


def run_until(
    stop: threading.Event,
    executor: Executor,
    plan: Callable[[], None] = lambda: None,
    window: int = THREADS,
    aside: Executor | None = None,
) -> None:
    """Do jobs as they come until ``stop`` is set: two lanes, and in each one job at a time.

    A measurement of an hour or a file of gigabytes must not make lists old. What is done aside takes one of
    the executor's threads, so both lanes together keep no more of them busy than there are. A job that is
    interrupted goes back to the ledger for whoever comes next.

    Args:
        stop: ends it.
        executor: where arithmetic runs.
        plan: asks for what is due; called every ten seconds.
        window: parts of a job handed out at a time.
        aside: threads of this process for the second lane; by default the executor has some.
    """
    worker = ledger.worker_name()

    troubles = Troubles()

    def next_aside() -> None:
        """Claimed only here, in a thread that is free: a claimed job has to give signs of life."""
        if (job := ledger.claim(f"{worker}:aside", kinds=ASIDE)) is not None:
            do(job, f"{worker}:aside", executor, window=window, stop=stop)

    def look_main() -> bool:
        job = ledger.claim(worker, kinds=MAIN)
        if job is not None:
            do(job, worker, executor, window=window, stop=stop)
        return job is not None

    def look_aside() -> bool:
        if not ledger.is_any_waiting(ASIDE):
            return False
        (aside or executor).submit(_closing, next_aside).result()
        return True

    lanes = [
        threading.Thread(target=_look, args=(stop, look, troubles), name=name, daemon=True)
        for name, look in (("main-lane", look_main), ("aside-lane", look_aside))
    ]
    for lane in lanes:
        lane.start()
    try:
        if (swept := taking_in.sweep()) > 0:
            logger.info("%d uploads that were left behind are gone", swept)
    except OSError:
        logger.exception("Uploads that were left behind could not be swept away")
    planned_at = -PLAN_EVERY_S
    while not stop.is_set():
        try:
            ledger.take_up_stale()
            if time.monotonic() - planned_at >= PLAN_EVERY_S:
                planned_at = time.monotonic()
                plan()
        except Exception as error:  # a database that is away for a moment must not end the runner
            troubles.tell(error)
            close_old_connections()  # one that was cut off is made anew
        stop.wait(LOOK_EVERY_S)
    for lane in lanes:
        lane.join()


class Troubles:
    """Logs the errors that the runner survives: first with all details, then once a minute with a number."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}  # when last, and how often since

    def tell(self, error: Exception) -> None:
        """For whoever handles this error."""
        now, name = self._clock(), f"{type(error).__name__}: {error}"
        with self._guard:
            fresh = {each: known for each, known in self._told.items() if now - known[0] < 2 * TELL_EVERY_S}
            told_at, untold = fresh.get(name, (-TELL_EVERY_S, 0))
            is_due = now - told_at >= TELL_EVERY_S
            self._told = fresh | {name: (now, 0) if is_due else (told_at, untold + 1)}
        if is_due and untold:
            logger.error(
                "The runner of jobs goes on after an error that came %d times more: %s", untold, name
            )
        elif is_due:
            logger.exception("The runner of jobs goes on after an error")


def _look(stop: threading.Event, look: Callable[[], bool], troubles: Troubles) -> None:
    """One lane: do what waits, and rest for a moment when nothing does."""
    while not stop.is_set():
        try:
            if look():
                continue
        except Exception as error:  # as above
            troubles.tell(error)
            close_old_connections()  # one that was cut off is made anew
        stop.wait(LOOK_EVERY_S)
    connections.close_all()


def _closing(call: Callable[[], None]) -> None:
    """In a thread of an executor: its connections are given back when the job is over."""
    try:
        call()
    finally:
        connections.close_all()


def do(
    job: Job, worker: str, executor: Executor, *, window: int = THREADS, stop: threading.Event | None = None
) -> None:
    """Do one claimed job to its end, whatever that is."""
    work = Work(job, worker, executor, window)
    with _beating(job, worker, stop):
        try:
            said = KINDS[job.kind](work)
        except RunCancelled:
            ledger.stop(job.pk, worker)  # refused, and rightly, when another process has the job
        except RecflowError as error:
            ledger.fail(job.pk, worker, error.message)
        except Exception as error:
            logger.exception("%s failed", job.title)
            ledger.fail(job.pk, worker, f"{type(error).__name__}: {error}")
        else:
            ledger.finish(job.pk, worker, said)
    ledger.forget_old()


@contextmanager
def embedded() -> Iterator[Executor]:
    """Threads of this process; no server, no port."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="job") as executor:
        yield executor


@contextmanager
def on_dask(address: str, timeout_s: float = 10.0) -> Iterator[Executor]:
    """Workers of a Dask scheduler, which share this installation's data folder and database.

    Raises:
        OSError: nobody answers there.
    """
    from distributed import Client

    with Client(address, timeout=timeout_s, set_as_default=False) as client:
        # A part is done again elsewhere when its worker dies; pure=False, for it writes.
        yield client.get_executor(pure=False, retries=3)


@contextmanager
def _beating(job: Job, worker: str, stop: threading.Event | None) -> Iterator[None]:
    """A thread that says that the job is alive, and gives it back when this process has to end."""
    over = threading.Event()

    def beat() -> None:
        waited_s = 0.0
        while not over.wait(LOOK_EVERY_S):
            waited_s += LOOK_EVERY_S
            try:
                if stop is not None and stop.is_set():
                    ledger.stop(job.pk, worker)
                    break
                if waited_s >= HEARTBEAT_S:
                    ledger.beat(job.pk, worker)
                    waited_s = 0.0
            except Exception:  # the job goes on meanwhile: silent, it would be done twice
                logger.exception("%s could give no sign of life; it tries again", job.title)
                close_old_connections()
        connections.close_all()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
