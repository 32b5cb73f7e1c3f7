import numpy as np
import pytest
from pytest import approx

from recflow.algorithms.popularity import decayed_counts, feedback_counts, mean_values, trending_scores

HOUR = 3_600_000_000
DAY = 24 * HOUR


def test_counts_cover_items_nobody_liked():
    assert feedback_counts(np.array([2, 0, 2], dtype=np.int32), 4).tolist() == [1, 0, 2, 0]


def test_no_feedback_counts_zero():
    empty = np.array([], dtype=np.int32)
    assert feedback_counts(empty, 2).tolist() == [0, 0]
    assert decayed_counts(empty, empty.astype(np.int64), 2, now=0, half_life_days=1).tolist() == [0, 0]


def test_feedback_is_worth_half_after_a_half_life():
    scores = decayed_counts(
        np.array([0, 0, 1], dtype=np.int32),
        np.array([10 * DAY, 3 * DAY, -4 * DAY]),
        2,
        now=10 * DAY,
        half_life_days=7,
    )
    assert scores.tolist() == approx([1 + 1 / 2, 1 / 4])  # ages 0 and 7 days; age 14 days


def test_feedback_of_the_future_does_not_count_yet():
    scores = decayed_counts(np.array([0], np.int32), np.array([2 * DAY]), 1, now=DAY, half_life_days=7)
    assert scores.tolist() == [0]


def test_feedback_without_a_time_is_worth_nothing():
    no_time = np.array([-62_135_596_800_000_000])
    scores = decayed_counts(np.array([0], np.int32), no_time, 1, now=1_700_000_000_000_000, half_life_days=30)
    assert scores.tolist() == [0]


def test_half_life_of_zero_is_refused():
    with pytest.raises(ValueError, match="half_life_days must be above 0, got 0"):
        decayed_counts(np.array([0], np.int32), np.array([0]), 1, now=0, half_life_days=0)


def test_a_young_item_beats_an_old_one_with_more_likes():
    scores = trending_scores(
        np.array([4, 8], dtype=np.float32), np.array([10 * HOUR, 4 * HOUR]), now=10 * HOUR, gravity=2
    )
    assert scores.tolist() == approx([4 / 4, 8 / 64])  # 4 / (0 + 2)^2; 8 / (6 + 2)^2


def test_an_item_yet_to_appear_counts_as_new():
    scores = trending_scores(np.array([4], dtype=np.float32), np.array([9 * HOUR]), now=0, gravity=2)
    assert scores.tolist() == [1]


def test_mean_value_is_unknown_without_feedback():
    means = mean_values(np.array([0, 0], np.int32), np.array([3, 4], np.float32), 2)
    assert means[0] == approx(3.5)
    assert np.isnan(means[1])


def test_prior_draws_a_single_rating_towards_the_mean_of_all():
    means = mean_values(
        np.array([0, 1, 1, 1], np.int32), np.array([5, 3, 3, 1], np.float32), 3, prior_count=3
    )
    # mean of all is 12 / 4 = 3
    assert means.tolist() == approx([(5 + 9) / 4, (7 + 9) / 6, 9 / 3])


def test_prior_has_nothing_to_say_without_any_feedback():
    assert np.isnan(mean_values(np.array([], np.int32), np.array([], np.float32), 2, prior_count=5)).all()


def test_negative_prior_is_refused():
    with pytest.raises(ValueError, match="got -1"):
        mean_values(np.array([0], np.int32), np.array([1], np.float32), 1, prior_count=-1)
