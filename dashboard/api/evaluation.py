"""Evaluations for the page and the editor: start, watch, keep, compare; see docs/protocol.md."""

from __future__ import annotations

from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema

from dashboard import drafts
from dashboard import runs as previews
from dashboard.access import allow, refuse_other_sites
from dashboard.activation import active_version, address_of
from dashboard.active import active_flow
from dashboard.errors import Blocked, Conflict, NotFound
from dashboard.evaluation import runs
from dashboard.evaluation.online import online_rates
from dashboard.evaluation.rankers import ASKED, CONTROLS, LABELS
from dashboard.evaluation.result_diff import comparing
from dashboard.evaluation.tables import as_csv
from dashboard.models import Evaluation, Job
from dashboard.models import Flow as FlowRow
from dashboard.refresh_cost import refresh_cost
from dashboard.store import now_us, store
from recflow.data.snapshot import Snapshot
from recflow.engine.check import Problem, blocking, check
from recflow.engine.flow import Flow, load_flow

router = Router()
#: Measuring costs time, and perhaps money: looking at it does not.
edit = allow("edit")


class Start(Schema):
    kind: str
    settings: dict[str, Any]
    confirmed: bool = False


@router.get("/evaluations")
def list_evaluations(request: HttpRequest) -> list[dict[str, Any]]:
    return [described(row, job) for row, job in runs.newest()]


@router.get("/evaluations/choices")
def choices(request: HttpRequest) -> dict[str, Any]:
    """What can be chosen on the page."""
    flows = FlowRow.objects.filter(archived=False).prefetch_related("versions").order_by("name", "pk")
    return {
        "rankers": [
            {"name": name, "label": label, "is_control": name in CONTROLS, "is_asked": name == ASKED}
            for name, label in LABELS.items()
        ],
        "flows": [
            {
                "flow_id": flow.pk,
                "name": flow.name,
                "versions": sorted((version.number for version in flow.versions.all()), reverse=True),
            }
            for flow in flows
        ],
    }


@router.post("/evaluations", auth=edit)
def start(request: HttpRequest, body: Start) -> dict[str, Any]:
    row = runs.start(body.kind, body.settings, author=request.auth.name, confirmed=body.confirmed)
    return described(row, Job.objects.filter(pk=row.job_number).first())


@router.get("/evaluations/online")
def online(request: HttpRequest, days: int = Query(30, ge=1, le=366)) -> dict[str, Any]:
    return online_rates(store.snapshot(), days=days)


@router.get("/evaluations/worth")
def worth(request: HttpRequest, flow_id: int, version: int | None = None) -> dict[str, Any]:
    """What each recommender of a flow was last measured to be worth."""
    flow = load_flow(drafts.saved_drawing(flow_id, version).document)
    subject = runs.subject_of(flow)
    row, can_be = runs.worth_of_nodes(flow_id, subject), runs.measurable(flow)
    if row is None:
        return {"evaluation_id": None, "measurable": can_be, "nodes": []}
    return {
        "measurable": can_be,
        "evaluation_id": row.pk,
        "measured_at": row.finished_at,
        "is_this_drawing": row.subject == subject,
        "users": row.report["users"],
        "k": row.report["k"],
        "ndcg": row.report["metrics"]["ndcg"],
        "nodes": row.report["ablation"],
    }


@router.get("/evaluations/{int:evaluation_id}")
def get_evaluation(request: HttpRequest, evaluation_id: int) -> dict[str, Any]:
    row = runs.find(evaluation_id)
    job = Job.objects.filter(pk=row.job_number).first()
    return described(row, job) | {"report": row.report}


@router.get("/evaluations/{int:evaluation_id}/export")
def export(request: HttpRequest, evaluation_id: int, format: str = "json") -> HttpResponse:
    """The report as a file: JSON with everything, or CSV with one line a row."""
    row = runs.find(evaluation_id)
    if row.report is None:
        raise Conflict(f"{row.title} has no result: it is {row.state}")
    if format == "csv":
        return _file(as_csv(_lines(row)).encode(), "text/csv; charset=utf-8", f"evaluation-{row.pk}.csv")
    if format != "json":
        raise NotFound(f"There is no format {format!r}; there are json and csv")
    whole = described(row, None) | {"report": row.report}
    return _file(
        orjson.dumps(whole, option=orjson.OPT_INDENT_2), "application/json", f"evaluation-{row.pk}.json"
    )


