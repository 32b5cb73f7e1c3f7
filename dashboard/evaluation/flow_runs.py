"""How good a whole flow is: does its list hold the item the user liked next, and who in it earns that?

Each sampled user's newest like is hidden, all models are fitted without it, and the complete flow makes its
list. Then each recommender is switched off in turn: what the result loses without it is what it is worth.
Nodes that a switched-off one does not touch are not run again.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from dashboard.artifacts import ArtifactStore
from dashboard.evaluation.datasets import Measured, history_in
from dashboard.evaluation.heldout import HeldOut, hold_out_last
from dashboard.evaluation.watching import UNWATCHED, Step, Watcher, run_watched
from dashboard.jobs.fitting import fit_missing
from recflow.data.types import IndexVector
from recflow.engine.check import blocking, check, label_of
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute, refuse_problems
from recflow.engine.flow import Flow, Node
from recflow.engine.memo import Memo
from recflow.engine.outcome import Run
from recflow.engine.registry import NODE_TYPES
from recflow.evaluation.intervals import Estimate, mean_with_interval, paired_difference
from recflow.evaluation.metrics import (
    coverage,
    intra_list_diversity,
    ndcg_at_k,
    novelty,
    recall_at_k,
)
from recflow.expressions.columns import tag_matrix

#: Family of the nodes that are switched off in turn.
PROPOSING = "recommender"
#: Share of the progress that fitting takes.
_FITTING = 0.2
#: Measured for each list; the mean over users and its interval are reported.
PER_LIST = ("recall", "ndcg", "novelty", "diversity", "fallback_share", "ms")


class FlowPlan(BaseModel):
    """What is to be measured of a flow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int | None = Field(200, ge=1)
    seed: int = Field(0, ge=0)
    k: int = Field(10, ge=1, le=100)
    ablation: bool = True
    in_flight: int = Field(2, ge=1, le=64)


@dataclass(frozen=True, eq=False)
class _Judge:
    """Scores the lists of users against what each was to find."""

    held: HeldOut
    k: int
    like_counts: NDArray[np.int64]
    features: sparse.csr_matrix

    @classmethod
    def over(cls, held: HeldOut, k: int) -> _Judge:
        items = held.snapshot.items
        likes = held.snapshot.view(held.rules).positive
        tags = tag_matrix([items.labels_of(index) for index in range(len(items))])
        features = sparse.hstack([items.categories.astype(np.float32), tags], format="csr")
        counts = np.bincount(likes.matrix.indices, minlength=len(items))
        return cls(held, k, counts, features)

    def scores(self, row: int, run: Run, main: str | None) -> dict[str, float]:
        """What is measured of one list; keys of PER_LIST."""
        ranked = run.result.items[: self.k]
        relevant = {int(self.held.items[row])}
        return {
            "recall": recall_at_k(ranked, relevant, self.k),
            "ndcg": ndcg_at_k(ranked, relevant, self.k),
            "novelty": novelty(ranked, self.like_counts, self.held.snapshot.n_users),
            "diversity": intra_list_diversity(ranked, self.features),
            "fallback_share": _fallback_share(run, main, ranked),
            "ms": run.ms,
        }


def measure_flow(
    flow: Flow,
    measured: Measured,
    plan: FlowPlan,
    *,
    resources: Mapping[str, Any] | None = None,
    watcher: Watcher = UNWATCHED,
) -> dict[str, Any]:
    """The complete flow, and the flow without each recommender, on held-out likes.

    Args:
        flow: the drawing.
        measured: data, seen through the rules of the flow's Data Source.
        plan: users, seed, list length.
        resources: what nodes may use beside models, such as endpoints.
        watcher: hears progress, may stop it.

    Raises:
        FlowError: the flow has blocking problems.
        NoFeedback: nobody has positive feedback.
    """
    refuse_problems(flow)
    began = time.perf_counter()
    held = hold_out_last(measured, n_users=plan.users, seed=plan.seed)
    proposers = proposers_of(flow) if plan.ablation else []
    variants = {"": flow} | {node.id: without(flow, node.id) for node in proposers}
    variants = {name: variant for name, variant in variants.items() if not blocking(check(variant))}
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        # A store of its own: what serves today was fitted with what is to be found.
        models = ArtifactStore(Path(folder))
        watcher.on_step(Step(0.0, "training without the held-out likes"))
        fit_missing([flow], held.snapshot, models, _listener(notes, watcher), watcher.check)
        services = Services(models, pool, Memo(), resources or {})
        judge = _Judge.over(held, plan.k)
        lists = run_watched(lambda say: _run_all(variants, held, judge, services, plan, say), watcher)
    return {
        "kind": "flow",
        "settings": plan.model_dump(mode="json"),
        "data": measured.described() | {"rules": measured.rules.key()},
        "users": len(held),
        "k": plan.k,
        "notes": notes,
        **_summary(lists[""], held),
        "ablation": [
            _loss(node, lists[""], lists[node.id]) if node.id in lists else _needed(node)
            for node in proposers
        ],
        "seconds": round(time.perf_counter() - began, 2),
    }


def without(flow: Flow, node_id: str) -> Flow:
    """The same drawing with one node switched off."""
    nodes = tuple(
        node.model_copy(update={"disabled": True}) if node.id == node_id else node for node in flow.nodes
    )
    return flow.model_copy(update={"nodes": nodes})


