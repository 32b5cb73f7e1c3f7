"""Many ridge regressions that share one matrix: the inner step of alternating least squares.

For every row r with entries (column c, weight w) it finds the vector x that makes

    sum over entries w (1 - x.y_c)^2  +  shared_weight * sum over all columns (x.y_c)^2  +  l_r |x - prior|^2

least. The middle sum is the same quadratic form for every row. In the eigenbasis of the Gram matrix of y it
is a mere diagonal, and so is everything but the few entries of the row. Conjugate gradients take what is
left, with that diagonal for a preconditioner: a step costs one walk over the row's entries, and a row with
d entries is solved after d steps at the latest, most of the time much earlier.

The walk is compiled, which takes 2 s the first time on a machine. numpy's stacked products took twice the
time on one processor, and threads gained nothing: they keep the interpreter lock for stacks of less than 500.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .arrays import Factors

#: From the vector of the last epoch, 2 steps rank as well as exact solves once the fit has settled.
_STEPS_FROM_START = 2
#: Steps of an exact solve, at most. Rounding can take more than there are factors; 10 to 20 are usual.
_STEPS_OF_EXACT = 200
#: What an exact solve leaves of the first residual, squared: float32 has no more digits to offer.
_LEFT_OF_EXACT = 1e-12
#: A squared residual this small is none; a row without entries comes here, and 0 / 0 would be next.
_NOTHING = np.float32(1e-30)
#: Pieces of work per thread, so that a thread with long rows does not keep the others waiting.
_PIECES_PER_THREAD = 8


def solve_rows(
    entries: csr_matrix,
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
        entries: (n_rows, n_columns) float32 weights; a stored entry pulls x.y towards 1.
        vectors: (n_columns, n_factors) float32.
        gram: (n_factors, n_factors) ``vectors.T @ vectors``.
        shared_weight: weight of every pair.
        regularization: (n_rows,) float32 l_r, above 0.
        prior: (n_factors,) what rows are drawn to; 0 when not given.
        start: (n_rows, n_factors) solutions of the epoch before, from which to go a little way; when not
            given, rows are solved exactly.
        n_threads: as many as there are processors when not given. The solutions do not depend on it.
    """
    n_factors = vectors.shape[1]
    values, rotation = np.linalg.eigh(np.asarray(gram, dtype=np.float64))
    rotation = rotation.astype(np.float32)
    shared = (shared_weight * np.maximum(values, 0)).astype(np.float32)
    rotated = np.ascontiguousarray(vectors @ rotation)
    prior = np.zeros(n_factors, np.float32) if prior is None else prior @ rotation
    if start is None:
        solutions = np.tile(prior, (entries.shape[0], 1))
        steps, left = _STEPS_OF_EXACT, _LEFT_OF_EXACT
    else:
        solutions = np.ascontiguousarray(start @ rotation)
        steps, left = _STEPS_FROM_START, 0.0

    # One signature, so that it is compiled once: memory-mapped arrays would be another type.
    indptr = np.require(entries.indptr, np.int64, ["C", "W"])
    columns = np.require(entries.indices, np.int32, ["C", "W"])
    weights = np.require(entries.data, np.float32, ["C", "W"])
    regularization = np.require(regularization, np.float32, ["C", "W"])

    def solve(rows: tuple[int, int]) -> None:
        _descend(
            indptr,
            columns,
            weights,
            rotated,
            shared,
            regularization,
            prior,
            solutions,
            rows[0],
            rows[1],
            steps,
            np.float32(left),
        )

    n_threads = n_threads or os.cpu_count() or 1
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(solve, _pieces(indptr, n_threads * _PIECES_PER_THREAD)))
    return solutions @ rotation.T


def _pieces(indptr: NDArray, n_pieces: int) -> list[tuple[int, int]]:
    """Row ranges of about the same work; a row costs its entries and about ten more."""
    work = indptr + 10 * np.arange(len(indptr))
    bounds = np.searchsorted(work, np.linspace(0, work[-1], n_pieces + 1))
    bounds[-1] = len(indptr) - 1
    return [(int(first), int(last)) for first, last in pairwise(bounds) if first < last]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _descend(
    indptr, columns, weights, vectors, shared, regularization, prior, solutions, first, last, steps, left
):
    """Preconditioned conjugate gradients for the rows from first to last, in place."""
    n_factors = vectors.shape[1]
    diagonal = np.empty(n_factors, np.float32)
    residual = np.empty(n_factors, np.float32)
    direction = np.empty(n_factors, np.float32)
    curvature = np.empty(n_factors, np.float32)
    for row in range(first, last):
        solution = solutions[row]
        for f in range(n_factors):
            diagonal[f] = shared[f] + regularization[row]
            residual[f] = regularization[row] * prior[f] - diagonal[f] * solution[f]
        for entry in range(indptr[row], indptr[row + 1]):
            vector = vectors[columns[entry]]
            score = np.float32(0)
            for f in range(n_factors):
                score += vector[f] * solution[f]
            pull = weights[entry] * (np.float32(1) - score)
            for f in range(n_factors):
                residual[f] += pull * vector[f]
        size = np.float32(0)
        for f in range(n_factors):
            direction[f] = residual[f] / diagonal[f]
            size += residual[f] * direction[f]
        enough = max(left * size, _NOTHING)
        for _ in range(steps):
            if size <= enough:
                break
            for f in range(n_factors):
                curvature[f] = diagonal[f] * direction[f]
            for entry in range(indptr[row], indptr[row + 1]):
                vector = vectors[columns[entry]]
                score = np.float32(0)
                for f in range(n_factors):
                    score += vector[f] * direction[f]
                pull = weights[entry] * score
                for f in range(n_factors):
                    curvature[f] += pull * vector[f]
            steepness = np.float32(0)
            for f in range(n_factors):
                steepness += direction[f] * curvature[f]
            length = size / steepness
            last_size = size
            size = np.float32(0)
            for f in range(n_factors):
                solution[f] += length * direction[f]
                residual[f] -= length * curvature[f]
                size += residual[f] * residual[f] / diagonal[f]
            for f in range(n_factors):
                direction[f] = residual[f] / diagonal[f] + size / last_size * direction[f]
