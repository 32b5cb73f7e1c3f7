"""Job kind "snapshot": rows made into arrays and saved, for every process to map."""

from __future__ import annotations

from dashboard import growth
from dashboard.jobs import ledger
from dashboard.jobs.work import Work
from dashboard.models import Job
from dashboard.store import store

KIND = "snapshot"


def ask(asked_by: str = "") -> Job:
    """A job that brings the snapshot up to date."""
    return ledger.enqueue(KIND, KIND, "Refresh the snapshot", asked_by=asked_by)


def run(work: Work) -> str:
    """Build and save the snapshot; returns what it holds."""
    catalogue, said = work.call("snapshots:refresh_here")
    work.remember(catalogue=catalogue)
    work.say(said)
    return said


def refresh_here(job_id: int, worker: str) -> tuple[str, str]:
    """Build the snapshot in this process; the version of its rows, and a sentence on what it holds."""
    snapshot = store.snapshot(fresh=True)
    growth.record(snapshot)
    counts = (snapshot.n_users, snapshot.n_items, len(snapshot.feedback))
    return data_version(snapshot.version), "{:,} users, {:,} items, {:,} feedback".format(*counts)


def data_version(snapshot_version: str) -> str:
    """The catalogue's version of a snapshot, which may have been dated anew since."""
    return "-".join(snapshot_version.split("-")[:2])
