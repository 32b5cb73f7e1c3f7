"""The few parts of Protocol Buffers that Gorse's backups are written in.

A message is a row of fields, each a key (number and wire type) and a value. Only what stands in a backup is
written; whatever is read is passed over by its wire type when nobody asks for it, as the format demands.

Source: "Encoding", protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct

from recflow.errors import BadRecord

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MASK = 2**64 - 1

Fields = dict[int, list[int | bytes]]


def varint(number: int) -> bytes:
    """A whole number of 64 bits, seven a byte, the lowest first; a negative one takes ten."""
    rest = number & _MASK
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def number_field(field: int, value: int) -> bytes:
    """A whole number or truth value; 0 is the default and not written."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def double_field(field: int, value: float) -> bytes:
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value) if value else b""


def bytes_field(field: int, value: bytes) -> bytes:
    """Bytes or a text in UTF-8; none are the default and not written."""
    return message_field(field, value) if value else b""


def message_field(field: int, message: bytes) -> bytes:
    """A message inside this one; an empty one is written too, for it is not the same as none."""
    return varint(field << 3 | _BYTES) + varint(len(message)) + message


def text_field(field: int, value: str) -> bytes:
    return bytes_field(field, value.encode("utf-8", "replace"))


def repeated_text(field: int, value: str) -> bytes:
    """One of several texts of a field; an empty one counts."""
    return message_field(field, value.encode("utf-8", "replace"))


def fields_of(message: bytes) -> Fields:
    """Field number -> its values, in order: numbers as they stand, everything else as bytes.

    Raises:
        BadRecord: it is no message, or cut off.
    """
    found: Fields = {}
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _read_varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            value, at = message[at : at + size], at + size
        elif kind == _BYTES:
            size, at = _read_varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise BadRecord(f"a message has no fields of wire type {kind}")
        if at > len(message):
            raise BadRecord("the message is cut off")
        found.setdefault(key >> 3, []).append(value)
    return found


def text_of(fields: Fields, field: int) -> str:
    """The last text of a field, "" without one.

    Raises:
        BadRecord: it is no text.
    """
    raw = bytes_of(fields, field)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(f"field {field} is no text in UTF-8") from error


def bytes_of(fields: Fields, field: int) -> bytes:
    """The last bytes of a field, none without one.

    Raises:
        BadRecord: it holds a number.
    """
    value = fields.get(field, [b""])[-1]
    if isinstance(value, int):
        raise BadRecord(f"field {field} holds a number")
    return value


def signed_of(fields: Fields, field: int) -> int:
    """The last whole number of a field, 0 without one.

    Raises:
        BadRecord: it holds bytes.
    """
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int):
        raise BadRecord(f"field {field} holds no whole number")
    return value - 2**64 if value >= 2**63 else value


def double_of(fields: Fields, field: int) -> float:
    """The last fraction of a field, 0 without one.

    Raises:
        BadRecord: it is none.
    """
    raw = bytes_of(fields, field)
    if len(raw) not in (0, 8):
        raise BadRecord(f"field {field} holds no fraction of 64 bits")
    return struct.unpack("<d", raw)[0] if raw else 0.0


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise BadRecord("the message is cut off")
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number & _MASK, at
        shift += 7
