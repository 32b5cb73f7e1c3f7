"""The evidence that the hybrid ranker weighs, each piece computed for all candidates of one request.

Two kinds: what an item is to everybody (likes, trend, age, how liked its labels are) and how it fits a
history (labels, embedding, shared likes). A history is always newest first, and the newest entries weigh
most.

The functions take ``own``: the row of the candidate whose like is being asked about while the ranker is
trained, or ``NO_INDEX``. That one like is taken out of every count, or the counts would give the answer
away.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from .arrays import MICROSECONDS_PER_DAY, NO_INDEX, IndexVector, TimeVector

#: Go's zero time: an item without a time of its own. The same value as in ``recflow.data.types``.
NO_TIME = -62_135_596_800_000_000
#: Expected likes added to both sides of a lift, so that rare labels and ages prove little.
LIFT_PRIOR = 5.0
#: Likes at the global mean that an item's mean value starts with.
VALUE_PRIOR = 3.0
#: Likes added to an item before shared likes are divided by its own.
NEIGHBOR_PRIOR = 5.0

_ERAS = 64  # the timeline of the catalogue in slices of equally many items
_AGE_SLICES = 12


def recency_weights(n: int, span: float) -> NDArray[np.float32]:
    """(n,) weights of a history, newest first: each ``span`` entries back weigh 1/e of what came after."""
    weights = np.exp(-np.arange(n) / span)
    return (weights / max(weights.sum(), 1e-12)).astype(np.float32)


def trust(n_history: int) -> float:
    """How far a history of this length can be relied on: 0, 1/2, 2/3, 3/4 ... of a long one."""
    return n_history / (n_history + 1.0)


# --- likes over time
# -------------------------------------------------------------------------------------------


def fading_likes(
    items: IndexVector, times: TimeVector, n_items: int, half_lives_days: NDArray[np.float32]
) -> tuple[NDArray[np.int64], TimeVector, NDArray[np.float32]]:
    """What every item's faded number of likes was right after each of its likes.

    Likes fade exponentially, so the value at any later moment is the value at the like before it, faded
    further: one binary search answers for any time, and nothing later than that time can leak in.

    Returns:
        (n_items + 1,) offsets; (n_likes,) times by item, oldest first; (n_likes, n_half_lives) values.
    """
    order = np.lexsort((times, items))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=n_items))])
    sorted_times = times[order]
    return offsets, sorted_times, _fade(offsets, sorted_times, half_lives_days)


@njit(cache=True, nogil=True)
def _fade(offsets, times, half_lives_days):
    values = np.empty((len(times), len(half_lives_days)), np.float32)
    for item in range(len(offsets) - 1):
        for i in range(offsets[item], offsets[item + 1]):
            for j in range(len(half_lives_days)):
                before = 0.0
                if i > offsets[item]:
                    days = (times[i] - times[i - 1]) / MICROSECONDS_PER_DAY
                    before = values[i - 1, j] * np.exp2(-days / half_lives_days[j])
                values[i, j] = 1.0 + before
    return values


@njit(cache=True, nogil=True)
def faded_at(candidates, now, offsets, times, values, half_lives_days):
    """(n, n_half_lives) likes of each candidate before ``now``, faded until ``now``."""
    found = np.zeros((len(candidates), len(half_lives_days)), np.float32)
    for row in range(len(candidates)):
        first, last = offsets[candidates[row]], offsets[candidates[row] + 1]
        before = first + np.searchsorted(times[first:last], now) - 1
        if before >= first:
            days = (now - times[before]) / MICROSECONDS_PER_DAY
            for j in range(len(half_lives_days)):
                found[row, j] = values[before, j] * np.exp2(-days / half_lives_days[j])
    return found


# --- age
# -------------------------------------------------------------------------------------------------------


def age_lifts(
    items: IndexVector, times: TimeVector, item_times: TimeVector, *, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """How much likelier a like is at some age of an item than the catalogue's ages at that moment explain.

    The slices of age are cut so that likes fall into them evenly, with one cut at 0: an item that appears
    after the request can hardly be what the user took. No unit of time is assumed, so news and films both
    fit.

    Returns:
        (n_slices - 1,) cuts in microseconds; (n_slices,) log of (likes / likes expected by chance).
    """
    is_dated = item_times != NO_TIME
    dated = np.flatnonzero(is_dated)
    likes = is_dated[items]
    if not likes.any():
        return np.zeros(0), np.zeros(1, np.float32)
    ages = (times[likes] - item_times[items[likes]]).astype(np.float64)
    moments = rng.choice(times[likes], size=20_000)
    by_chance = (moments - item_times[rng.choice(dated, size=20_000)]).astype(np.float64)
    past = ages[ages > 0]
    cuts = np.quantile(past, np.linspace(0, 1, _AGE_SLICES)[1:-1]) if len(past) else []
    cuts = np.unique(np.concatenate([[0.0], cuts]))
    counts = np.bincount(np.searchsorted(cuts, ages, side="right"), minlength=len(cuts) + 1)
    shares = np.bincount(np.searchsorted(cuts, by_chance, side="right"), minlength=len(cuts) + 1) / 20_000
    return cuts, _log_lift(counts, shares * len(ages)).astype(np.float32)


def age_feature(
    candidates: IndexVector,
    now: int,
    item_times: TimeVector,
    cuts: NDArray[np.float64],
    lifts: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(n,) the lift of each candidate's age; 0, no news, for an item without time."""
    known = item_times[candidates]
    return np.where(known == NO_TIME, 0.0, lifts[np.searchsorted(cuts, now - known, side="right")])


