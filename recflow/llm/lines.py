"""A list written line by line: what a line says once numbering, bullets, labels and emphasis are taken off.

The whole line comes first, because an id may look like anything. Then the line is peeled from the left, layer
by layer, and what remains must be a candidate, or begin with one that ends at a delimiter. A line that does
not begin with an id is prose and gives nothing, however many ids it mentions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from recflow.llm.matching import AMBIGUOUS, UNKNOWN, Matcher, Mention, folded, plain

#: Column and label names under which models put ids, without case, spaces, dashes and underscores.
STRONG_ID_NAMES = frozenset(
    {"itemid", "itemids", "id", "ids", "movieid", "productid", "documentid", "docid", "candidateid"}
    | {"alias", "asin", "sku", "identifier", "uid"}
)
#: Names that may mean something else too, so they count only where no better one is there.
WEAK_ID_NAMES = frozenset(
    {
        "item",
        "items",
        "movie",
        "product",
        "document",
        "candidate",
        "candidates",
        "key",
        "code",
        "number",
        "name",
    }
)
ID_NAMES = STRONG_ID_NAMES | WEAK_ID_NAMES

_BULLET = re.compile(r"(?:[-*+•·◦▪‣●○■□–—>#]{1,6}(?=\s)|\[[ xX✓✔]\])\s*")
_COUNTER = re.compile(
    r"(?:(?:rank|top|place|position|no\.?|number)\s*)?[#(\[]?(?P<number>\d{1,6})"
    r"(?:[*_]*(?:[.)]\]?[*_]*\s*(?=[^\d\s])|[.):\]][*_]*\s+|\ufe0f?\u20e3\s*|(?:st|nd|rd|th)\b[.:)]?\s+)|\s[-–—]\s)"
    r"|(?:rank|place|position)\s*#?(?P<word>\d{1,6})\s+|[\u2460-\u2473]\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:final\s+|my\s+|the\s+)?(?:rank(?:ing|ed(?:\s+list)?)?|order|answer|result|output|final|top(?:\s+\d+)?|list|"
    r"(?:item|movie|product|candidate|document|doc|passage|option|choice|pick)(?:[\s_-]?id)?|id)s?"
    r"[\"'`*_]*(?:\s*[:=][*_]*\s*|\s*#\s*(?=\w)|\s+(?=\d))",
    re.IGNORECASE,
)
_TAG = re.compile(r"<\w{1,30}>(?=\s*[^\s<])")
_CLOSERS = {"[": "]", "(": ")", "<": ">", "{": "}", "“": "”", "‘": "’", "«": "»", "„": "“"}
_CLOSERS |= {mark: mark for mark in "*_`\"'~"}
_TRAILING = "*_`\"'”’»])}>~.,;:!?"
_DELIMITER = re.compile(
    r"[,;|\t]|[:=](?=\s|$|[-+]?\d+\.\d)|\s+[-–—(\[{|:=>#/*→≻]|\s*(?:->|=>|→|≻)|\s{2,}|[.!?](?=\s|$)|</"
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_MAX_LAYERS = 8
_MAX_DELIMITERS = 32


class _Peeled(NamedTuple):
    """A line and what is left of it after each layer.

    Args:
        stages: (text, closer) from the whole line to the barest; ``closer`` ends a token that an opener
            began.
        number: digits of the counter in front, "" without one.
        counted: first stage behind the counter.
        is_bracketed: the counter is written as [3], as ids often are.
    """

    stages: list[tuple[str, str]]
    number: str = ""
    counted: int = 0
    is_bracketed: bool = False


def name_key(text: str) -> str:
    """A column or label name without case, spaces, dashes, underscores and decoration."""
    return re.sub(r"[\W_]+", "", text[:80]).casefold()


def clip(text: str, length: int = 120) -> str:
    """Enough of a token to recognise it."""
    text = text.strip()
    return text if len(text) <= length else text[: length - 1] + "…"


def read_lines(lines: Iterable[str], matcher: Matcher) -> list[Mention]:
    """Mentions in the order of the lines, at most one a line.

    Numbers in front of the lines are counters when they count (1, 2, 3 ... or all the same). When they do not
    and nothing behind them is a candidate, they may be the ids themselves.
    """
    mentions: list[Mention | _Peeled] = []
    numbers: list[int] = []
    for line in lines:
        position = matcher.find(line.strip())
        if position >= 0:
            mentions.append(Mention(line.strip(), position))
        elif matcher.is_patient:
            peeled = _peel(line.strip()[: 2 * matcher.reach])
            matcher.spend(64 * len(peeled.stages))
            mentions.append(peeled)
            if peeled.number:
                numbers.append(int(peeled.number))
        elif line.strip():
            mentions.append(Mention(clip(line), UNKNOWN, "prose"))
    is_count = _is_count(numbers)
    read = (
        entry if isinstance(entry, Mention) else _read_peeled(entry, matcher, is_count) for entry in mentions
    )
    return [mention for mention in read if mention is not None]


def read_text(text: str, matcher: Matcher) -> Mention:
    """What one cell or string means, read like a line of its own."""
    position = matcher.find(text)
    if position >= 0:
        return Mention(text.strip(), position)
    found = read_lines([text], matcher)
    return found[0] if found else Mention(clip(text), UNKNOWN, "unknown")


def _is_count(numbers: Sequence[int]) -> bool:
    if len(numbers) < 2:
        return bool(numbers) and numbers[0] in (0, 1)
    steps = {after - before for before, after in pairwise(numbers)}
    return steps in ({1}, {0})


def _peel(line: str) -> _Peeled:
    stages = [(line, "")]
    number, counted, is_bracketed = "", 0, False
    while len(stages) <= _MAX_LAYERS:
        text = stages[-1][0]
        closer = ""
        if layer := _BULLET.match(text):
            rest = text[layer.end() :]
        elif not counted and (layer := _COUNTER.match(text)):
            rest = text[layer.end() :]
            number, counted = layer["number"] or layer["word"] or "", len(stages)
            is_bracketed = text[0] == "["
        elif layer := (_LABEL.match(text) or _TAG.match(text)):
            rest = text[layer.end() :]
        elif text and text[0] in _CLOSERS:
            closer = _CLOSERS[text[0]]
            rest = text[1:]
        elif text.startswith("#"):
            rest = text[1:]
        else:
            break
        if not rest.strip():
            break
        stages.append((rest, closer))
    if counted >= len(stages):
        number, counted = "", 0
    return _Peeled(stages, number, counted, is_bracketed)


def _read_peeled(peeled: _Peeled, matcher: Matcher, is_count: bool) -> Mention | None:
    """The barest stage that a candidate begins; the counter itself only where it does not just count."""
    ambiguous = None
    for depth in range(len(peeled.stages) - 1, -1, -1):
        text, closer = peeled.stages[depth]
        token, position = _match_stage(text, closer, matcher)
        if position >= 0 and not (depth < peeled.counted and token == peeled.number):
            return Mention(token, position)
        if position == AMBIGUOUS:
            ambiguous = ambiguous or Mention(clip(token), AMBIGUOUS, "ambiguous")
        if depth == peeled.counted - 1 and (peeled.is_bracketed or not is_count):
            position = matcher.find(peeled.number)
            if position >= 0:
                return Mention(peeled.number, position)
    return ambiguous or _dropped(peeled, matcher)


def _dropped(peeled: _Peeled, matcher: Matcher) -> Mention | None:
    """Why the line means no candidate; None for a ruler or another line without a word."""
    text = peeled.stages[-1][0]
    bare = text.rstrip(_TRAILING + " \t")
    if not any(character.isalnum() for character in bare):
        return None
    if name_key(bare) in ID_NAMES and not peeled.number:
        return Mention(clip(bare), UNKNOWN, "header")
    has_many_words = len(bare.split(None, matcher.most_words)) > matcher.most_words
    return Mention(clip(bare), UNKNOWN, "prose" if has_many_words or ":" in text[len(bare) :] else "unknown")


def _match_stage(text: str, closer: str, matcher: Matcher) -> tuple[str, int]:
    """The whole stage, then without trailing decoration, then the longest candidate at its start."""
    whole = text.strip()
    position = matcher.find(whole)
    if position != UNKNOWN:
        return whole, position
    shorter = whole
    for _ in range(6):
        if not shorter or shorter[-1] not in _TRAILING:
            break
        shorter = shorter[:-1].rstrip()
        position = matcher.find(shorter)
        if position != UNKNOWN:
            return shorter, position
    if "\\" in whole:
        unescaped = _ESCAPED.sub(r"\1", whole[: matcher.reach])
        if unescaped != whole:
            return _match_stage(unescaped, closer, matcher)
    return _match_start(text, closer, matcher)


def _match_start(text: str, closer: str, matcher: Matcher) -> tuple[str, int]:
    head = text[: matcher.reach]
    ends = [match.start() for match in islice(_DELIMITER.finditer(head), _MAX_DELIMITERS)]
    if closer:
        ends += [match.start() for match in islice(re.finditer(re.escape(closer), head), _MAX_DELIMITERS)]
    ambiguous = ""
    for end in sorted(ends, reverse=True):
        token = head[:end].strip()
        if not _could_be_a_name(token, matcher):
            continue
        position = matcher.find(token)
        if position >= 0:
            return token, position
        if position == AMBIGUOUS:
            ambiguous = ambiguous or token
    return (ambiguous, AMBIGUOUS) if ambiguous else (text, UNKNOWN)


def _could_be_a_name(token: str, matcher: Matcher) -> bool:
    """A cheap look at the length, which spares most look-ups."""
    if token.isascii() and "&" not in token:
        return len(token) in matcher.name_lengths
    if not matcher.is_patient:
        return False
    matcher.spend(len(token))
    return len(plain(token)) in matcher.name_lengths or len(folded(token)) in matcher.name_lengths
