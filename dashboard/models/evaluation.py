"""Evaluations: what was measured, on which data, with which seed, and what came out."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Evaluation(models.Model):
    """One measurement of rankers or of a whole flow.

    The ledger's job does the work and is forgotten one day; this row stays. ``state`` is the job's while it
    lives, and its last one from then on. ``subject`` is what a flow's measurement is found by: the hash of
    the drawing that was measured.
    """

    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=160)
    settings = models.JSONField(default=dict)
    data_version = models.CharField(max_length=120, default="", blank=True)
    flow_id = models.BigIntegerField(null=True)
    flow_version = models.PositiveIntegerField(null=True)
    subject = models.CharField(max_length=64, default="", blank=True)
    author = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    job_number = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16, default="queued")
    error = models.CharField(max_length=500, default="", blank=True)
    report = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["flow_id", "-id"], name="evaluation_by_flow")]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"
