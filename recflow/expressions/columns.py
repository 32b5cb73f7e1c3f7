"""From the values of a column expression to the matrices that similarity is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.data.types import BoolVector


def embedding_matrix(values: Sequence[object]) -> tuple[NDArray[np.float32], BoolVector, int]:
    """Vectors of a column such as ``item.Labels.embedding``.

    The first vector sets the number of components; one of another length is dropped.

    Args:
        values: one value a row; a vector is a list of finite numbers.

    Returns:
        (n_rows, n_components) float32, zeros where there is no vector; (n_rows,) which rows have one; and how
        many rows have a value that cannot be used. Rows with nothing or an empty list are not counted.
    """
    vectors: dict[int, NDArray[np.float32]] = {}
    n_dropped, n_components = 0, 0
    for row, value in enumerate(values):
        if value is None or value == []:
            continue
        vector = _vector(value)
        n_components = n_components or (0 if vector is None else len(vector))
        if vector is None or len(vector) != n_components:
            n_dropped += 1
        else:
            vectors[row] = vector
    matrix = np.zeros((len(values), n_components), dtype=np.float32)
    has_vector = np.zeros(len(values), dtype=bool)
    for row, vector in vectors.items():
        matrix[row] = vector
        has_vector[row] = True
    return matrix, has_vector, n_dropped


def tag_matrix(values: Sequence[object]) -> sparse.csr_matrix:
    """Tags of a column such as ``item.Labels``.

    A tag is a text together with the path of map keys it was found under, so the same text under two keys
    makes two tags. Maps are searched all the way down; numbers, and lists of them, are no tags.

    Args:
        values: one value a row.

    Returns:
        (n_rows, n_tags) float32, 1 where the row has the tag; tags are numbered as they are first met.
    """
    columns: dict[tuple[tuple[str, ...], str], int] = {}
    indices: list[int] = []
    starts = [0]
    for value in values:
        row = {columns.setdefault(tag, len(columns)) for tag in _tags(value)}
        indices.extend(sorted(row))
        starts.append(len(indices))
    return sparse.csr_matrix(
        (np.ones(len(indices), dtype=np.float32), np.array(indices, np.int32), np.array(starts, np.int32)),
        shape=(len(values), len(columns)),
    )


def _vector(value: object) -> NDArray[np.float32] | None:
    if not isinstance(value, list) or not all(type(part) in (int, float) for part in value):
        return None
    try:
        with np.errstate(over="ignore"):  # beyond float32 is not finite, which is what is looked for
            vector = np.array(value, dtype=np.float64).astype(np.float32)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return vector if np.isfinite(vector).all() else None


def _tags(value: object) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and text of every tag in a value; a stack and no recursion, since labels nest as deep as they
    like."""
    pending: list[tuple[tuple[str, ...], object]] = [((), value)]
    while pending:
        path, part = pending.pop()
        if isinstance(part, str):
            yield path, part
        elif isinstance(part, dict):
            pending.extend(((*path, str(name)), below) for name, below in reversed(part.items()))
        elif isinstance(part, list):
            pending.extend((path, element) for element in reversed(part) if isinstance(element, str))