def proposers_of(flow: Flow) -> list[Node]:
    """The nodes that are switched off in turn."""
    known = [node for node in flow.nodes if node.type in NODE_TYPES and not node.disabled]
    return [node for node in known if NODE_TYPES[node.type].family == PROPOSING]


def asks_others(node: Node) -> bool:
    """Whether running this node calls other machines: it names an endpoint, an address or a script."""
    chosen = NODE_TYPES[node.type].read_settings(node.settings)
    return any(hasattr(chosen, name) for name in ("endpoint", "url", "script"))


@dataclass(eq=False)
class _Lists:
    """What one variant of the flow gave: a value per list and metric, the lists, and what went wrong."""

    values: dict[str, NDArray[np.float64]]
    lists: list[IndexVector]
    degraded: Counter[str]

    @classmethod
    def of(cls, n: int) -> _Lists:
        empty = np.zeros(0, np.int32)
        return cls({name: np.full(n, np.nan) for name in PER_LIST}, [empty] * n, Counter())


async def _run_all(
    variants: Mapping[str, Flow],
    held: HeldOut,
    judge: _Judge,
    services: Services,
    plan: FlowPlan,
    say: Callable[[Step], None],
) -> dict[str, _Lists]:
    found = {name: _Lists.of(len(held)) for name in variants}
    mains = {name: _main_input(flow) for name, flow in variants.items()}
    waiting = iter(range(len(held)))
    done = 0

    async def work() -> None:
        nonlocal done
        for row in waiting:
            # All variants of one user in a row: what they share is still in the memo.
            history = history_in(held.snapshot, int(held.users[row]))
            for name, flow in variants.items():
                request = RunRequest(
                    history, n=plan.k, now=held.snapshot.taken_at, seed=plan.seed, use_pins=False
                )
                run = await execute(flow, request, held.snapshot, services)
                into = found[name]
                into.lists[row] = run.result.items
                into.degraded.update(run.degraded)
                for metric, value in judge.scores(row, run, mains[name]).items():
                    into.values[metric][row] = value
            done += 1
            share = _FITTING + (1 - _FITTING) * done / len(held)
            say(Step(share, f"{done:,} of {len(held):,} users"))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.in_flight):
                group.create_task(work())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return found


def _summary(lists: _Lists, held: HeldOut) -> dict[str, Any]:
    values = lists.values
    alive = held.snapshot.view(held.rules).alive
    return {
        "metrics": {name: _interval(mean_with_interval(values[name])) for name in PER_LIST if name != "ms"},
        "coverage": coverage(lists.lists, held.snapshot.n_items),
        "recommendable": int(alive.sum()),
        "findable": float(alive[held.items].mean()),
        "ms": {
            "p50": statistics.median(values["ms"].tolist()),
            "p95": float(np.percentile(values["ms"], 95)),
        },
        "degraded": dict(lists.degraded.most_common(20)),
    }


def _loss(node: Node, whole: _Lists, left: _Lists) -> dict[str, Any]:
    """What the flow loses without a node: NDCG and recall without it, less those with it, paired by user."""
    ndcg = paired_difference(left.values["ndcg"], whole.values["ndcg"])
    recall = paired_difference(left.values["recall"], whole.values["recall"])
    base = float(np.nanmean(whole.values["ndcg"]))
    changed = np.mean(
        [not np.array_equal(one, other) for one, other in zip(left.lists, whole.lists, strict=True)]
    )
    return {
        "node_id": node.id,
        "name": label_of(node),
        "ndcg": _interval(ndcg),
        "recall": _interval(recall),
        # Of what the whole flow reaches; there is no such share of nothing.
        "relative": {
            part: None if not base or value != value else value / base
            for part, value in (("mean", ndcg.mean), ("low", ndcg.low), ("high", ndcg.high))
        },
        "lists_changed": float(changed),
    }


def _needed(node: Node) -> dict[str, Any]:
    """A node that cannot be switched off: the flow cannot run without it."""
    return {"node_id": node.id, "name": label_of(node), "not_measured": "The flow cannot run without it"}


def _interval(estimate: Estimate) -> dict[str, float | int | None]:
    parts = {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
    return {name: None if value != value else float(value) for name, value in parts.items()} | {
        "n": estimate.n
    }


def _main_input(flow: Flow) -> str | None:
    """The node whose list is the result's first part; the rest is the fallback's."""
    end = next(node for node in flow.nodes if NODE_TYPES[node.type].output is None)
    sources = [edge.source for edge in flow.inputs_of(end.id)]
    return next((source for source in sources if NODE_TYPES[flow.node(source).type].output == "items"), None)


def _fallback_share(run: Run, main: str | None, ranked: IndexVector) -> float:
    """Places of a list that the main way left to the fallback; NaN for an empty list."""
    if not len(ranked):
        return float("nan")
    output = run.outputs.get(main) if main else None
    own = getattr(output, "items", np.zeros(0, np.int32))
    return float((~np.isin(ranked, own)).mean())


def _listener(notes: list[str], watcher: Watcher) -> Callable[[str], None]:
    """Hears how models are fitted; what is said goes into the report."""

    def say(line: str) -> None:
        notes.append(line)
        watcher.on_step(Step(_FITTING / 2, line))

    return say
