"""Columns made of stretches of old ones with fresh rows in between.

A change of a few rows copies everything else in long stretches, which costs what copying memory costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recflow.data.types import TextColumn


@dataclass(frozen=True)
class Splice:
    """How the rows of a new table follow from those of the old one and of a table of fresh rows.

    Args:
        runs: whether it is of fresh rows, first row, row behind the last; in the order of the new table.
    """

    runs: tuple[tuple[bool, int, int], ...]

    @classmethod
    def make(
        cls,
        n_old: int,
        starts: NDArray[np.integer],
        stops: NDArray[np.integer],
        fresh_starts: NDArray[np.integer],
        fresh_stops: NDArray[np.integer],
    ) -> Splice:
        """Put fresh rows in the place of old ones; all else stays.

        Args:
            n_old: rows of the old table.
            starts: (n,) first old row of each stretch to be replaced, ascending; stretches do not overlap.
            stops: (n,) the old row behind it; the same as its start where nothing is taken away.
            fresh_starts: (n,) first fresh row that takes the place.
            fresh_stops: (n,) the fresh row behind it; the same as its start where nothing comes.
        """
        runs: list[tuple[bool, int, int]] = []

        def add(is_fresh: bool, start: int, stop: int) -> None:
            if start == stop:
                return
            if runs and runs[-1][0] == is_fresh and runs[-1][2] == start:
                start = runs.pop()[1]
            runs.append((is_fresh, start, stop))

        copied = 0
        edits = zip(*(a.tolist() for a in (starts, stops, fresh_starts, fresh_stops)), strict=True)
        for start, stop, fresh_start, fresh_stop in edits:
            add(False, copied, start)
            add(True, fresh_start, fresh_stop)
            copied = stop
        add(False, copied, n_old)
        return cls(tuple(runs))

    def rows(self, old: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """A column of the new table: one entry a row."""
        return _joined(((fresh if is_fresh else old)[a:b] for is_fresh, a, b in self.runs), old.dtype)

    def stretches(
        self, old: np.ndarray, old_offsets: np.ndarray, fresh: np.ndarray, fresh_offsets: np.ndarray
    ) -> tuple[np.ndarray, NDArray[np.int64]]:
        """A column whose rows are stretches: row i is ``values[offsets[i]:offsets[i + 1]]``.

        Returns:
            The values and the (n + 1,) offsets of the new table.
        """
        lengths = self.rows(np.diff(old_offsets), np.diff(fresh_offsets))
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        parts = (
            fresh[fresh_offsets[a] : fresh_offsets[b]] if is_fresh else old[old_offsets[a] : old_offsets[b]]
            for is_fresh, a, b in self.runs
        )
        return _joined(parts, old.dtype), offsets

    def texts(self, old: TextColumn, fresh: TextColumn) -> TextColumn:
        return TextColumn(*self.stretches(old.blob, old.offsets, fresh.blob, fresh.offsets))


def _joined(parts: Iterator[np.ndarray], dtype: np.dtype) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts])
