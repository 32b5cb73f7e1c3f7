"""Numbers that stand below each other on a page."""

from __future__ import annotations

from math import inf, nan

import pytest

from dashboard.views.columns import column


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.9123, 0.5, 0.00123], ["0.9123", "0.5000", "0.0012"]),  # four digits of the largest
        ([12.5, 3.25], ["12.50", "3.25"]),
        ([3.5, 4.0], ["3.5", "4.0"]),  # no zeros that all of them end in
        ([1.0, 27.0], ["1", "27"]),
        ([1_732_233_600.4, 3.0], ["1,732,233,600", "3"]),
        ([0.0325, 0.016393], ["0.03250", "0.01639"]),
        ([0.5, -0.25, -1e-9], ["0.50", "−0.25", "0.00"]),
        ([2.0, None, nan, inf], ["2", "–", "–", "–"]),
        ([0.0], ["0"]),
        ([], []),
    ],
)
def test_points_stand_below_each_other(values, shown):
    assert column(values) == shown
