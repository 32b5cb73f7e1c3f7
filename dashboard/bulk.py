"""Gorse's bulk import: a stream of JSON objects, written in batches that stay when a later object is none."""

from __future__ import annotations

from typing import IO

from dashboard.importing import write_records
from recflow.data.records import Record
from recflow.errors import BadRecord
from recflow.interop.json_stream import JsonStream
from recflow.interop.jsonl import KEYS, Kind
from recflow.interop.objects import MAKERS, check_ids

#: Objects written by one transaction, as in Gorse.
BATCH = 10_000


def take_in(kind: Kind, stream: IO[bytes]) -> int:
    """Write all objects of a stream, overwriting what is there.

    Returns:
        How many objects were read.

    Raises:
        BadRecord: one cannot be stored; the sentence names it by its number, the first being 0. The batches
            before it stay.
    """
    objects = JsonStream(stream, KEYS[kind])
    batch: list[Record] = []
    while found := objects.next():
        batch.append(_record(kind, found[0], found[1], objects.count - 1))
        if len(batch) == BATCH:
            write_records(batch)
            batch.clear()
    if batch:
        write_records(batch)
    return objects.count


def _record(kind: Kind, fields: dict[str, object] | None, reason: str, number: int) -> Record:
    if fields is None:
        raise BadRecord(f"record {number}: {reason}")
    try:
        record = MAKERS[kind](fields)
        check_ids(record)
    except BadRecord as error:
        raise BadRecord(f"record {number}: {error.message}") from error
    return record
