"""Which items are alike, which users are alike, and what follows for somebody's history.

Two kinds of evidence: sets (the users who liked an item, the items a user liked, the tags of either) and
vectors (embeddings). Both give a distance d in [0, 1] or [0, inf) and a score 1 / (1 + d), so that 1 means
the same. The search is exact, in blocks of bounded memory.

By default a row that equals another one is its neighbor with score 1, and rows with nothing in common are
no neighbors. ``compatible=True`` gives what Gorse 0.5 does: equal rows are left out, and rows with nothing
in common fill the list with score 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import NO_INDEX, BoolVector, IndexMatrix, IndexVector, ScoreMatrix, ScoreVector
from .topk import top_n, top_n_rows, top_n_sparse

#: Common members that are needed before their share counts half: few coincidences prove little.
SHRINKAGE = 100
#: The weight of a member that nearly every row has; ln(N / frequency) would be 0 or below.
LEAST_WEIGHT = 0.001

#: Pairs that a block of sets compares, which bounds memory. 250,000 stay near the processor: 4,000,000
#: took 500 MB and more than twice the time.
_SET_PAIRS = 250_000
#: Floats that a block of vectors works on; matrix products want larger blocks than sets do.
_VECTOR_FLOATS = 2_600_000
#: Candidates kept beyond k before distances are computed without rounding by subtraction.
_SPARE = 16


@dataclass(frozen=True)
class Neighbors:
    """The k nearest of every row.

    Args:
        indices: (n_rows, k) int32, best first, padded with -1.
        scores: (n_rows, k) float32, 0 where padded.
    """

    indices: IndexMatrix
    scores: ScoreMatrix

    def of(self, row: int) -> tuple[IndexVector, ScoreVector]:
        """The neighbors of one row without the padding."""
        found = self.indices[row] != NO_INDEX
        return self.indices[row, found], self.scores[row, found]

    def as_matrix(self) -> csr_matrix:
        """(n_rows, n_rows) sparse scores; row i holds the neighbors of i."""
        n_rows = len(self.indices)
        found = self.indices != NO_INDEX
        indptr = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
        return csr_matrix((self.scores[found], self.indices[found], indptr), shape=(n_rows, n_rows))


def neighbors_by_sets(
    members: csr_matrix,
    n_neighbors: int,
    *,
    candidates: BoolVector | None = None,
    compatible: bool = False,
    check: Callable[[], None] | None = None,
) -> Neighbors:
    """Rows alike by what they have in common: users of an item, items of a user, tags of either.

    A member counts by its rarity, w = max(ln(n_rows / rows that have it), 0.001). Two rows A and B with the
    common members C have the distance 1 - (sum_C w * |C|) / (sqrt(sum_A w) * sqrt(sum_B w) * (|C| + 100));
    equal sets 0. A row without members resembles nothing.

    Args:
        members: (n_rows, n_members); every stored entry is a member, whatever its value.
        n_neighbors: k.
        candidates: (n_rows,) false for rows that may not be anybody's neighbor, such as hidden items.
        compatible: as Gorse 0.5 does; see the top of this file.
        check: called between blocks; raises to stop.
    """
    members = _as_sets(members)
    n_rows = members.shape[0]
    weights = member_weights(members)
    indices = np.full((n_rows, n_neighbors), NO_INDEX, np.int32)
    scores = np.zeros((n_rows, n_neighbors), np.float32)
    transposed = members.T.tocsr()
    holders = np.diff(transposed.indptr)
    work = np.minimum(members @ holders.astype(np.float64), n_rows)
    for start, stop in _blocks(work, _SET_PAIRS):
        if check is not None:
            check()
        block = _set_similarities(members[start:stop], members, transposed, weights)
        rows = np.repeat(np.arange(start, stop), np.diff(block.indptr))
        similarity = block.data
        dropped = rows == block.indices
        if candidates is not None:
            dropped |= ~candidates[block.indices]
        if compatible:
            dropped |= similarity == 1
        similarity = np.where(dropped, np.float32(-np.inf), similarity)
        found, best = top_n_sparse(block.indptr, block.indices, similarity, n_neighbors)
        indices[start:stop] = found
        scores[start:stop] = np.where(found == NO_INDEX, 0, 1 / (2 - best))  # d = 1 - similarity
    if compatible:
        _fill_with_unrelated(indices, scores, members, candidates)
    return Neighbors(indices, scores)


def member_weights(members: csr_matrix) -> NDArray[np.float64]:
    """(n_members,) max(ln(n_rows / rows that have the member), 0.001)."""
    frequency = np.maximum(np.bincount(members.indices, minlength=members.shape[1]), 1)
    return np.maximum(np.log(max(members.shape[0], 1) / frequency), LEAST_WEIGHT)


def rows_like_set(
    own: IndexVector,
    members: csr_matrix,
    n_neighbors: int,
    *,
    candidates: BoolVector | None = None,
) -> tuple[IndexVector, ScoreVector]:
    """The neighbors of a set that is no row of the matrix, such as a user who came after it was built.

    Args:
        own: member indices of the new set; indices that the matrix does not know are left out.
        members, n_neighbors, candidates: as in `neighbors_by_sets`, whose weights are used.

    Returns:
        At most ``n_neighbors`` row indices, best first, and their scores.
    """
    members = _as_sets(members)
    own = np.unique(own)
    own = own[(own >= 0) & (own < members.shape[1])]
    query = csr_matrix((np.ones(len(own), np.float32), own, [0, len(own)]), shape=(1, members.shape[1]))
    block = _set_similarities(query, members, members.T.tocsr(), member_weights(members))
    similarity = block.data
    if candidates is not None:
        similarity = np.where(candidates[block.indices], similarity, np.float32(-np.inf))
    found, best = top_n_sparse(block.indptr, block.indices, similarity, n_neighbors)
    is_found = found[0] != NO_INDEX
    return found[0, is_found], (1 / (2 - best[0, is_found])).astype(np.float32)


@dataclass(frozen=True)
class SetIndex:
    """Rows of sets made ready for being asked about.

    Args:
        members: (n_rows, n_members) the sets.
        transposed: (n_members, n_rows) the same.
        weights: (n_members,) as `member_weights` gives them.
    """

    members: csr_matrix
    transposed: csr_matrix
    weights: NDArray[np.float64]


def index_sets(members: csr_matrix) -> SetIndex:
    """What `rows_like_sets` needs of a matrix, made once for any number of questions."""
    members = _as_sets(members)
    return SetIndex(members, members.T.tocsr(), member_weights(members))


def rows_like_sets(
    sets: csr_matrix,
    index: SetIndex,
    n_neighbors: int,
    *,
    own: IndexVector,
    candidates: BoolVector | None = None,
) -> csr_matrix:
    """`rows_like_set` for many sets at once.

    Args:
        sets: (n_sets, n_members) the sets asked about.
        index: the rows, from `index_sets`.
        n_neighbors, candidates: as in `rows_like_set`.
        own: (n_sets,) the row that each set is itself, which is no neighbor of its own.

    Returns:
        (n_sets, n_rows) float64 scores; the entries of a row stand best first.
    """
    similar = _set_similarities(_as_sets(sets), index.members, index.transposed, index.weights)
    rows = np.repeat(np.arange(len(own)), np.diff(similar.indptr))
    barred = similar.indices == own[rows]
    if candidates is not None:
        barred |= ~candidates[similar.indices]
    similarity = np.where(barred, np.float32(-np.inf), similar.data)
    found, best = top_n_sparse(similar.indptr, similar.indices, similarity, n_neighbors)
    is_found = found != NO_INDEX
    scores = (1 / (2 - best[is_found])).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(is_found.sum(axis=1))])
    return csr_matrix((scores.astype(np.float64), found[is_found], offsets), shape=similar.shape)


def neighbors_by_embedding(
    vectors: NDArray,
    n_neighbors: int,
    *,
    has_vector: BoolVector | None = None,
    candidates: BoolVector | None = None,
    compatible: bool = False,
    check: Callable[[], None] | None = None,
) -> Neighbors:
    """Rows alike by the Euclidean distance of their vectors.

    Args:
        vectors: (n_rows, n_dimensions); a row with NaN has no vector and takes no part.
        has_vector: (n_rows,) false for further rows that take no part.
        n_neighbors, candidates, compatible, check: as in `neighbors_by_sets`.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    n_rows, n_dimensions = vectors.shape
    indices = np.full((n_rows, n_neighbors), NO_INDEX, np.int32)
    scores = np.zeros((n_rows, n_neighbors), np.float32)
    known = np.flatnonzero(_vector_mask(vectors, has_vector))
    own = vectors[known]
    own = own - own.mean(axis=0) if len(own) else own  # distances stay, their squares round less
    allowed = np.ones(len(known), dtype=bool) if candidates is None else candidates[known]
    half_squares = np.where(allowed, np.float32(0.5) * np.einsum("ij,ij->i", own, own), np.float32(np.inf))

    n_kept = min(n_neighbors + _SPARE, len(known))
    floats_per_row = np.full(len(known), float(max(len(known), n_kept * n_dimensions)))
    for start, stop in _blocks(floats_per_row, _VECTOR_FLOATS):
        if check is not None:
            check()
        # |a - b|^2 = |a|^2 + |b|^2 - 2 ab: the same order as ab - |b|^2 / 2, which one matrix product gives
        nearness = own[start:stop] @ own.T - half_squares
        nearness[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        near, _ = top_n_rows(nearness, n_kept)
        differences = own[near] - own[start:stop, None, :]
        distance = np.sqrt(np.einsum("ijk,ijk->ij", differences, differences))
        distance[near == NO_INDEX] = np.inf
        if compatible:
            distance[distance == 0] = np.inf
        order = np.lexsort((near, distance))[:, :n_neighbors]
        near = np.take_along_axis(near, order, axis=1)
        distance = np.take_along_axis(distance, order, axis=1)
        is_found = np.isfinite(distance)
        columns = slice(0, near.shape[1])
        indices[known[start:stop], columns] = np.where(is_found, known[near], NO_INDEX)
        scores[known[start:stop], columns] = np.where(is_found, 1 / (1 + distance), 0)
    return Neighbors(indices, scores)


def rows_like_vector(
    own: NDArray,
    vectors: NDArray,
    n_neighbors: int,
    *,
    has_vector: BoolVector | None = None,
    candidates: BoolVector | None = None,
) -> tuple[IndexVector, ScoreVector]:
    """The rows nearest to a vector that need not be one of them.

    Args:
        own: (n_dimensions,) the vector asked about; with NaN in it nothing is near.
        vectors, n_neighbors, has_vector, candidates: as in `neighbors_by_embedding`.

    Returns:
        At most ``n_neighbors`` row indices, best first, and their scores.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    taking_part = _vector_mask(vectors, has_vector)
    if candidates is not None:
        taking_part &= candidates
    distance = np.full(len(vectors), np.inf)
    distance[taking_part] = np.linalg.norm(vectors[taking_part] - np.asarray(own, np.float32), axis=1)
    found = top_n(-distance, n_neighbors)
    return found, (1 / (1 + distance[found])).astype(np.float32)


def _vector_mask(vectors: NDArray, has_vector: BoolVector | None) -> BoolVector:
    is_whole = ~np.isnan(vectors).any(axis=1)
    return is_whole if has_vector is None else is_whole & has_vector


def score_from_neighbors(
    neighbors: Neighbors, item_indices: IndexVector, n_items: int, *, exclude: IndexVector | None = None
) -> ScoreVector:
    """What a history proposes: every item scored by the sum of its scores as a neighbor of the history.

    Args:
        neighbors: of items.
        item_indices: the history; an item that stands in it twice counts twice.
        n_items: items of the catalogue, which may have grown since the neighbors were found.
        exclude: items that may not be proposed.

    Returns:
        (n_items,) float32, -inf where nothing proposes the item, so that `top_n` leaves it out.
    """
    history = item_indices[(item_indices >= 0) & (item_indices < len(neighbors.indices))]
    return _summed(neighbors.indices[history], neighbors.scores[history], n_items, exclude)


def score_from_similar_users(
    user_indices: IndexVector,
    user_scores: ScoreVector,
    positives: csr_matrix,
    *,
    exclude: IndexVector | None = None,
) -> ScoreVector:
    """What similar users propose: every item scored by the sum of the scores of those who liked it.

    Args:
        user_indices, user_scores: similar users and how similar, as from `Neighbors.of` or `rows_like_set`.
        positives: (n_users, n_items); a stored entry is one like.
        exclude: items that may not be proposed.

    Returns:
        (n_items,) float32, -inf where nobody proposes the item.
    """
    liked = positives[user_indices]
    scores = np.repeat(user_scores, np.diff(liked.indptr))
    return _summed(liked.indices, scores, positives.shape[1], exclude)


def _summed(items: NDArray, scores: NDArray, n_items: int, exclude: IndexVector | None) -> ScoreVector:
    items, scores = items.ravel(), scores.ravel()
    is_known = (items >= 0) & (items < n_items)
    items, scores = items[is_known], scores[is_known]
    totals = np.bincount(items, weights=scores, minlength=n_items)
    proposed = np.zeros(n_items, dtype=bool)
    proposed[items] = True
    if exclude is not None:
        proposed[exclude] = False
    return np.where(proposed, totals, -np.inf).astype(np.float32)


def _as_sets(members: csr_matrix) -> csr_matrix:
    """The same pattern, every stored entry 1, no entry twice."""
    sets = csr_matrix(members, copy=True)
    sets.sum_duplicates()
    sets.data = np.ones(len(sets.indices), dtype=np.float32)
    return sets


def _blocks(work_per_row: NDArray[np.float64], most: int) -> Iterator[tuple[int, int]]:
    """Row ranges of at most so much work each, one row at the least."""
    total = np.cumsum(work_per_row)
    start, n_rows, done = 0, len(total), 0.0
    while start < n_rows:
        stop = max(int(np.searchsorted(total, done + most, side="right")), start + 1)
        yield start, stop
        start, done = stop, total[stop - 1]


def _set_similarities(
    block: csr_matrix, members: csr_matrix, transposed: csr_matrix, weights: NDArray[np.float64]
) -> csr_matrix:
    """(n_block, n_rows) 1 - d for every pair with a common member; exactly 1 for equal sets."""
    # One product gives both sums over the common members: the weights in the real part, the count in the
    # other.
    carried = csr_matrix(
        ((weights[block.indices] + 1j).astype(np.complex64), block.indices, block.indptr), shape=block.shape
    )
    common = carried @ transposed
    count = common.data.imag
    size, total = np.diff(members.indptr), members @ weights
    block_rows = np.repeat(np.arange(block.shape[0]), np.diff(common.indptr))
    own_size, own_total = np.diff(block.indptr)[block_rows], (block @ weights)[block_rows]
    norm = np.sqrt(own_total) * np.sqrt(total[common.indices])
    similarity = common.data.real * count / (norm * (count + SHRINKAGE))
    is_equal = (count == own_size) & (count == size[common.indices])
    similarity = np.where(is_equal, 1, similarity).astype(np.float32)
    return csr_matrix((similarity, common.indices, common.indptr), shape=common.shape)


def _fill_with_unrelated(
    indices: IndexMatrix, scores: ScoreMatrix, members: csr_matrix, candidates: BoolVector | None
) -> None:
    """Complete lists with rows that have nothing in common, d = 1, lowest index first."""
    n_rows, n_neighbors = indices.shape
    transposed = members.T.tocsr()
    sizes = np.diff(members.indptr)
    for row in np.flatnonzero((indices == NO_INDEX).any(axis=1)):
        unrelated = np.ones(n_rows) if candidates is None else candidates.astype(np.float64)
        own = members.indices[members.indptr[row] : members.indptr[row + 1]]
        unrelated[transposed[own].indices] = 0
        unrelated[row] = 0
        if len(own) == 0:
            unrelated[sizes == 0] = 0  # two empty sets are equal sets
        unrelated[unrelated == 0] = -np.inf
        n_found = int((indices[row] != NO_INDEX).sum())
        filling = top_n(unrelated, n_neighbors - n_found)
        indices[row, n_found : n_found + len(filling)] = filling
        scores[row, n_found : n_found + len(filling)] = 0.5
