"""Numbers and moments as pages write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from django.utils import timezone

from dashboard.templatetags.figures import ago
from dashboard.views.columns import column


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.9123, 0.5, 0.00123], ["0.9123", "0.5000", "0.0012"]),  # four digits of the largest
        ([12.5, 3.25], ["12.50", "3.25"]),
        ([3.5, 4.0], ["3.5", "4.0"]),  # no zeros that all of them end in
        ([1.0, 27.0], ["1", "27"]),
        ([12345.678, 0.5, 3.0], ["12,345.68", "0.50", "3.00"]),
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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2, "just now"), (40, "40 s ago"), (600, "10 min ago"), (7200, "2 h ago"), (36 * 3600, "2 days ago")],
)
def test_a_moment_is_told_as_the_scripts_tell_it(monkeypatch, seconds, shown):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert ago(now - timedelta(seconds=seconds)) == shown