# --- labels
# ----------------------------------------------------------------------------------------------------


def eras(item_times: TimeVector) -> sparse.csr_matrix:
    """(n_items, 64) the part of the catalogue's timeline an item belongs to, as labels that overlap.

    Slices hold equally many items; an item belongs to its own and fades into two on either side, so items of
    neighboring years are alike and items of different decades are not.
    """
    dated = np.flatnonzero(item_times != NO_TIME)
    if not len(dated):
        return sparse.csr_matrix((len(item_times), _ERAS), dtype=np.float32)
    _, inverse, counts = np.unique(item_times[dated], return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(dated)  # of items that share a time: their mean quantile
    place = middle[inverse] * _ERAS - 0.5
    membership = np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(_ERAS)) / 2.5)
    rows, columns = np.nonzero(membership)
    weights = membership[rows, columns].astype(np.float32)
    return sparse.csr_matrix((weights, (dated[rows], columns)), shape=(len(item_times), _ERAS))


def unit_labels(labels: sparse.spmatrix) -> sparse.csr_matrix:
    """Labels weighted by their rarity, every item's row of length 1; the dot product of two is their cosine.

    A label that only one item has matches nothing and is dropped.
    """
    labels = sparse.csr_matrix(labels, dtype=np.float32)
    frequency = np.bincount(labels.indices, minlength=labels.shape[1])
    rarity = np.where(frequency > 1, np.log((labels.shape[0] + 1) / np.maximum(frequency, 1)), 0.0)
    weighted = (labels @ sparse.diags(rarity.astype(np.float32))).tocsr()
    weighted.eliminate_zeros()
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return (sparse.diags(scale) @ weighted).tocsr().astype(np.float32)


