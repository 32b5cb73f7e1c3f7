"""Flows, their drafts and versions, and which version is active.

Documents are kept as text, not as the database's JSON type: they come back exactly as they were saved,
with the order of their keys and characters that PostgreSQL's jsonb refuses.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.utils import timezone

from recflow.engine.flow import MAX_NAME

NOTE_LENGTH = 500


def to_text(document: dict[str, Any]) -> str:
    """A document as it is kept; ASCII, so that lone surrogates survive every database."""
    return json.dumps(document, separators=(",", ":"))


class _ThereFlows(models.Manager):
    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(deleted_at=None)


class Flow(models.Model):
    """One drawing through its life. ``revision`` counts the saves of its draft.

    A deleted flow keeps its rows, so that deleting can be undone and the list of activations stays true.
    """

    name = models.CharField(max_length=MAX_NAME)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    archived = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True)

    objects = _ThereFlows()
    with_deleted = models.Manager()

    def __str__(self) -> str:
        return self.name


class _Saved(models.Model):
    """What a draft and a version have in common."""

    text = models.TextField()
    hash = models.CharField(max_length=64)
    author = models.CharField(max_length=150, default="")

    class Meta:
        abstract = True

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.text)


class Draft(_Saved):
    """One save of a flow's draft; the newest is the draft, older ones let a stale save be merged."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="drafts")
    revision = models.PositiveIntegerField()
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["flow", "revision"], name="one_draft_a_revision")]

    def __str__(self) -> str:
        return f"{self.flow} r{self.revision}"


class FlowVersion(_Saved):
    """A drawing kept for ever under a number; never changed after it was made."""

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=NOTE_LENGTH, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"{self.flow}@{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises TypeError for a version that exists: what was reviewed stays what it was."""
        if not self._state.adding:
            raise TypeError(f"{self} cannot be changed: make a new version")
        super().save(*args, **kwargs)


class ActiveVersion(models.Model):
    """The version that answers requests: one row at most, so one version at most."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_active_version")]

    def __str__(self) -> str:
        return str(self.version)


class Activation(models.Model):
    """Who made which version active, when, instead of which; the newest can be taken back."""

    version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="+")
    previous = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, related_name="+", null=True)
    at = models.DateTimeField(default=timezone.now)
    author = models.CharField(max_length=150, default="")
    note = models.CharField(max_length=NOTE_LENGTH, default="", blank=True)
    takes_back = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)

    def __str__(self) -> str:
        return f"{self.version} on {self.at:%Y-%m-%d %H:%M}"
