"""Bring both databases up to date: Django's own command, and once more for the catalogue."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand


class Command(DjangoCommand):
    """``--database catalogue`` still brings up that one alone."""

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["database"] == "default" and settings.CATALOGUE_DATABASE != "default":
            super().handle(*args, **{**options, "database": settings.CATALOGUE_DATABASE})
