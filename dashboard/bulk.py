"""Gorse's bulk import and restore: records written in batches, which stay when a later record is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import IO

from dashboard.catalogue import writing
from dashboard.importing import write_records
from recflow.data.records import FeedbackRecord, ItemRecord, Record, UserRecord
from recflow.errors import BadRecord
from recflow.interop.gorse_dump import records_of
from recflow.interop.json_stream import JsonStream
from recflow.interop.jsonl import KEYS, Kind
from recflow.interop.objects import MAKERS, check_ids, check_storable

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


def restore(stream: IO[bytes]) -> dict[str, int]:
    """Write all records of a binary backup, overwriting what is there.

    Feedback of users or items that are neither stored nor in the backup is left out, as in Gorse: a backup
    names them all.

    Returns:
        "Users", "Items", "Feedback" -> how many were read.

    Raises:
        BadRecord: one cannot be read or stored; the batches before it stay.
    """
    counts = dict.fromkeys(("Users", "Items", "Feedback"), 0)
    put: dict[type[Record], tuple[str, Callable[[list], None]]] = {
        UserRecord: ("Users", writing.put_users),
        ItemRecord: ("Items", writing.put_items),
        FeedbackRecord: ("Feedback", _put_known_feedback),
    }
    records = _checked(records_of(stream))
    for kind, alike in groupby(records, key=type):
        name, write = put[kind]
        while batch := list(islice(alike, BATCH)):
            write(batch)
            counts[name] += len(batch)
    return counts


def _put_known_feedback(batch: list[FeedbackRecord]) -> None:
    writing.put_feedback(batch, overwrite=True, insert_users=False, insert_items=False)


def _checked(records: Iterable[Record]) -> Iterator[Record]:
    for number, record in enumerate(records):
        try:
            check_storable(record)
        except BadRecord as error:
            raise BadRecord(f"record {number}: {error.message}") from error
        yield record


def _record(kind: Kind, fields: dict[str, object] | None, reason: str, number: int) -> Record:
    if fields is None:
        raise BadRecord(f"record {number}: {reason}")
    try:
        record = MAKERS[kind](fields)
        check_ids(record)
    except BadRecord as error:
        raise BadRecord(f"record {number}: {error.message}") from error
    return record
