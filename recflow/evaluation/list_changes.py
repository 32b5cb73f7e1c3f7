"""How one recommended list differs from another: what entered, left and moved, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recflow.data.types import IndexVector

from .metrics import overlap_at_k, rank_biased_overlap


@dataclass(frozen=True)
class ListChange:
    """One user's list before and after.

    Args:
        overlap: share of items that both lists have in common, order aside.
        rank_biased_overlap: the same with the top weighing most.
        entered: (n,) item indices that are only in the list after, best first.
        left: (n,) item indices that are only in the list before, best first.
        moved: (n, 3) item index, rank before, rank after, of items whose rank changed; largest move first.
    """

    overlap: float
    rank_biased_overlap: float
    entered: IndexVector
    left: IndexVector
    moved: IndexVector

    @property
    def is_same(self) -> bool:
        return not (len(self.entered) or len(self.left) or len(self.moved))


def list_change(before: IndexVector, after: IndexVector, k: int = 10) -> ListChange:
    """What happened between two lists, of which the first k ranks count.

    Args:
        before: (n,) item indices, best first, no repeats.
        after: (m,) the same.
        k: ranks that anybody sees.
    """
    before, after = np.asarray(before, np.int32)[:k], np.asarray(after, np.int32)[:k]
    common, old, new = np.intersect1d(before, after, return_indices=True)
    moved = np.column_stack([common, old + 1, new + 1]).astype(np.int32)[old != new]
    by_distance = np.lexsort((moved[:, 2], -np.abs(moved[:, 1] - moved[:, 2])))
    return ListChange(
        overlap_at_k(before, after, k),
        rank_biased_overlap(before, after),
        after[~np.isin(after, before)],
        before[~np.isin(before, after)],
        moved[by_distance],
    )
