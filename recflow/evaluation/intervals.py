"""How sure a mean is: 95 % confidence intervals of means and of paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval.

    Args:
        mean: over the users that have a value; NaN when none has.
        low: lower end of the interval; NaN with fewer than two users.
        high: upper end of the interval.
        n: users that count. Never show a mean without it.
    """

    mean: float
    low: float
    high: float
    n: int


def mean_with_interval(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of one value per user with Student's t interval; NaN values are left out."""
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    n = len(known)
    if n < 2:
        return Estimate(float(known[0]) if n else np.nan, np.nan, np.nan, n)
    mean = float(known.mean())
    reach = float(stats.t.ppf((1 + confidence) / 2, n - 1) * known.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - reach, mean + reach, n)


def paired_difference(values: ArrayLike, baseline: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of value - baseline over the users that have both, with its interval.

    Pairing takes out what makes some users easier than others, so it can tell rankers apart whose own
    intervals overlap.

    Raises:
        ValueError: the two do not cover the same users.
    """
    values, baseline = np.asarray(values, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if values.shape != baseline.shape:
        raise ValueError(f"{len(values)} values cannot be paired with {len(baseline)}")
    return mean_with_interval(values - baseline, confidence)
