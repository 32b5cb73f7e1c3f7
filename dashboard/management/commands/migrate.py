"""Bring both databases up to date: Django's own command, and once more for the catalogue."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand


class Command(DjangoCommand):
    """``--database`` still picks a single one."""

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options.pop("database")
        for name in [chosen] if chosen else dict.fromkeys(["default", settings.CATALOGUE_DATABASE]):
            super().handle(*args, database=name, **options)
