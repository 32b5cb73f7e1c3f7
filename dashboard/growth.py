"""How many users, items and rows of feedback there were, day by day.

Rows have no time of their own that says when they came. So each refresh of the snapshot writes down the
counts of its day (UTC), and for the days before anybody wrote, the times there are stand in: a user came
with their first feedback, an item at its own date or with the first feedback on it. What has no time at all
counts as there from the beginning, for a leap on the first day that was written down would be a lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import numpy as np

from dashboard.models import DailyCount
from dashboard.sparkline import Sparkline, draw
from dashboard.store import now_us, store
from recflow.data.snapshot import Snapshot
from recflow.data.types import MICROSECONDS_PER_DAY, NO_TIME, TimeVector

Counted = Literal["users", "items", "feedback"]
COUNTED: tuple[Counted, ...] = get_args(Counted)

#: Days that the Overview shows.
DAYS = 28
#: Answers of _arrived that are kept; they are of the newest snapshots, for nobody asks for others.
_MOST_COUNTED = 64
_counted: dict[tuple[str, Counted, tuple[int, ...]], list[int]] = {}


def record(snapshot: Snapshot) -> None:
    """Write down what there is, for today; the last refresh of a day counts."""
    today = datetime.fromtimestamp(now_us() / 1e6, UTC).date()
    DailyCount.objects.update_or_create(day=today, defaults=_now(snapshot))


def counts_at(name: Counted, ends: TimeVector) -> list[int]:
    """How many there were at each moment, which have to be in order; what is there now for those to come."""
    snapshot, now = store.snapshot(), now_us()
    written = sorted(DailyCount.objects.values_list("day", name))
    begins = np.array([_midnight_us(day) for day, _ in written], dtype=np.int64)
    places = np.searchsorted(begins, ends, side="left") - 1  # the last day that began before
    told = iter(_arrived(snapshot, name, tuple(ends[(ends < now) & (places < 0)].tolist())))
    found = []
    for end, place in zip(ends.tolist(), places.tolist(), strict=True):
        if end >= now:
            found.append(_now(snapshot)[name])
        elif place >= 0:
            found.append(written[place][1])
        else:
            found.append(next(told))
    return found


def _arrived(snapshot: Snapshot, name: Counted, ends: tuple[int, ...]) -> list[int]:
    """How many had come until each moment, as far as times tell.

    All rows are looked at, so it is kept for the next who opens the page; and not at all where days tell.
    """
    if not ends:
        return []
    key = (snapshot.version, name, ends)
    if key not in _counted:
        if len(_counted) >= _MOST_COUNTED:
            _counted.clear()
        times = arrivals(snapshot, name)
        if len(ends) <= DAYS:  # as the Overview asks: a look at each row for each is faster than sorting them
            _counted[key] = [int(np.count_nonzero(times <= end)) for end in ends]
        else:
            _counted[key] = np.searchsorted(np.sort(times), np.array(ends), side="right").tolist()
    return _counted[key]


def arrivals(snapshot: Snapshot, name: Counted) -> TimeVector:
    """(n,) when each user, item or row came, as far as times tell; NO_TIME for those always there."""
    log = snapshot.feedback
    if name == "feedback":
        return log.times
    if name == "users":
        return _first_times(log.users, log.times, snapshot.n_users)
    own = snapshot.items.times
    return np.where(own == NO_TIME, _first_times(log.items, log.times, snapshot.n_items), own)


@dataclass(frozen=True)
class Growth:
    """One count over the last days.

    Args:
        name: what is counted.
        values: at the end of each day, today's as of now.
    """

    name: Counted
    values: list[int]

    @property
    def line(self) -> Sparkline:
        return draw(self.values)

    @property
    def now(self) -> int:
        return self.values[-1]

    @property
    def change(self) -> int:
        """How many more than at the beginning."""
        return self.values[-1] - self.values[0]

    @property
    def fewer(self) -> int:
        return -self.change


def recent() -> list[Growth]:
    """What the Overview draws."""
    today = now_us() // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY
    ends = today + MICROSECONDS_PER_DAY * np.arange(2 - DAYS, 2, dtype=np.int64)
    return [Growth(name, counts_at(name, ends)) for name in COUNTED]


def _now(snapshot: Snapshot) -> dict[str, int]:
    return {"users": snapshot.n_users, "items": snapshot.n_items, "feedback": len(snapshot.feedback)}


def _first_times(indices: np.ndarray, times: TimeVector, n: int) -> TimeVector:
    """(n,) the earliest time at each index, NO_TIME where there is none."""
    latest = np.iinfo(np.int64).max
    first = np.full(n, latest, dtype=np.int64)
    np.minimum.at(first, indices, times)
    first[first == latest] = NO_TIME
    return first


def _midnight_us(day: object) -> int:
    moment = datetime.combine(day, datetime.min.time(), UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
