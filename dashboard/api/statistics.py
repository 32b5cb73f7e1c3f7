"""Gorse's endpoints about the installation: counts, tasks, processes, figures over time."""

from __future__ import annotations

import os
import socket
import time
import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from dashboard import VERSION, timeseries
from dashboard.active import active_flow
from dashboard.errors import BadRequest
from dashboard.jobs.fitting import models_of_flow, rules_of_flow
from dashboard.models import Job, JobState
from dashboard.runs import models
from dashboard.store import now_us, store
from recflow.data.feedback import FeedbackRules, matching
from recflow.data.types import NO_TIME
from recflow.engine.settings import duration_seconds
from recflow.interop.times import format_time, parse_time

router = Router(tags=["dashboard"])

_STATUS = {
    JobState.QUEUED: "Pending",
    JobState.RUNNING: "Running",
    JobState.PAUSED: "Suspended",
    JobState.DONE: "Complete",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Suspended",
}
_DAY_US = 86_400_000_000
#: Tasks shown.
MAX_TASKS = 100
_PROCESS_ID = str(uuid.uuid4())


@router.get("/dashboard/stats")
def stats(request: HttpRequest) -> dict[str, Any]:
    snapshot, rules = store.snapshot(), _rules()
    view, log = snapshot.view(rules), snapshot.feedback
    matching_model, ranking_model = _newest(timeseries.MATCHING), _newest(timeseries.RANKING)
    total = int(matching(rules.positive, log.type_names, log.types, log.values).sum())
    return {
        "BinaryVersion": VERSION,
        "NumServers": 1,
        "NumWorkers": 1,
        "NumUsers": snapshot.n_users,
        "NumItems": snapshot.n_items,
        "NumUserLabels": _labelled(snapshot.users.labels),
        "NumItemLabels": _labelled(snapshot.items.labels),
        "NumTotalPosFeedback": total,
        "NumValidPosFeedback": len(view.positive),
        "NumValidNegFeedback": len(view.read) + len(view.negative),
        "PopularItemsUpdateTime": format_time(snapshot.taken_at),
        "LatestItemsUpdateTime": format_time(snapshot.taken_at),
        "MatchingModelFitTime": _fitted_at(matching_model),
        "MatchingModelScore": _scores(matching_model),
        "RankingModelFitTime": _fitted_at(ranking_model),
        "RankingModelScore": _scores(ranking_model),
    }


@router.get("/dashboard/tasks")
def tasks(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "Tracer": job.kind,
            "Name": job.title,
            "Status": _STATUS[JobState(job.state)],
            "Error": job.error,
            "Count": round(job.share * 100),
            "Total": 100,
            "StartTime": _moment(job.started_at),
            "FinishTime": _moment(job.finished_at),
        }
        for job in Job.objects.defer("log").order_by("-pk")[:MAX_TASKS]
    ]


@router.get("/dashboard/cluster")
def cluster(request: HttpRequest) -> list[dict[str, Any]]:
    """The process that answers; jobs run beside it and are listed under tasks."""
    return [
        {
            "UUID": _PROCESS_ID,
            "Hostname": f"{socket.gethostname()}:{os.getpid()}",
            "Type": "master",
            "Version": VERSION,
            "UpdateTime": format_time(int(time.time() * 1e6)),
        }
    ]


@router.get("/dashboard/categories")
def categories(request: HttpRequest) -> list[str]:
    return sorted(store.snapshot().items.category_names)


@router.get("/dashboard/userinfo")
def userinfo(request: HttpRequest) -> dict[str, str]:
    return {"name": request.auth.name, "role": request.auth.role}


@router.get("/dashboard/timeseries/{name}")
def figures_over_time(request: HttpRequest, name: str) -> list[dict[str, Any]]:
    """A figure over time; those of the data are worked out of the times of the feedback itself."""
    begin, end = (_time(request, "begin", now_us() - 7 * _DAY_US), _time(request, "end", now_us()))
    step = _step(request)
    if not 0 <= (end - begin) // step < timeseries.MAX_POINTS:
        raise BadRequest(f"From begin to end there may be {timeseries.MAX_POINTS:,} points")
    return [
        {"Name": name, "Timestamp": format_time(at), "Value": value}
        for at, value in timeseries.points(name, begin, end, step)
    ]


def _rules() -> FeedbackRules:
    return rules_of_flow(active_flow()[0])


def _newest(kinds: tuple[str, ...]) -> dict[str, Any] | None:
    """What is known of the newest model of these kinds in the active flow."""
    found = [
        history[0]
        for spec in models_of_flow(active_flow()[0])
        if spec.kind in kinds and (history := models.history(spec))
    ]
    return max(found, key=lambda meta: meta["fitted_at"], default=None)


def _fitted_at(meta: dict[str, Any] | None) -> str:
    return format_time(NO_TIME if meta is None else int(meta["fitted_at"] * 1e6))


def _scores(meta: dict[str, Any] | None) -> dict[str, float]:
    metrics = meta["metrics"] if meta else {}
    return {name.upper() if name in {"ndcg", "auc"} else name.title(): metrics.get(key, 0.0)
            for name, key in timeseries.METRICS.items()}  # fmt: skip


def _labelled(labels: Any) -> int:
    return sum(labels.raw(index) != b"null" for index in range(len(labels)))


def _moment(at: datetime | None) -> str:
    return format_time(NO_TIME if at is None else int(at.timestamp() * 1e6))


def _time(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    return parse_time(text) if text else default


def _step(request: HttpRequest) -> int:
    """Microseconds of a period."""
    text = request.GET.get("duration", "") or "24h"
    try:
        step = int(duration_seconds(text) * 1e6)
    except ValueError as error:
        raise BadRequest(f"duration: {error}") from error
    if step <= 0:
        raise BadRequest(f"duration must be above 0, got {text!r}")
    return step
