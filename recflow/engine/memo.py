"""Results of nodes kept by signature, so that only what changed runs again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recflow.engine.values import Candidates

DEFAULT_KEEP_S = 600.0
#: Seconds between two looks through all entries for those that are past: what one holds may hold a lot more.
TIDY_EVERY_S = 5.0


@dataclass(frozen=True)
class _Entry:
    value: Any
    size: int
    good_until: float


class Memo:
    """A bounded table from signature to result; safe under concurrent runs, least recently used goes first.

    A result may hold its whole snapshot, which is not counted: what is past goes although nobody asks for it.

    Args:
        max_bytes: of arrays held in all.
        clock: seconds, monotonic.
    """

    def __init__(
        self, max_bytes: int = 64 * 1024 * 1024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._clock = clock
        self._tidy_at = clock() + TIDY_EVERY_S

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, signature: str) -> Any | None:
        with self._lock:
            entry = self._entries.get(signature)
            if entry is None:
                return None
            if entry.good_until < self._clock():
                self._forget(signature)
                return None
            self._entries.move_to_end(signature)
            return entry.value

    def keep(self, signature: str, value: Any, keep_s: float | None = None) -> None:
        """Remember a result for ``keep_s`` seconds; 0 remembers nothing. What is past is let go of."""
        seconds = DEFAULT_KEEP_S if keep_s is None else keep_s
        size = _size(value)
        if seconds <= 0 or size > self._max_bytes:
            return
        with self._lock:
            now = self._clock()
            if now >= self._tidy_at:
                self._tidy_at = now + TIDY_EVERY_S
                for past in [key for key, entry in self._entries.items() if entry.good_until < now]:
                    self._forget(past)
            if signature in self._entries:
                self._forget(signature)
            self._entries[signature] = _Entry(value, size, now + seconds)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._entries)))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _forget(self, signature: str) -> None:
        self._bytes -= self._entries.pop(signature).size


def _size(value: Any) -> int:
    """Bytes that keeping a value costs, roughly: its arrays, and 1 KB for the rest."""
    if isinstance(value, tuple | np.ndarray):
        return sum(getattr(part, "nbytes", 0) for part in value) + 1024
    if not isinstance(value, Candidates):
        return 8 * len(getattr(value, "excluded", ())) + 1024
    steps = sum(step.items.nbytes + step.ranks.nbytes + step.scores.nbytes for step in value.trail)
    return value.items.nbytes + value.scores.nbytes + steps + 1024
