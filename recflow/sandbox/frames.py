"""How parent and child talk: JSON, with its length in front, over a pipe.

Objects cross as JSON in both directions, so nothing a hostile template makes can become code in the parent.
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime

HEADER = struct.Struct(">I")

# No field of a catalogue is called so; a time is sent as {TIME: "2024-03-01T12:00:00+00:00"}.
TIME = "\0time"


def pack(value: object) -> bytes:
    """A value as a frame.

    Raises:
        TypeError: it holds something other than JSON values and datetimes.
    """
    data = json.dumps(value, default=_tagged, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(data)) + data


def unpack(data: bytes) -> object:
    """The value of a frame whose header was already taken off."""
    return json.loads(data)


def whole_text(text: str) -> str:
    """The text without lone surrogates, which JSON carries but no encoding, file or database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _tagged(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return {TIME: moment.astimezone(UTC).isoformat()}
    raise TypeError(f"a template or script cannot be given a {type(value).__name__}")
