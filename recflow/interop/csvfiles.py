"""Users, items and feedback as tables: CSV with a header, whatever the delimiter.

Columns are found by name, in any case, with or without underscores: ItemId, item_id and "Item ID" are one.
Categories are separated by ``|``. Labels are JSON, or else plain text, a ``|`` in it making a list. Columns
nobody knows are passed over and named in ``ignored_columns``. Timestamps are read as everywhere (times.py).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from recflow.errors import BadRecord
from recflow.interop.delimited import read_rows
from recflow.interop.json_stream import parse_json
from recflow.interop.objects import MAKERS, Kind, check_ids
from recflow.interop.reader import LineFile, Part, Reader, Row, size_of
from recflow.interop.records import Record, Rejected

_DELIMITERS = ",;\t"
_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "users": ("UserId", "Labels", "Comment"),
    "items": ("ItemId", "IsHidden", "Categories", "Timestamp", "Labels", "Comment"),
    "feedback": ("FeedbackType", "UserId", "ItemId", "Value", "Timestamp", "Updated", "Comment"),
}
_REQUIRED: dict[Kind, tuple[str, ...]] = {
    "users": ("UserId",),
    "items": ("ItemId",),
    "feedback": ("FeedbackType", "UserId", "ItemId"),
}
_TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", ""), False),
}


class CsvReader(Reader):
    """A reader of one table."""

    def __init__(self, path: Path, kind: Kind, *, start: int = 0) -> None:
        self._path, self._kind = path, kind
        with LineFile(path) as lines:
            self._delimiter, self._header = _header(lines, kind)
        known = {_plain(name): name for name in _COLUMNS[kind]}
        self._columns = [known.get(_plain(name)) for name in self._header]
        self.ignored_columns = tuple(
            name for name, column in zip(self._header, self._columns, strict=True) if column is None
        )
        super().__init__([Part(path.name, size_of(path), self._rows)], start=start)

    def _rows(self, start: int) -> Iterator[tuple[Row, int]]:
        with LineFile(self._path) as lines:
            header_passed = start > 0
            lines.skip(start)
            for fields in read_rows(lines, self._delimiter):
                if header_passed:
                    yield (self._record(lines, fields),), lines.offset
                header_passed = True

    def _record(self, lines: LineFile, fields: list[str] | Rejected) -> Record | Rejected:
        if isinstance(fields, Rejected):
            return fields
        try:
            if len(fields) != len(self._header):
                raise BadRecord(f"the row has {len(fields)} fields, the header {len(self._header)}")
            named = zip(self._columns, fields, strict=True)
            record = MAKERS[self._kind]({name: _value(name, text) for name, text in named if name})
            check_ids(record)
            return record
        except BadRecord as error:
            return lines.rejected(error.message, self._delimiter.join(fields))


def open_csv(path: Path, kind: Kind | None = None, *, start: int = 0) -> CsvReader:
    """A reader of one table of users, items or feedback; which of them, the header tells if nobody does.

    Raises:
        BadRecord: the file is empty, or its header lacks a column that is needed.
    """
    return CsvReader(path, kind or _kind_of(path), start=start)


def _header(lines: LineFile, kind: Kind) -> tuple[str, list[str]]:
    """The delimiter under which the first line names most columns we know, and its names then.

    Raises:
        BadRecord: there is no first line, or a column that is needed is not in it.
    """
    text = lines.next()
    while text is not None and not text.strip():
        text = lines.next()
    if text is None:
        raise BadRecord(f"{lines.name} is empty; its first line must name the columns")
    known = {_plain(name) for name in _COLUMNS[kind]}
    splits = {mark: _split(lines.name, text, mark) for mark in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda mark: len(known & {_plain(name) for name in splits[mark]}))
    header = [name.strip() for name in splits[delimiter]]
    names = [_plain(name) for name in header]
    for column in _REQUIRED[kind]:
        if _plain(column) not in names:
            raise BadRecord(f"{lines.name} has no column {column}; its columns are {', '.join(header)}")
    for column in _COLUMNS[kind]:
        if names.count(_plain(column)) > 1:
            raise BadRecord(f"{lines.name} has the column {column} twice")
    return delimiter, header


def _kind_of(path: Path) -> Kind:
    with LineFile(path) as lines:
        text = lines.next() or ""
    names = {_plain(name) for mark in _DELIMITERS for name in _split(path.name, text, mark)}
    kinds: tuple[Kind, ...] = ("feedback", "items", "users")
    kind = next((one for one in kinds if {_plain(column) for column in _REQUIRED[one]} <= names), None)
    if kind is None:
        raise BadRecord(f"{path.name} has neither a column UserId nor ItemId in its first line")
    others = dict.fromkeys(column for columns in _COLUMNS.values() for column in columns)
    strange = [column for column in others if _plain(column) in names and column not in _COLUMNS[kind]]
    if strange:  # ratings without a FeedbackType, taken for items, would empty the items there are
        raise BadRecord(
            f"{path.name} looks like {kind}, but has a column {strange[0]}, which {kind} have not: "
            "say whether it holds users, items or feedback (--kind)"
        )
    return kind


def _split(file: str, text: str, delimiter: str) -> list[str]:
    """The names in the first line of a file, if that is what it holds."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error as error:
        raise BadRecord(f"{file} does not begin with the names of columns: {error}") from error


def _value(column: str, text: str) -> object:
    """The cell as the JSON object of a record has it."""
    match column:
        case "Labels":
            return _labels(text)
        case "Categories":
            return [name.strip() for name in text.split("|") if name.strip()]
        case "IsHidden":
            return _TRUTHS.get(text.strip().lower(), text)
        case "Value":
            return _number(text)
    return text


def _labels(text: str) -> object:
    if not text.strip():
        return None
    if text.lstrip()[0] in '{["-0123456789' or text.strip() == "null":
        try:
            return parse_json(text.encode())
        except ValueError:
            pass  # a text that only begins like JSON, such as "3 of 5"
    return [part.strip() for part in text.split("|") if part.strip()] if "|" in text else text


def _number(text: str) -> object:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _plain(name: str) -> str:
    return re.sub(r"[_\- ]", "", name.lower())
