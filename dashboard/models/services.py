"""Other people's machines as the administrator has set them up, and what was asked of them.

Keys and secrets are encrypted in the database (sealed.py) and not hashed, because they have to be sent; they
leave the server in requests to their own machine and nowhere else. Nothing prints them: ``str`` of a row is
its name.
"""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from dashboard.models.sealed import SealedTextField

MAX_NAME = 64


class ServiceEndpoint(models.Model):
    """One model behind one address, under the name that nodes pick it by.

    ``revision`` counts its changes: circuits and rates that belong to an older one are no longer used. Rates
    and sizes of 0 mean no limit, or not known.
    """

    name = models.CharField(max_length=MAX_NAME, unique=True)
    base_url = models.CharField(max_length=500)
    model = models.CharField(max_length=200)
    key = SealedTextField(default="", blank=True)
    requests_per_minute = models.PositiveIntegerField(default=0)
    tokens_per_minute = models.PositiveIntegerField(default=0)
    concurrency = models.PositiveIntegerField(default=0)
    timeout_s = models.FloatField(default=60.0, validators=[MinValueValidator(0.1)])
    context_tokens = models.PositiveIntegerField(default=0)
    thinking_off = models.CharField(max_length=64, default="not_sent")
    output_cap_field = models.CharField(max_length=64, default="max_tokens")
    verify_tls = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class ModelPrice(models.Model):
    """Money for a million tokens of a model; a model without a row has an unknown price."""

    model = models.CharField(max_length=200, unique=True)
    input = models.FloatField()
    output = models.FloatField()
    cached_input = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.model


class Secret(models.Model):
    """A text that requests of External nodes may hold, by its name."""

    name = models.CharField(max_length=MAX_NAME, unique=True)
    value = SealedTextField()

    def __str__(self) -> str:
        return self.name


class OutsideLimits(models.Model):
    """Where calls may go, what they may cost and how much of them is kept: one row at most.

    None is no limit. ``networks`` holds one network, or host with or without port, a line.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    networks = models.TextField(default="", blank=True)
    currency = models.CharField(max_length=8, default="USD")
    run_tokens = models.PositiveBigIntegerField(null=True)
    run_cost = models.FloatField(null=True)
    day_tokens = models.PositiveBigIntegerField(null=True)
    day_cost = models.FloatField(null=True)
    log_calls = models.PositiveIntegerField(default=100)
    log_days = models.PositiveIntegerField(default=30)
    log_prompts = models.BooleanField(default=True)
    warn_failed_percent = models.FloatField(default=10.0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_outside_limits")]

    def __str__(self) -> str:
        return "limits"


class _OfNode(models.Model):
    """Which node it was; drawings are told apart by their name, as an unsaved one has no other."""

    flow = models.CharField(max_length=128)
    node_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=16)
    endpoint = models.CharField(max_length=MAX_NAME, default="")
    model = models.CharField(max_length=200, default="")
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, default="")
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    tokens_cached = models.PositiveBigIntegerField(default=0)
    tokens_reasoning = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True


class CallLogEntry(_OfNode):
    """One time a node asked; ``details`` (JSON text) and ``user_id`` are "" when prompts are not kept."""

    at = models.DateTimeField(default=timezone.now)
    node_name = models.CharField(max_length=128)
    user_id = models.CharField(max_length=256, default="")
    message = models.TextField(default="")
    n_calls = models.PositiveIntegerField(default=0)
    n_kept = models.PositiveIntegerField(default=0)
    statuses = models.JSONField(default=list)
    cost = models.FloatField(null=True)
    ms = models.FloatField(default=0.0)
    details = models.TextField(default="")

    class Meta:
        indexes = [models.Index(fields=["flow", "node_id", "-id"], name="log_of_a_node")]

    def __str__(self) -> str:
        return f"{self.flow}/{self.node_id} {self.status}"


class CallCount(_OfNode):
    """How often a node asked on one day with one outcome, and what it took in all; never pruned."""

    day = models.DateField()
    calls = models.PositiveBigIntegerField(default=0)
    requests = models.PositiveBigIntegerField(default=0)
    cost = models.FloatField(default=0.0)
    cost_unknown = models.PositiveBigIntegerField(default=0)
    ms = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "flow", "node_id", "kind", "endpoint", "model", "status", "reason"],
                name="one_count_an_outcome",
            )
        ]

    def __str__(self) -> str:
        return f"{self.flow}/{self.node_id} {self.day} {self.status}"
