"""A look at a mapped header must see every commit, whoever makes it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from dashboard.serving import sqlite_watch
from dashboard.serving.sqlite_watch import watch


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data.sqlite3"
    made = sqlite3.connect(path)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("CREATE TABLE t (x)")
    made.commit()
    made.close()
    return path


def connect(path):
    return sqlite3.connect(path, isolation_level=None)


@pytest.fixture(params=["index", "pragma"])
def mark(request, path, monkeypatch):
    """The mark as a connection of its own sees it, by both ways."""
    reader = connect(path)
    if request.param == "pragma":
        monkeypatch.setattr(sqlite_watch, "KNOWN_FORM", 0)
    yield watch(reader, path)
    reader.close()


def test_a_commit_changes_the_mark_and_reading_does_not(path, mark):
    writer = connect(path)
    before = mark()
    writer.execute("SELECT * FROM t").fetchall()
    assert mark() == before
    for _ in range(3):
        writer.execute("INSERT INTO t VALUES (1)")
        assert mark() != before
        before = mark()
    writer.close()


def test_the_mark_changes_when_the_commit_is_done_and_not_before(path, mark):
    writer = connect(path)
    before = mark()
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (1)")
    assert mark() == before
    writer.execute("COMMIT")
    assert mark() != before
    writer.close()


def test_another_process_is_seen(path, mark):
    before = mark()
    script = (
        "import sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "database.execute('INSERT INTO t VALUES (1)')\n"
        "database.commit()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert mark() != before


def test_commits_after_the_log_was_emptied_are_seen(path, mark):
    writer = connect(path)
    seen = set()
    for _ in range(4):
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.execute("INSERT INTO t VALUES (2)")
        seen.add(mark())
    assert len(seen) == 4
    writer.close()


def test_a_database_without_a_write_ahead_log_is_watched_too(tmp_path):
    path = tmp_path / "plain.sqlite3"
    writer, reader = connect(path), connect(path)
    writer.execute("CREATE TABLE t (x)")
    mark = watch(reader, path)
    before = mark()
    writer.execute("INSERT INTO t VALUES (1)")
    assert mark() != before
    writer.close()
    reader.close()
