"""What is hidden from the rankers and what they may learn from, drawn once with a seed.

A split never shows a ranker more than its training feedback; the items it is asked to find are known only to
the one who counts. All draws depend on the seed and on the user, never on ``shots`` or on how many users are
sampled, so that every line of a chart answers the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from recflow.data.types import IndexVector, TimeVector


@dataclass(frozen=True)
class ItemLists:
    """Item lists of different lengths, laid end to end.

    Args:
        indptr: (n + 1,) int64; list i is ``items[indptr[i]:indptr[i + 1]]``.
        items: item indices of all lists.
    """

    indptr: NDArray[np.int64]
    items: IndexVector

    @classmethod
    def from_lists(cls, lists: Sequence[ArrayLike]) -> ItemLists:
        indptr = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(items) for items in lists], out=indptr[1:])
        items = np.concatenate(lists).astype(np.int32) if len(lists) else np.zeros(0, dtype=np.int32)
        return cls(indptr, items)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, row: int) -> IndexVector:
        return self.items[self.indptr[row] : self.indptr[row + 1]]


@dataclass(frozen=True)
class TrainingFeedback:
    """The positive feedback rankers may learn from, user by user, newest first.

    Args:
        indptr: (n_users + 1,) int64; user u owns the entries ``indptr[u]`` to ``indptr[u + 1]``.
        items: item indices.
        times: (same,) microseconds.
        n_items: items of the catalogue, also those without feedback.
    """

    indptr: NDArray[np.int64]
    items: IndexVector
    times: TimeVector
    n_items: int

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    @property
    def users(self) -> IndexVector:
        """(same length as ``items``,) the user of each entry."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    def history(self, user: int) -> tuple[IndexVector, TimeVector]:
        """Items and times of one user, newest first."""
        own = slice(self.indptr[user], self.indptr[user + 1])
        return self.items[own], self.times[own]

    def matrix(self) -> sparse.csr_matrix:
        """(n_users, n_items) float32, 1 where there is feedback."""
        ones = np.ones(len(self.items), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, self.items, self.indptr), shape=(self.n_users, self.n_items))
        return matrix.sorted_indices()  # a copy: sorting in place would reorder the history itself

    def newest(self, shots: int) -> TrainingFeedback:
        """Only the newest ``shots`` entries of every user."""
        if shots < 0:
            raise ValueError(f"shots must be at least 0, got {shots}")
        age = np.arange(len(self.items)) - np.repeat(self.indptr[:-1], np.diff(self.indptr))
        kept = age < shots
        indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(self.indptr), shots))])
        return replace(self, indptr=indptr, items=self.items[kept], times=self.times[kept])


@dataclass(frozen=True)
class Split:
    """One question per row: which of these candidates did this user like next?

    Args:
        users: (n,) user indices, ascending.
        times: (n,) microseconds, when each question is asked.
        relevant: what is to be found; a row holds one item after ``leave_last_out``.
        candidates: what is to be ranked: the relevant items among the negatives, shuffled.
        train: all that rankers may learn from, for all users and not only those asked.
        shots: training items per user at most; None: all there are.
    """

    users: IndexVector
    times: TimeVector
    relevant: ItemLists
    candidates: ItemLists
    train: TrainingFeedback
    shots: int | None

    def __len__(self) -> int:
        return len(self.users)

    def with_shots(self, shots: int) -> Split:
        """The same questions with at most ``shots`` training items per user.

        Raises:
            ValueError: this split has fewer already.
        """
        if self.shots is not None and shots > self.shots:
            raise ValueError(f"a split of {self.shots} shots cannot be widened to {shots}")
        return replace(self, train=self.train.newest(shots), shots=shots)


