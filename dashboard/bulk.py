"""Gorse's bulk import and restore: records written in batches, which stay when a later record is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
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
#: Bytes of the stream in one batch, give or take a record: each may have 16 MB, and all are in memory.
BATCH_BYTES = 32 * 1024 * 1024


class _Measured:
    """A stream that knows how far it was read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.n_read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.n_read += len(data)
        return data


def take_in(kind: Kind, stream: IO[bytes]) -> int:
    """Write all objects of a stream, overwriting what is there.

    Returns:
        How many objects were read.

    Raises:
        BadRecord: one cannot be stored; the sentence names it by its number, the first being 0. The batches
            before it stay.
    """
    objects = JsonStream(stream, KEYS[kind])

    def made() -> Iterator[Record]:
        while found := objects.next():
            yield _record(kind, found[0], found[1], objects.count - 1)

    for batch in _batches(made(), lambda: objects.done):
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
    measured = _Measured(stream)
    records = _checked(records_of(measured))
    for kind, alike in groupby(records, key=type):
        name, write = put[kind]
        for batch in _batches(alike, lambda: measured.n_read):
            write(batch)
            counts[name] += len(batch)
    return counts


def _batches(records: Iterable[Record], n_read: Callable[[], int]) -> Iterator[list[Record]]:
    """The records in lists of at most BATCH of them, and of so many bytes as are no burden.

    Args:
        records: read from a stream one by one.
        n_read: bytes read so far.
    """
    batch: list[Record] = []
    began = n_read()
    for record in records:
        batch.append(record)
        if len(batch) == BATCH or n_read() - began >= BATCH_BYTES:
            yield batch
            batch, began = [], n_read()
    if batch:
        yield batch


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
