"""What titles and labels say, as matrices: the words of texts, the numbers in labels.

Tags and embeddings are columns that a user names; see recflow/expressions/columns.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_WORD = re.compile(r"[^\W_]+")


def word_matrix(texts: Iterable[str]) -> sparse.csr_matrix:
    """(n_texts, n_words) float32, 1 where the text has the word; words are told apart without their case."""
    columns: dict[str, int] = {}
    indices: list[int] = []
    starts = [0]
    for text in texts:
        found = {columns.setdefault(word, len(columns)) for word in _WORD.findall(text.casefold())}
        indices.extend(sorted(found))
        starts.append(len(indices))
    ones = np.ones(len(indices), dtype=np.float32)
    arrays = (ones, np.array(indices, np.int32), np.array(starts, np.int32))
    return sparse.csr_matrix(arrays, shape=(len(starts) - 1, len(columns)))


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
