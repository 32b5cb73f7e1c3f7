"""Items and their feedback laid out for evaluation over all items at once."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recflow.data.snapshot import TrainingView
from recflow.data.types import BoolVector, IndexVector
from recflow.expressions import records
from recflow.expressions.values import FeedbackRecord

Values = NDArray[np.generic]
Unsure = BoolVector | None


class ItemArrays:
    """The items asked for and their feedback, as the arrays that steps compute with.

    Args:
        view: the data.
        now: microseconds since 1970.
        items: (n,) item indices; "place" means a position in it.
        with_feedback: the expression can see feedback.
    """

    def __init__(self, view: TrainingView, now: int, items: IndexVector, *, with_feedback: bool) -> None:
        self.snapshot = view.snapshot
        self.table = view.snapshot.items
        self.log = view.positive
        self.now = now
        self.items = items
        self._with_feedback = with_feedback
        self.remembered: dict[Hashable, tuple[Values, Unsure]] = {}  # what ``let`` bound

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """(n + 1,) the rows of place p are ``rows[starts[p]:starts[p + 1]]``."""
        starts = np.zeros(len(self.items) + 1, dtype=np.int64)
        if self._with_feedback:
            by_item = self.log.by_item[1]
            np.cumsum(by_item[self.items + 1] - by_item[self.items], out=starts[1:])
        return starts

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n_rows,) rows of the log, item by item and oldest first."""
        order, by_item = self.log.by_item
        within = np.arange(self.n_rows) - self._starts[self.owners]
        return order[by_item[self.items[self.owners]] + within]

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """(n_rows,) the place that each row belongs to."""
        return np.repeat(np.arange(len(self.items)), np.diff(self._starts))

    @property
    def n_rows(self) -> int:
        return int(self._starts[-1])

    def feedback_of(self, place: int) -> list[FeedbackRecord]:
        rows = (
            self.rows[self._starts[place] : self._starts[place + 1]]
            if self._with_feedback
            else self.items[:0]
        )
        return records.log_rows(self.snapshot, self.log, rows)
