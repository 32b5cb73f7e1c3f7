"""Whether anything was written to a SQLite database, by whichever connection of whichever process.

``PRAGMA data_version`` tells, but takes locks: ten microseconds of a request that has thirty. The same is in
the header of the write-ahead log's index, which every commit rewrites and which all processes share as mapped
memory (sqlite.org/walformat.html, "the WAL-index header"). Looking at it costs nothing. Where it cannot be
mapped, or has a form we do not know, the pragma is asked.
"""

from __future__ import annotations

import mmap
import sqlite3
import struct
from collections.abc import Callable, Hashable
from pathlib import Path

#: The header stands there twice; the first copy is written last, when a commit is done.
HEADER_BYTES = 48
#: What the header says its form is, since SQLite 3.7.0.
KNOWN_FORM = 3_007_000


def watch(database: sqlite3.Connection, path: Path) -> Callable[[], Hashable]:
    """A function whose result changes with every commit; the connection has to stay open.

    Args:
        database: an open connection: as long as there is one, nobody takes the index away.
        path: the file of the database.
    """
    return _by_index(database, path) or _by_pragma(database)


def _by_index(database: sqlite3.Connection, path: Path) -> Callable[[], bytes] | None:
    if database.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        return None
    database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # a first read makes the index
    try:
        with path.with_name(f"{path.name}-shm").open("rb") as file:
            index = mmap.mmap(file.fileno(), HEADER_BYTES, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    if struct.unpack_from("=I", index)[0] != KNOWN_FORM:
        return None
    whole = slice(0, HEADER_BYTES)
    return lambda: index[whole]


def _by_pragma(database: sqlite3.Connection) -> Callable[[], int]:
    ask = database.cursor().execute
    return lambda: ask("PRAGMA data_version").fetchone()[0]
