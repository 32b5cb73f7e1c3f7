"""Many ridge regressions that share one matrix: the inner step of alternating least squares.

For every row r with entries (column c, weight w) it finds the vector x that makes

    sum over entries w (1 - x.y_c)^2  +  shared_weight * sum over all columns (x.y_c)^2  +  l_r |x - prior|^2

least. The middle sum is the same quadratic form for every row. In the eigenbasis of the Gram matrix of y it
is a mere diagonal, and so is everything but the d entries of the row. What remains costs, by the length of
the row:

- few entries: a d x d system, solved exactly (Woodbury's identity);
- more, when a start is given: two steps of conjugate gradients, preconditioned by the diagonal;
- more, without a start: the f x f system, solved exactly;
- very many: the f x f system, summed up in pieces, so that memory stays bounded.

Rows of like length are solved together by stacked numpy calls, which let go of the interpreter lock, so
threads share the work. Each row's result depends on its batch only, never on the threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import Factors

#: Floats of gathered vectors that a batch works on: 1 MiB stays in a core's cache.
_BATCH_FLOATS = 1 << 18
#: Up to this many entries the exact d x d system costs no more than the gradient steps.
_FEW_ENTRIES = 12
#: Entries per call of a matrix-vector product. Longer ones would be split among BLAS's own threads, which
#: spend more time on waiting for each other than on the product.
_PIECE = 128
#: From the vector of the last epoch, 2 steps rank as well as exact solves once the fit has settled.
_GRADIENT_STEPS = 2


@dataclass(frozen=True)
class _Batch:
    """Rows of like length, to be solved together.

    Args:
        rows: (n,) which rows.
        columns: (n, width) int32 columns of their entries; the number of columns, where padded.
        roots: (n, width) float32 roots of the weights, 0 where padded.
        is_plain: all weights are 1.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.int32]
    roots: NDArray[np.float32]
    is_plain: bool


@dataclass(frozen=True)
class RowBatches:
    """The rows of a matrix of weights, sorted into batches once for all epochs."""

    n_rows: int
    n_factors: int
    batches: list[_Batch]


