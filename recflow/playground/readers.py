"""The readers of the invented library: their tastes, how these drift, and how much they read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recflow.playground.catalogue import HISTORY_DAYS, N_THEMES
from recflow.playground.tastes import names_of

_DRIFT_SHARE = 0.6
_STILL_ACTIVE_SHARE = 0.75


@dataclass(frozen=True)
class Readers:
    """All users and what is hidden behind them.

    Args:
        names: n_users names, no two alike.
        early, late: (n_users, n_tastes) taste mix at the beginning and at the end; rows sum to 1.
        theme_weights: (n_users, n_tastes * 4) how much each theme is preferred within its taste, about 1.
        n_pairs: (n_users,) books read in.
        first_day, last_day: (n_users,) days before now of the first and the last activity.
    """

    names: tuple[str, ...]
    early: NDArray[np.float64]
    late: NDArray[np.float64]
    theme_weights: NDArray[np.float64]
    n_pairs: NDArray[np.int64]
    first_day: NDArray[np.float64]
    last_day: NDArray[np.float64]


def make_readers(
    n_users: int, n_cold: int, n_sparse: int, n_tastes: int, n_pairs: int, rng: np.random.Generator
) -> Readers:
    """Invent readers who together read in ``n_pairs`` books.

    Args:
        n_cold: readers who have read nothing.
        n_sparse: readers who have read one to four books.
        n_pairs: (user, item) pairs in all.
    """
    early = _mixes(n_users, n_tastes, rng)
    drifts = rng.random(n_users) < _DRIFT_SHARE
    late = np.where(drifts[:, None], 0.3 * early + 0.7 * _mixes(n_users, n_tastes, rng), early)
    still_active = rng.random(n_users) < _STILL_ACTIVE_SHARE
    first_day = 60 + rng.random(n_users) * (HISTORY_DAYS - 60)
    return Readers(
        tuple(names_of("reader", n_users, rng)),
        early,
        late,
        np.exp(rng.normal(0, 0.8, (n_users, n_tastes * N_THEMES))),
        _counts(n_users, n_cold, n_sparse, n_pairs, rng),
        first_day,
        last_day=np.where(still_active, 0.0, rng.random(n_users) * first_day * 0.6),
    )


def _mixes(n_users: int, n_tastes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Each row mixes one to four tastes."""
    wanted = rng.choice([1, 2, 3, 4], n_users, p=[0.2, 0.4, 0.3, 0.1])
    places = np.argsort(np.argsort(rng.random((n_users, n_tastes)), axis=1), axis=1)
    weights = np.where(places < wanted[:, None], rng.gamma(2.0, size=(n_users, n_tastes)) + 0.3, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _counts(
    n_users: int, n_cold: int, n_sparse: int, n_pairs: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many books each reader reads in: none, few, or a long-tailed share of the rest."""
    counts = np.zeros(n_users, dtype=np.int64)
    roles = rng.permutation(n_users)
    sparse, busy = roles[n_cold : n_cold + n_sparse], roles[n_cold + n_sparse :]
    counts[sparse] = rng.integers(1, 5, n_sparse)
    wanted = np.minimum(np.exp(rng.normal(0, 0.7, len(busy))), 4.0)
    rest = n_pairs - counts[sparse].sum()
    edges = np.floor(np.cumsum(wanted / wanted.sum()) * rest + 1e-6).astype(np.int64)
    edges[-1] = rest
    counts[busy] = np.diff(edges, prepend=0)
    return counts
