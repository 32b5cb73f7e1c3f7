"""Search for settings of a factorization that suit the data at hand.

Each user's newest positive is set aside, the rest is fitted, and settings are judged by how high the fit
ranks what was set aside. Nothing else is held out here: whoever keeps a test item must not pass it in, so
the search can never have seen it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from ..errors import NoFeedback
from .als import AlsParams, fit_als
from .arrays import IndexVector, TimeVector

#: Epochs a trial may take; the early stop finds how many are good.
_TRIAL_EPOCHS = 30
_TRIAL_PATIENCE = 3

OnTrial = Callable[[int, int, AlsParams, float], None]


@dataclass(frozen=True)
class AlsTrial:
    """One setting and how it ranked; ``params.n_epochs`` is the epoch at which it was best."""

    params: AlsParams
    metric: float


def search_als(
    positives: csr_matrix,
    times: TimeVector,
    *,
    trials: int,
    rng: np.random.Generator,
    base: AlsParams | None = None,
    clock: Callable[[], float] | None = None,
    budget_s: float | None = None,
    on_trial: OnTrial | None = None,
    check: Callable[[], None] | None = None,
    n_threads: int | None = None,
) -> list[AlsTrial]:
    """Trials, best first; equal ones in the order they were made.

    The first trial is ``base`` itself, so the best is never worse than what one had. The others are drawn at
    random around it, which needs no grid and can be ended at any time.

    Args:
        positives: (n_users, n_items) what may be learned from.
        times: microseconds, one per stored entry of ``positives`` in its order.
        trials: settings tried, at most.
        rng: draws settings; every trial starts from the same vectors, so only settings make a difference.
        base: the settings to search around; the defaults when not given.
        clock: gives seconds; needed with ``budget_s``.
        budget_s: no trial is begun after so many seconds; one is always made.
        on_trial: told the trial (from 1), the trials planned, its settings and its metric.
        check: called while fitting; raises to stop.

    Raises:
        NoFeedback: no user has two positives, so nothing can be set aside.
        ValueError: trials is below 1, or a budget is given without a clock.
    """
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    if budget_s is not None and clock is None:
        raise ValueError("a time budget needs a clock")
    rest, validation = hold_out_newest(positives, times)
    if len(validation[0]) == 0:
        raise NoFeedback("a search needs a user with two positives: one to learn from, one to rank")
    base = base or AlsParams()
    seed = int(rng.integers(2**32))
    began = clock() if clock is not None else 0.0
    made: list[AlsTrial] = []
    for trial in range(1, trials + 1):
        if made and budget_s is not None and clock() - began >= budget_s:
            break
        tried = base if trial == 1 else _drawn_around(base, rng)
        model = fit_als(
            rest,
            replace(tried, n_epochs=_TRIAL_EPOCHS, patience=_TRIAL_PATIENCE),
            rng=np.random.default_rng(seed),
            validation=validation,
            check=check,
            n_threads=n_threads,
        )
        made.append(AlsTrial(replace(tried, n_epochs=model.n_epochs), model.metric))
        if on_trial is not None:
            on_trial(trial, trials, made[-1].params, model.metric)
    return sorted(made, key=lambda trial: -trial.metric)


def hold_out_newest(
    positives: csr_matrix, times: TimeVector
) -> tuple[csr_matrix, tuple[IndexVector, IndexVector]]:
    """Everything but each user's newest positive, and those as users and items.

    A user with a single positive keeps it: there would be nothing to recommend from. Of positives at the
    same time the one stored first is the newer.
    """
    positives = csr_matrix(positives)
    users = np.repeat(np.arange(positives.shape[0]), np.diff(positives.indptr))
    newest_first = np.lexsort((np.arange(len(users)), -times, users))
    newest = newest_first[positives.indptr[:-1][np.diff(positives.indptr) > 1]]
    is_kept = np.ones(len(users), dtype=bool)
    is_kept[newest] = False
    rest = csr_matrix(
        (positives.data[is_kept], (users[is_kept], positives.indices[is_kept])), shape=positives.shape
    )
    return rest, (users[newest].astype(np.int32), positives.indices[newest].astype(np.int32))


def _drawn_around(base: AlsParams, rng: np.random.Generator) -> AlsParams:
    """Settings within a factor of 8 of the base for what scales, near it for what does not."""

    def scaled(value: float, most: float = 8.0) -> float:
        return float(value * most ** rng.uniform(-1, 1))

    return replace(
        base,
        n_factors=max(1, round(scaled(base.n_factors, 2.0))),
        regularization=scaled(base.regularization),
        user_share=scaled(base.user_share),
        unobserved_weight=scaled(base.unobserved_weight),
        frequency_exponent=float(np.clip(base.frequency_exponent + rng.uniform(-0.5, 0.5), 0, 1)),
        typical_user_share=float(np.clip(base.typical_user_share + rng.uniform(-0.3, 0.3), 0, 1)),
    )
