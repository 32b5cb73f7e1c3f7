"""What is due: models whose period has passed, a snapshot of new rows.

Nothing is done again while nothing changed: a model is fitted anew only when the catalogue is no longer the
one it learned from. What failed or was cancelled a moment ago waits a whole period before it is tried again.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from dashboard.active import active_flow
from dashboard.jobs import fitting, ledger, prepared, refreshing, snapshots
from dashboard.jobs.fitting import models_with_periods
from dashboard.jobs.snapshots import data_version
from dashboard.models import LIVE, Draft, Job, JobState
from dashboard.runs import models
from dashboard.store import catalogue_version
from recflow.engine.check import blocking, check
from recflow.engine.flow import Flow, load_flow

#: Who asked for a job that nobody asked for.
PLANNER = "planner"
#: Seconds between two snapshots that only keep the saved one from falling far behind.
SNAPSHOT_PERIOD_S = 600.0
#: While data keep coming, at most this share of the time goes into lists, with so many seconds between.
LISTS_SHARE = 0.1
LISTS_REST_S = 60.0
#: Models that somebody tried out and nobody uses are deleted after so many seconds.
KEEP_UNUSED_S = 7 * 86_400.0
#: Lists that could not be made, or were cancelled, are tried again after so many seconds.
RETRY_LISTS_S = 600.0


def plan() -> None:
    """Put into the ledger what is due now."""
    catalogue = catalogue_version()
    flow, label = active_flow()
    if not blocking(check(flow)):
        plan_models(flow, catalogue)
        plan_lists(flow, label)
        forget_models(flow)
    if is_new(catalogue) and not tried_lately(snapshots.KIND, SNAPSHOT_PERIOD_S):
        snapshots.ask(PLANNER)


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


def forget_models(active: Flow) -> None:
    """Delete models that neither the active flow nor any flow's draft has needed for some days."""
    before = timezone.now().timestamp() - KEEP_UNUSED_S
    used = {spec.key for spec in fitting.models_of_flow(active)}
    if not models.unused(used, before):
        return
    for draft in Draft.objects.filter(
        revision=F("flow__revision"), flow__archived=False, flow__deleted_at=None
    ):
        flow = load_flow(draft.document)
        if not blocking(check(flow)):
            used |= {spec.key for spec in fitting.models_of_flow(flow)}
    for key in models.unused(used, before):
        models.forget(key)


def plan_lists(flow: Flow, label: str) -> None:
    """Ask for the lists of everybody when there are none of this version, or what they are made of changed.

    A model that is about to be fitted is waited for: its lists would be made again at once.
    """
    drop_paused(label)
    fits = {fitting.key_of(spec) for spec in fitting.models_of_flow(flow)}
    if Job.objects.filter(state__in=LIVE, key__in=fits | {refreshing.KIND}).exists():
        return
    last = Job.objects.filter(kind=refreshing.KIND, key=refreshing.KIND).order_by("-pk").first()
    if last is None or last.parameters.get("version", label) != label:
        refreshing.ask(PLANNER)
        return
    made, age_s = last.parameters, (timezone.now() - last.finished_at).total_seconds()
    rest_s = max(LISTS_REST_S, made.get("seconds", 0.0) / LISTS_SHARE)
    if last.state != JobState.DONE:
        rest_s = RETRY_LISTS_S
    is_stale = made.get("digest") != refreshing.digest_of(flow, catalogue_version())
    is_due = is_stale or last.state != JobState.DONE
    if age_s >= refreshing.settings_of(flow).expire_s or (is_due and age_s >= rest_s):
        refreshing.ask(PLANNER)
    elif prepared.wanted(1):
        refreshing.ask_for_wanted(PLANNER)


def drop_paused(label: str) -> None:
    """Cancel a paused refresh of a version that is no longer active: its lists will never be asked for."""
    for job in Job.objects.filter(key=refreshing.KIND, state=JobState.PAUSED):
        if job.parameters.get("version", label) != label:
            ledger.cancel(job.pk)


def is_new(catalogue: str) -> bool:
    """Whether no job has made a snapshot of these rows yet."""
    last = Job.objects.filter(kind=snapshots.KIND).order_by("-pk").first()
    return last is None or last.parameters.get("catalogue") != catalogue


def tried_lately(key: str, period_s: float) -> bool:
    """Whether a job of this key is on its way, or ended less than a period ago."""
    since = timezone.now() - timedelta(seconds=period_s)
    jobs = Job.objects.filter(key=key)
    return jobs.filter(state__in=LIVE).exists() or jobs.filter(finished_at__gte=since).exists()
