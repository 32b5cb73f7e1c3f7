"""What the active flow, or one recommender of it, says to a user: a run like any other, shown on a page.

Served lists may be older: they are made in advance. These are made the moment somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync

from dashboard import runs
from dashboard.active import active_flow
from dashboard.store import now_us
from recflow.engine.block_run import nodes_that_wait
from recflow.engine.check import label_of
from recflow.engine.context import RunRequest
from recflow.engine.executor import execute, needed_for
from recflow.engine.flow import Flow, Node
from recflow.engine.outcome import described
from recflow.engine.registry import NODE_TYPES


@dataclass(frozen=True)
class Choice:
    """A list that can be asked for.

    Args:
        key: id of the recommender's node; "" for the whole flow.
        label: what people call it.
        waits_for: names of the nodes in it that ask other machines, which takes time and maybe money.
    """

    key: str
    label: str
    waits_for: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ShownList:
    """A list with its reasons.

    Args:
        rows: rank, item_id, title, score, categories, and ``proposed_by``: names of the nodes behind it.
        notes: sentences on the user, an empty list, or what went wrong on the way.
        ms: milliseconds it took.
    """

    rows: list[dict[str, Any]]
    notes: list[str]
    ms: float


def choices() -> list[Choice]:
    """The active flow first, then each of its recommenders."""
    flow, _ = active_flow()
    parts = [
        Choice(node.id, label_of(node), nodes_that_wait(_part(flow, node.id))) for node in recommenders(flow)
    ]
    return [Choice("", "The active flow", nodes_that_wait(flow)), *parts]


def recommenders(flow: Flow, kind: str | None = None) -> list[Node]:
    """The recommender nodes that take part, of one type or of all."""
    return [
        node
        for node in flow.nodes
        if not node.disabled
        and node.type in NODE_TYPES
        and NODE_TYPES[node.type].family == "recommender"
        and kind in (None, node.type)
    ]


def show(choice: Choice, user_id: str, *, n: int) -> ShownList:
    """Run the active flow for a user, to its end or to one recommender.

    Raises:
        FlowError: the flow has blocking problems.
    """
    flow, _ = active_flow()
    snapshot, history = runs.load_user(user_id)
    request = RunRequest(history, n=n, until=choice.key or None, now=now_us(), use_pins=False)
    run = async_to_sync(execute)(flow, request, snapshot, runs.services)
    names = {node.id: label_of(node) for node in flow.nodes}
    rows = [row | {"proposed_by": _names(row["steps"], names)} for row in described(run, snapshot)[:n]]
    return ShownList(rows, [note for note in (run.note, *run.degraded) if note], run.ms)


def _names(steps: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    proposed = [node_id for step in steps if step["kind"] == "proposed" for node_id in step["node_ids"]]
    return list(dict.fromkeys(names[node_id] for node_id in proposed))


def _part(flow: Flow, node_id: str) -> Flow:
    """What of a flow runs for one node."""
    needed = needed_for(flow, node_id, use_pins=False)
    return flow.model_copy(update={"nodes": tuple(part for part in flow.nodes if part.id in needed)})