def leave_last_out(
    users: ArrayLike,
    items: ArrayLike,
    times: ArrayLike,
    *,
    n_items: int,
    shots: int | None,
    rng: np.random.Generator,
    n_users: int | None = None,
    n_negatives: int = 99,
    max_users: int | None = None,
    seen_users: ArrayLike = (),
    seen_items: ArrayLike = (),
) -> Split:
    """Each user's newest positive is to be found, the ``shots`` before it are known, older ones are unused.

    A user with one positive is asked with an empty history. Equal times are put in an order drawn by the
    seed: the order of the input would let the catalogue's numbering leak in. The question is asked at the
    time of its answer, since that is when the user came.

    Args:
        users, items, times: (n,) all positive feedback; of a repeated pair the newest counts.
        n_items: items negatives are drawn from.
        shots: training items per user; None keeps all.
        rng: same state, same split. Draws do not depend on ``shots`` and ``max_users``.
        n_users: rows of the training feedback; None: up to the largest index.
        n_negatives: items the user never touched, drawn uniformly without repeats. A user with fewer gets
            those; a user with none is not asked.
        max_users: ask a sample of this size; training keeps everybody.
        seen_users, seen_items: (m,) every other pair the user is known to have touched (read, negative): such
            an item is no negative.

    Raises:
        ValueError: shots or n_negatives make no sense.
    """
    if shots is not None and shots < 0:
        raise ValueError(f"shots must be at least 0, got {shots}")
    if n_negatives < 1:
        raise ValueError(f"n_negatives must be at least 1, got {n_negatives}")
    positives = _newest_first(users, items, times, n_items=n_items, n_users=n_users, rng=rng)
    counts = np.diff(positives.indptr)
    newest = positives.indptr[:-1]  # the place of each user's newest positive
    is_history = np.ones(len(positives.items), dtype=bool)
    is_history[newest[counts > 0]] = False
    train = TrainingFeedback(
        indptr=np.concatenate([[0], np.cumsum(np.maximum(counts - 1, 0))]),
        items=positives.items[is_history],
        times=positives.times[is_history],
        n_items=n_items,
    )
    asked = np.flatnonzero(counts > 0).astype(np.int32)
    split = _ask(
        asked,
        positives.times[newest[asked]],
        ItemLists(np.arange(len(asked) + 1), positives.items[newest[asked]]),
        train,
        touched=_touched(positives, seen_users, seen_items),
        n_negatives=n_negatives,
        max_users=max_users,
        rng=rng,
    )
    return split if shots is None else split.with_shots(shots)


def _newest_first(
    users: ArrayLike,
    items: ArrayLike,
    times: ArrayLike,
    *,
    n_items: int,
    n_users: int | None,
    rng: np.random.Generator,
) -> TrainingFeedback:
    """All positives by user and newest first, each pair once, equal times in random order."""
    users = np.asarray(users, dtype=np.int32)
    items = np.asarray(items, dtype=np.int32)
    times = np.asarray(times, dtype=np.int64)
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        raise ValueError(
            f"item indices must be inside 0 .. {n_items - 1}, got {items.min()} .. {items.max()}"
        )
    n_users = n_users if n_users is not None else int(users.max(initial=-1)) + 1
    order = np.lexsort((rng.permutation(len(users)), -times, users))
    pairs = users[order].astype(np.int64) * n_items + items[order]
    first_of_pair = np.sort(np.unique(pairs, return_index=True)[1])
    order = order[first_of_pair]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(users[order], minlength=n_users))])
    return TrainingFeedback(indptr, items[order], times[order], n_items)


def _touched(positives: TrainingFeedback, seen_users: ArrayLike, seen_items: ArrayLike) -> sparse.csr_matrix:
    """(n_users, n_items) where a user had anything to do with an item."""
    rows = np.concatenate([positives.users, np.asarray(seen_users, dtype=np.int32)])
    columns = np.concatenate([positives.items, np.asarray(seen_items, dtype=np.int32)])
    is_inside = rows < positives.n_users
    rows, columns = rows[is_inside], columns[is_inside]
    touched = sparse.csr_matrix(
        (np.ones(len(rows), dtype=bool), (rows, columns)), shape=(positives.n_users, positives.n_items)
    )
    touched.sum_duplicates()
    return touched


def _ask(
    users: IndexVector,
    times: TimeVector,
    relevant: ItemLists,
    train: TrainingFeedback,
    *,
    touched: sparse.csr_matrix,
    n_negatives: int,
    max_users: int | None,
    rng: np.random.Generator,
) -> Split:
    """Draw the sample of users and the candidates of each."""
    # Every user has a generator of their own, so a sample asks the same questions as the full run.
    seed = int(rng.integers(2**63))
    rows = np.flatnonzero(np.diff(touched.indptr)[users] < train.n_items)
    if max_users is not None and max_users < len(rows):
        rows = np.sort(rng.choice(rows, size=max_users, replace=False))
    candidates = []
    for row in rows:
        user = int(users[row])
        own_rng = np.random.default_rng([seed, user])
        seen = touched.indices[touched.indptr[user] : touched.indptr[user + 1]]
        negatives = _draw_outside(seen, train.n_items, n_negatives, own_rng)
        candidates.append(own_rng.permutation(np.concatenate([negatives, relevant[row]])))
    return Split(
        users=users[rows],
        times=times[rows],
        relevant=ItemLists.from_lists([relevant[row] for row in rows]),
        candidates=ItemLists.from_lists(candidates),
        train=train,
        shots=None,
    )


def _draw_outside(seen: IndexVector, n_items: int, n: int, rng: np.random.Generator) -> IndexVector:
    """At most n of the items that are not in ``seen`` (ascending), uniformly and without repeats."""
    n_unseen = n_items - len(seen)
    places = rng.choice(n_unseen, size=min(n, n_unseen), replace=False)
    # The p-th unseen item is p plus the seen items below it; this costs no array as long as the catalogue.
    below = np.searchsorted(seen - np.arange(len(seen)), places, side="right")
    return (places + below).astype(np.int32)
