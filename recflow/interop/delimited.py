"""Rows of delimited text in which one stray quote costs one row, not the rest of the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from recflow.interop.reader import LineFile
from recflow.interop.records import Rejected


def read_rows(lines: LineFile, delimiter: str = ",") -> Iterator[list[str] | Rejected]:
    """Each row's fields, or why it has none; empty lines are passed over.

    A quoted field may hold line breaks. A quote that is never closed would make one field of all the rest of
    the file; then only the line with the quote is rejected, and reading goes on behind it.
    """
    while (text := lines.next()) is not None:
        if not text.strip():
            continue
        behind, line = lines.offset, lines.line
        fault = lines.fault
        if '"' not in text:
            fields = text.rstrip("\r\n").split(delimiter)
        else:
            try:
                fields, fault = _quoted(lines, text, delimiter)
            except csv.Error as error:
                lines.go_to(behind, line)
                fault, fields = f"the quotes do not match or a field is too long: {error}", []
        yield lines.rejected(fault, text, line=line) if fault else fields


def _quoted(lines: LineFile, text: str, delimiter: str) -> tuple[list[str], str | None]:
    """The fields of the row that starts with ``text``, and what is wrong with any of its lines."""
    faults = [lines.fault]

    def with_next() -> Iterator[str]:
        yield text
        while (more := lines.next()) is not None:
            faults.append(lines.fault)
            yield more

    fields = next(csv.reader(with_next(), delimiter=delimiter, strict=True))
    return fields, next(filter(None, faults), None)
