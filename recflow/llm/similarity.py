"""How alike two texts are: cosine of weighted words and letter groups. All that the stand-in knows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]{2,}")


def similarities(query: str, documents: Sequence[str]) -> list[float]:
    """(n,) a number in [0, 1] for each document: how much of its rarer words the query shares.

    Words, and groups of four letters so that "books" helps "book", weigh log(1 + n / documents with it): what
    every document has says nothing.
    """
    counted = [Counter(_terms(document)) for document in documents]
    found_in = Counter(term for terms in counted for term in terms)
    weights = {term: math.log1p(len(documents) / n) for term, n in found_in.items()}
    asked = {term: (1 + math.log(n)) * weights.get(term, 0.0) for term, n in Counter(_terms(query)).items()}
    length = math.sqrt(sum(weight * weight for weight in asked.values()))
    return [_cosine(asked, length, terms, weights) for terms in counted]


def _cosine(asked: dict[str, float], length: float, terms: Counter, weights: dict[str, float]) -> float:
    own = {term: (1 + math.log(n)) * weights[term] for term, n in terms.items()}
    own_length = math.sqrt(sum(weight * weight for weight in own.values()))
    if not length or not own_length:
        return 0.0
    return sum(weight * asked.get(term, 0.0) for term, weight in own.items()) / (length * own_length)


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.casefold())
    return words + [
        word[start : start + 4] for word in words for start in range(len(word) - 3) if len(word) > 4
    ]
