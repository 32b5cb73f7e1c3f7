"""Gorse's binary backup, both ways: users, items and feedback as Protocol Buffers behind their lengths.

A file is a row of little-endian 64-bit numbers: -1, -2 and -3 say that users, items and feedback follow, a
number above 0 is the length of the message behind it, and 0 is the end.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop import protobuf as pb
from recflow.interop.json_stream import parse_json
from recflow.interop.jsonl import Kind
from recflow.interop.objects import flat_labels
from recflow.interop.records import FeedbackRecord, ItemRecord, Record, UserRecord
from recflow.interop.times import END_OF_TIME

#: What stands before the records of each kind.
MARKERS: dict[Kind, int] = {"users": -1, "items": -2, "feedback": -3}
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_KINDS = {marker: kind for kind, marker in MARKERS.items()}
_MICROS = 1_000_000


def records_of(stream: IO[bytes]) -> Iterator[Record]:
    """The records of a backup, in order; what stands behind the end is not read.

    Raises:
        BadRecord: it is no backup, or one record cannot be read; the sentence names it by its number, the
            first being 0.
    """
    kind: Kind | None = None
    count = 0
    while (head := _number(stream, count)) != 0:
        if head < 0:
            if head not in _KINDS:
                raise BadRecord(f"record {count}: {head} is no kind of records; -1, -2 and -3 are")
            kind = _KINDS[head]
            continue
        if kind is None:
            raise BadRecord("This is no backup: it does not begin with a kind of records")
        if head > MAX_MESSAGE_BYTES:
            raise BadRecord(
                f"record {count}: a record may have {MAX_MESSAGE_BYTES:,} bytes, it says {head:,}"
            )
        message = stream.read(head)
        try:
            if len(message) < head:
                raise BadRecord("the backup is cut off")
            yield _READERS[kind](pb.fields_of(message))
        except BadRecord as error:
            raise BadRecord(f"record {count}: {error.message}") from error
        count += 1


def dump(kinds: Iterable[tuple[Kind, Iterable[Record]]]) -> Iterator[bytes]:
    """A whole backup, piece by piece."""
    for kind, records in kinds:
        yield struct.pack("<q", MARKERS[kind])
        for record in records:
            message = _message(record)
            yield struct.pack("<q", len(message)) + message
    yield struct.pack("<q", 0)


def _number(stream: IO[bytes], count: int) -> int:
    raw = stream.read(8)
    if len(raw) < 8:
        raise BadRecord(f"record {count}: the backup is cut off, for it has no end")
    return struct.unpack("<q", raw)[0]


def _message(record: Record) -> bytes:
    match record:
        case UserRecord():
            return (
                pb.text_field(1, record.user_id)
                + pb.bytes_field(2, _labels_bytes(record.labels))
                + pb.text_field(3, record.comment)
            )
        case ItemRecord():
            return (
                pb.text_field(2, record.item_id)
                + pb.number_field(3, int(record.is_hidden))
                + b"".join(pb.repeated_text(4, name) for name in record.categories)
                + pb.message_field(5, _timestamp(record.time_us))
                + pb.bytes_field(6, _labels_bytes(record.labels))
                + pb.text_field(7, record.comment)
            )
        case FeedbackRecord():
            return (
                pb.text_field(2, record.type)
                + pb.text_field(3, record.user_id)
                + pb.text_field(4, record.item_id)
                + pb.double_field(5, record.value)
                + pb.message_field(6, _timestamp(record.time_us))
                + pb.text_field(7, record.comment)
            )


def _user(fields: pb.Fields) -> UserRecord:
    return UserRecord(pb.text_of(fields, 1), _labels(pb.bytes_of(fields, 2)), pb.text_of(fields, 3))


def _item(fields: pb.Fields) -> ItemRecord:
    return ItemRecord(
        pb.text_of(fields, 2),
        bool(pb.signed_of(fields, 3)),
        tuple(pb.text_of({4: [name]}, 4) for name in fields.get(4, ())),
        _time_us(fields, 5),
        _labels(pb.bytes_of(fields, 6)),
        pb.text_of(fields, 7),
    )


def _feedback(fields: pb.Fields) -> FeedbackRecord:
    time_us = _time_us(fields, 6)
    value = pb.double_of(fields, 5)
    if not math.isfinite(value):
        raise BadRecord(f"Value must be a finite number, got {value}")
    ids = (pb.text_of(fields, number) for number in (2, 3, 4))
    return FeedbackRecord(*ids, value, time_us, time_us, pb.text_of(fields, 7))


_READERS: dict[Kind, Callable[[pb.Fields], Record]] = {
    "users": _user,
    "items": _item,
    "feedback": _feedback,
}


def _timestamp(time_us: int) -> bytes:
    """A message of whole seconds and the nanoseconds after them."""
    seconds, micros = divmod(time_us, _MICROS)
    return pb.number_field(1, seconds) + pb.number_field(2, micros * 1000)


def _time_us(fields: pb.Fields, field: int) -> int:
    """A moment; NO_TIME where none was written. An empty message is the beginning of 1970."""
    if field not in fields:
        return NO_TIME
    inner = pb.fields_of(pb.bytes_of(fields, field))
    time_us = pb.signed_of(inner, 1) * _MICROS + pb.signed_of(inner, 2) // 1000
    if not NO_TIME <= time_us < END_OF_TIME:
        raise BadRecord(f"field {field} is no moment that can be kept")
    return time_us


def _labels_bytes(labels: object) -> bytes:
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _labels(raw: bytes) -> object:
    if not raw:
        return None
    try:
        return flat_labels(parse_json(raw))
    except ValueError as error:
        raise BadRecord(f"Labels are not JSON: {error}") from error
