"""Loaded into processes that tests start: whoever first comes to the last part says so and then stands still.

``HELD_SHARD`` is the part, ``HELD_AFTER`` the number of parts that have to be done before it stands still,
``HELD_PIPE`` a pipe that gets the number of the process.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import django

django.setup()

from dashboard.jobs import ledger, refreshing  # noqa: E402  Django has to be set up before models are imported

refreshing.SHARD_USERS = 8
pipe = Path(os.environ["HELD_PIPE"])


def hold(job_id, worker, label, number, *part):
    if number == int(os.environ["HELD_SHARD"]) and is_first():
        job = ledger.find(job_id)
        left = len(ledger.firsts(job)) - int(os.environ["HELD_AFTER"])
        while len(ledger.undone(job)) > left:
            threading.Event().wait(0.01)
        pipe.write_text(f"{os.getpid()}\n")
        threading.Event().wait()
    return refreshing.make_shard_at_once(job_id, worker, label, number, *part)


def is_first():
    try:
        pipe.with_suffix(".held").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if not hasattr(refreshing, "make_shard_at_once"):  # Dask loads this file twice
    refreshing.make_shard_at_once = refreshing.make_shard
    refreshing.make_shard = hold

if __name__ == "__main__":
    from django.core.management import call_command

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    call_command("jobs")
