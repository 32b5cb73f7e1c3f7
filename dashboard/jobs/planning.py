"""What is due: models whose period has passed, a snapshot of new rows.

Nothing is done again while nothing changed: a model is fitted anew only when the catalogue is no longer the
one it learned from. What failed or was cancelled a moment ago waits a whole period before it is tried again.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from dashboard.activation import active_version
from dashboard.jobs import fitting, snapshots
from dashboard.jobs.fitting import models_with_periods
from dashboard.jobs.snapshots import data_version
from dashboard.models import LIVE, Job
from dashboard.runs import models
from dashboard.store import catalogue_version
from recflow.engine.check import blocking, check
from recflow.engine.flow import Flow, load_flow
from recflow.nodes.starters import DEFAULT, STARTERS

#: Who asked for a job that nobody asked for.
PLANNER = "planner"
#: Seconds between two snapshots that only keep the saved one from falling far behind.
SNAPSHOT_PERIOD_S = 600.0


def plan() -> None:
    """Put into the ledger what is due now."""
    catalogue = catalogue_version()
    flow, _ = active_flow()
    if not blocking(check(flow)):
        plan_models(flow, catalogue)
    if is_new(catalogue) and not tried_lately(snapshots.KIND, SNAPSHOT_PERIOD_S):
        snapshots.ask(PLANNER)


def active_flow() -> tuple[Flow, str]:
    """The flow that answers requests, and its name "flow id@number"; "default" while none was activated."""
    version = active_version()
    if version is None:
        return load_flow(STARTERS[DEFAULT].document), "default"
    return load_flow(version.document), f"{version.flow_id}@{version.number}"


def plan_models(flow: Flow, catalogue: str) -> None:
    """Ask for the models of a flow that are missing, or old and behind the data."""
    now = timezone.now().timestamp()
    for spec, period_s in models_with_periods(flow):
        newest = next(iter(models.history(spec)), None)
        is_due = newest is None or (
            now - newest["fitted_at"] >= period_s and data_version(newest["snapshot"]) != catalogue
        )
        if is_due and not tried_lately(fitting.key_of(spec), period_s):
            fitting.ask(spec, PLANNER)


def is_new(catalogue: str) -> bool:
    """Whether no job has made a snapshot of these rows yet."""
    last = Job.objects.filter(kind=snapshots.KIND).order_by("-pk").first()
    return last is None or last.parameters.get("catalogue") != catalogue


def tried_lately(key: str, period_s: float) -> bool:
    """Whether a job of this key is on its way, or ended less than a period ago."""
    since = timezone.now() - timedelta(seconds=period_s)
    jobs = Job.objects.filter(key=key)
    return jobs.filter(state__in=LIVE).exists() or jobs.filter(finished_at__gte=since).exists()
