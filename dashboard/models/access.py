"""Who may use the data API beside the configuration's key. Accounts are Django's own."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class ApiKey(models.Model):
    """A program's key, by its SHA-256; it opens the API until it is taken back."""

    name = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    last4 = models.CharField(max_length=4)
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField(default=timezone.now)
    taken_back_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
