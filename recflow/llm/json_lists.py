"""A list written as JSON, whole or nearly: arrays, object lists, {key: [...]}, maps by score or rank, NDJSON.

Numbers keep the text they are written with: an id 2.50 must not become 2.5. What the strict parser refuses (a
cut array, single quotes, a trailing comma, a comment) is read by a scanner that takes what is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from recflow.llm.lines import STRONG_ID_NAMES, WEAK_ID_NAMES, name_key, read_lines, read_text
from recflow.llm.matching import Matcher, Mention, is_echo, ranked
from recflow.llm.tables import Column, read_columns, read_rows

MAX_DEPTH = 32
#: Positions at which the strict parser is tried, and values that the scanner takes, before a reply is
#: garbage.
_MAX_STRICT_TRIES = 8
_MAX_SCANNED = 50_000

_START = re.compile(
    r"(?:^|[:=])[ \t>]*+(?=[\[{])|(?=\[\s{0,8}[\"{])|(?=\{\s{0,8}\")",
    re.MULTILINE,
)
_BETWEEN = re.compile(r"[\s,;]*+")
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"|\'((?:[^\'\\\n]++|\\.)*+)\'', re.DOTALL)
_BARE = re.compile(r"[^\[\]{},:\"'\n]++")
_SPACE = re.compile(r"(?:\s++|//[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_RANK = re.compile(r"\D{0,8}(\d{1,6})\D{0,2}")


class Pairs(list):
    """A JSON object as (key, value) pairs in the order written, repeated keys kept."""


class Number(str):
    """A number as its source text; true, false and null too."""

    __slots__ = ()


@dataclass(frozen=True)
class JsonRun:
    """Values that stand one after the other in a text.

    Args:
        values: arrays and objects.
        start: offset of the first.
        end: offset behind the last.
        is_cut: the text ended, or became no JSON, before the last value was closed.
    """

    values: list
    start: int
    end: int
    is_cut: bool = False


def _parse_constant(text: str) -> Number:
    return Number(text)


_STRICT = json.JSONDecoder(
    strict=False,
    object_pairs_hook=Pairs,
    parse_float=Number,
    parse_int=Number,
    parse_constant=_parse_constant,
)


def find_json(text: str) -> list[JsonRun]:
    """Every run of arrays and objects that begins a line, follows a colon, or holds quoted strings."""
    runs: list[JsonRun] = []
    place = 0
    strict_tries = 0
    left = [_MAX_SCANNED]
    while left[0] > 0 and (start := _START.search(text, place)):
        begin = place = start.end()
        values: list = []
        is_cut = False
        while place < len(text) and text[place] in "[{" and not is_cut and left[0] > 0:
            value, end = None, place
            if strict_tries < _MAX_STRICT_TRIES:
                try:
                    value, end = _STRICT.raw_decode(text, place)
                except RecursionError:
                    strict_tries = _MAX_STRICT_TRIES
                except ValueError:
                    strict_tries += 1
            if value is None:
                value, end, is_cut = _Scanner(text, place, left).read()
            values.append(value)
            stop, place = end, max(_BETWEEN.match(text, end).end(), place + 1)
        runs.append(JsonRun(values, begin, stop, is_cut))
    return runs


class _Scanner:
    """Reads one array or object and forgives; stops at the end of the text or where nothing fits."""

    def __init__(self, text: str, place: int, left: list[int]) -> None:
        self.text = text
        self.place = place
        self.left = left
        self.is_cut = False

    def read(self) -> tuple[list, int, bool]:
        value = self._value(0)
        return value, self.place, self.is_cut

    def _value(self, depth: int):
        self.left[0] -= 1
        opening = self.text[self.place]
        if opening in "[{":
            if depth >= MAX_DEPTH:
                self.is_cut = True
                return []
            self.place += 1
            return self._members(depth, opening)
        return self._scalar()

    def _members(self, depth: int, opening: str) -> list:
        closing = "]" if opening == "[" else "}"
        found: list = Pairs() if opening == "{" else []
        while True:
            self.place = _SPACE.match(self.text, self.place).end()
            character = self.text[self.place : self.place + 1]
            if character == closing:
                self.place += 1
                return found
            if character == "," or (character == ":" and opening == "["):
                self.place += 1
                continue
            if not character or character in "]}:" or self.left[0] <= 0:
                self.is_cut = True
                return found
            value = self._value(depth + 1)
            if opening == "{" and not self.is_cut:
                value = self._pair(value, depth)
            if value is not None and not (opening == "{" and not isinstance(value, tuple)):
                found.append(value)
            if self.is_cut:
                return found

    def _pair(self, key, depth: int):
        self.place = _SPACE.match(self.text, self.place).end()
        if self.text[self.place : self.place + 1] != ":" or not isinstance(key, str):
            return None
        self.place = _SPACE.match(self.text, self.place + 1).end()
        if self.place >= len(self.text) or self.text[self.place] in ",]}:":
            self.is_cut = self.place >= len(self.text)
            return None
        return key, self._value(depth + 1)

    def _scalar(self) -> str:
        quote = self.text[self.place]
        if quote in "\"'":
            match = _STRING.match(self.text, self.place)
            if match:
                self.place = match.end()
                return _unescape(match[1] if match[1] is not None else match[2])
            end = self.text.find("\n", self.place)
            end = len(self.text) if end < 0 else end
            token = self.text[self.place + 1 : end]
            self.is_cut = end == len(self.text)
            self.place = end
            return token.rstrip(",") if not self.is_cut else token
        match = _BARE.match(self.text, self.place)
        if not match:
            self.place += 1
            return Number("")
        self.place = match.end()
        return Number(match[0].strip())


def _unescape(source: str) -> str:
    if "\\" not in source:
        return source
    try:
        return json.loads(f'"{source}"', strict=False)
    except ValueError:
        return source


def read_json(values: list, matcher: Matcher) -> list[Mention]:
    """Mentions of a run of values, best first."""
    return _read_value(values[0] if len(values) == 1 else values, matcher, 0)


def _read_value(value, matcher: Matcher, depth: int) -> list[Mention]:
    if depth > MAX_DEPTH:
        return []
    if isinstance(value, Pairs):
        return _read_object(value, matcher, depth)
    if isinstance(value, list):
        return _read_array(value, matcher, depth)
    return [read_text(_as_text(value), matcher)]


def _as_text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_array(values: list, matcher: Matcher, depth: int) -> list[Mention]:
    if not any(isinstance(value, list) for value in values):
        return read_lines([_as_text(value) for value in values], matcher)
    if all(isinstance(value, Pairs) for value in values):
        mentions = read_columns(_object_columns(values), matcher)
        if mentions is not None:
            return mentions
    elif all(isinstance(value, list) and not isinstance(value, Pairs) for value in values):
        rows = [[_as_text(cell) for cell in value if not isinstance(cell, list)] for value in values]
        width = max(map(len, rows))
        mentions = None
        if 1 < width <= MAX_DEPTH and len({len(row) for row in rows}) == 1:
            columns = [Column("", [row[place] for row in rows]) for place in range(width)]
            is_flat = all(matcher.find(cell) >= 0 for row in rows for cell in row)
            mentions = None if is_flat else read_columns(columns, matcher)
        if mentions is not None:
            return mentions
    return [mention for value in values for mention in _read_value(value, matcher, depth + 1)]


def _object_columns(rows: Sequence[Pairs]) -> list[Column]:
    """The scalars of a list of objects as columns, nested ones under a dotted name."""
    cells: dict[str, dict[int, str]] = {}
    for row, pairs in enumerate(rows):
        for name, value in _flat(pairs, "", 0):
            if name in cells or len(cells) < MAX_DEPTH:
                cells.setdefault(name, {}).setdefault(row, value)
    return [Column(name, [by_row.get(row, "") for row in range(len(rows))]) for name, by_row in cells.items()]


def _flat(pairs: Pairs, prefix: str, depth: int):
    for key, value in pairs:
        if isinstance(value, Pairs):
            if depth < 3:
                yield from _flat(value, f"{prefix}{key}.", depth + 1)
        elif not isinstance(value, list):
            yield prefix + key, _as_text(value)


def _read_object(pairs: Pairs, matcher: Matcher, depth: int) -> list[Mention]:
    nested = [(key, value) for key, value in pairs if isinstance(value, list)]
    if nested and len(nested) == len(pairs):
        listed = _by_key(pairs, matcher)
        if listed is not None:
            return _read_value(listed, matcher, depth + 1)
    if not nested and (mentions := _read_mapping(pairs, matcher)) is not None:
        return mentions
    readings = [_read_value(value, matcher, depth + 1) for _, value in nested]
    readings += [
        read_rows(value, matcher)
        for _, value in pairs
        if isinstance(value, str)
        and not isinstance(value, Number)
        and ("\n" in value or "," in value or not nested)
    ]
    return best_reading(readings, matcher) if readings else []


def _by_key(pairs: Pairs, matcher: Matcher) -> list | None:
    """The values of {"1": {...}, "2": {...}} by rank, or the keys of {id: {...}}; None for another object."""
    if not all(isinstance(value, Pairs) for _, value in pairs):
        return None
    ranks = _ranks([key for key, _ in pairs])
    if ranks and any(matcher.find(text) >= 0 for _, value in pairs for _, text in _flat(value, "", 0)):
        return [pairs[place][1] for place in ranks]
    if any(read_text(key, matcher).position >= 0 for key, _ in pairs):
        return [key for key, _ in pairs]
    return None


def _read_mapping(pairs: Pairs, matcher: Matcher) -> list[Mention] | None:
    """An object of scalars: id -> score, rank -> id, or one record with an id; None without a candidate."""
    keys = [key for key, _ in pairs]
    values = [_as_text(value) for _, value in pairs]
    for names in (STRONG_ID_NAMES, WEAK_ID_NAMES):
        for key, value in zip(keys, values, strict=True):
            if name_key(key) in names and matcher.find(key) < 0 and read_text(value, matcher).position >= 0:
                return [read_text(value, matcher)]
    in_keys = [matcher.find(key) >= 0 for key in keys]
    in_values = [matcher.find(value) >= 0 for value in values]
    ranks = _ranks(keys)
    if ranks and any(in_values):
        return read_lines([values[place] for place in ranks], matcher)
    if any(in_keys) and sum(in_keys) >= sum(in_values):
        return read_lines([keys[place] for place in _by_score(values)], matcher)
    return read_lines(values, matcher) if any(in_values) else None


def _ranks(keys: list[str]) -> list[int] | None:
    """Places of the keys in the order 1, 2 ... k (or from 0); None when they are not exactly that."""
    found = [_RANK.fullmatch(key) for key in keys]
    if not keys or not all(found):
        return None
    numbers = [int(match[1]) for match in found]
    first = min(numbers)
    if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(numbers))):
        return None
    return sorted(range(len(keys)), key=numbers.__getitem__)


def _by_score(values: list[str]) -> range | list[int]:
    """Places by score, best first, ties as written; as written too when the values are no scores.

    Values that are 1, 2 ... k as written are ranks: nobody lists the worst first and counts up from it.
    """
    scores = [_score(value) for value in values]
    if None in scores or scores == list(range(1, len(scores) + 1)):
        return range(len(values))
    return sorted(range(len(values)), key=lambda place: -scores[place])


def _score(value: str) -> Decimal | None:
    try:
        score = Decimal(value[:40].strip().removesuffix("%"))
    except InvalidOperation:
        return None
    return score if score.is_finite() else None


def best_reading(readings: Sequence[list[Mention]], matcher: Matcher) -> list[Mention]:
    """The list that is no echo of the input and names most candidates; the last among equals."""
    orders = [ranked(reading) for reading in readings]
    useful = [i for i, order in enumerate(orders) if order and not is_echo(order, len(matcher))]
    pool = useful or range(len(readings))
    return readings[max(pool, key=lambda i: (len(orders[i]), i))]