@router.post("/evaluations/{int:evaluation_id}/cancel", auth=edit)
def cancel(request: HttpRequest, evaluation_id: int) -> dict[str, Any]:
    row = runs.cancel(evaluation_id)
    return described(row, Job.objects.filter(pk=row.job_number).first())


@router.delete("/evaluations/{int:evaluation_id}", auth=edit)
def forget(request: HttpRequest, evaluation_id: int) -> dict[str, Any]:
    runs.forget(evaluation_id)
    return {"id": evaluation_id}


@router.get("/flows/{int:flow_id}/result-difference")
async def result_difference(
    request: HttpRequest,
    flow_id: int,
    version: int | None = None,
    n: int = Query(10, ge=1, le=100),
    per_group: int = Query(5, ge=1, le=100),
    seed: int = Query(0, ge=0),
    progress: bool = False,
) -> Any:
    """How lists would change if this version (or the draft) took the place of what is live.

    With ``progress`` a line of JSON for each step; whoever leaves ends the work.
    """
    refuse_other_sites(request)  # the drawings may ask a model, which costs money
    before, after, snapshot, address = await sync_to_async(_drawings)(flow_id, version)
    steps = comparing(
        before, after, snapshot, previews.services, now=now_us(), n=n, per_group=per_group, seed=seed
    )
    if progress:
        lines = (orjson.dumps({"active": address, **step}) + b"\n" async for step in steps)
        return StreamingHttpResponse(lines, content_type="application/x-ndjson")
    return {"active": address, **[step async for step in steps][-1]}


def _drawings(flow_id: int, version: int | None) -> tuple[Flow, Flow, Snapshot, dict[str, int] | None]:
    """What is live, what would be, the data, and where the first is kept (None: configuration).

    Raises:
        Blocked: one of the two cannot run; said before an answer begins, of which it would be too late.
    """
    after = load_flow(drafts.saved_drawing(flow_id, version).document)
    before, _ = active_flow()
    for flow, which in ((after, "this drawing"), (before, "what is live now")):
        if problems := blocking(check(flow)):
            raise Blocked(f"Lists cannot be compared, for {which} cannot run: {problems[0].message}")
    return before, after, store.snapshot(), address_of(active_version())


@router.get("/flows/{int:flow_id}/refresh-cost")
async def cost_of_refresh(request: HttpRequest, flow_id: int, version: int | None = None) -> dict[str, Any]:
    """What preparing everybody's list with this version (or the draft) would ask of models; asks nobody."""
    flow, problems = await sync_to_async(_checked)(flow_id, version)
    if problems:
        raise Blocked(f"It cannot be told what {flow.name} will cost: {problems[0].message}")
    return await refresh_cost(flow)


def _checked(flow_id: int, version: int | None) -> tuple[Flow, list[Problem]]:
    flow = load_flow(drafts.saved_drawing(flow_id, version).document)
    return flow, blocking(drafts.all_problems(flow))


def described(row: Evaluation, job: Job | None) -> dict[str, Any]:
    """An evaluation without its report."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "title": row.title,
        "settings": row.settings,
        "data_version": row.data_version,
        "flow_id": row.flow_id,
        "flow_version": row.flow_version,
        "author": row.author,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "state": row.state,
        "error": row.error,
        "share": job.share if job else float(row.state == "done"),
        "text": job.text if job else "",
    }


def _lines(row: Evaluation) -> list[dict[str, Any]]:
    """The rows of a report under flat names; the settings stand in every one, so that files can be joined."""
    report = row.report
    head = {"evaluation": row.pk, "data_version": row.data_version, "seed": row.settings.get("seed")}
    if row.kind == "rankers":
        return [head | line for line in report["rows"]]
    whole = {"variant": "whole flow", "users": report["users"], "coverage": report["coverage"]}
    for name, estimate in report["metrics"].items():
        whole |= _flat(name, estimate)
    parts = [
        {"variant": f"without {part['name']}", "users": report["users"]}
        | _flat("ndcg_difference", part.get("ndcg", {}))
        | _flat("recall_difference", part.get("recall", {}))
        | {"not_measured": part.get("not_measured", "")}
        for part in report["ablation"]
    ]
    return [head | line for line in [whole, *parts]]


def _flat(name: str, estimate: dict[str, Any]) -> dict[str, Any]:
    places = {"mean": name, "low": f"{name}_low", "high": f"{name}_high"}
    return {column: estimate.get(part) for part, column in places.items()}


def _file(body: bytes, content_type: str, name: str) -> HttpResponse:
    return HttpResponse(
        body, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
