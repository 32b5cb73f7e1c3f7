"""Figures over time, under Gorse's names: out of times, of counts by day, and of what models measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from dashboard import growth
from dashboard.active import active_flow
from dashboard.errors import NotFound
from dashboard.evaluation.online import meetings_of
from dashboard.jobs.fitting import models_of_flow, rules_of_flow
from dashboard.runs import models
from dashboard.store import store
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.data.snapshot import Snapshot
from recflow.data.types import TimeVector
from recflow.evaluation.online import rate_by_period

#: Points of one answer at most.
MAX_POINTS = 10_000
#: Kinds of models behind Gorse's two: which one matches, which one ranks.
MATCHING, RANKING = ("mf",), ("fm", "hybrid")
#: Gorse's name of a count -> ours.
_COUNTS: dict[str, growth.Counted] = {
    "num_users": "users",
    "num_items": "items",
    "num_feedback": "feedback",
}
#: Gorse's name of a metric -> ours.
METRICS = {"ndcg": "ndcg_at_10", "precision": "precision_at_10", "recall": "recall_at_10", "auc": "auc"}

Points = list[tuple[int, float]]
#: (n,) ends of the periods and their length -> points.
Series = Callable[[TimeVector, int], Points]


def points(name: str, begin_us: int, end_us: int, step_us: int) -> Iterator[tuple[int, float]]:
    """The value of a figure at the end of each period; periods are counted from 1970.

    Raises:
        NotFound: there is no figure of that name.
    """
    ends = np.arange(begin_us - begin_us % step_us + step_us, end_us + step_us, step_us, dtype=np.int64)
    return ((int(at), float(value)) for at, value in _series(name)(ends, step_us))


def _series(name: str) -> Series:
    """
    Raises:
        NotFound: there is no figure of that name.
    """
    snapshot, rules = store.snapshot(), rules_of_flow(active_flow()[0])
    if (counted := _COUNTS.get(name)) is not None:
        return lambda ends, step: list(zip(ends, growth.counts_at(counted, ends), strict=True))
    if name == "num_pos_feedbacks":
        return _counted(snapshot.view(rules).positive.times)
    if name == "num_neg_feedbacks":
        view = snapshot.view(rules)
        return _counted(np.concatenate([view.read.times, view.negative.times]))
    if match := re.fullmatch(r"positive_feedback_ratio(?:_(.+))?", name):
        return _ratio(snapshot, rules, match[1])
    if (match := re.fullmatch(r"(cf|ctr)_(ndcg|precision|recall|auc)", name)) is not None:
        return _measured(MATCHING if match[1] == "cf" else RANKING, METRICS[match[2]])
    raise NotFound(f"There is no figure called {name[:60]!r}")


def _counted(times: TimeVector) -> Series:
    """How many there were at each moment."""
    ordered = np.sort(times)
    return lambda ends, step: list(zip(ends, np.searchsorted(ordered, ends, side="right"), strict=True))


def _ratio(snapshot: Snapshot, rules: FeedbackRules, kind: str | None) -> Series:
    """The share of seen items that were liked, in each period; of one type of positive feedback or all."""
    if kind is not None:
        rules = FeedbackRules((FeedbackRule(kind),), rules.read, rules.negative)
    met = meetings_of(snapshot, rules)

    def rates(ends: TimeVector, step: int) -> Points:
        # The last period is followed by one that is thrown away: it would reach to the end of time.
        found = rate_by_period(met, np.append(ends - step, ends[-1:]))[: len(ends)]
        return [(end, rate.share) for end, rate in zip(ends, found, strict=True) if rate.seen]

    return rates


def _measured(kinds: tuple[str, ...], metric: str) -> Series:
    """What each version of a model of the active flow was measured at."""

    def points(ends: TimeVector, step: int) -> Points:
        first, last = int(ends[0]) - step, int(ends[-1])
        return [
            (int(meta["fitted_at"] * 1e6), meta["metrics"][metric])
            for spec in models_of_flow(active_flow()[0])
            if spec.kind in kinds
            for meta in reversed(models.history(spec))
            if metric in meta["metrics"] and first <= meta["fitted_at"] * 1e6 <= last
        ]

    return points
