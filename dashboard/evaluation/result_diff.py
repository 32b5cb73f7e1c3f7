"""What users would notice: lists of two versions side by side, for a sample of cold, light and heavy users.

Nothing is fitted and nothing is written; both drawings run with the models of today, as the preview does. The
sample is drawn by a seed, so that looking twice shows the same users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.evaluation.datasets import history_in
from dashboard.jobs.fitting import rules_of_flow
from recflow.data.feedback import FeedbackRules, UserHistory
from recflow.data.snapshot import Snapshot
from recflow.data.types import IndexVector
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import Flow
from recflow.engine.outcome import Run
from recflow.evaluation.intervals import Estimate, mean_with_interval
from recflow.evaluation.list_changes import ListChange, list_change

#: Groups of users by how much positive feedback they gave, in the order of the answer.
GROUPS = ("cold", "light", "heavy")
#: Id of the user whom nobody knows; every sample holds one.
NOBODY = "somebody new"


@dataclass(frozen=True, eq=False)
class Sampled:
    """One user of the sample.

    Args:
        group: one of GROUPS.
        history: what the runs are given.
        likes: positive feedback so far.
    """

    group: str
    history: UserHistory
    likes: int


#: A user, how their list changed, and both runs.
_Compared = tuple[Sampled, ListChange, Run, Run]


def sample_users(snapshot: Snapshot, rules: FeedbackRules, per_group: int, seed: int = 0) -> list[Sampled]:
    """Users of each group: cold ones have no positive feedback, light ones at most the median of the others.

    Somebody nobody knows is always among the cold.

    Args:
        snapshot: the data.
        rules: which feedback is positive.
        per_group: users of each group at most.
        seed: of the draw.
    """
    likes = np.diff(snapshot.view(rules).positive.user_starts)
    median = float(np.median(likes[likes > 0])) if (likes > 0).any() else 0.0
    members = {
        "cold": np.flatnonzero(likes == 0),
        "light": np.flatnonzero((likes > 0) & (likes <= median)),
        "heavy": np.flatnonzero(likes > median),
    }
    rng = np.random.default_rng(seed)
    sampled = [Sampled("cold", UserHistory(NOBODY), 0)]
    for group in GROUPS:
        size = min(per_group - (group == "cold"), len(members[group]))
        for user in np.sort(rng.choice(members[group], size=size, replace=False)).tolist():
            sampled.append(Sampled(group, history_in(snapshot, user), int(likes[user])))
    return sampled


async def comparing(
    before: Flow,
    after: Flow,
    snapshot: Snapshot,
    services: Services,
    *,
    now: int,
    n: int = 10,
    per_group: int = 10,
    seed: int = 0,
    deadline_s: float = 20.0,
) -> AsyncIterator[dict[str, Any]]:
    """How lists change from one drawing to another, told after every user.

    Args:
        before: what is live.
        after: what would be.
        snapshot: the data.
        services: models and memo of the server.
        now: microseconds.
        n: ranks that are compared.
        per_group: users of each group at most.
        seed: of the sample.
        deadline_s: whoever is not done by then is left out, and the answer says how many were.

    Yields:
        As docs/protocol.md says, once before each user and once in the end: what is known so far, users who
        change most first, with a summary of all and of each group.

    Raises:
        FlowError: one of the drawings cannot run.
    """
    sample = await asyncio.to_thread(sample_users, snapshot, rules_of_flow(after), per_group, seed)
    # Groups take turns, so that a deadline cuts all of them alike.
    turns = sorted(range(len(sample)), key=lambda place: (_turn(sample, place), place))
    rows: list[_Compared] = []
    began = time.perf_counter()

    def so_far() -> dict[str, Any]:
        ms = round((time.perf_counter() - began) * 1000, 1)
        return {"k": n, "users_asked": len(sample), "ms": ms, **_told(rows, snapshot)}

    for place in turns:
        yield so_far()
        user = sample[place]
        request = RunRequest(user.history, n=n, now=now, use_pins=False)
        try:
            async with asyncio.timeout(deadline_s - (time.perf_counter() - began)):
                old = await execute(before, request, snapshot, services)
                new = await execute(after, request, snapshot, services)
        except TimeoutError:
            break  # what was compared so far is told with its sample size
        rows.append((user, list_change(old.result.items, new.result.items, n), old, new))
    yield so_far()


def _told(rows: Sequence[_Compared], snapshot: Snapshot) -> dict[str, Any]:
    ordered = sorted(
        rows, key=lambda row: (row[1].rank_biased_overlap, row[1].overlap, row[0].history.user_id)
    )
    return {
        "users": len(rows),
        "summary": _summary([change for _, change, _, _ in rows]),
        "groups": [
            {"group": group, **_summary([change for user, change, _, _ in rows if user.group == group])}
            for group in GROUPS
        ],
        "rows": [_row(*row, snapshot) for row in ordered],
    }


def _turn(sample: Sequence[Sampled], place: int) -> int:
    """How many of the same group stand before this one."""
    return sum(other.group == sample[place].group for other in sample[:place])


def _summary(changes: Sequence[ListChange]) -> dict[str, Any]:
    overlap = mean_with_interval([change.overlap for change in changes])
    weighted = mean_with_interval([change.rank_biased_overlap for change in changes])
    return {
        "users": len(changes),
        "same": sum(change.is_same for change in changes),
        "overlap": _estimate(overlap),
        "rank_biased_overlap": _estimate(weighted),
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    """Of shares: an interval of few users reaches beyond what a share can be."""
    low, high = np.clip([estimate.low, estimate.high], 0.0, 1.0)  # which leaves NaN as it is
    parts = {"mean": estimate.mean, "low": low, "high": high}
    return {name: None if value != value else round(float(value), 4) for name, value in parts.items()}


def _row(user: Sampled, change: ListChange, old: Run, new: Run, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "user_id": user.history.user_id,
        "known": user.history.is_known,
        "group": user.group,
        "likes": user.likes,
        "overlap": round(change.overlap, 4),
        "rank_biased_overlap": round(change.rank_biased_overlap, 4),
        "entered": _items(change.entered, snapshot),
        "left": _items(change.left, snapshot),
        "moved": [
            {**_item(int(item), snapshot), "rank_before": int(was), "rank": int(is_now)}
            for item, was, is_now in change.moved
        ],
        "degraded": {"before": old.degraded, "after": new.degraded},
    }


def _items(items: IndexVector, snapshot: Snapshot) -> list[dict[str, str]]:
    return [_item(int(item), snapshot) for item in items]


def _item(index: int, snapshot: Snapshot) -> dict[str, str]:
    return {"item_id": snapshot.items.ids[index], "title": snapshot.titles([index])[0]}
