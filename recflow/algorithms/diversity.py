"""A list with less of the same: at most k per category, or maximal marginal relevance over vectors.

Both take a ranked list, best first, and return which of its places stay and in what order, so that the caller
can say of each item whether it moved or was dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import IndexVector, ScoreVector


def cap_per_category(items: IndexVector, categories: csr_matrix, k: int) -> IndexVector:
    """Places that stay when every category may fill at most k.

    Walks the list from the top. An item is dropped when any of its categories is full already; an item
    without category always stays.

    Args:
        items: (n,) item indices, best first.
        categories: (n_items, n_categories), non-zero where the item carries the category.
        k: items per category.

    Returns:
        Ascending places in ``items`` that stay.

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    filled = np.zeros(categories.shape[1], dtype=np.int64)
    kept = []
    for place, item in enumerate(items):
        own = categories.indices[categories.indptr[item] : categories.indptr[item + 1]]
        if (filled[own] < k).all():
            filled[own] += 1
            kept.append(place)
    return np.array(kept, dtype=np.int32)


def maximal_marginal_relevance(
    scores: ScoreVector, vectors: NDArray, n: int, *, relevance_weight: float = 0.7
) -> IndexVector:
    """Places reordered so that each next item is good and unlike those already taken.

    Takes, n times, the item with the greatest ``w * relevance - (1 - w) * similarity``, where relevance is
    the score stretched to [0, 1] over the list and similarity the greatest cosine with any item taken so far
    (0 for the first). An item without vector (NaN or all zeros) resembles nothing.

    Args:
        scores: (n_candidates,) scores of a list, best first.
        vectors: (n_candidates, n_dimensions) one vector per candidate.
        n: items wanted.
        relevance_weight: w; 1 leaves the order, 0 looks at likeness only.

    Returns:
        (min(n, n_candidates),) places in the given list, in the new order. Ties go to the earlier place.

    Raises:
        ValueError: relevance_weight lies outside [0, 1], or there is not one vector per score.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
    producing summaries", SIGIR 1998.
    """
    if not 0 <= relevance_weight <= 1:
        raise ValueError(f"relevance_weight must lie between 0 and 1, got {relevance_weight}")
    if len(vectors) != len(scores):
        raise ValueError(f"{len(scores)} scores need as many vectors, got {len(vectors)}")
    n = min(n, len(scores))
    if n <= 0:
        return np.empty(0, dtype=np.int32)
    low, high = float(scores.min()), float(scores.max())
    relevance = (scores.astype(np.float64) - low) / (high - low) if high > low else np.ones(len(scores))
    units = _unit_rows(vectors)
    likeness = np.zeros(len(scores))  # greatest cosine with what was taken, from the second turn on
    open_places = np.ones(len(scores), dtype=bool)
    taken = np.empty(n, dtype=np.int32)
    for turn in range(n):
        marginal = relevance_weight * relevance - (1 - relevance_weight) * likeness
        marginal[~open_places] = -np.inf
        best = int(np.argmax(marginal))
        taken[turn] = best
        open_places[best] = False
        cosines = units @ units[best]
        likeness = cosines if turn == 0 else np.maximum(likeness, cosines)
    return taken


def _unit_rows(vectors: NDArray) -> NDArray[np.float64]:
    rows = np.nan_to_num(np.asarray(vectors, dtype=np.float64), nan=0.0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
