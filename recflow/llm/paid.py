"""Answers that were paid for once: kept under a digest of all that was asked, and used again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, MutableMapping
from dataclasses import asdict
from typing import Any, TypeVar

import orjson

Kept = TypeVar("Kept")


class PaidAnswers:
    """A cache of somebody's, any fault of which only costs a call.

    Args:
        cache: how long it keeps is its own business; None keeps nothing.
        notes: gets a sentence about each fault.
    """

    def __init__(self, cache: MutableMapping[str, bytes] | None, notes: list[str]) -> None:
        self._cache = cache
        self._notes = notes

    def find(self, asked: Any, read: Callable[[dict[str, Any]], Kept]) -> Kept | None:
        """The answer to this very question, made of its fields by ``read``."""
        if self._cache is None:
            return None
        try:
            kept = self._cache.get(_digest(asked))
            return None if kept is None else read(orjson.loads(kept))
        except Exception as error:  # whatever a cache of somebody's raises
            self._notes.append(f"A kept answer could not be read: {error}.")
            return None

    def keep(self, asked: Any, answer: Any) -> None:
        """Keeps an answer, a dataclass."""
        if self._cache is None:
            return
        try:
            self._cache[_digest(asked)] = orjson.dumps(asdict(answer))
        except Exception as error:  # whatever a cache of somebody's raises
            self._notes.append(f"The answer could not be kept: {error}.")


def _digest(asked: Any) -> str:
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
