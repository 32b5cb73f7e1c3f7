"""Several ranked lists made into one.

An input is a pair ``(items, scores)``, best first. Scores are comparable only within one list, so the four
ways differ in what they trust: the order of the inputs, taking turns, ranks, or scores brought to one scale.
Each item comes out once; ties go to the item that was proposed first, reading the inputs in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .arrays import IndexVector, ScoreVector

RankedList = tuple[IndexVector, ScoreVector]

#: Softens the first ranks: without it, rank 1 would count twice rank 2. 60 is the value of the paper.
RRF_K = 60


def concatenate(lists: Sequence[RankedList]) -> RankedList:
    """All of the first list, then what the second adds, and so on; an item keeps its first score."""
    items, scores = _joined(lists)
    _, first = np.unique(items, return_index=True)
    first.sort()
    return items[first], scores[first]


def round_robin(lists: Sequence[RankedList]) -> RankedList:
    """One item of each list in turn, skipping what was taken; an item keeps the score of its first turn.

    A list whose next item was taken already gives the one after it in the same turn, so every list with
    anything new to say gets its share.
    """
    taken: dict[int, float] = {}
    queues = [iter(zip(items.tolist(), scores.tolist(), strict=True)) for items, scores in lists]
    while queues:
        still_open = []
        for queue in queues:
            for item, score in queue:
                if item not in taken:
                    taken[item] = score
                    still_open.append(queue)
                    break
        queues = still_open
    return np.fromiter(taken, np.int32, len(taken)), np.fromiter(taken.values(), np.float32, len(taken))


def reciprocal_rank_fusion(
    lists: Sequence[RankedList], weights: Sequence[float] | None = None, *, k: int = RRF_K
) -> RankedList:
    """Sum of weight / (k + rank) over the lists that propose an item; scores are not looked at.

    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
    Learning Methods", SIGIR 2009.
    """
    gains = [
        weight / (k + np.arange(1, len(items) + 1))
        for (items, _), weight in zip(lists, _checked(weights, lists), strict=True)
    ]
    return _sum_by_item(lists, gains)


def weighted_scores(lists: Sequence[RankedList], weights: Sequence[float] | None = None) -> RankedList:
    """Sum of weight times score, each list first stretched so that its worst is 0 and its best is 1.

    A list whose scores are all equal says "these, in no order": each of its items gets 1. A list that does
    not propose an item adds nothing for it.
    """
    gains = [
        weight * _stretched(scores)
        for (_, scores), weight in zip(lists, _checked(weights, lists), strict=True)
    ]
    return _sum_by_item(lists, gains)


def _stretched(scores: ScoreVector) -> NDArray[np.float64]:
    wide = scores.astype(np.float64)
    if len(wide) == 0:
        return wide
    low, high = wide.min(), wide.max()
    return (wide - low) / (high - low) if high > low else np.ones_like(wide)


def _checked(weights: Sequence[float] | None, lists: Sequence[RankedList]) -> Sequence[float]:
    if weights is None:
        return [1.0] * len(lists)
    if len(weights) != len(lists):
        raise ValueError(f"{len(lists)} lists need as many weights, got {len(weights)}")
    return weights


def _joined(lists: Sequence[RankedList]) -> RankedList:
    items = [np.asarray(items, dtype=np.int32) for items, _ in lists]
    scores = [np.asarray(scores, dtype=np.float32) for _, scores in lists]
    return (
        np.concatenate([np.empty(0, np.int32), *items]),
        np.concatenate([np.empty(0, np.float32), *scores]),
    )


def _sum_by_item(lists: Sequence[RankedList], gains: Sequence[NDArray[np.float64]]) -> RankedList:
    items, _ = _joined(lists)
    if len(items) == 0:
        return items, np.empty(0, np.float32)
    unique, first, place = np.unique(items, return_index=True, return_inverse=True)
    totals = np.bincount(place, weights=np.concatenate(gains)).astype(np.float32)
    best_first = np.lexsort((first, -totals))
    return unique[best_first].astype(np.int32), totals[best_first]
