"""The ledger: every change of a job is one guarded update of its row, so it holds under several processes.

A worker may only write to a job while the row says that the job is its own. Whoever was thought dead, and
comes back after somebody else took the job up, finds every write refused and stops.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone

from dashboard.errors import Conflict, NotFound
from dashboard.models import LIVE, Job, JobState, Shard
from dashboard.models.jobs import MESSAGE_LENGTH

#: A running job without a sign of life for so long is taken up again.
STALE_S = 30.0
#: A job whose process ended that often is not tried again: it would take the next one down too.
MAX_ATTEMPTS = 3
#: Finished jobs kept for the Tasks page.
KEPT_JOBS = 200
_LOG_LENGTH = 40_000


def worker_name() -> str:
    """A name that no other process has, now or later."""
    return f"{process_name()}:{uuid.uuid4().hex[:8]}"


def process_name() -> str:
    """Machine and number of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def enqueue(
    kind: str, key: str, title: str, parameters: Mapping[str, Any] | None = None, *, asked_by: str = ""
) -> Job:
    """A new waiting job; while one of this key waits or runs, that one."""
    for _ in range(2):  # the one in the way may finish between the two statements
        try:
            with transaction.atomic():
                return Job.objects.create(
                    kind=kind, key=key, title=title, parameters=dict(parameters or {}), asked_by=asked_by
                )
        except IntegrityError:
            if (live := Job.objects.filter(key=key, state__in=LIVE).first()) is not None:
                return live
    raise Conflict(f"{title} is being started by somebody else: try again")


def claim(worker: str, now: datetime | None = None, *, kinds: Collection[str] | None = None) -> Job | None:
    """The oldest waiting job, from now on this worker's; None when nothing waits.

    Args:
        worker: who will work on it.
        now: when it begins.
        kinds: of these kinds only.
    """
    now = now or timezone.now()
    for number in _waiting(kinds).order_by("pk").values_list("pk", flat=True)[:50]:
        job = Job.objects.filter(pk=number, state=JobState.QUEUED)
        # Only one of several workers finds the row still waiting.
        if job.update(
            state=JobState.RUNNING,
            worker=worker,
            started_at=now,
            heartbeat_at=now,
            attempts=F("attempts") + 1,
            made_before=F("made"),
            share=0.0,
            text="",
        ):
            return Job.objects.get(pk=number)
    return None


def is_any_waiting(kinds: Collection[str]) -> bool:
    """Whether a job of these kinds waits for a worker."""
    return _waiting(kinds).exists()


def beat(job_id: int, worker: str, now: datetime | None = None) -> bool:
    """A sign of life; False when the job is this worker's no longer."""
    return _own(job_id, worker).update(heartbeat_at=now or timezone.now()) == 1


def progress(job_id: int, worker: str, share: float, text: str) -> bool:
    """How far the job is; False when it is this worker's no longer."""
    row = {"share": min(max(share, 0.0), 1.0), "text": text[:MESSAGE_LENGTH], "heartbeat_at": timezone.now()}
    return _own(job_id, worker).update(**row) == 1


def write_down(job: Job, worker: str, line: str) -> None:
    """Add a line to the log of a job."""
    job.log = (job.log + f"{timezone.now():%H:%M:%S} {line}\n")[-_LOG_LENGTH:]
    _own(job.pk, worker).update(log=job.log)


def must_stop(job_id: int, worker: str) -> str:
    """Why this worker has to stop working on the job, "" when it may go on."""
    asked = ("cancel_asked", "pause_asked")
    row = Job.objects.filter(pk=job_id).values_list("state", "worker", *asked).first()
    if row is None or row[:2] != (JobState.RUNNING, worker):
        return "Another process has taken this job up"
    if row[2]:
        return "The job was cancelled"
    return "The job was paused" if row[3] else ""


def add(job_id: int, worker: str, *, made: int = 0, cost: float = 0.0, cost_unknown: int = 0) -> bool:
    """Count what a job has made and paid; each is added by itself, so several processes may do so at once."""
    more = {"made": made, "cost": cost, "cost_unknown": cost_unknown}
    sums = {name: F(name) + value for name, value in more.items() if value}
    return not sums or _own(job_id, worker).update(**sums) == 1


def finish(job_id: int, worker: str, text: str = "") -> bool:
    """The job is done."""
    return _end(job_id, worker, JobState.DONE, share=1.0, text=text[:MESSAGE_LENGTH])


def fail(job_id: int, worker: str, sentence: str) -> bool:
    """The job could not be done; the sentence says why."""
    return _end(job_id, worker, JobState.FAILED, error=sentence[:MESSAGE_LENGTH])


def stop(job_id: int, worker: str) -> bool:
    """The worker stops: the job is cancelled or rests, as somebody wanted, else it waits for another worker.

    So it does when this process ends, and when somebody resumed it in between.
    """
    ended = {"state": JobState.CANCELLED, "finished_at": timezone.now()}
    if _own(job_id, worker).filter(cancel_asked=True).update(**ended):
        return True
    if _rest(_own(job_id, worker).filter(pause_asked=True), JobState.PAUSED):
        return True
    return release(job_id, worker)


def release(job_id: int, worker: str) -> bool:
    """Put a job back for whoever comes next; that is not the job's fault and no attempt."""
    return _rest(_own(job_id, worker), JobState.QUEUED)


