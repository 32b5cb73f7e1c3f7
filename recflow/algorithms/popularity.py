"""How much an item is liked by everybody: counts, decayed counts, trend, mean value.

None of them knows a user, so they serve cold start, the fallback and, as features, the learned rankers. All
take feedback as parallel arrays, one entry per feedback, and return one score per item of the catalogue.
Feedback dated after ``now`` has not happened yet and counts for nothing.
"""

from __future__ import annotations

import numpy as np

from .arrays import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, IndexVector, ScoreVector, TimeVector


def feedback_counts(item_indices: IndexVector, n_items: int) -> ScoreVector:
    """(n_items,) feedback per item."""
    return np.bincount(item_indices, minlength=n_items).astype(np.float32)


def decayed_counts(
    item_indices: IndexVector, times: TimeVector, n_items: int, *, now: int, half_life_days: float
) -> ScoreVector:
    """Feedback per item, each worth half as much per half-life that has passed since.

    A sliding window drops a like from one second to the next; this lets it fade, so lists change smoothly.

    Args:
        item_indices: (n_feedback,) the item of each feedback.
        times: (n_feedback,) microseconds; a feedback without time is infinitely old in effect.
        now: microseconds.
        half_life_days: days after which a feedback is worth 1/2.

    Raises:
        ValueError: half_life_days is not above 0.
    """
    if not half_life_days > 0:
        raise ValueError(f"half_life_days must be above 0, got {half_life_days}")
    age_days = (now - times) / MICROSECONDS_PER_DAY
    worth = np.where(age_days >= 0, np.exp2(-np.maximum(age_days, 0) / half_life_days), 0.0)
    return np.bincount(item_indices, weights=worth, minlength=n_items).astype(np.float32)


def trending_scores(
    counts: ScoreVector, item_times: TimeVector, *, now: int, gravity: float = 1.8
) -> ScoreVector:
    """Popularity against age, the way Hacker News orders its front page: count / (age_hours + 2) ** gravity.

    Hacker News takes one point off, the vote of whoever posted; feedback has no such vote, so nothing is
    taken off.

    Args:
        counts: (n_items,) feedback per item, or any other points.
        item_times: (n_items,) microseconds when the item appeared; one that is yet to appear counts as new.
        now: microseconds.
        gravity: how fast age pulls down; 0 leaves the counts.
    """
    age_hours = np.maximum((now - item_times) / MICROSECONDS_PER_HOUR, 0)
    return (counts / (age_hours + 2.0) ** gravity).astype(np.float32)


def mean_values(
    item_indices: IndexVector, values: ScoreVector, n_items: int, *, prior_count: float = 0.0
) -> ScoreVector:
    """The mean feedback value per item, drawn towards the mean of all where there is little feedback.

    Args:
        item_indices: (n_feedback,) the item of each feedback.
        values: (n_feedback,) the value of each feedback, such as a rating.
        prior_count: how many feedbacks of mean value every item is credited with. 5 keeps a single
            enthusiastic rating from topping the list; 0 gives the plain mean.

    Returns:
        (n_items,) float32, NaN for an item without feedback when ``prior_count`` is 0 or nothing is known at
        all.

    Raises:
        ValueError: prior_count is negative.
    """
    if prior_count < 0:
        raise ValueError(f"prior_count must not be negative, got {prior_count}")
    counts = np.bincount(item_indices, minlength=n_items)
    sums = np.bincount(item_indices, weights=values, minlength=n_items)
    prior = prior_count * float(np.mean(values)) if prior_count and len(values) else 0.0
    weight = counts + (prior_count if len(values) else 0.0)
    means = np.full(n_items, np.nan)
    np.divide(sums + prior, weight, out=means, where=weight > 0)
    return means.astype(np.float32)
