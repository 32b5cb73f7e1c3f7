"""Reading files piece by piece: where we are, how much there is, and starting again in the middle.

A reader goes through one file, or several one after the other, and yields records and rejected rows. After
each of them ``reader.position`` is the number of bytes that are done with; a reader made with
``start=position`` goes on behind them. The records of one row are never parted: the position moves with the
last of them.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recflow.errors import BadRecord
from recflow.interop.records import Record, Rejected

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_SHOWN = 500
_BOM = b"\xef\xbb\xbf"

#: What one row came to: records that belong together, or one rejected row.
Row = tuple[Record | Rejected, ...]


class LineFile:
    """The lines of a text file, gzipped or not, with the place of each.

    A line that is not in the encoding, or longer than any row can be, is not lost on the way: it comes as
    far as it can be read, and ``fault`` says what is wrong with it.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self.name = path.name
        self.encoding = encoding
        self.offset = 0  # bytes behind the last line, after unpacking
        self.line = 0  # number of the last line, the first is 1
        self.fault: str | None = None
        self._stream = open_bytes(path)
        if self._stream.peek(3)[:3] == _BOM:
            self._stream.read(3)
            self.offset = 3

    def __enter__(self) -> LineFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def next(self) -> str | None:
        """The next line with its line break, None at the end of the file."""
        raw = self._stream.readline(MAX_LINE_BYTES)
        if not raw:
            return None
        self.line += 1
        self.offset += len(raw)
        self.fault = None
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            self.fault = f"the line is longer than {MAX_LINE_BYTES:,} bytes"
            self._skip_rest_of_line()
            raw = raw[:MAX_SHOWN]
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            self.fault = self.fault or f"the line is not {self.encoding} text: byte {raw[error.start]:#04x}"
            return raw.decode(self.encoding, "replace")

    def go_to(self, offset: int, line: int) -> None:
        """Read on behind ``offset`` bytes, which are ``line`` lines."""
        self._stream.seek(offset)
        self.offset, self.line = offset, line

    def skip(self, offset: int) -> None:
        """Pass over lines until ``offset`` bytes are done with."""
        while self.offset < offset and self.next() is not None:
            pass

    def rejected(self, reason: str, text: str, *, line: int | None = None) -> Rejected:
        return Rejected(self.name, self.line if line is None else line, reason, shown(text))

    def _skip_rest_of_line(self) -> None:
        while rest := self._stream.readline(MAX_LINE_BYTES):
            self.offset += len(rest)
            if rest.endswith(b"\n"):
                return


@dataclass(frozen=True)
class Part:
    """One file of an import.

    Args:
        size: bytes, as ``size_of`` tells them.
        rows: goes on behind so many bytes; yields what each row came to and the bytes done with then.
    """

    name: str
    size: int
    rows: Callable[[int], Iterator[tuple[Row, int]]]


class Reader:
    """Records of files, one after the other.

    Args:
        parts: the files, in the order they are read.
        start: bytes that are done with already, counted over all files.
    """

    #: Names of columns that mean nothing here.
    ignored_columns: tuple[str, ...] = ()

    def __init__(self, parts: Sequence[Part], *, start: int = 0) -> None:
        self._parts = tuple(parts)
        self.position = start

    @property
    def size(self) -> int:
        """Bytes in all; of a gzipped file as its last bytes promise: good enough for a progress bar."""
        return sum(part.size for part in self._parts)

    def __iter__(self) -> Iterator[Record | Rejected]:
        """
        Raises:
            BadRecord: a file as a whole cannot be read; what came before it stands.
        """
        before = 0
        for i, part in enumerate(self._parts):
            is_last = i == len(self._parts) - 1
            if is_last or self.position < before + part.size:
                for row, done in _whole(part, max(0, self.position - before)):
                    yield from row[:-1]
                    self.position = before + done
                    yield from row[-1:]
                self.position = max(self.position, before + part.size)
            before += part.size


def _whole(part: Part, start: int) -> Iterator[tuple[Row, int]]:
    try:
        yield from part.rows(start)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadRecord(f"{part.name} cannot be unpacked: {error}") from error


def open_bytes(path: Path) -> io.BufferedReader:
    """The file, unpacked on the way if its name ends in .gz."""
    return io.BufferedReader(gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def size_of(path: Path) -> int:
    """Bytes of the file, or of what is packed in it: gzip keeps that number, modulo 2^32, at its end."""
    size = path.stat().st_size
    if path.suffix != ".gz" or size < 4:
        return size
    with path.open("rb") as stream:
        stream.seek(-4, io.SEEK_END)
        return max(size, int.from_bytes(stream.read(4), "little"))


def shown(text: str) -> str:
    """Cut to a length that can be shown, without its line break."""
    text = text.rstrip("\r\n")
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
