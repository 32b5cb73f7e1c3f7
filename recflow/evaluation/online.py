"""How people take what they are shown: the share of seen items that got positive feedback.

A user and an item meet once: at the first read or positive feedback between them. The meeting counts as
positive when positive feedback came, then or later, so a day's rate may still rise a little afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recflow.data.types import MICROSECONDS_PER_DAY, BoolVector, TimeVector


@dataclass(frozen=True)
class Meetings:
    """Users and items that met, by time.

    Args:
        times: (n,) microseconds since 1970 of the first feedback, ascending.
        positive: (n,) whether positive feedback came.
    """

    times: TimeVector
    positive: BoolVector

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval; NaN where nothing was seen.

    Args:
        seen: meetings.
        positive: those with positive feedback.
    """

    seen: int
    positive: int
    share: float
    low: float
    high: float


def meetings(pairs: NDArray[np.int64], times: TimeVector, positive: BoolVector) -> Meetings:
    """The meetings in a log of read and positive feedback.

    Args:
        pairs: (n,) one number for each pair of user and item.
        times: (n,) microseconds since 1970.
        positive: (n,) which rows are positive feedback.
    """
    order = np.lexsort((times, pairs))
    unique, first = np.unique(pairs[order], return_index=True)
    liked = np.isin(unique, pairs[positive])
    met_at = times[order][first]
    by_time = np.argsort(met_at, kind="stable")
    return Meetings(met_at[by_time], liked[by_time])


def rate_by_period(met: Meetings, starts: TimeVector) -> list[Rate]:
    """The rate from each start to the next one, and after the last; what was before the first is left out.

    Args:
        met: who met what.
        starts: (n,) microseconds since 1970, ascending.
    """
    edges = np.searchsorted(met.times, starts, side="left")
    edges = np.append(edges, len(met))
    liked = np.concatenate([[0], np.cumsum(met.positive)])
    return [
        wilson_rate(int(liked[stop] - liked[start]), int(stop - start)) for start, stop in pairwise(edges)
    ]


def day_starts(last: int, n_days: int) -> TimeVector:
    """(n_days,) midnights (UTC) that begin the day of ``last`` and those before it."""
    today = last // MICROSECONDS_PER_DAY
    return np.arange(today - n_days + 1, today + 1, dtype=np.int64) * MICROSECONDS_PER_DAY


def wilson_rate(positive: int, seen: int) -> Rate:
    """A share with the interval of Wilson, "Probable inference", JASA 1927: it stays inside [0, 1]."""
    if not seen:
        return Rate(0, 0, float("nan"), float("nan"), float("nan"))
    z = 1.959964  # 95 % of a normal distribution lie within
    share = positive / seen
    spread = 1 + z * z / seen
    center = (share + z * z / (2 * seen)) / spread
    reach = z * np.sqrt(share * (1 - share) / seen + z * z / (4 * seen * seen)) / spread
    return Rate(seen, positive, share, float(max(0.0, center - reach)), float(min(1.0, center + reach)))
