"""How sure a mean is: 95 % confidence intervals of means and of paired differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
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

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def mean_with_interval(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of one value per user with Student's t interval; NaN values are left out."""
    known = _known(values)
    n = len(known)
    if n < 2:
        return Estimate(float(known[0]) if n else np.nan, np.nan, np.nan, n)
    mean = float(known.mean())
    reach = float(stats.t.ppf((1 + confidence) / 2, n - 1) * known.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - reach, mean + reach, n)


def bootstrap_interval(
    values: ArrayLike, *, rng: np.random.Generator, confidence: float = 0.95, n_resamples: int = 2_000
) -> Estimate:
    """The same by resampling users with replacement: for values too skewed for Student's t, such as costs."""
    known = _known(values)
    n = len(known)
    if n < 2:
        return mean_with_interval(known)
    # One resample at a time: all of them at once would need n_resamples x n numbers of memory.
    means = np.array([known[rng.integers(n, size=n)].mean() for _ in range(n_resamples)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(known.mean()), float(low), float(high), n)


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


def _known(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    return values[~np.isnan(values)]
