"""How long rows take to become arrays, all of them and after a few writes; peak memory, bytes a row."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from django.core.management import call_command
from django.db import connections

from dashboard.bench.generated import NOW, drawn_feedback
from dashboard.bench.memory import peak_mb
from dashboard.catalogue import writing
from dashboard.store import build, refresh
from recflow.data import snapshot as snapshot_files
from recflow.data.records import FeedbackRecord
from recflow.data.snapshot import Snapshot

BLOCK = 50_000
#: Feedback written before each refresh, by as many users; a tenth of it by new users, a tenth on new items.
N_NEW = 100
N_REFRESHES = 5


def run(say: Callable[[str], None], n_feedback: int, folder: Path | None) -> None:
    """Print figures of a database of its own; the configured one is not touched.

    The work is done by a process of its own, so that the peak is that of the snapshot alone.

    Args:
        say: prints a line.
        n_feedback: rows.
        folder: None to start that process; else its data folder.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as made:
            environment = os.environ | {"RECFLOW_DATA_DIR": made, "DATABASE_URL": ""}
            for step in ("fill", "read"):
                command = [sys.executable, "manage.py", "bench", "snapshot", "--feedback", str(n_feedback)]
                subprocess.run(
                    [*command, "--data-folder", made], check=True, env=environment | {"STEP": step}
                )
        return
    if os.environ["STEP"] == "fill":
        _fill(say, n_feedback)
    else:
        _read(say, folder)


def _fill(say: Callable[[str], None], n_feedback: int) -> None:
    call_command("migrate", verbosity=0)
    n_users, n_items = max(10, n_feedback // 50), max(10, n_feedback // 100)
    users, items, times = drawn_feedback(n_feedback, n_users, n_items)
    began = time.perf_counter()
    with writing.change() as write:
        write.cursor.executemany(
            "INSERT INTO catalogue_user (number, user_id, labels, comment) VALUES (%s, %s, 'null', '')",
            [(n + 1, f"user-{n:08d}") for n in range(n_users)],
        )
        write.cursor.executemany(
            "INSERT INTO catalogue_item (number, item_id, is_hidden, categories, time_us, labels, comment) "
            'VALUES (%s, %s, FALSE, \'["a"]\', %s, \'{"tags":["x","y"]}\', %s)',
            [(n + 1, f"item-{n:08d}", n, f"The title of item {n}") for n in range(n_items)],
        )
        write.cursor.execute("INSERT INTO catalogue_feedback_type (number, name) VALUES (1, 'like')")
    for start in range(0, len(users), BLOCK):
        block = slice(start, start + BLOCK)
        rows = zip(users[block].tolist(), items[block].tolist(), times[block].tolist(), strict=True)
        with writing.change() as write:
            write.cursor.executemany(
                "INSERT INTO catalogue_feedback (user_number, item_number, type_number, value, time_us, "
                "updated_us, comment) VALUES (%s, %s, 1, 1.0, %s, 0, '')",
                [(user + 1, item + 1, moment) for user, item, moment in rows],
            )
    seconds = time.perf_counter() - began
    say(f"{len(users):,} feedback, {n_users:,} users, {n_items:,} items written in {seconds:.1f} s")
    connections.close_all()


def _read(say: Callable[[str], None], folder: Path) -> None:
    before = peak_mb()
    began = time.perf_counter()
    built_from = build(NOW)
    _, snapshot = built_from
    built = time.perf_counter() - began
    say(f"rows to arrays     {built:7.1f} s   peak {peak_mb():,.0f} MB, {before:,.0f} MB of it before")
    began = time.perf_counter()
    snapshot_files.save(snapshot, folder / "saved")
    say(f"arrays to files    {time.perf_counter() - began:7.2f} s")
    began = time.perf_counter()
    snapshot_files.load(folder / "saved")
    say(f"files mapped       {time.perf_counter() - began:7.4f} s   by every other process")
    say(_bytes(snapshot))
    refreshed = _refresh(built_from)
    say(
        f"after {N_NEW} feedback {refreshed:7.3f} s   {refreshed / built:.3f} of the full build; "
        f"median of {N_REFRESHES}, peak {peak_mb():,.0f} MB"
    )


def _refresh(current: tuple[str, Snapshot]) -> float:
    """Seconds that a refresh takes after a few writes."""
    rng = np.random.default_rng(0)
    seconds = []
    for turn in range(N_REFRESHES):
        _, before = current
        users = before.users.ids.texts(rng.integers(0, before.n_users, N_NEW))
        items = before.items.ids.texts(rng.integers(0, before.n_items, N_NEW))
        users[:10] = [f"user-{turn}-new-{i}" for i in range(10)]
        items[-10:] = [f"item-{turn}-new-{i}" for i in range(10)]
        rows = [FeedbackRecord("like", user, item, 1.0, NOW) for user, item in zip(users, items, strict=True)]
        writing.put_feedback(rows, overwrite=True)
        began = time.perf_counter()
        refreshed = refresh(current, NOW)
        seconds.append(time.perf_counter() - began)
        assert refreshed is not None
        current = refreshed
    return float(np.median(seconds))


def _bytes(snapshot: Snapshot) -> str:
    sizes = {"feedback": 0, "item": 0, "user": 0}
    for name, array in snapshot_files.arrays(snapshot).items():
        kind = name.split("_")[0]
        sizes["item" if kind == "category" else kind] += array.nbytes
    counts = {"feedback": len(snapshot.feedback), "item": snapshot.n_items, "user": snapshot.n_users}
    parts = [f"{size / max(1, counts[kind]):.0f} bytes per {kind}" for kind, size in sizes.items()]
    return ", ".join(parts) + " (ids, titles and labels included)"
