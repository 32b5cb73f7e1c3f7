"""From factors to lists: the cheap step from a user to some hundred candidates.

A refresh of everybody must give each user the very list of a single run. Matrix products do not promise
that: how they add depends on the shape of the block, so the last bits differ and ties break differently.
Here a product only finds who is in reach; what counts are dot products taken one pair at a time, the same
whoever else is asked about.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import NO_INDEX, Factors, IndexMatrix, ScoreMatrix, ScoreVector
from .topk import best_columns, top_n_rows

#: Scores held at a time when the caller does not say: 40 MB, or 256 users of a catalog of 41,000.
_BLOCK_SCORES = 10_500_000
#: Items kept beyond n until the pairs are taken one by one; rounding moves an item by a place or two.
_SPARE = 16


def factor_scores(user_vector: NDArray[np.float32], item_factors: Factors) -> ScoreVector:
    """(n_items,) dot products, each the same to the last bit however many items are asked for."""
    return np.vecdot(np.ascontiguousarray(item_factors), np.ascontiguousarray(user_vector))


def best_items_for_users(
    user_factors: Factors,
    item_factors: Factors,
    n: int,
    exclude: csr_matrix | None = None,
    *,
    block_users: int | None = None,
    check: Callable[[], None] | None = None,
) -> tuple[IndexMatrix, ScoreMatrix]:
    """The n best items of every user, block by block.

    Args:
        user_factors: (n_users, n_factors) float32.
        item_factors: (n_items, n_factors) float32; an item with NaN is never returned.
        n: items wanted per user.
        exclude: (n_users, n_items); a stored entry bars the item from the user's list.
        block_users: users scored at a time; a block holds ``4 * block_users * n_items`` bytes of scores
            and, while it is sorted, about a third on top.
        check: called between blocks; raises to stop.

    Returns:
        (n_users, n) int32 items padded with -1 and float32 scores padded with -inf; see `top_n_rows`.

    Raises:
        ValueError: block_users is below 1.
    """
    n_users, n_items = len(user_factors), len(item_factors)
    if block_users is None:
        block_users = max(1, min(1024, _BLOCK_SCORES // max(n_items, 1)))
    if block_users < 1:
        raise ValueError(f"block_users must be at least 1, got {block_users}")
    items = np.full((n_users, n), NO_INDEX, np.int32)
    best = np.full((n_users, n), -np.inf, np.float32)
    if n == 0 or n_items == 0:
        return items, best
    for start in range(0, n_users, block_users):
        if check is not None:
            check()
        stop = min(start + block_users, n_users)
        scores = user_factors[start:stop] @ item_factors.T
        if exclude is not None:
            first, last = exclude.indptr[start], exclude.indptr[stop]
            rows = np.repeat(np.arange(stop - start), np.diff(exclude.indptr[start : stop + 1]))
            scores[rows, exclude.indices[first:last]] = -np.inf
        near, _ = top_n_rows(scores, n + _SPARE)
        exact = np.vecdot(item_factors[near], user_factors[start:stop, None, :])
        exact[near == NO_INDEX] = -np.inf
        items[start:stop], best[start:stop] = best_columns(exact, np.maximum(near, 0), n)
    return items, best
