"""The ledger of background jobs: what was asked for, who works on it, how far it is, what came of it.

Whoever runs jobs may die at any moment; these rows are what is left, and all that the next one needs.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

MESSAGE_LENGTH = 500


class JobState(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A job in one of these states is the only one of its key.
LIVE = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


class Job(models.Model):
    """One piece of work that takes longer than a request.

    ``key`` names what the job makes, such as one model: there is never more than one live job a key.
    ``text`` is what it does this moment, ``log`` what it did, ``error`` why it failed. ``heartbeat_at`` is
    written by whoever works on it; when it grows old, that process is gone and the job is taken up again.
    ``made`` counts what it has made, over all attempts, and ``made_before`` what there was when this attempt
    began; ``cost`` is what models were paid for it, ``cost_unknown`` how many calls have no known price.
    """

    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=160)
    title = models.CharField(max_length=160)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    share = models.FloatField(default=0.0)
    text = models.CharField(max_length=MESSAGE_LENGTH, default="", blank=True)
    log = models.TextField(default="", blank=True)
    error = models.CharField(max_length=MESSAGE_LENGTH, default="", blank=True)
    asked_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=160, default="", blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    cancel_asked = models.BooleanField(default=False)
    pause_asked = models.BooleanField(default=False)
    made = models.PositiveBigIntegerField(default=0)
    made_before = models.PositiveBigIntegerField(default=0)
    cost = models.FloatField(default=0.0)
    cost_unknown = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(state__in=LIVE), name="one_live_job_a_key"
            )
        ]
        indexes = [models.Index(fields=["state", "id"], name="job_by_state")]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"


class Shard(models.Model):
    """Part ``number`` of a job's equal parts: done by itself, and again without harm.

    A part that is done stays done when the job is taken up by somebody else. ``first`` says where the part
    begins, in words of the job; it ends where the next one begins.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="shards")
    number = models.PositiveIntegerField()
    done_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=160, default="", blank=True)
    count = models.PositiveIntegerField(default=0)
    first = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_shard_a_number")]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number}"


class DailyCount(models.Model):
    """How much there was at the end of a day (UTC); rows have no time of their own that would tell."""

    day = models.DateField(primary_key=True)
    users = models.BigIntegerField()
    items = models.BigIntegerField()
    feedback = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day}"
