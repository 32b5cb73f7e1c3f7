"""A list written as a table: CSV, TSV, Markdown, a chain "3 > 1 > 2", or rows read from JSON objects.

The work is to find the column that holds the ids. A header says so; else it is not the column that merely
counts 1, 2, 3 when another one qualifies; else it is the column with most candidates, leftmost first. A
single row, or rows in which every cell is an id, are read across.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from recflow.llm.lines import ID_NAMES, STRONG_ID_NAMES, WEAK_ID_NAMES, clip, name_key, read_lines
from recflow.llm.matching import UNKNOWN, Matcher, Mention

_RANK_NAMES = frozenset({"rank", "ranking", "position", "place", "order"})
_OTHER_NAMES = _RANK_NAMES | {"title", "desc", "description", "reason", "why", "score", "rating", "comment"}
_RULER = frozenset(" \t|:+=-")
_PIPE = re.compile(r"(?<!\\)\|")
_CHAIN = re.compile(r"(?<=\S)(?:\s*(?:>+|→|≻)\s*|\s+=\s+)(?=\S)")
_AND = re.compile(r"(?:^|\s+)(?:and|&)\s+")
_DELIMITERS = ("\t", "|", ",", ";")
#: Rows and columns looked at to decide which column holds the ids.
_SAMPLE_ROWS, _SAMPLE_COLUMNS = 256, 16


@dataclass(frozen=True)
class Column:
    """One column: what it is called, "" without a header, and its cell in every row."""

    name: str
    cells: Sequence[str]


def read_rows(text: str, matcher: Matcher) -> list[Mention]:
    """Mentions of a region that is no JSON, tables and loose lines in the order they stand."""
    if '"' in text and (rows := _quoted_table(text)):
        mentions = _read_grid(rows, matcher)
        if mentions is not None:
            return mentions
    mentions = []
    for delimiter, lines in _runs(text, matcher):
        found = _read_run(delimiter, lines, matcher) if delimiter else None
        mentions += found if found is not None else read_lines(lines, matcher)
    if not any(mention.position >= 0 for mention in mentions):
        return _read_words(text, matcher) or mentions
    return mentions


def read_columns(columns: Sequence[Column], matcher: Matcher) -> list[Mention] | None:
    """Mentions of the column that holds the ids, ordered by a rank column if there is one; None without."""
    chosen = choose_column(columns, matcher)
    if chosen is None:
        return None
    cells = columns[chosen].cells
    order = _rank_order(columns, chosen)
    return read_lines([cells[row] for row in order] if order else cells, matcher)


def choose_column(columns: Sequence[Column], matcher: Matcher) -> int | None:
    """Index of the column that holds the ids, None when no column holds any."""
    hits = [_hits(column.cells, matcher) for column in columns[:_SAMPLE_COLUMNS]]
    names = [name_key(column.name.rpartition(".")[2]) for column in columns[:_SAMPLE_COLUMNS]]
    strong = [i for i, name in enumerate(names) if name in STRONG_ID_NAMES and hits[i]]
    weak = [i for i, name in enumerate(names) if name in WEAK_ID_NAMES and hits[i]]
    qualified = [i for i, count in enumerate(hits) if count]
    uncounted = [i for i in qualified if not _counts(columns[i].cells)]
    for named in (strong, weak):
        if named:
            return named[0]
    pool = uncounted or qualified
    return max(pool, key=lambda i: (hits[i], -i)) if pool else None


def _hits(cells: Sequence[str], matcher: Matcher) -> int:
    sample = [cell for cell in cells[:_SAMPLE_ROWS] if cell]
    return len({mention.position for mention in read_lines(sample, matcher) if mention.position >= 0})


def _counts(cells: Sequence[str]) -> bool:
    """Whether the column is exactly 1, 2, 3 ... k, as a column of ranks is."""
    return all(cell.strip(" .#*)(") == str(row) for row, cell in enumerate(cells[:_SAMPLE_ROWS], start=1))


def _rank_order(columns: Sequence[Column], chosen: int) -> list[int] | None:
    """Rows by their rank column, None when there is none or its ranks are no distinct whole numbers."""
    for index, column in enumerate(columns):
        if index != chosen and name_key(column.name) in _RANK_NAMES:
            ranks = [cell.strip(" .#*") for cell in column.cells]
            if not all(rank.isascii() and rank.isdigit() and len(rank) <= 9 for rank in ranks):
                return None
            if len(set(ranks)) < len(ranks):
                return None
            return sorted(range(len(ranks)), key=lambda row: int(ranks[row]))
    return None


def _runs(text: str, matcher: Matcher) -> list[tuple[str, list[str]]]:
    """Stretches of lines that share a delimiter; "" for lines without one or that are a candidate whole."""
    runs: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            continue
        delimiter = "" if matcher.find(stripped) >= 0 else _delimiter(stripped)
        if runs and runs[-1][0] == delimiter:
            runs[-1][1].append(stripped if delimiter != "\t" else line)
        else:
            runs.append((delimiter, [stripped if delimiter != "\t" else line]))
    return runs


def _delimiter(line: str) -> str:
    for delimiter in _DELIMITERS:
        if delimiter in line:
            return delimiter
    is_tagged = "</" in line  # <item>b</item> is no chain
    return ">" if not is_tagged and _CHAIN.search(line[:2000]) else ""


def _read_run(delimiter: str, lines: list[str], matcher: Matcher) -> list[Mention] | None:
    if delimiter == ">":
        mentions: list[Mention] = []
        for line in lines:
            found = _read_across(_CHAIN.split(line), matcher)
            mentions += found if found is not None else read_lines([line], matcher)
        return mentions
    return _read_grid([row for line in lines if (row := _split(delimiter, line)) is not None], matcher)


def _split(delimiter: str, line: str) -> list[str] | None:
    """The cells of a row, at least one; None for a ruler and for a bar that stands alone."""
    if delimiter == "|":
        if "--" in line and set(line) <= _RULER:
            return None
        cells = [cell.strip().replace("\\|", "|") for cell in _PIPE.split(line)]
        return cells[not cells[0] : len(cells) - (not cells[-1])] or None
    if '"' not in line or len(line) > csv.field_size_limit():
        return [cell.strip() for cell in line.split(delimiter)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _quoted_table(text: str) -> list[list[str]] | None:
    """Rows of a text that is a table from end to end, with fields that may hold delimiters and line ends."""
    lines = text.strip().split("\n")
    delimiter = next((mark for mark in (",", "\t", ";") if mark in lines[0]), None)
    if delimiter is None:
        return None
    try:
        reader = csv.reader(
            (line + "\n" for line in lines), delimiter=delimiter, strict=True, skipinitialspace=True
        )
        rows = [[cell.strip() for cell in row] for row in reader if row]
    except csv.Error:
        return None
    is_even = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    return rows if is_even and len(rows) < len([line for line in lines if line.strip()]) else None


def _read_grid(rows: list[list[str]], matcher: Matcher) -> list[Mention] | None:
    """Mentions of rows of cells; None when they are no table but lines that happen to hold a delimiter."""
    if not rows:
        return []
    header = _header(rows, matcher)
    body = rows[1:] if header else rows
    dropped = [Mention(clip(" ".join(rows[0])), UNKNOWN, "header")] if header else []
    if not header and (across := _all_ids(body, matcher) or len(body) == 1):
        cells = [cell for row in body for cell in row]
        return _read_across(cells, matcher) if across else None
    names = header or [""] * max(map(len, body))
    width = min(len(names), max(map(len, body), default=0))
    columns = [
        Column(name, cells)
        for name, cells in zip(names, zip_longest(*(row[:width] for row in body), fillvalue=""), strict=False)
    ]
    is_even = len({len(row) for row in rows}) == 1
    chosen = choose_column(columns, matcher)
    if chosen is None:
        return None
    if not header and not is_even and 2 * _hits(columns[chosen].cells, matcher) < len(body[:_SAMPLE_ROWS]):
        return None
    return dropped + (read_columns(columns, matcher) or [])


def _header(rows: list[list[str]], matcher: Matcher) -> list[str] | None:
    """Names of the columns if the first row is made of names and no candidate."""
    first = rows[0]
    if len(rows) < 2 or any(matcher.find(cell) >= 0 for cell in first):
        return None
    return first if any(name_key(cell) in ID_NAMES | _OTHER_NAMES for cell in first) else None


def _all_ids(rows: list[list[str]], matcher: Matcher) -> bool:
    """Whether every cell is an id of its own, and no column is just a count beside another."""
    cells = [cell for row in rows[:_SAMPLE_ROWS] for cell in row if cell]
    positions = [matcher.find(cell) for cell in cells]
    if min(positions, default=UNKNOWN) < 0 or len(set(positions)) < len(positions):
        return False
    return len(rows) == 1 or not _counts([row[0] for row in rows])


def _read_across(cells: Sequence[str], matcher: Matcher) -> list[Mention] | None:
    """Mentions of one row from left to right; None unless half of its cells, or the first, are ids."""
    cells = [part for cell in cells if cell.strip() for part in _around_and(cell, matcher)]
    if not cells:
        return []
    mentions = read_lines(cells, matcher)
    if mentions and mentions[0].position < 0 and ":" in cells[0]:
        # "Here is my list: b, a, c"
        behind = read_lines([cells[0].rpartition(":")[2]], matcher)
        if behind and behind[0].position >= 0:
            mentions[0] = behind[0]
    n_hits = sum(mention.position >= 0 for mention in mentions)
    begins = bool(mentions) and mentions[0].position >= 0
    return mentions if begins or (n_hits and 2 * n_hits >= len(cells)) else None


def _around_and(cell: str, matcher: Matcher) -> list[str]:
    """The ids of "1 and 3" or "and 3" at the end of a row; the cell itself when it is anything else."""
    for text in (cell, cell.rstrip(" .!")):  # "and 3." ends its sentence, unless the point is part of the id
        parts = [part for part in _AND.split(text[: 2 * matcher.reach].strip()) if part]
        if parts and all(matcher.find(part) >= 0 for part in parts):
            return parts
    return [cell]


def _read_words(text: str, matcher: Matcher) -> list[Mention] | None:
    """Columns set apart by single spaces, believed only when every row begins with another candidate.

    A space is no delimiter otherwise: with it "Saw II" would mean the candidate "Saw".
    """
    rows = [line.split() for line in text.split("\n") if line.strip()]
    if not rows or not matcher.is_patient or len(rows) > len(matcher):
        return None
    if len(rows) == 1 or _all_ids(rows, matcher):
        if len(rows[0]) > 1 and _all_ids(rows, matcher):
            return read_lines([cell for row in rows for cell in row], matcher)
        return None
    columns = [Column("", [row[place] if place < len(row) else "" for row in rows]) for place in (0, 1)]
    for column in columns:
        positions = [matcher.find(cell) for cell in column.cells]
        is_column = min(positions) >= 0 and len(set(positions)) == len(positions)
        if is_column and not (column is columns[0] and _counts(column.cells) and any(columns[1].cells)):
            return read_lines(column.cells, matcher)
    return None
