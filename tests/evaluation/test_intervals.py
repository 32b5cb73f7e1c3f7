from math import isnan, sqrt

import numpy as np
import pytest
from pytest import approx

from recflow.evaluation.intervals import mean_with_interval, paired_difference


def test_interval_of_a_mean_is_students_t():
    # mean 2, sample deviation 1, n = 3, t(0.975, 2 degrees of freedom) = 4.30265
    estimate = mean_with_interval([1.0, 2.0, 3.0])
    assert estimate.mean == approx(2.0)
    reach = 4.30265 / sqrt(3)
    assert (estimate.low, estimate.high) == approx((2.0 - reach, 2.0 + reach), rel=1e-5)
    assert estimate.n == 3


def test_users_without_a_value_are_left_out():
    estimate = mean_with_interval([1.0, np.nan, 3.0])
    assert (estimate.mean, estimate.n) == (2.0, 2)


@pytest.mark.parametrize("values, mean", [([], np.nan), ([0.5], 0.5)])
def test_fewer_than_two_users_have_no_interval(values, mean):
    estimate = mean_with_interval(values)
    assert estimate.mean == approx(mean, nan_ok=True)
    assert isnan(estimate.low) and isnan(estimate.high)


def test_paired_difference_sees_what_single_intervals_hide():
    easy_or_hard = np.array([0.0, 1.0] * 20)
    slightly_better = easy_or_hard + np.array([0.01, 0.02, 0.03, 0.02] * 10)
    difference = paired_difference(slightly_better, easy_or_hard)
    assert difference.mean == approx(0.02)
    assert difference.low > 0
    assert mean_with_interval(slightly_better).low < mean_with_interval(easy_or_hard).high


def test_a_pair_with_a_missing_half_is_left_out():
    assert paired_difference([1.0, np.nan, 3.0], [0.0, 1.0, np.nan]).n == 1


def test_values_of_different_users_cannot_be_paired():
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        paired_difference([1.0, 2.0], [1.0])
