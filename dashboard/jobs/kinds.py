"""The kinds of jobs: which function does which."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.evaluation import runs as evaluation
from dashboard.jobs import fitting, refreshing, snapshots, taking_in
from dashboard.jobs.work import Work

KINDS: dict[str, Callable[[Work], str]] = {
    fitting.KIND: fitting.run,
    refreshing.KIND: refreshing.run,
    snapshots.KIND: snapshots.run,
    evaluation.KIND: evaluation.run,
    taking_in.KIND: taking_in.run,
}
#: Kinds whose jobs go on where they stopped; any other would begin anew, which is what cancelling is for.
PAUSABLE = frozenset({refreshing.KIND, taking_in.KIND})
