"""Files that people send with a form: put on disk piece by piece, taken in like any other, then deleted."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from dashboard.importing import KINDS, Outcome, sources, take_in
from recflow.errors import BadRecord
from recflow.interop.jsonl import Kind

#: Rows that could not be read, as many as a page shows.
SHOWN_REJECTS = 20
_FORMATS = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}


@dataclass(frozen=True)
class TakenIn:
    """What came of an upload.

    Args:
        name: of the file, as it was sent.
        outcome: what was written.
        rejects: the first rows that could not be read: file, line, reason, text.
    """

    name: str
    outcome: Outcome
    rejects: list[dict[str, object]]


def take_in_upload(upload: UploadedFile, kind: Kind | None) -> TakenIn:
    """Import a file that was sent with a form.

    Raises:
        BadRecord: it cannot be told what it holds, or it cannot be read as a whole.
    """
    name = Path(upload.name or "upload").name
    format_name = _format_of(name)
    if (
        format_name == "jsonl"
        and kind is None
        and not any(word.rstrip("s") in name.lower() for word in KINDS)
    ):
        raise BadRecord(f"{name} does not say what it holds: choose users, items or feedback")
    place = settings.DATA_DIR / "uploads"
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=place))
    try:
        path = folder / name
        with path.open("wb") as stream:
            for chunk in upload.chunks():
                stream.write(chunk)
        (source,) = sources(format_name, path, kind)
        outcome = take_in(source)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return TakenIn(name, outcome, _first_rejects(outcome))


def _format_of(name: str) -> str:
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in _FORMATS:
        raise BadRecord(
            f"{name} is neither JSONL nor CSV: its name must end in .jsonl or .csv, or .gz after that"
        )
    return _FORMATS[ending]


def _first_rejects(outcome: Outcome) -> list[dict[str, object]]:
    if not outcome.rejected:
        return []
    with outcome.rejects_file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, SHOWN_REJECTS)]
