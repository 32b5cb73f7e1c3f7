"""How many there were day by day: what was written down, and before that what times tell."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from dashboard import growth
from dashboard.catalogue import writing
from dashboard.jobs import snapshots
from dashboard.models import DailyCount
from dashboard.sparkline import draw
from dashboard.store import store
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

DAY = 86_400_000_000
TODAY, TODAYS_DATE = 20_000 * DAY, date(2024, 10, 4)


def at(*days_ago):
    """Midnights that end these days."""
    return np.array([TODAY - days * DAY for days in days_ago], dtype=np.int64)


@pytest.fixture(autouse=True)
def morning(monkeypatch):
    """Seven o'clock, also where the tests go on past midnight."""
    monkeypatch.setattr(growth, "now_us", lambda: TODAY + 7 * DAY // 24)


@pytest.fixture
def shop():
    """b is six days old; a, without a date, was first liked four days ago; c has no time at all."""
    writing.put_items([ItemRecord("b", time_us=TODAY - 6 * DAY), ItemRecord("c")])
    writing.put_users([UserRecord("never")])
    writing.put_feedback(
        [
            FeedbackRecord("like", "ann", "a", 1.0, TODAY - 4 * DAY),
            FeedbackRecord("like", "ann", "b", 1.0, TODAY - 2 * DAY),
            FeedbackRecord("like", "bob", "a", 1.0, TODAY - 2 * DAY),
        ],
        overwrite=True,
    )
    return store.snapshot(fresh=True)


def test_before_anything_was_written_down_times_tell(shop):
    assert growth.counts_at("users", at(5, 3, 1)) == [1, 2, 3]  # never is always there
    assert growth.counts_at("items", at(7, 5, 3)) == [1, 2, 3]  # so is c
    assert growth.counts_at("feedback", at(5, 3, 1)) == [0, 1, 3]


def test_many_moments_are_told_like_few(shop):
    """Half days of three weeks are sorted for, five of them are counted."""
    halves = np.arange(TODAY - 21 * DAY, TODAY, DAY // 2, dtype=np.int64)
    many = growth.counts_at("feedback", halves)
    assert len(halves) > growth.DAYS
    assert [many[-10], many[-7], many[-1]] == [0, 1, 3]  # five, three and a half, half a day ago
    assert many[-10:-5] == growth.counts_at("feedback", halves[-10:-5])


def test_all_rows_are_looked_at_once_and_not_at_all_where_days_tell(shop, monkeypatch):
    looks, look = [], growth.arrivals
    monkeypatch.setattr(growth, "arrivals", lambda *asked: looks.append(asked[1]) or look(*asked))
    monkeypatch.setattr(growth, "_counted", {})
    for _ in range(3):
        growth.recent()
    assert sorted(looks) == sorted(growth.COUNTED)
    DailyCount.objects.create(day=TODAYS_DATE - timedelta(days=60), users=1, items=1, feedback=1)
    growth.recent()
    assert len(looks) == len(growth.COUNTED)


def test_a_new_snapshot_is_counted_anew(shop):
    assert growth.counts_at("feedback", at(1)) == [3]
    writing.put_feedback([FeedbackRecord("like", "bob", "b", 1.0, TODAY - 3 * DAY)], overwrite=True)
    store.snapshot(fresh=True)
    assert growth.counts_at("feedback", at(1)) == [4]


def test_what_was_written_down_goes_before_times_and_lasts_until_the_next(shop):
    three_days_ago = TODAYS_DATE - timedelta(days=3)
    DailyCount.objects.create(day=three_days_ago, users=70, items=80, feedback=90)
    assert growth.counts_at("users", at(3, 2, 1)) == [2, 70, 70]  # at(3) is when that day began
    assert growth.counts_at("feedback", at(2)) == [90]


def test_what_is_there_now_counts_for_moments_to_come(shop):
    DailyCount.objects.create(day=TODAYS_DATE, users=70, items=80, feedback=90)
    assert growth.counts_at("users", at(-1)) == [3]


def test_a_refresh_of_the_snapshot_writes_the_day_down_once(shop):
    for _ in range(2):
        snapshots.refresh_here(1, "w1")
    row = DailyCount.objects.get()
    assert (row.day, row.users, row.items, row.feedback) == (TODAYS_DATE, 3, 3, 3)


def test_the_overview_shows_four_weeks_with_today_at_the_end(shop):
    users, items, feedback = growth.recent()
    assert [len(one.values) for one in (users, items, feedback)] == [28, 28, 28]
    assert (users.values[0], users.now, users.change) == (1, 3, 2)
    # Midnights: one row is four days old, two are two; the last end is the one to come.
    assert feedback.values[-6:] == [1, 1, 3, 3, 3, 3]
    assert items.line.path.startswith("M0.0 41.0L")  # the least stands at the bottom: 44 - 3
    assert items.line.path.endswith("L220.0 3.0")


def test_a_line_goes_from_edge_to_edge_and_the_least_stands_at_the_bottom():
    line = draw([2.0, 1.0, 3.0])
    assert line.path == "M0.0 22.0L110.0 41.0L220.0 3.0"  # 44 high, 3 from the edges
    assert line.area == f"{line.path}L220 44L0 44Z"


def test_without_any_data_nothing_is_drawn_that_is_not_there(db):
    store.snapshot(fresh=True)
    users = growth.recent()[0]
    assert (users.now, users.change) == (0, 0)
    assert users.line.path.startswith("M0.0 22.0L")  # a line in the middle
