"""Bring both databases up to date: Django's own command, and once more for the catalogue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

#: Number of PostgreSQL's lock that whoever migrates holds; any that nobody else in the database takes.
LOCK = 0x5EC_F104


class Command(DjangoCommand):
    """``--database catalogue`` still brings up that one alone."""

    def handle(self, *args: Any, **options: Any) -> None:
        with _one_at_a_time(options["database"]):
            super().handle(*args, **options)
        if options["database"] == "default" and settings.CATALOGUE_DATABASE != "default":
            super().handle(*args, **{**options, "database": settings.CATALOGUE_DATABASE})


@contextlib.contextmanager
def _one_at_a_time(database: str) -> Iterator[None]:
    """Web processes that start together all want to migrate: the others wait, and find nothing left to do."""
    connection = connections[database]
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
