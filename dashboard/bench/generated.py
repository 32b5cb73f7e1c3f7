"""Feedback drawn at random with popularity skew, for figures at sizes that no shipped data set has."""

from __future__ import annotations

import numpy as np

DAY_US = 86_400_000_000
NOW = 20_000 * DAY_US


def drawn_feedback(
    n_feedback: int, n_users: int, n_items: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct pairs and their times.

    Returns:
        (n,) user indices, (n,) item indices, (n,) microseconds since 1970, sorted by user and item; n is a
        little below ``n_feedback``, since pairs drawn twice count once.
    """
    rng = np.random.default_rng(seed)
    users = (rng.beta(0.7, 2.0, n_feedback) * n_users).astype(np.int64)
    items = (rng.beta(0.6, 3.0, n_feedback) * n_items).astype(np.int64)
    pairs = np.unique(users * n_items + items)
    times = NOW - rng.integers(0, 1000 * DAY_US, len(pairs))
    return (pairs // n_items).astype(np.int32), (pairs % n_items).astype(np.int32), times
