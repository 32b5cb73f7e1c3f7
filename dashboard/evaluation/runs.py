"""Evaluations as background jobs: start one, carry it out, look at what is kept, call it off.

Job kind "evaluate". What a model was asked and answered is kept on the way, so a job that is taken up by
another process after a crash goes on without asking twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from asgiref.sync import async_to_sync
from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from dashboard import runs as previews
from dashboard.errors import BadRequest, Blocked, Conflict, NotFound
from dashboard.evaluation.asking import AskedRanker
from dashboard.evaluation.contestants import (
    ANSWERS,
    RANKER,
    Entrants,
    contestants_of,
    find_flow,
    outside_now,
)
from dashboard.evaluation.datasets import DEFAULT_RULES, Measured, open_dataset
from dashboard.evaluation.flow_runs import FlowPlan, asks_others, measure_flow, proposers_of, without
from dashboard.evaluation.rankers import CONTROLS, LABELS
from dashboard.evaluation.ranking_runs import (
    Contestant,
    RankingPlan,
    all_questions,
    measure_rankers,
    splits_of,
)
from dashboard.evaluation.watching import Watcher
from dashboard.jobs import ledger
from dashboard.jobs.fitting import rules_of_flow
from dashboard.jobs.work import Work
from dashboard.models import LIVE, Evaluation, Job
from dashboard.refresh_cost import refresh_cost
from recflow.engine.check import blocking, check
from recflow.engine.flow import Flow

KIND = "evaluate"
#: Newest evaluations in the list.
LISTED = 100

Kind = Literal["rankers", "flow"]


class FlowRunPlan(FlowPlan):
    """What to measure, and of which flow: "Home feed@3", "#12@3" by number, without @ its draft."""

    flow: str


PLANS: dict[str, type[RankingPlan] | type[FlowRunPlan]] = {"rankers": RankingPlan, "flow": FlowRunPlan}


def start(kind: str, chosen: dict[str, Any], *, author: str, confirmed: bool) -> Evaluation:
    """A new evaluation, queued.

    Args:
        kind: key of PLANS.
        chosen: the settings of its plan.
        author: who asked for it.
        confirmed: that person has seen what asking models will cost.

    Raises:
        BadRequest: the settings make no sense.
        NotFound: a ranker or flow does not exist.
        Blocked: a flow cannot run.
        Conflict: models will be asked, and nobody has confirmed the cost; ``details["forecast"]`` tells it.
    """
    plan = read_plan(kind, chosen)
    row = Evaluation(kind=kind, settings=plan.model_dump(mode="json"), author=author)
    if isinstance(plan, FlowRunPlan):
        found = find_flow(plan.flow)
        if problems := blocking(check(found.flow)):
            raise Blocked(f"{found.title} cannot be measured: {problems[0].message}")
        row.flow_id, row.flow_version, row.subject = found.flow_id, found.version, subject_of(found.flow)
        row.title = f"{found.title} as a whole"
        if not confirmed and (entry := calls_of(found.flow, plan)):
            forecast = [{"name": found.title, **entry}]
            raise Conflict(_sentence(forecast, "This flow asks other machines about"), forecast=forecast)
    else:
        measured = [name for name in plan.rankers if name not in CONTROLS] or plan.rankers
        names = [LABELS[name] for name in measured]
        titles = [find_flow(name).title for name in plan.flows]
        row.title = shortened([*titles, *names])
        forecast = [] if confirmed else forecast_of(plan)
        if forecast:
            raise Conflict(_sentence(forecast), forecast=forecast)
    with transaction.atomic():  # nobody may see it without its job: that is one whose job is gone
        row.save()
        job = ledger.enqueue(
            KIND, f"{KIND}:{row.pk}", f"Measure {row.title}"[:160], {"evaluation": row.pk}, asked_by=author
        )
        row.job_number = job.pk
        row.save(update_fields=["job_number"])
    return row


def read_plan(kind: str, chosen: dict[str, Any]) -> RankingPlan | FlowRunPlan:
    """The settings of an evaluation, checked.

    Raises:
        BadRequest: they make no sense.
        NotFound: a ranker does not exist.
    """
    if kind not in PLANS:
        raise BadRequest(f"There is no evaluation of {kind!r}; there are {', '.join(PLANS)}")
    try:
        plan = PLANS[kind].model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{place}: {first['msg']}", field=place) from error
    if isinstance(plan, RankingPlan):
        for name in plan.rankers:
            if name not in LABELS:
                raise NotFound(f"There is no ranker {name!r}; there are {', '.join(LABELS)}")
        if any(shots < 0 for shots in plan.shots):
            raise BadRequest("shots: a number of known likes is 0 or more", field="shots")
        if not plan.rankers and not plan.flows:
            raise BadRequest("Choose at least one ranker or flow", field="rankers")
    return plan


def forecast_of(plan: RankingPlan) -> list[dict[str, Any]]:
    """What asking models would cost, one entry for each that has to be asked anything."""
    measured, contestants = _prepared(plan)
    asked = [one for one in contestants if isinstance(one.ranker, AskedRanker)]
    if not asked:
        return []
    questions = all_questions(splits_of(plan, measured))
    forecasts = [(one, one.ranker.forecast(questions)) for one in asked]
    return [{"name": one.label, **asdict(found)} for one, found in forecasts if found.calls]


def calls_of(flow: Flow, plan: FlowRunPlan) -> dict[str, Any] | None:
    """What measuring a flow asks of other machines: calls, tokens and cost; None when it asks nobody.

    For each user and variant as much as preparing a list asks of models, and one call of an External node, of
    which nobody knows the cost. What variants share is asked once, so it may become less.
    """
    asking = [node for node in flow.nodes if not node.disabled and asks_others(node)]
    if not asking:
        return None
    told = async_to_sync(refresh_cost)(flow)
    models, n_known = {entry["node_id"]: entry for entry in told["nodes"]}, max(told["users"], 1)
    known = Measured(open_dataset(), rules_of_flow(flow)).snapshot.n_users
    without_one = [without(flow, node.id) for node in proposers_of(flow)] if plan.ablation else []
    variants = 1 + sum(not blocking(check(variant)) for variant in without_one)
    lists = min(plan.users or known, known) * variants
    # A list takes a call at least, whatever came out for those whose lists were looked at.
    each = [max(1.0, models[node.id]["calls"] / n_known) if node.id in models else 1.0 for node in asking]
    is_known = told["cost"] is not None and not told["also_asked"]
    return {
        "calls": round(sum(each) * lists),
        "tokens": round(told["tokens"] / n_known * lists),
        "cost": told["cost"] / n_known * lists if is_known else None,
    }


def run(work: Work) -> str:
    """Carry out an evaluation; the function of the job kind."""
    row = find(work.job.parameters["evaluation"])
    watcher = Watcher(lambda step: work.progress(step.share, step.text), work.check)
    plan = read_plan(row.kind, row.settings)
    report = _flow_report(plan, watcher) if isinstance(plan, FlowRunPlan) else _ranking_report(plan, watcher)
    Evaluation.objects.filter(pk=row.pk).update(
        report=without_nan(report),
        data_version=report["data"]["version"][:120],
        state="done",
        error="",
        finished_at=timezone.now(),
    )
    return f"{report['users']:,} users in {report['seconds']:.0f} s"


def cancel(evaluation_id: int) -> Evaluation:
    """Call an evaluation off; one that is over stays as it is."""
    row = find(evaluation_id)
    if row.job_number is not None and Job.objects.filter(pk=row.job_number, state__in=LIVE).exists():
        ledger.cancel(row.job_number)
    return find(evaluation_id)


def forget(evaluation_id: int) -> None:
    """Delete a kept evaluation.

    Raises:
        Conflict: it is under way; call it off first.
    """
    row = find(evaluation_id)
    if row.state in LIVE:
        raise Conflict(f"{row.title} is being measured: cancel it first")
    row.delete()


def find(evaluation_id: int) -> Evaluation:
    """The evaluation, its state brought up to date.

    Raises:
        NotFound: there is none of that number.
    """
    row = Evaluation.objects.filter(pk=evaluation_id).first()
    if row is None:
        raise NotFound(f"There is no evaluation {evaluation_id}")
    return settled([row])[0][0]


def newest() -> list[tuple[Evaluation, Job | None]]:
    """Evaluations without their reports, newest first, each with its job while that is known."""
    return settled(list(Evaluation.objects.defer("report").order_by("-pk")[:LISTED]))


def settled(rows: Sequence[Evaluation]) -> list[tuple[Evaluation, Job | None]]:
    """Rows with the state of their jobs; how a job ended is kept, for the job is forgotten one day."""
    unsettled = [row.job_number for row in rows if row.state != "done"]
    jobs = {job.pk: job for job in Job.objects.filter(pk__in=unsettled)}
    for row in rows:
        job = jobs.get(row.job_number or 0)
        if row.state == "done" or (job is None and row.state not in LIVE):
            continue
        state, error = (job.state, job.error) if job else ("failed", "The job is gone without a result")
        if row.state != state:  # one that had ended may have been told to try again
            row.state, row.error = state, error
            row.finished_at = None if state in LIVE else (job and job.finished_at) or timezone.now()
            # Never over a result: the job may have been done between the two reads.
            Evaluation.objects.filter(pk=row.pk, report__isnull=True).update(
                state=state, error=error, finished_at=row.finished_at
            )
    return [(row, jobs.get(row.job_number or 0)) for row in rows]


def worth_of_nodes(flow_id: int, subject: str = "") -> Evaluation | None:
    """The newest finished measurement of a flow with its nodes switched off in turn.

    Args:
        flow_id: the flow.
        subject: of ``subject_of`` a drawing; one that measured this very drawing is preferred.
    """
    done = Evaluation.objects.filter(kind="flow", flow_id=flow_id, state="done").order_by("-pk")
    same = done.filter(subject=subject).first() if subject else None
    return same or done.first()


def subject_of(flow: Flow) -> str:
    """What is measured of a drawing: not where its nodes stand, what they are called or what is pinned."""
    nodes = [[node.id, node.type, node.settings, node.disabled] for node in flow.nodes]
    edges = [[edge.source, edge.target, edge.order] for edge in flow.edges]
    text = json.dumps([sorted(nodes, key=str), sorted(edges)], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def measurable(flow: Flow) -> dict[str, str]:
    """Node -> which kind of evaluation tells something of it; nodes of which none does are left out."""
    rankers = {node.id: "rankers" for node in flow.nodes if node.type == RANKER and not node.disabled}
    return {node.id: "flow" for node in proposers_of(flow)} | rankers


def without_nan(value: Any) -> Any:
    """A report that JSON can hold: what could not be computed is null."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value


