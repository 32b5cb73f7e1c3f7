"""The kinds of jobs: which function does which."""

from __future__ import annotations

from collections.abc import Callable

from dashboard.evaluation import runs as evaluation
from dashboard.jobs import fitting, refreshing, snapshots
from dashboard.jobs.work import Work

KINDS: dict[str, Callable[[Work], str]] = {
    fitting.KIND: fitting.run,
    refreshing.KIND: refreshing.run,
    snapshots.KIND: snapshots.run,
    evaluation.KIND: evaluation.run,
}
