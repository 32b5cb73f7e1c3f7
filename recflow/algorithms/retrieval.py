"""From factors to lists: the cheap step from a user to some hundred candidates.

A refresh of everybody must give each user the very list of a single run. Matrix products do not promise
that: how they add depends on the shape of the block, so the last bits differ and ties break differently.
Here a product only finds who is in reach; what counts are dot products taken one pair at a time, the same
whoever else is asked about.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import NO_INDEX, Factors, IndexMatrix, ScoreMatrix, ScoreVector
from .topk import best_columns, top_n, top_n_rows

#: Scores a thread holds at a time when the caller does not say: 10 MB, or 64 users of a catalog of 41,000.
#: Four times as many took twice the time.
_BLOCK_SCORES = 2_600_000
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
    n_threads: int | None = None,
) -> tuple[IndexMatrix, ScoreMatrix]:
    """The n best items of every user, block by block.

    Args:
        user_factors: (n_users, n_factors) float32.
        item_factors: (n_items, n_factors) float32; an item with NaN is never returned.
        n: items wanted per user.
        exclude: (n_users, n_items); a stored entry bars the item from the user's list.
        block_users: users scored at a time; each thread holds ``4 * block_users * n_items`` bytes of scores
            and, while they are sorted, about a third on top.
        check: called between blocks; raises to stop.
        n_threads: as many as there are processors when not given.

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
    item_factors = np.ascontiguousarray(item_factors)
    longest = np.sqrt(np.nanmax(np.vecdot(item_factors, item_factors), initial=0.0))
    rounding = item_factors.shape[1] * np.finfo(np.float32).eps * longest  # of a product with a unit vector
    per_thread = local()

    def rank_block(start: int) -> None:
        if check is not None:
            check()
        if not hasattr(per_thread, "scores"):
            per_thread.scores = np.empty((block_users, n_items), np.float32)
        own = np.ascontiguousarray(user_factors[start : start + block_users])
        stop = start + len(own)
        scores = np.matmul(own, item_factors.T, out=per_thread.scores[: len(own)])
        if exclude is not None:
            first, last = exclude.indptr[start], exclude.indptr[stop]
            rows = np.repeat(np.arange(len(own)), np.diff(exclude.indptr[start : stop + 1]))
            scores[rows, exclude.indices[first:last]] = -np.inf
        near, near_scores = top_n_rows(scores, n + _SPARE)
        exact = np.vecdot(item_factors[near], own[:, None, :])
        exact[near == NO_INDEX] = -np.inf
        items[start:stop], best[start:stop] = best_columns(exact, np.maximum(near, 0), n)
        # With so many near ties one may stand beyond the spare places: take all pairs of that user.
        doubtful = near_scores[:, -1] + rounding * np.linalg.norm(own, axis=1) >= best[start:stop, -1]
        for row in np.flatnonzero(doubtful & (near[:, -1] != NO_INDEX)):
            all_exact = np.where(np.isneginf(scores[row]), -np.inf, factor_scores(own[row], item_factors))
            chosen = top_n(all_exact, n)
            items[start + row] = chosen
            best[start + row] = all_exact[chosen]

    with ThreadPoolExecutor(n_threads or os.cpu_count() or 1) as pool:
        for _ in pool.map(rank_block, range(0, n_users, block_users)):
            pass
    return items, best
