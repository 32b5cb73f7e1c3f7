"""Gorse's users, items and feedback as JSON objects, one a line, gzipped or not; both ways.

An object that cannot be read is rejected with its record number, the first being 0 as in Gorse, and reading
goes on behind it.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from recflow.errors import BadRecord
from recflow.interop.json_stream import JsonStream
from recflow.interop.objects import MAKERS, Kind, check_ids, to_object
from recflow.interop.reader import Part, Reader, Row, open_bytes, shown, size_of
from recflow.interop.records import Record, Rejected

#: A field that each object of a kind has, in lower case.
KEYS: dict[Kind, str] = {"users": "userid", "items": "itemid", "feedback": "feedbacktype"}
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_ESCAPES |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # half a surrogate pair, which UTF-8 cannot hold


def open_jsonl(path: Path, kind: Kind, *, start: int = 0) -> Reader:
    """A reader of one file of users, items or feedback."""

    def rows(done: int) -> Iterator[tuple[Row, int]]:
        with open_bytes(path) as stream:
            objects = JsonStream(stream, KEYS[kind])
            while found := objects.next():
                if objects.done > done:
                    yield (_record(found, kind, path.name, objects.count - 1),), objects.done

    return Reader([Part(path.name, size_of(path), rows)], start=start)


def write_jsonl(records: Iterable[Record], path: Path) -> int:
    """Write records, one object a line; gzipped if the name ends in .gz.

    Returns:
        How many were written.
    """
    count = 0
    with _open_for_writing(path) as stream:
        for record in records:
            stream.write(to_line(record))
            count += 1
    return count


def to_line(record: Record) -> str:
    """One line of an export, escaped as Go does it so that the text may stand inside HTML."""
    written = to_object(record)
    try:
        text = _json(written)
    except ValueError:  # labels such as 1e999, which JSON can say and not mean
        text = _json(_finite(written))
    return text.translate(_ESCAPES) + "\n"


def _json(written: object) -> str:
    return json.dumps(written, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _finite(value: object) -> object:
    """The same with null for what is no number."""
    match value:
        case dict():
            return {name: _finite(part) for name, part in value.items()}
        case list():
            return [_finite(part) for part in value]
        case float() if not math.isfinite(value):
            return None
    return value


def _record(
    found: tuple[dict[str, object] | None, str, bytes],
    kind: Kind,
    file: str,
    number: int,
) -> Record | Rejected:
    fields, reason, raw = found
    if fields is not None:
        try:
            record = MAKERS[kind](fields)
            check_ids(record)
            return record
        except BadRecord as error:
            reason = error.message
    return Rejected(file, number, reason, shown(raw.decode("utf-8", "replace")))


def _open_for_writing(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "wt", encoding="utf-8", newline="")
    return path.open("w", encoding="utf-8", newline="")
