"""Background jobs for the Tasks page and the editor: look, start, cancel, try again; see docs/protocol.md."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from dashboard import drafts
from dashboard.active import active_flow
from dashboard.api.editor import edit, view
from dashboard.errors import BadRequest, Conflict
from dashboard.jobs import fitting, ledger, prepared, refreshing, snapshots, taking_in
from dashboard.jobs.kinds import PAUSABLE
from dashboard.models import LIVE, Job, JobState, PreparedList
from dashboard.outside.directory import current
from dashboard.runs import models
from recflow.engine.check import blocking, check, label_of
from recflow.engine.flow import Flow, load_flow
from recflow.engine.registry import FITTERS, ModelSpec

router = Router()

#: Kind of job -> what it makes, one by one.
UNITS = {refreshing.KIND: "lists", taking_in.KIND: "rows"}


class Wanted(Schema):
    """A job to start.

    ``model`` is the key of one model; without it and without a node, all models of the flow are fitted.
    Without ``version`` it is the flow's draft.
    """

    kind: Literal["fit", "snapshot", "lists"]
    flow_id: int | None = None
    version: int | None = None
    node_id: str | None = None
    model: str | None = None


@router.get("/jobs", auth=view)
def list_jobs(request: HttpRequest, n: int = Query(50, ge=1, le=ledger.KEPT_JOBS)) -> dict[str, Any]:
    live = Job.objects.filter(state__in=LIVE).order_by("pk")
    ended = Job.objects.exclude(state__in=LIVE).order_by("-finished_at", "-pk")[:n]
    flow, label = active_flow()
    return {
        "jobs": [_job(job) for job in [*live.defer("log"), *ended.defer("log")]],
        "models": [_model(spec, period_s) for spec, period_s in _models(flow)],
        "lists": _lists(label),
    }


@router.post("/jobs", auth=edit)
def start_job(request: HttpRequest, body: Wanted) -> dict[str, Any]:
    name = request.auth.name
    match body.kind:
        case "snapshot":
            jobs = [snapshots.ask(name)]
        case "lists":
            jobs = [refreshing.ask(name)]
        case "fit":
            jobs = [fitting.ask(spec, name) for spec in _wanted_models(body)]
    return {"jobs": [_job(job) for job in jobs]}


@router.get("/jobs/{int:job_id}", auth=view)
def get_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    job = ledger.find(job_id)
    return _job(job) | {"log": job.log, "parameters": job.parameters}


@router.post("/jobs/{int:job_id}/cancel", auth=edit)
def cancel_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    return _job(ledger.cancel(job_id))


@router.post("/jobs/{int:job_id}/pause", auth=edit)
def pause_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    job = ledger.find(job_id)
    if job.kind not in PAUSABLE:
        raise Conflict(f"{job.title} cannot be paused, for it would begin anew: cancel it instead")
    return _job(ledger.pause(job_id))


@router.post("/jobs/{int:job_id}/resume", auth=edit)
def resume_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    return _job(ledger.resume(job_id))


@router.post("/jobs/{int:job_id}/retry", auth=edit)
def retry_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    return _job(ledger.retry(job_id))


def _wanted_models(body: Wanted) -> list[ModelSpec]:
    """The models that somebody wants fitted; of a flow's draft or version, or of the active flow.

    Raises:
        BadRequest: there are none, or the flow has to be mended first.
    """
    if body.flow_id is None:
        flow, _ = active_flow()
        specs = fitting.models_of_flow(flow)
    else:
        flow = load_flow(drafts.saved_drawing(body.flow_id, body.version).document)
        if problems := blocking(check(flow)):
            raise BadRequest(f"{flow.name} cannot be trained for: {problems[0].message}")
        node = flow.node(body.node_id) if body.node_id else None
        specs = fitting.models_of_node(flow, node) if node else fitting.models_of_flow(flow)
        if node and not specs:
            raise BadRequest(f"{label_of(node)} needs no model")
    specs = [spec for spec in specs if body.model in (None, spec.key)]
    if not specs:
        raise BadRequest(f"{flow.name} needs no {f'model {body.model}' if body.model else 'models'}")
    return specs


def _models(flow: Flow) -> list[tuple[ModelSpec, float]]:
    return [] if blocking(check(flow)) else fitting.models_with_periods(flow)


def _job(job: Job) -> dict[str, Any]:
    names = ("id", "kind", "key", "title", "state", "share", "text", "error", "asked_by", "attempts")
    times = ("created_at", "started_at", "finished_at")
    flags = ("cancel_asked", "pause_asked", "worker")
    return {name: getattr(job, name) for name in (*names, *times, *flags)} | {
        "can_pause": job.kind in PAUSABLE,
        **_made(job),
    }


def _made(job: Job) -> dict[str, Any]:
    """What a job has made so far, how fast, and what models were paid for it.

    ``made`` is null for jobs that make nothing one by one; ``rate`` is of this attempt alone.
    """
    unit = UNITS.get(job.kind)
    if unit is None:
        return {
            "made": None,
            "of": None,
            "unit": "",
            "rate": None,
            "cost": None,
            "cost_unknown": 0,
            "currency": "",
        }
    until = job.finished_at or timezone.now()
    seconds = (until - job.started_at).total_seconds() if job.started_at else 0.0
    is_timed = seconds > 0 and job.state in (JobState.RUNNING, JobState.DONE)
    is_paid = job.cost > 0 or job.cost_unknown > 0
    return {
        "made": job.made,
        "of": job.parameters.get("users"),
        "unit": unit,
        "rate": round((job.made - job.made_before) / seconds, 2) if is_timed else None,
        "cost": job.cost if is_paid and not job.cost_unknown else None,
        "cost_unknown": job.cost_unknown,
        "currency": current().limits.currency if is_paid else "",
    }


def _model(spec: ModelSpec, period_s: float) -> dict[str, Any]:
    return {
        "key": spec.key,
        "job_key": fitting.key_of(spec),
        "label": FITTERS[spec.kind].label,
        "about": fitting.about(spec),
        "period_s": period_s,
        "versions": [
            {
                "version": meta["version"],
                "fitted_at": meta["fitted_at"],
                "seconds": meta["seconds"],
                "n_positive": meta["n_positive"],
                "metrics": [
                    {"label": label, "value": round(meta["metrics"][name], 4)}
                    for name, label in fitting.SHOWN_METRICS.items()
                    if name in meta["metrics"]
                ],
            }
            for meta in models.history(spec)
        ],
    }


def _lists(label: str) -> dict[str, Any]:
    newest = PreparedList.objects.filter(version=label).order_by("-made_at_us").first()
    return {
        "version": label,
        "count": prepared.count(label),
        "made_at": newest and newest.made_at_us / 1e6,
        "job_key": refreshing.KIND,
    }
