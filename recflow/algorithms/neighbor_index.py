"""Neighbors by embedding for catalogs that are too large to compare every pair: a navigable graph instead.

Exact search takes n squared products. The graph (HNSW, by the optional library usearch) is built once and
then each row walks to its neighbors, finding nearly all of them. How many it finds is not promised but
measured, on a sample that is searched exactly too. On 50,000 vectors of 128 numbers: 16 s instead of 31 s,
recall 0.999; the gap widens with n.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", IEEE TPAMI 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from .arrays import NO_INDEX, BoolVector
from .neighbors import Neighbors, rows_like_vector

#: From here on the exact search takes minutes, and the graph pays.
WORTH_AN_INDEX = 100_000
#: Links per row of the graph, and how far it looks around while building and asking.
_LINKS, _BUILD_REACH, _ASK_REACH = 16, 128, 128
#: Rows asked for at a time.
_BLOCK = 10_000


def has_index_library() -> bool:
    """Whether usearch is installed."""
    return find_spec("usearch") is not None


def approximate_neighbors_by_embedding(
    vectors: NDArray,
    n_neighbors: int,
    *,
    rng: np.random.Generator,
    has_vector: BoolVector | None = None,
    candidates: BoolVector | None = None,
    n_sampled: int = 200,
    check: Callable[[], None] | None = None,
    n_threads: int = 0,
) -> tuple[Neighbors, float]:
    """What `neighbors_by_embedding` finds, nearly, and which share of it.

    Args:
        vectors, n_neighbors, has_vector, candidates, check: as in `neighbors_by_embedding`.
        rng: draws the sample.
        n_sampled: rows that are searched exactly as well, to measure the recall.
        n_threads: 0 for as many as there are processors. With more than one, two builds of the same vectors
            differ in what little they miss.

    Returns:
        The neighbors, and the recall: the share of the true neighbors of the sample that was found.

    Raises:
        ImportError: usearch is not installed.
    """
    from usearch.index import Index  # slow to import, and not everybody has it

    vectors = np.asarray(vectors, dtype=np.float32)
    n_rows = len(vectors)
    indices = np.full((n_rows, n_neighbors), NO_INDEX, np.int32)
    scores = np.zeros((n_rows, n_neighbors), np.float32)
    is_known = ~np.isnan(vectors).any(axis=1)
    if has_vector is not None:
        is_known &= has_vector
    is_candidate = is_known if candidates is None else is_known & candidates
    known, findable = np.flatnonzero(is_known), np.flatnonzero(is_candidate)
    if len(findable) == 0:
        return Neighbors(indices, scores), 1.0

    index = Index(
        ndim=vectors.shape[1],
        metric="l2sq",
        dtype="f32",
        connectivity=_LINKS,
        expansion_add=_BUILD_REACH,
        expansion_search=max(_ASK_REACH, n_neighbors + 1),
    )
    for start in range(0, len(findable), _BLOCK):
        if check is not None:
            check()
        block = findable[start : start + _BLOCK]
        index.add(block, vectors[block], threads=n_threads)
    for start in range(0, len(known), _BLOCK):
        if check is not None:
            check()
        block = known[start : start + _BLOCK]
        matches = index.search(vectors[block], n_neighbors + 1, threads=n_threads)
        keys, squares = np.atleast_2d(matches.keys), np.atleast_2d(matches.distances)
        is_neighbor = np.arange(keys.shape[1]) < np.reshape(
            getattr(matches, "counts", keys.shape[1]), (-1, 1)
        )
        is_neighbor &= keys != block[:, None]
        distances = np.sqrt(
            np.where(is_neighbor, np.maximum(squares, 0), np.inf)
        )  # beyond the counts is noise
        order = np.lexsort((keys, distances))[:, :n_neighbors]
        distances = np.take_along_axis(distances, order, axis=1)
        is_found = np.isfinite(distances)
        found = np.where(is_found, np.take_along_axis(keys, order, axis=1).astype(np.int64), NO_INDEX)
        indices[block, : found.shape[1]] = found
        scores[block, : found.shape[1]] = np.where(is_found, 1 / (1 + distances), 0)
    sample = rng.choice(known, min(n_sampled, len(known)), replace=False)
    recall = _recall(Neighbors(indices, scores), vectors, sample, is_candidate)
    return Neighbors(indices, scores), recall


def _recall(neighbors: Neighbors, vectors: NDArray, sample: NDArray, is_candidate: BoolVector) -> float:
    n_neighbors = neighbors.indices.shape[1]
    hits = total = 0
    for row in sample:
        true, _ = rows_like_vector(vectors[row], vectors, n_neighbors + 1, candidates=is_candidate)
        true = true[true != row][:n_neighbors]
        hits += len(np.intersect1d(true, neighbors.of(row)[0]))
        total += len(true)
    return hits / total if total else 1.0