def cancel(job_id: int) -> Job:
    """Cancel a job: at once while it waits, at its next check while it runs; a finished one stays."""
    find(job_id)
    # One statement: between two, a worker could claim the job or put it to rest, and neither would find it.
    Job.objects.filter(pk=job_id, state__in=LIVE).update(
        state=_unless_running(JobState.CANCELLED),
        finished_at=Case(When(state=JobState.RUNNING, then=F("finished_at")), default=Value(timezone.now())),
        cancel_asked=True,
        pause_asked=False,
    )
    return find(job_id)


def pause(job_id: int) -> Job:
    """Let a job rest: at once while it waits, at its next check while it runs. What is done stays done.

    Raises:
        Conflict: it is over.
    """
    job = find(job_id)
    live = Job.objects.filter(pk=job_id, state__in=LIVE)
    if not live.update(state=_unless_running(JobState.PAUSED), pause_asked=True):
        raise Conflict(f"Only a job that waits or runs can be paused; {job.title} is {job.state}")
    return find(job_id)


def resume(job_id: int) -> Job:
    """Let a paused job go on where it stopped.

    Raises:
        Conflict: it is not paused.
    """
    job = find(job_id)
    paused = Job.objects.filter(pk=job_id, state__in=LIVE, pause_asked=True)
    if not paused.update(state=_unless_running(JobState.QUEUED), pause_asked=False):
        raise Conflict(f"Only a paused job can be resumed; {job.title} is {job.state}")
    return find(job_id)


def retry(job_id: int) -> Job:
    """Let a failed or cancelled job wait again; parts that are done stay done.

    Raises:
        Conflict: it is neither, or another job of its key is on its way.
    """
    job = find(job_id)
    ended = Job.objects.filter(pk=job_id, state__in=[JobState.FAILED, JobState.CANCELLED])
    try:
        with transaction.atomic():
            revived = ended.update(
                state=JobState.QUEUED,
                error="",
                worker="",
                attempts=0,
                cancel_asked=False,
                pause_asked=False,
                finished_at=None,
                created_at=timezone.now(),
            )
    except IntegrityError as error:
        raise Conflict(f"{job.title} is under way already") from error
    if not revived:
        raise Conflict(f"Only a failed or cancelled job can be tried again; {job.title} is {job.state}")
    return find(job_id)


def take_up_stale(now: datetime | None = None) -> int:
    """Let jobs wait again whose process gives no sign of life; how many those were."""
    now = now or timezone.now()
    silent = Job.objects.filter(
        state=JobState.RUNNING, heartbeat_at__lt=now - timedelta(seconds=STALE_S)
    ).order_by("pk")
    taken = 0
    for job in silent:
        # With its heartbeat: it may have come back while we looked at the others.
        same = Job.objects.filter(
            pk=job.pk, state=JobState.RUNNING, worker=job.worker, heartbeat_at=job.heartbeat_at
        )
        if job.cancel_asked:
            same.update(state=JobState.CANCELLED, finished_at=now)
        elif job.pause_asked:
            _rest(same, JobState.PAUSED)
        elif job.attempts >= MAX_ATTEMPTS:
            same.update(
                state=JobState.FAILED,
                finished_at=now,
                error=f"The process that worked on it ended {job.attempts} times without a word",
            )
        else:
            log = job.log + f"{now:%H:%M:%S} taken up again: {job.worker} gave no sign of life\n"
            taken += same.update(state=JobState.QUEUED, worker="", log=log)
    return taken


def find(job_id: int) -> Job:
    """The job of that number.

    Raises:
        NotFound: there is none.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"There is no job {job_id}")
    return job


def forget_old(kept: int = KEPT_JOBS) -> None:
    """Delete finished jobs beyond the newest ones."""
    ended = Job.objects.exclude(state__in=LIVE).order_by("-pk")
    Job.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[kept:])).delete()


def split(job: Job, firsts: Sequence[Any]) -> None:
    """Cut a job into parts by where each begins; one that is cut already stays as it is."""
    with transaction.atomic():
        if not job.shards.exists():
            Shard.objects.bulk_create(
                Shard(job=job, number=number, first=first) for number, first in enumerate(firsts)
            )


def firsts(job: Job) -> list[Any]:
    """Where each part begins, in order."""
    return list(job.shards.order_by("number").values_list("first", flat=True))


def undone(job: Job) -> list[int]:
    """Numbers of the parts that are left."""
    return list(job.shards.filter(done_at=None).order_by("number").values_list("number", flat=True))


def shard_done(job_id: int, number: int, process: str, count: int) -> None:
    """A part is done; the first who says so counts."""
    Shard.objects.filter(job_id=job_id, number=number, done_at=None).update(
        done_at=timezone.now(), worker=process, count=count
    )


def _waiting(kinds: Collection[str] | None) -> QuerySet[Job]:
    waiting = Job.objects.filter(state=JobState.QUEUED)
    return waiting if kinds is None else waiting.filter(kind__in=kinds)


def _unless_running(state: JobState) -> Case:
    """The state for a job that nobody works on; the worker of a running one sees what it is asked to do."""
    return Case(When(state=JobState.RUNNING, then=F("state")), default=Value(state))


def _rest(jobs: QuerySet[Job], state: JobState) -> bool:
    """Nobody works on it any more, and that was no attempt."""
    attempts = Greatest(F("attempts") - 1, Value(0), output_field=IntegerField())
    return jobs.update(state=state, worker="", attempts=attempts) == 1


def _own(job_id: int, worker: str) -> QuerySet[Job]:
    return Job.objects.filter(pk=job_id, worker=worker, state=JobState.RUNNING)


def _end(job_id: int, worker: str, state: JobState, **columns: Any) -> bool:
    return _own(job_id, worker).update(state=state, finished_at=timezone.now(), **columns) == 1
