"""The numbers in labels, as a matrix.

Tags and embeddings are columns that a user names, see recflow/expressions/columns.py; the words of titles
are in recflow/algorithms/words.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def number_matrix(values: Sequence[object]) -> NDArray[np.float64]:
    """(n_rows, n_numbers) the numbers in labels, one column for each path of keys; NaN where a row has none.

    Numbers inside lists are vectors, not numbers; truth values are neither.
    """
    columns: dict[tuple[str, ...], int] = {}
    cells = [
        (row, columns.setdefault(path, len(columns)), number)
        for row, value in enumerate(values)
        for path, number in _numbers(value)
    ]
    matrix = np.full((len(values), len(columns)), np.nan)
    for row, column, number in cells:
        matrix[row, column] = number
    return matrix


def _numbers(value: object) -> Iterator[tuple[tuple[str, ...], float]]:
    pending: list[tuple[tuple[str, ...], object]] = [((), value)]
    while pending:
        path, part = pending.pop()
        if isinstance(part, dict):
            pending.extend(((*path, str(key)), inner) for key, inner in part.items())
        elif type(part) in (int, float) and abs(part) < 1e300:  # type: ignore[operator, arg-type]
            yield path, float(part)  # type: ignore[arg-type]
