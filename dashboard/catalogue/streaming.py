"""All rows of a table, a block at a time, as they are at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connections

#: Rows fetched at a time; fetching all at once took four times the memory.
_BLOCK = 20_000


@contextmanager
def one_moment() -> Iterator[Any]:
    """A connection whose reads all see the same state, without holding up any writer."""
    connection = connections[settings.CATALOGUE_DATABASE]
    if connection.in_atomic_block:
        yield connection
        return
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        # Not transaction.atomic(): on SQLite that takes the write lock for as long as the build lasts.
        cursor.execute("BEGIN" if is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield connection
        finally:
            cursor.execute("ROLLBACK")


def stream(connection: Any, statement: str) -> Iterator[tuple]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while block := cursor.fetchmany(_BLOCK):
            yield from block
