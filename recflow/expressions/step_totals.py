"""Steps that make one value an item out of the rows of its feedback: counts, sums, means, extremes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recflow.expressions.arrays import ItemArrays, Unsure, Values
from recflow.expressions.steps import NUMBERS, PER_ITEM, Rows, Step, Unsuited, combined, either


def kept_rows(rows: Rows, condition: Step) -> Step:
    return condition if rows.kept is None else combined("bool", np.logical_and, rows.kept, condition)


def _selected(arrays: ItemArrays, kept: Step | None) -> tuple[NDArray[np.int64], Unsure, Values | slice]:
    """The owner of each kept row, which items are unsure, and what picks the kept rows."""
    if kept is None:
        return arrays.owners, None, slice(None)
    mask, unsure = kept.compute(arrays)
    mask = np.broadcast_to(mask, arrays.n_rows)
    return arrays.owners[mask], _of_items(arrays, unsure), mask


def _of_items(arrays: ItemArrays, unsure: Unsure) -> Unsure:
    if unsure is None:
        return None
    doubted = arrays.owners[np.broadcast_to(unsure, arrays.n_rows)]
    return np.bincount(doubted, minlength=len(arrays.items)) > 0


def count(kept: Step | None) -> Step:
    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        owners, unsure, _ = _selected(arrays, kept)
        return np.bincount(owners, minlength=len(arrays.items)).astype(np.int64), unsure

    return Step("int", PER_ITEM, compute)


def total(rows: Rows, body: Step) -> Step:
    if body.kind not in NUMBERS:
        raise Unsuited

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        owners, unsure, picked = _selected(arrays, rows.kept)
        values, body_unsure = body.compute(arrays)
        chosen = np.broadcast_to(values, arrays.n_rows)[picked]
        unsure = either(unsure, _of_items(arrays, body_unsure))
        n_items = len(arrays.items)
        if body.kind == "float":  # bincount adds row after row, as the interpreter does
            return np.bincount(owners, chosen, minlength=n_items).astype(np.float64), unsure
        totals = np.zeros(n_items, dtype=np.int64)
        np.add.at(totals, owners, chosen)
        return totals, unsure

    return Step(body.kind, PER_ITEM, compute)


def _mean(rows: Rows) -> Step:
    as_float = combined("float", lambda values: values.astype(np.float64), rows.body)
    return combined("float", _quotient, total(rows, as_float), count(rows.kept))


def _quotient(sums: Values, counts: Values) -> Values:
    return np.where(counts == 0, 0.0, sums / counts)


def _extreme(reduce: np.ufunc) -> Callable[[Rows], Step]:
    def aggregate(rows: Rows) -> Step:
        body = rows.body

        def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
            owners, unsure, picked = _selected(arrays, rows.kept)
            values, body_unsure = body.compute(arrays)
            chosen = np.broadcast_to(values, arrays.n_rows)[picked]
            found, firsts = np.unique(owners, return_index=True)
            best = np.zeros(len(arrays.items), dtype=chosen.dtype)
            doubt = np.ones(len(arrays.items), dtype=bool)  # of nothing there is no extreme
            if len(found):
                best[found] = reduce.reduceat(chosen, firsts)
                doubt[found] = np.isnan(best[found])  # NaN counts or not, depending on where it stands
            return best, either(doubt, either(unsure, _of_items(arrays, body_unsure)))

        return Step(body.kind, PER_ITEM, compute)

    return aggregate


AGGREGATES: dict[str, Callable[[Rows], Step]] = {
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
    "mean": _mean,
}
