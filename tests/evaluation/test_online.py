import numpy as np
import pytest
from pytest import approx

from recflow.evaluation.online import MICROSECONDS_PER_DAY as DAY
from recflow.evaluation.online import day_starts, meetings, rate_by_period, wilson_rate


def test_a_pair_meets_once_and_counts_on_the_day_it_first_met():
    # Pair 7 is read on day 1 and liked on day 3; pair 8 is only read, on day 1; pair 9 is liked on day 3.
    met = meetings(
        np.array([7, 8, 7, 9]), np.array([1, 1, 3, 3]) * DAY + 5, np.array([False, False, True, True])
    )
    assert len(met) == 3
    rates = rate_by_period(met, day_starts(3 * DAY + 9, 3))
    assert [(rate.seen, rate.positive) for rate in rates] == [(2, 1), (0, 0), (1, 1)]


def test_what_was_before_the_first_start_is_left_out():
    met = meetings(np.array([1, 2]), np.array([10, 20]), np.array([True, False]))
    assert [(rate.seen, rate.positive) for rate in rate_by_period(met, np.array([15]))] == [(1, 0)]


def test_days_end_with_the_day_of_the_last_moment():
    assert day_starts(5 * DAY + 1, 2).tolist() == [4 * DAY, 5 * DAY]


@pytest.mark.parametrize(
    ("positive", "seen", "low", "high"),
    [
        # Wilson, z = 1.96: 5 of 10 gives (0.5 + 0.19207) / 1.38415 -+ 1.96 * sqrt(0.025 + 0.0096) / 1.38415
        (5, 10, 0.2366, 0.7634),
        (0, 10, 0.0, 0.2775),
    ],
)
def test_interval_stays_inside_and_is_that_of_wilson(positive, seen, low, high):
    rate = wilson_rate(positive, seen)
    assert rate.low == approx(low, abs=1e-4)
    assert rate.high == approx(high, abs=1e-4)


def test_a_day_without_meetings_has_no_rate():
    assert np.isnan(wilson_rate(0, 0).share)
