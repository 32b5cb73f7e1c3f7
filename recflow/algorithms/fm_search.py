"""Search for settings of a factorization machine that suit the data at hand.

Each trial is judged by its loss on the samples that its fit sets aside, the same ones for all trials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from .fm import FmParams, fit_fm


@dataclass(frozen=True)
class FmTrial:
    """One setting and its loss on the validation samples."""

    params: FmParams
    loss: float


def search_fm(
    features: sparse.csr_matrix,
    targets: ArrayLike,
    *,
    trials: int,
    rng: np.random.Generator,
    base: FmParams | None = None,
    on_trial: Callable[[int, int, FmParams, float], None] | None = None,
    check: Callable[[], None] | None = None,
) -> list[FmTrial]:
    """Trials, least loss first; equal ones in the order they were made.

    The first trial is ``base`` itself, so the best is never worse than what one had; the others are drawn
    around it.

    Args:
        features, targets: as in `fit_fm`.
        trials: settings tried.
        rng: draws settings; every trial starts from the same state, so only settings make a difference.
        on_trial: told the trial (from 1), the trials planned, its settings and its loss.
        check: called while fitting; raises to stop.

    Raises:
        NoFeedback: there is no sample at all.
        ValueError: trials is below 1, or the settings set no samples aside.
    """
    base = base or FmParams()
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    if base.validation_share == 0:
        raise ValueError("a search needs samples set aside: validation_share must be above 0")
    seed = int(rng.integers(2**32))
    made: list[FmTrial] = []
    for trial in range(1, trials + 1):
        tried = base if trial == 1 else _drawn_around(base, rng)
        model = fit_fm(features, targets, tried, rng=np.random.default_rng(seed), check=check)
        made.append(FmTrial(tried, model.loss))
        if on_trial is not None:
            on_trial(trial, trials, tried, model.loss)
    return sorted(made, key=lambda found: found.loss)


def _drawn_around(base: FmParams, rng: np.random.Generator) -> FmParams:
    def scaled(value: float, most: float) -> float:
        return float(value * most ** rng.uniform(-1, 1))

    return replace(
        base,
        n_factors=max(1, round(scaled(base.n_factors, 4.0))),
        learning_rate=min(1.0, scaled(base.learning_rate, 4.0)),
        regularization=scaled(base.regularization or 1e-4, 10.0),
    )
