"""Take in other people's files: in batches, resumable, and the same however often it is done.

Each batch is one transaction that also notes how far the file is done, so an import that was interrupted goes
on behind the last whole batch. Feedback overwrites what is stored under its key. Rows that cannot be read go
to a rejects file, one JSON object a line with file, line, reason and text.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import transaction

from dashboard.catalogue import writing
from dashboard.models import ImportProgress
from recflow.data.records import FeedbackRecord, ItemRecord, Record, UserRecord
from recflow.errors import BadRecord
from recflow.interop.csvfiles import open_csv
from recflow.interop.jsonl import Kind, open_jsonl
from recflow.interop.movielens import open_movielens
from recflow.interop.reader import Reader
from recflow.interop.records import Rejected

#: Records written by one transaction: larger ones make other writers wait longer and are not faster.
BATCH = 50_000
KINDS: tuple[Kind, ...] = ("users", "items", "feedback")


@dataclass
class Outcome:
    """What one import has done so far.

    Args:
        counts: records written, by kind.
        rejected: rows that could not be read, those of an interrupted import before included.
        resumed_at: byte the import went on from, 0 for a new one.
        seconds: how long it took.
        rejects_file: where the rejected rows are.
        ignored_columns: names in a header that mean nothing here.
    """

    rejects_file: Path
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rejected: int = 0
    resumed_at: int = 0
    seconds: float = 0.0
    ignored_columns: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Source:
    """Something to import.

    Args:
        path: as the person named it.
        files: what its fingerprint is made of.
        open: a reader that begins behind so many bytes.
    """

    path: Path
    files: tuple[Path, ...]
    open: Callable[[int], Reader]

    def fingerprint(self) -> str:
        """The same for the same content under whatever name."""
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()


def sources(format_name: str, path: Path, kind: Kind | None = None) -> list[Source]:
    """What a path holds, in the order it has to be taken in.

    Args:
        format_name: "movielens", "csv" or "jsonl".
        path: a folder for movielens; else a file, or a folder with files named after users, items, feedback.
        kind: what a single file holds, when neither its name nor its header tells.

    Raises:
        BadRecord: there is nothing of that format.
    """
    if not path.exists():
        raise BadRecord(f"There is no file or folder {path}")
    if format_name == "movielens":
        files = tuple(sorted(file for file in path.iterdir() if file.is_file())) if path.is_dir() else ()
        return [Source(path, files, lambda start: open_movielens(path, start=start))]
    if path.is_dir():
        named = [(name, file) for name in KINDS for file in sorted(path.glob(f"{name}*.{format_name}*"))]
        if not named:
            expected = ", ".join(f"{name}.{format_name}" for name in KINDS)
            raise BadRecord(f"{path} holds none of {expected}")
        return [_file(format_name, file, name) for name, file in named]
    return [_file(format_name, path, kind)]


def _file(format_name: str, path: Path, kind: Kind | None) -> Source:
    if format_name == "csv":
        return Source(path, (path,), lambda start: open_csv(path, kind, start=start))
    found = kind or next((name for name in KINDS if name.rstrip("s") in path.name.lower()), None)
    if found is None:
        raise BadRecord(f"{path.name} does not say what it holds: give --kind users, items or feedback")
    return Source(path, (path,), lambda start: open_jsonl(path, found, start=start))


def take_in(
    source: Source,
    *,
    report: Callable[[int, int], None] = lambda done, size: None,
    wrote: Callable[[Outcome, dict[Kind, int]], None] = lambda outcome, counts: None,
    batch: int = BATCH,
) -> Outcome:
    """Import one source, going on where an interrupted import of the same content stopped.

    Args:
        source: what to import.
        report: hears bytes done and bytes in all, now and then; may raise to stop the import here.
        wrote: hears how many records each batch wrote, by kind.
        batch: records written by one transaction.

    Raises:
        BadRecord: the file as a whole cannot be read; the batches before stand.
    """
    began = time.monotonic()
    fingerprint = source.fingerprint()
    progress = ImportProgress.objects.filter(pk=fingerprint).first()
    if progress is None:
        progress = ImportProgress(fingerprint=fingerprint, path=str(source.path))
    folder = settings.DATA_DIR / "rejects"
    outcome = Outcome(
        folder / f"{source.path.name}-{fingerprint[:8]}.jsonl",
        rejected=progress.rejected,
        resumed_at=progress.position,
    )
    _cut(outcome.rejects_file, progress.rejected)
    reader = source.open(progress.position)
    outcome.ignored_columns = reader.ignored_columns
    records: list[Record] = []
    rejects: list[Rejected] = []

    def write() -> None:
        _write_rejects(outcome.rejects_file, rejects)
        progress.position = reader.position
        progress.rejected += len(rejects)
        with transaction.atomic(using=settings.CATALOGUE_DATABASE):
            counts = write_records(records)
            progress.save()
        for kind, count in counts.items():
            outcome.counts[kind] += count
        outcome.rejected = progress.rejected
        wrote(outcome, counts)
        records.clear()
        rejects.clear()

    for number, entry in enumerate(reader, start=1):
        if isinstance(entry, Rejected):
            rejects.append(entry)
        else:
            records.append(entry)
        if len(records) + len(rejects) >= batch:
            write()
        if number % 5_000 == 0:
            report(reader.position, reader.size)
    write()
    progress.delete()
    report(reader.size, reader.size)
    outcome.seconds = time.monotonic() - began
    return outcome


def write_records(records: Sequence[Record]) -> dict[Kind, int]:
    """Write records of any kinds, overwriting feedback; how many there were of each."""
    users = [record for record in records if isinstance(record, UserRecord)]
    items = [record for record in records if isinstance(record, ItemRecord)]
    feedback = [record for record in records if isinstance(record, FeedbackRecord)]
    server = settings.CONFIGURATION.server
    if users:
        writing.put_users(users)
    if items:
        writing.put_items(items)
    if feedback:
        writing.put_feedback(
            feedback,
            overwrite=True,
            insert_users=server.auto_insert_user,
            insert_items=server.auto_insert_item,
        )
    return dict(zip(KINDS, (len(users), len(items), len(feedback)), strict=True))


def _write_rejects(path: Path, rejects: Sequence[Rejected]) -> None:
    if rejects:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="replace") as stream:
            stream.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rejects)


def _cut(path: Path, lines: int) -> None:
    """Keep the first lines: the others belong to a batch that was never finished, or to an import before."""
    if not path.exists():
        return
    with path.open("r+", encoding="utf-8") as stream:
        for _ in range(lines):
            stream.readline()
        stream.truncate(stream.tell())
    if lines == 0:
        path.unlink()