def shortened(names: Sequence[str], most: int = 4) -> str:
    """Names in a title: the first few, and how many more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _prepared(plan: RankingPlan) -> tuple[Measured, list[Contestant]]:
    rules = rules_of_flow(find_flow(plan.flows[0]).flow) if plan.flows else DEFAULT_RULES
    measured = Measured(open_dataset(), rules)
    entrants = Entrants(measured, plan.seed, outside=outside_now(), answers=ANSWERS)
    return measured, contestants_of(plan.rankers, plan.flows, entrants)


def _ranking_report(plan: RankingPlan, watcher: Watcher) -> dict[str, Any]:
    measured, contestants = _prepared(plan)
    return measure_rankers(plan, measured, contestants, splits_of(plan, measured), watcher)


def _flow_report(plan: FlowRunPlan, watcher: Watcher) -> dict[str, Any]:
    found = find_flow(plan.flow)
    measured = Measured(open_dataset(), rules_of_flow(found.flow))
    report = measure_flow(found.flow, measured, plan, resources=previews.services.resources, watcher=watcher)
    return report | {"flow": found.title, "document_hash": found.flow.content_hash()}


def _sentence(forecast: Sequence[dict[str, Any]], who: str = "This asks models") -> str:
    calls = sum(entry["calls"] for entry in forecast)
    tokens = sum(entry["tokens"] for entry in forecast)
    costs = [entry["cost"] for entry in forecast]
    cost = "the price is unknown" if None in costs else f"about {sum(costs):.2f} in money"
    return f"{who} {calls:,} times, about {tokens:,} tokens; {cost}"
