"""Job kind "import": a file that somebody sent with the form of the Data page, written to the catalogue.

How far it has come stands beside the rows (importing.py), so a job that was paused, or whose process ended,
goes on behind the last whole batch. The file stays on disk until it is all in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from dashboard import uploads
from dashboard.errors import NotFound
from dashboard.importing import KINDS, Outcome, sources, take_in
from dashboard.jobs import ledger
from dashboard.jobs.work import Work
from dashboard.models import LIVE, Job
from recflow.errors import BadRecord
from recflow.interop.jsonl import Kind

KIND = "import"
#: Imports that the Data page shows, and rows of each that could not be read.
SHOWN, SHOWN_REJECTS = 5, 20
#: Of a file's name; most folders take 255, and that of the rows that could not be read is longer.
MAX_NAME_BYTES = 200
_FORMATS = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}


def ask(upload: UploadedFile, kind: Kind | None, asked_by: str = "") -> Job:
    """Keep a file that was sent, and ask for its import.

    Raises:
        BadRecord: its name does not tell how to read it, or what it holds.
    """
    name = _end_of(Path(upload.name or "upload").name)
    is_told = kind is not None or any(word.rstrip("s") in name.lower() for word in KINDS)
    if format_of(name) == "jsonl" and not is_told:
        raise BadRecord(f"{name} does not say what it holds: choose users, items or feedback")
    folder = uploads.keep(upload, name)
    parameters = {"folder": folder, "name": name, "kind": kind}
    return ledger.enqueue(KIND, f"{KIND}:{folder}", f"Import {name}"[:160], parameters, asked_by=asked_by)


def _end_of(name: str) -> str:
    """A name that a folder takes, also with more behind it; the end tells how a file is read."""
    return name.encode("utf-8", "replace")[-MAX_NAME_BYTES:].decode("utf-8", "ignore")


def format_of(name: str) -> str:
    """How a file of that name is read.

    Raises:
        BadRecord: its ending is of no format we read.
    """
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in _FORMATS:
        raise BadRecord(
            f"{name} is neither JSONL nor CSV: its name must end in .jsonl or .csv, or .gz after that"
        )
    return _FORMATS[ending]


def run(work: Work) -> str:
    """Take the file in; returns how many rows it held and how many could not be read.

    It reads and writes, and computes next to nothing, so it stays in the thread that does the job.
    """
    chosen = work.job.parameters
    if "said" in chosen:  # the process ended between the last row and the word that all is done
        uploads.forget(chosen["folder"])
        return chosen["said"]
    path = uploads.find(chosen["folder"], chosen["name"])
    (source,) = sources(format_of(path.name), path, chosen["kind"])

    def report(done: int, size: int) -> None:
        work.check()
        work.progress(done / max(size, 1), "")

    def wrote(outcome: Outcome, counts: dict[Kind, int]) -> None:
        work.add(made=sum(counts.values()))
        before = work.job.parameters.get("counts", {})
        total = {name: before.get(name, 0) + counts[name] for name in KINDS}
        work.remember(
            counts=total,
            rows=sum(total.values()),
            rejected=outcome.rejected,
            rejects=outcome.rejects_file.name,
        )

    outcome = take_in(source, report=report, wrote=wrote)
    if outcome.resumed_at:
        work.say(f"went on behind byte {outcome.resumed_at:,}")
    if outcome.ignored_columns:
        work.say(f"passed over the columns {', '.join(outcome.ignored_columns)}")
    counts = work.job.parameters["counts"]
    said = ", ".join(f"{counts[name]:,} {name}" for name in KINDS)
    if outcome.rejected:
        plural = "" if outcome.rejected == 1 else "s"
        said += f"; {outcome.rejected:,} row{plural} could not be read"
    work.say(said)
    work.remember(said=said)
    uploads.forget(chosen["folder"])
    return said


@dataclass(frozen=True)
class Import:
    """An import as the Data page shows it.

    Args:
        job: its row.
        counts: rows written so far, by kind.
        rejects: the first rows that could not be read: file, line, reason, text.
        has_rejects: there are some, and their file is still there.
    """

    job: Job
    counts: dict[str, int]
    rejected: int
    rejects: list[dict[str, object]]
    has_rejects: bool


def newest() -> list[Import]:
    """The newest imports, newest first."""
    return [_shown(job) for job in Job.objects.filter(kind=KIND).order_by("-pk")[:SHOWN]]


def rejects_of(job_id: int) -> Path:
    """The file with the rows of an import that could not be read.

    Raises:
        NotFound: it is no import, it refused nothing, or the file is gone.
    """
    job = Job.objects.filter(kind=KIND, pk=job_id).first()
    path = job and _rejects_file(job)
    if path is None or not path.exists():
        raise NotFound(f"There are no rejected rows of import {job_id}")
    return path


def sweep() -> int:
    """Delete uploads that no import needs any more; how many those were."""
    folders = {True: set(), False: set()}
    for state, parameters in Job.objects.filter(kind=KIND).values_list("state", "parameters"):
        folders[state in LIVE].add(parameters["folder"])
    return uploads.sweep(folders[True], folders[False])


def _shown(job: Job) -> Import:
    found: dict[str, Any] = job.parameters
    path = _rejects_file(job)
    has_rejects = path is not None and path.exists()
    rows: list[dict[str, object]] = []
    if path is not None and has_rejects:
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in islice(lines, SHOWN_REJECTS)]
    return Import(job, found.get("counts", {}), found.get("rejected", 0), rows, has_rejects)


def _rejects_file(job: Job) -> Path | None:
    if not job.parameters.get("rejected"):
        return None
    return settings.DATA_DIR / "rejects" / job.parameters["rejects"]
