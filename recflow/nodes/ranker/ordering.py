"""Putting candidates in the order of a model's scores; shared by the kinds that score each item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recflow.engine.context import RunContext
from recflow.engine.values import Candidates


def in_order_of(ctx: RunContext, candidates: Candidates, scores: NDArray[np.floating]) -> Candidates:
    """The candidates by score, best first; ties and items without a score keep the order they came in.

    Args:
        ctx: the node's window on the run.
        candidates: what came in.
        scores: (n,) one a candidate; NaN puts it below all that have one.
    """
    scores = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    return candidates.ranked(ctx.source, candidates.items[order], scores[order])


def kept_order(ctx: RunContext, candidates: Candidates, why: str) -> Candidates:
    """The candidates as they came in, with a word on why; for users a model has nothing to say about."""
    return candidates.ranked(
        ctx.source, candidates.items, candidates.scores, note="order kept", details={"note": why}
    )
