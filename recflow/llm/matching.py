"""Which candidate a piece of text means: a ladder of four steps, each only if it fits exactly one.

Exact; trimmed; the same after Unicode compatibility, dashes, quotes, invisible characters and HTML entities
are made plain; the same without regard to case. Nothing looser: no edit distance, no substring, no equality
of numbers ("01" is not "1"), no titles. An answer that needs guessing is not an answer.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

UNKNOWN = -1
AMBIGUOUS = -2

#: Work that one reply may cost beyond exact look-ups, in steps of some microseconds. A reply of two megabytes
#: holds a million lines; those of an honest one match at the first step, so only garbage runs out of this.
PATIENCE = 40_000

_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"')
    | dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\ufe0e\ufe0f", None)
)


class Mention(NamedTuple):
    """One token of a reply.

    Args:
        text: as it stands in the reply, without decoration.
        position: of the candidate it means, or ``UNKNOWN`` or ``AMBIGUOUS``.
        reason: why it means none: header, prose, unknown or ambiguous; empty when it means one.
    """

    text: str
    position: int
    reason: str = ""


def plain(text: str) -> str:
    """The text with everything made plain that a model or a renderer may have made pretty."""
    if text.isascii() and "&" not in text:
        return text.strip()
    text = html.unescape(text) if "&" in text else text
    return unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN).strip()


def folded(text: str) -> str:
    """``plain`` text without regard to case."""
    return unicodedata.normalize("NFKC", plain(text).casefold())


class Matcher:
    """Finds candidates by the name they go by in the prompt.

    Args:
        names: (n,) id or alias of each candidate. A repeated name means its first candidate.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.patience = PATIENCE
        self._exact: dict[str, int] = {}
        for position, name in enumerate(self.names):
            self._exact.setdefault(name, position)
        self._steps = [
            (str.strip, self._index(str.strip)),
            (plain, self._index(plain)),
            (folded, self._index(folded)),
        ]
        #: A longer text is no name, however it is decorated or its entities written out.
        self.reach = 4 * max(map(len, self.names), default=0) + 64
        self.name_lengths = frozenset(len(key) for _, index in self._steps for key in index) | {
            len(name) for name in self.names
        }
        self.most_words = max((len(name.split()) for name in self.names), default=1)
        self._remembered: dict[str, int] = {}

    def _index(self, shape) -> dict[str, int]:
        index: dict[str, int] = {}
        for name, position in self._exact.items():
            key = shape(name)
            index[key] = AMBIGUOUS if key in index else position
        index.pop("", None)
        return index

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_patient(self) -> bool:
        return self.patience > 0

    def spend(self, n_characters: int) -> None:
        """Account for slow work on so many characters."""
        self.patience -= 1 + n_characters // 64

    def find(self, text: str) -> int:
        """Position of the one candidate that ``text`` means, else ``UNKNOWN`` or ``AMBIGUOUS``."""
        position = self._exact.get(text)
        if position is not None and text.strip():
            return position
        if text in self._remembered:
            return self._remembered[text]
        if not self.is_patient or len(text) > self.reach or not text.strip():
            return UNKNOWN
        self.spend(len(text))
        position = self._climb(text)
        self._remembered[text] = position
        return position

    def _climb(self, text: str) -> int:
        for shape, index in self._steps:
            position = index.get(shape(text))
            if position is not None:
                return position
        return UNKNOWN

    def starts_another(self, text: str, position: int, ranked: set[int]) -> bool:
        """Whether ``text`` begins the name of a candidate other than ``position`` that has no rank yet."""
        beginning = folded(text)
        return any(
            other != position and other not in ranked and folded(name).startswith(beginning)
            for other, name in enumerate(self.names)
        )


def ranked(mentions: Sequence[Mention]) -> list[int]:
    """The candidates mentioned, each once, in order."""
    return list(dict.fromkeys(mention.position for mention in mentions if mention.position >= 0))


def is_echo(order: Sequence[int], n_candidates: int) -> bool:
    """Whether a list is the input itself, all of it in the order it was given."""
    return len(order) == n_candidates and all(place == position for place, position in enumerate(order))