def batch_rows(entries: csr_matrix, n_factors: int) -> RowBatches:
    """Put rows of like length together, so that padding is at most an eighth, and cut to the batch size.

    Args:
        entries: (n_rows, n_columns) weights; a stored entry pulls x.y towards 1.
        n_factors: length of the vectors that will be fitted.
    """
    lengths = np.diff(entries.indptr)
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    batches, start = [], 0
    while start < len(order):
        shortest = int(ascending[start])
        width = _padded(shortest + shortest // 8)
        alike = int(np.searchsorted(ascending, width, side="right"))
        stop = min(alike, start + max(1, _BATCH_FLOATS // (max(width, 1) * n_factors)))
        batches.append(_batch(entries, order[start:stop], _padded(int(ascending[stop - 1]))))
        start = stop
    return RowBatches(entries.shape[0], n_factors, batches)


def _padded(width: int) -> int:
    """The least width from this one on that falls into equal pieces of at most `_PIECE`."""
    n_pieces = max(1, -(-width // _PIECE))
    return n_pieces * -(-width // n_pieces)


def _batch(entries: csr_matrix, rows: NDArray[np.intp], width: int) -> _Batch:
    places = entries.indptr[rows, None] + np.arange(width)
    is_entry = places < entries.indptr[rows + 1, None]
    places = places[is_entry]
    columns = np.full(is_entry.shape, entries.shape[1], dtype=np.int32)
    columns[is_entry] = entries.indices[places]
    roots = np.zeros(is_entry.shape, dtype=np.float32)
    roots[is_entry] = np.sqrt(entries.data[places])
    return _Batch(rows, columns, roots, bool((entries.data[places] == 1).all()))


def solve_rows(
    entries: RowBatches,
    vectors: Factors,
    gram: NDArray,
    *,
    shared_weight: float,
    regularization: NDArray[np.float32],
    prior: NDArray[np.float32] | None = None,
    start: Factors | None = None,
    n_threads: int | None = None,
) -> Factors:
    """(n_rows, n_factors) float32 solutions.

    Args:
        entries: from `batch_rows`.
        vectors: (n_columns, n_factors) float32.
        gram: (n_factors, n_factors) ``vectors.T @ vectors``.
        shared_weight: weight of every pair.
        regularization: (n_rows,) l_r.
        prior: (n_factors,) what rows are drawn to; 0 when not given.
        start: (n_rows, n_factors) solutions of the epoch before; allows to approximate.
        n_threads: as many as there are processors when not given.
    """
    n_factors = entries.n_factors
    values, rotation = np.linalg.eigh(np.asarray(gram, dtype=np.float64))
    rotation = rotation.astype(np.float32)
    shared = (shared_weight * np.maximum(values, 0)).astype(np.float32)  # the shared sum, a diagonal here
    rotated = np.zeros((len(vectors) + 1, n_factors), np.float32)  # the last row stands for padding
    np.matmul(vectors, rotation, out=rotated[:-1])
    prior = np.zeros(n_factors, np.float32) if prior is None else prior @ rotation
    start = None if start is None else start @ rotation
    solved = np.empty((entries.n_rows, n_factors), dtype=np.float32)
    per_thread = local()

    def solve_batch(batch: _Batch) -> None:
        rows, width = batch.rows, batch.columns.shape[1]
        diagonal = shared + regularization[rows, None]
        pull = regularization[rows, None] * prior
        if width == 0:
            solved[rows] = pull / diagonal
            return
        if not hasattr(per_thread, "buffer"):
            per_thread.buffer = np.empty(max(_BATCH_FLOATS, n_factors), np.float32)
        if width * n_factors > _BATCH_FLOATS:
            solved[rows] = _solve_in_pieces(batch, rotated, diagonal[0], pull[0], per_thread.buffer)
            return
        gathered = _gather(batch, rotated, per_thread.buffer)
        pull += _combined(batch.roots, gathered)
        if width <= _FEW_ENTRIES or (start is None and width < n_factors):
            solved[rows] = _solve_by_entries(gathered, diagonal, pull)
        elif start is None:
            solved[rows] = _solve_by_factors(gathered, diagonal, pull)
        else:
            solved[rows] = _descend(gathered, diagonal, pull, start[rows])

    n_threads = n_threads or os.cpu_count() or 1
    if n_threads == 1 or len(entries.batches) < 2:
        for batch in entries.batches:
            solve_batch(batch)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(solve_batch, entries.batches))
    return solved @ rotation.T


def _gather(batch: _Batch, vectors: Factors, buffer: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, width, n_factors) the vectors of each row's entries times the roots of their weights.

    The result lies in ``buffer``: taking fresh memory for it cost more than all the arithmetic.
    """
    shape = (*batch.columns.shape, vectors.shape[1])
    gathered = buffer[: batch.columns.size * vectors.shape[1]].reshape(shape)
    np.take(vectors, batch.columns, axis=0, mode="clip", out=gathered)
    if not batch.is_plain:
        gathered *= batch.roots[:, :, None]
    return gathered


def _solve_by_entries(gathered: NDArray, diagonal: NDArray, pull: NDArray) -> NDArray:
    """Exact, through the d x d system of Woodbury's identity."""
    width = gathered.shape[1]
    alone = pull / diagonal
    scaled = gathered / diagonal[:, None, :]
    system = scaled @ gathered.transpose(0, 2, 1)
    system[:, np.arange(width), np.arange(width)] += 1
    correction = np.linalg.solve(system, np.matvec(gathered, alone)[:, :, None])[:, :, 0]
    return alone - np.vecmat(correction, scaled)


def _solve_by_factors(gathered: NDArray, diagonal: NDArray, pull: NDArray) -> NDArray:
    """Exact, through the f x f system."""
    n_factors = gathered.shape[2]
    system = gathered.transpose(0, 2, 1) @ gathered
    system[:, np.arange(n_factors), np.arange(n_factors)] += diagonal
    return np.linalg.solve(system, pull[:, :, None])[:, :, 0]


def _solve_in_pieces(
    batch: _Batch, vectors: Factors, diagonal: NDArray, pull: NDArray, buffer: NDArray[np.float32]
) -> NDArray:
    """Exact, for one row whose entries do not fit into a batch."""
    system = np.diag(diagonal)
    step = max(1, _BATCH_FLOATS // vectors.shape[1])
    for first in range(0, batch.columns.shape[1], step):
        columns, roots = (part[:, first : first + step] for part in (batch.columns, batch.roots))
        gathered = _gather(_Batch(batch.rows, columns, roots, batch.is_plain), vectors, buffer)[0]
        system += gathered.T @ gathered
        pull = pull + roots[0] @ gathered
    return np.linalg.solve(system, pull)


def _dotted(gathered: NDArray, vectors: NDArray) -> NDArray:
    """(n, width) dot products of each row's gathered vectors with that row's vector."""
    n, width, n_factors = gathered.shape
    pieces = gathered.reshape(n, -(-width // _PIECE), -1, n_factors)
    return np.matvec(pieces, vectors[:, None, :]).reshape(n, width)


def _combined(weights: NDArray, gathered: NDArray) -> NDArray:
    """(n, n_factors) sums of each row's gathered vectors times that row's weights."""
    n, width, n_factors = gathered.shape
    pieces = gathered.reshape(n, -(-width // _PIECE), -1, n_factors)
    return np.vecmat(weights.reshape(pieces.shape[:3]), pieces).sum(axis=1)


def _descend(gathered: NDArray, diagonal: NDArray, pull: NDArray, solution: NDArray) -> NDArray:
    """Conjugate gradients from the given solution, preconditioned by the diagonal."""
    residual = pull - diagonal * solution - _combined(_dotted(gathered, solution), gathered)
    toward = residual / diagonal
    direction, size = toward, np.vecdot(residual, toward)
    for step in range(_GRADIENT_STEPS):
        curvature = diagonal * direction + _combined(_dotted(gathered, direction), gathered)
        length = (size / np.maximum(np.vecdot(direction, curvature), 1e-30))[:, None]
        solution = solution + length * direction
        if step + 1 < _GRADIENT_STEPS:
            residual = residual - length * curvature
            toward = residual / diagonal
            last, size = size, np.vecdot(residual, toward)
            direction = toward + (size / np.maximum(last, 1e-30))[:, None] * direction
    return solution
