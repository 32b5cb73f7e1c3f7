"""The hybrid model for a catalogue whose items have got other numbers since the fit.

Items come and go between two fits. A row number that moved takes its evidence along; an item that is new
has no evidence yet and is ranked as one that nobody has liked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .arrays import IndexVector
from .hybrid import HybridModel
from .hybrid_features import NO_TIME


def renumber_items(model: HybridModel, item_map: IndexVector, n_items: int) -> HybridModel:
    """The same model in other row numbers.

    Args:
        item_map: (old n_items,) the new row of each item, -1 for one that is gone.
        n_items: rows from now on.
    """
    item_map = np.asarray(item_map)

    def moved(values: NDArray, fill: float) -> NDArray:
        result = np.full((n_items, *values.shape[1:]), fill, dtype=values.dtype)
        result[item_map[item_map >= 0]] = values[item_map >= 0]
        return result

    like_offsets, likes = _moved_rows(model.like_offsets, item_map, n_items)
    label_offsets, labels = _moved_rows(model.label_offsets, item_map, n_items)
    neighbor_offsets, neighbors = _moved_neighbors(model, item_map, n_items)
    return replace(
        model,
        item_factors=moved(model.item_factors, np.nan),
        counts=moved(model.counts, 0),
        value_sums=moved(model.value_sums, 0),
        item_times=moved(model.item_times, NO_TIME),
        embedding=moved(model.embedding, 0),
        like_offsets=like_offsets,
        like_times=model.like_times[likes],
        faded_likes=model.faded_likes[likes],
        label_offsets=label_offsets,
        label_columns=model.label_columns[labels],
        label_weights=model.label_weights[labels],
        neighbor_offsets=neighbor_offsets,
        neighbor_items=item_map[model.neighbor_items[neighbors]].astype(np.int32),
        neighbor_shared=model.neighbor_shared[neighbors],
    )


def _moved_rows(
    offsets: NDArray[np.int64], item_map: IndexVector, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """New offsets of rows of different length, and the old places of their entries."""
    row_of_entry = np.repeat(item_map, np.diff(offsets))
    entries = np.flatnonzero(row_of_entry >= 0)
    entries = entries[np.argsort(row_of_entry[entries], kind="stable")]
    lengths = np.bincount(row_of_entry[entries], minlength=n_items)
    return np.concatenate([[0], np.cumsum(lengths)]), entries


def _moved_neighbors(
    model: HybridModel, item_map: IndexVector, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As ``_moved_rows``, without neighbors that are gone, each row ascending again for the binary search."""
    row_of_entry = np.repeat(item_map, np.diff(model.neighbor_offsets))
    neighbor = item_map[model.neighbor_items]
    entries = np.flatnonzero((row_of_entry >= 0) & (neighbor >= 0))
    entries = entries[np.lexsort((neighbor[entries], row_of_entry[entries]))]
    lengths = np.bincount(row_of_entry[entries], minlength=n_items)
    return np.concatenate([[0], np.cumsum(lengths)]), entries
