"""How good one list is: ranking metrics, and metrics of whole sets of lists. One small function each.

A list is always (n,) item indices, best first, without repeats. A metric that has no answer for a user
(nothing relevant, nothing to compare) is NaN, and ``intervals`` leaves NaN out of every mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.algorithms.classification import auc, precision, recall
from recflow.data.types import IndexVector

__all__ = [
    "auc",
    "coverage",
    "hit_rate_at_k",
    "intra_list_diversity",
    "ndcg_at_k",
    "novelty",
    "overlap_at_k",
    "precision",
    "rank_biased_overlap",
    "recall",
    "recall_at_k",
    "reciprocal_rank",
]


def ndcg_at_k(ranked: IndexVector, relevant: Collection[int], k: int = 10) -> float:
    """Normalized discounted cumulative gain of one ranked list.

    An item liked in the test split gains 1, any other 0. The gain at rank r (the first is 1) is
    divided by log2(r + 1); the sum is divided by the best sum that k ranks could hold.

    Args:
        ranked: (n,) item indices, best first, no repeats.
        relevant: item indices the user liked in the test split.
        k: ranks that count. A list shorter than k earns nothing for the gap.

    Returns:
        A share in [0, 1]; NaN when ``relevant`` is empty: leave that user out of a mean.

    Raises:
        ValueError: k is below 1.

    Source: Burges et al., "Learning to Rank using Gradient Descent", ICML 2005. The 2002 original
    discounts by log2(r), which ties ranks 1 and 2.
    """
    hits = _hits(ranked, relevant, k)
    if not len(relevant):
        return float("nan")
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    return float(discounts[: len(hits)][hits].sum() / discounts[: len(relevant)].sum())


def hit_rate_at_k(ranked: IndexVector, relevant: Collection[int], k: int = 10) -> float:
    """1 when the first k ranks hold anything relevant, else 0; NaN when nothing is relevant."""
    hits = _hits(ranked, relevant, k)
    return float(hits.any()) if len(relevant) else float("nan")


def recall_at_k(ranked: IndexVector, relevant: Collection[int], k: int = 10) -> float:
    """Share of the relevant items that the first k ranks hold; NaN when nothing is relevant.

    With more than k relevant items a perfect list stays below 1.
    """
    hits = _hits(ranked, relevant, k)
    return float(hits.sum() / len(relevant)) if len(relevant) else float("nan")


def reciprocal_rank(ranked: IndexVector, relevant: Collection[int]) -> float:
    """1 / rank of the first relevant item, 0 when the list has none; NaN when nothing is relevant."""
    if not len(relevant):
        return float("nan")
    places = np.flatnonzero(_hits(ranked, relevant, max(len(ranked), 1)))
    return float(1.0 / (places[0] + 1)) if len(places) else 0.0


def coverage(lists: Iterable[IndexVector], n_items: int) -> float:
    """Share of the catalogue that appears in at least one of the lists; NaN for an empty catalogue."""
    shown = np.zeros(n_items, dtype=bool)
    for ranked in lists:
        shown[ranked] = True
    return float(shown.mean()) if n_items else float("nan")


def novelty(ranked: IndexVector, like_counts: NDArray, n_users: int) -> float:
    """Mean surprise of a list in bits: -log2 of the share of users who liked each item.

    An item that nobody liked yet counts as liked by one user, which keeps the surprise finite.

    Args:
        ranked: (n,) item indices.
        like_counts: (n_items,) users who liked each item in the training feedback.
        n_users: users who could have liked it.

    Returns:
        Bits, 0 for items everybody liked; NaN for an empty list.

    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.
    """
    if not len(ranked):
        return float("nan")
    shares = np.maximum(np.asarray(like_counts)[ranked], 1) / n_users
    return float(-np.log2(shares).mean())


def intra_list_diversity(ranked: IndexVector, item_features: NDArray | sparse.spmatrix) -> float:
    """Mean of 1 - cosine over all pairs of the list; NaN for fewer than two items.

    Args:
        ranked: (n,) item indices.
        item_features: (n_items, n_features) embedding, or labels as a sparse matrix. An item without
            features is unlike every other.

    Source: Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.
    """
    n = len(ranked)
    if n < 2:
        return float("nan")
    rows = item_features[ranked]
    rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, norms, out=np.zeros(rows.shape), where=norms > 0)
    # The cosines of all ordered pairs sum to |sum of units|^2, less each item with itself.
    similar = np.square(units.sum(axis=0)).sum() - np.square(units).sum()
    return float(1.0 - similar / (n * (n - 1)))


def overlap_at_k(first: IndexVector, second: IndexVector, k: int = 10) -> float:
    """Share of items that the first k ranks of two lists have in common, order aside.

    Lists shorter than k are compared as long as the longer of the two; two empty lists agree fully.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    depth = min(k, max(len(first), len(second)))
    return float(len(np.intersect1d(first[:k], second[:k])) / depth) if depth else 1.0


def rank_biased_overlap(first: IndexVector, second: IndexVector, persistence: float = 0.9) -> float:
    """How far two lists agree, the top weighing most; the unseen rest is extrapolated.

    Think of a reader who goes on to the next rank with probability ``persistence``: the value is the share of
    agreement that reader expects to have seen. 0.9 puts 86 % of the weight on the first ten ranks.

    Returns:
        1 for equal lists, 0 for lists with nothing in common; two empty lists agree fully.

    Raises:
        ValueError: persistence is not inside (0, 1).

    Source: Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", ACM TOIS 2010,
    equation 32.
    """
    if not 0.0 < persistence < 1.0:
        raise ValueError(f"persistence must be inside (0, 1), got {persistence}")
    if not len(first) and not len(second):
        return 1.0
    short, long = sorted((np.asarray(first), np.asarray(second)), key=len)
    s, l = len(short), len(long)  # noqa: E741 - the letters of equation 32
    if not s:
        return 0.0
    place = {int(item): rank for rank, item in enumerate(short, start=1)}
    # An item is common from the depth at which both lists have shown it.
    joined = [max(rank, place[int(item)]) for rank, item in enumerate(long, start=1) if int(item) in place]
    common = np.bincount(joined, minlength=l + 1)[1:].cumsum()  # X_d, d = 1 .. l
    depth = np.arange(1, l + 1)
    weights = persistence**depth
    agreement = (common / depth * weights).sum()
    agreement += (common[s - 1] * (depth[s:] - s) / (s * depth[s:]) * weights[s:]).sum()
    tail = (common[l - 1] - common[s - 1]) / l + common[s - 1] / s
    return float((1 - persistence) / persistence * agreement + tail * weights[-1])


def _hits(ranked: IndexVector, relevant: Collection[int], k: int) -> NDArray[np.bool_]:
    """(at most k,) True at the ranks that hold a relevant item."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return np.fromiter((int(item) in relevant for item in ranked[:k]), np.bool_, min(k, len(ranked)))