def label_lifts(
    labels: sparse.csr_matrix, counts: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Likes of the items that carry each label, and how many they would have if likes fell evenly."""
    carries = labels.copy()
    carries.data = np.ones_like(carries.data)
    likes = carries.T @ counts
    expected = np.asarray(carries.sum(axis=0)).ravel() * counts.mean()
    return likes.astype(np.float32), expected.astype(np.float32)


@njit(cache=True, nogil=True)
def label_features(
    candidates, history, recency, own, offsets, columns, weights, spaces, likes, expected, n_spaces
):
    """How liked each candidate's labels are, and how they match the history, for each kind of labels.

    Args:
        candidates, history: item indices, the history newest first.
        recency: (len(history),) weights that sum to 1.
        own: the row whose like is taken out, or -1.
        offsets, columns, weights: the unit labels of all items in CSR form, all kinds side by side.
        spaces: (n_columns,) the kind each label belongs to.
        likes, expected: (n_columns,) of ``label_lifts``.

    Returns:
        (n, n_spaces) mean log lift; (n, n_spaces) weighted mean cosine with the history.
    """
    profile = np.zeros(len(spaces), np.float32)
    for place in range(len(history)):
        for entry in range(offsets[history[place]], offsets[history[place] + 1]):
            profile[columns[entry]] += recency[place] * weights[entry]
    lift = np.zeros((len(candidates), n_spaces), np.float32)
    match = np.zeros((len(candidates), n_spaces), np.float32)
    carried = np.zeros(n_spaces, np.float32)
    for row in range(len(candidates)):
        carried[:] = 0
        for entry in range(offsets[candidates[row]], offsets[candidates[row] + 1]):
            column = columns[entry]
            space = spaces[column]
            others = likes[column] - 1 if row == own else likes[column]
            lift[row, space] += np.log((others + LIFT_PRIOR) / (expected[column] + LIFT_PRIOR))
            match[row, space] += profile[column] * weights[entry]
            carried[space] += 1
        for space in range(n_spaces):
            if carried[space] > 0:
                lift[row, space] /= carried[space]
    return lift, match


# --- shared likes
# ----------------------------------------------------------------------------------------------


def shared_likes(matrix: sparse.csr_matrix, *, n_neighbors: int, newest: int) -> sparse.csr_matrix:
    """(n_items, n_items) how many users liked both, the ``n_neighbors`` closest of each item only.

    Counts are kept rather than similarities, because training has to take one like out of them again.

    Args:
        matrix: (n_users, n_items) likes; the entries of a row newest first.
        newest: likes of a user that count. The work grows with its square, and old likes tell least.
    """
    age = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    kept = age < newest
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[kept]
    recent = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, matrix.indices[kept])), matrix.shape)
    by_item = recent.T.tocsr()
    likes = np.diff(by_item.indptr) + NEIGHBOR_PRIOR
    # Rows of a block are cut so that its product stays near four million entries.
    work = np.cumsum(np.minimum(by_item @ np.diff(recent.indptr).astype(np.float64), matrix.shape[1]))
    cuts = np.flatnonzero(np.diff(work // 4e6, prepend=-1.0, append=np.inf))
    blocks = [
        _closest(by_item[start:stop] @ recent, start, likes, n_neighbors) for start, stop in pairwise(cuts)
    ]
    return sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, 0), dtype=np.float32)


def _closest(block: sparse.csr_matrix, start: int, likes: NDArray, n_neighbors: int) -> sparse.csr_matrix:
    """The best entries of each row by cosine, the diagonal left out, ascending by item."""
    columns, values, lengths = [], [], []
    for row in range(block.shape[0]):
        own = slice(block.indptr[row], block.indptr[row + 1])
        items, shared = block.indices[own], block.data[own]
        is_other = items != start + row
        items, shared = items[is_other], shared[is_other]
        if len(items) > n_neighbors:
            best = np.argpartition(-shared / np.sqrt(likes[items]), n_neighbors - 1)[:n_neighbors]
            items, shared = items[best], shared[best]
        order = np.argsort(items)
        columns.append(items[order])
        values.append(shared[order])
        lengths.append(len(items))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), offsets), block.shape)


@njit(cache=True, nogil=True)
def neighbor_feature(candidates, history, recency, own, counts, offsets, neighbors, shared):
    """(n,) recency-weighted cosine of the users of each candidate with those of the history."""
    found = np.zeros(len(candidates), np.float32)
    for place in range(len(history)):
        item = history[place]
        first, last = offsets[item], offsets[item + 1]
        if first == last:
            continue
        likes = counts[item] + NEIGHBOR_PRIOR
        for row in range(len(candidates)):
            at = first + np.searchsorted(neighbors[first:last], candidates[row])
            if at < last and neighbors[at] == candidates[row]:
                taken_out = 1 if row == own else 0
                others = counts[candidates[row]] + NEIGHBOR_PRIOR - taken_out
                found[row] += recency[place] * (shared[at] - taken_out) / np.sqrt(likes * others)
    return found


def popularity_features(
    candidates: IndexVector,
    own: int,
    own_value: float,
    counts: NDArray[np.float32],
    value_sums: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(n,) log of likes, whether there is any, and the mean value, of each candidate."""
    likes, values = counts[candidates], value_sums[candidates]
    if own != NO_INDEX:
        likes[own] -= 1
        values[own] -= own_value
    return np.log1p(likes), (likes > 0).astype(np.float32), values / (likes + VALUE_PRIOR)


def _log_lift(counts: NDArray, expected: NDArray) -> NDArray[np.float64]:
    """Log of counts / expected; ``LIFT_PRIOR`` spread by chance keeps rare slices near 0."""
    total = max(float(expected.sum()), 1e-12)
    prior = LIFT_PRIOR * expected / total
    return np.log(np.divide(counts + prior, expected + prior, out=np.ones(len(counts)), where=expected > 0))
