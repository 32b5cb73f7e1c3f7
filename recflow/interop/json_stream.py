"""Objects out of a stream of JSON, whatever stands between them, and past those that are broken.

Most files have one object a line: that way is tried first. Where it fails, braces are counted, with texts
skipped as a whole; no text in JSON holds a bare line break, so a stray quote does no harm beyond its line.
"""

from __future__ import annotations

import json
import re
from typing import IO, NoReturn

MAX_OBJECT_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_SHORT_LINE_BYTES = 64 * 1024
_BETWEEN = re.compile(rb"[\s,\[\]]*")  # also between the objects of one big list
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|["{}]|\n(?=\{)')
_NEXT_START = re.compile(rb"\n(?=\{)")
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonStream:
    """The objects of a stream, one call each.

    Args:
        stream: bytes of UTF-8.
        key: lower-case name of a field each object has. By it a line that is whole is told from a line inside
            an object whose end is missing.
    """

    def __init__(self, stream: IO[bytes], key: str) -> None:
        self.done = 0  # bytes behind the last object
        self.count = 0  # objects so far
        self._stream = stream
        self._key = key
        self._data = b""
        self._at = 0
        self._is_complete = False

    def next(self) -> tuple[dict[str, object] | None, str, bytes] | None:
        """The next object, or None and why there is none; with the bytes it came from. None at the end."""
        if not self._find_start():
            return None
        found = self._whole_line() or self._by_counting()
        self.count += 1
        return found

    def _find_start(self) -> bool:
        if self._at > _CHUNK_BYTES:
            self._data, self._at = self._data[self._at :], 0
        while True:
            between = _BETWEEN.match(self._data, self._at)
            self._move(between.end())
            if self._at < len(self._data):
                return True
            if not self._fill():
                return False

    def _whole_line(self) -> tuple[dict[str, object], str, bytes] | None:
        """The object if it is all that stands on its line."""
        end = self._data.find(b"\n", self._at, self._at + _SHORT_LINE_BYTES)
        if end < 0:
            return None
        raw = self._data[self._at : end]
        try:
            value = parse_json(raw)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        self._move(end + 1)
        return value, "", raw

    def _by_counting(self) -> tuple[dict[str, object] | None, str, bytes]:
        """The object up to its closing brace, or everything up to where the next may start."""
        if self._data[self._at : self._at + 1] != b"{":
            return self._broken("this is not a JSON object")
        depth, place = 0, self._at
        while True:
            token = _TOKEN.search(self._data, place)
            if token is None or (token[0] == b'"' and self._data.find(b"\n", token.start()) < 0):
                if len(self._data) - self._at > MAX_OBJECT_BYTES:
                    return self._broken(f"the object is longer than {MAX_OBJECT_BYTES:,} bytes")
                if not self._fill():
                    return self._broken("the object is cut off")
                continue
            place = token.end()
            if token[0] == b"{":
                depth += 1
            elif token[0] == b"}":
                depth -= 1
                if depth == 0:
                    return self._finished(place)
            elif token[0] == b'"':
                return self._broken("a text in the object is not closed")
            elif token[0] == b"\n" and self._is_record_at(place):
                return self._broken("the object is cut off")

    def _finished(self, end: int) -> tuple[dict[str, object] | None, str, bytes]:
        raw = self._data[self._at : end]
        self._move(end)
        try:
            return parse_json(raw), "", raw
        except ValueError as error:
            return None, f"this is not JSON: {error}", raw

    def _broken(self, reason: str) -> tuple[None, str, bytes]:
        """Give up on what starts here; go on with the next line that starts an object."""
        start = self._at
        while (following := _NEXT_START.search(self._data, start)) is None:
            start = max(self._at, len(self._data) - 1)
            if len(self._data) - self._at > MAX_OBJECT_BYTES or not self._fill():
                break
        end = following.end() if following else len(self._data)
        raw = self._data[self._at : end]
        self._move(end)
        return None, reason, raw

    def _is_record_at(self, place: int) -> bool:
        """Whether the line at ``place`` is an object of its own, with the field all of them have."""
        while (end := self._data.find(b"\n", place)) < 0 and self._fill():
            pass
        try:
            value = parse_json(self._data[place : end if end >= 0 else len(self._data)])
        except ValueError:
            return False
        return isinstance(value, dict) and any(name.lower() == self._key for name in value)

    def _move(self, place: int) -> None:
        self.done += place - self._at
        self._at = place

    def _fill(self) -> bool:
        """More bytes, False at the end of the stream."""
        if self._is_complete:
            return False
        more = self._stream.read(_CHUNK_BYTES)
        self._is_complete = not more
        self._data += more
        return bool(more)


def parse_json(raw: bytes) -> object:
    """
    Raises:
        ValueError: it is not JSON in UTF-8, or nested too deeply.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        return _without_surrogates(value) if b"\\u" in raw else value
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _without_surrogates(value: object) -> object:
    """Halves of surrogate pairs, which no encoding can hold, as U+FFFD: as Gorse reads them."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(part) for part in value]
        case dict():
            return {_without_surrogates(name): _without_surrogates(part) for name, part in value.items()}
    return value
