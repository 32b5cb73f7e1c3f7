"""What preparing everybody's list would ask of models: calls, tokens and money, before anything is asked.

For a few of the users whose lists would be made, the flow runs up to each ranker that asks a model; the
prompt it would send is built and its tokens are counted. All users together are that mean times their number.
Nothing is asked meanwhile: rankers before keep the order that comes in, and External nodes are switched off.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

import numpy as np

from dashboard.jobs.refreshing import active_users, settings_of
from dashboard.outside import directory
from dashboard.outside.preview import MAX_CANDIDATES, PromptPreview, scene
from dashboard.runs import services
from dashboard.store import now_us, store
from recflow.data.snapshot import Snapshot
from recflow.engine.blocks import history_of
from recflow.engine.check import label_of
from recflow.engine.context import RunRequest
from recflow.engine.executor import execute
from recflow.engine.flow import Flow, Node
from recflow.engine.registry import NODE_TYPES
from recflow.engine.values import Candidates
from recflow.nodes.outside import NamedEndpoint

#: Users whose prompts are built.
SAMPLED = 5
#: What a ranker that asks nobody is.
_KEEPS_ORDER = {"kind": "none"}


async def refresh_cost(flow: Flow, *, n_sampled: int = SAMPLED, seed: int = 0) -> dict[str, Any]:
    """What one refresh of all lists asks of models, as docs/protocol.md says.

    Args:
        flow: a drawing without blocking problems.
        n_sampled: users whose prompts are built.
        seed: of the sample.
    """
    snapshot = await asyncio.to_thread(store.snapshot)
    users = await asyncio.to_thread(active_users, snapshot, np.arange(snapshot.n_users), flow)
    found = await directory.current_soon()
    rankers = [node for node in flow.nodes if not node.disabled and _asks_a_model(node)]
    size = min(n_sampled, len(users)) if rankers else 0
    sampled = np.sort(np.random.default_rng(seed).choice(users, size=size, replace=False)).tolist()
    nodes = [
        await _cost_of(
            flow, node, sampled, len(users), snapshot, found.endpoints.get(_settings_of(node).endpoint)
        )
        for node in rankers
    ]
    costs = [entry["cost"] for entry in nodes]
    return {
        "users": len(users),
        "sampled": len(sampled),
        "expire_s": settings_of(flow).expire_s,
        "currency": found.limits.currency,
        "nodes": nodes,
        "calls": sum(entry["calls"] for entry in nodes),
        "tokens": sum(entry["tokens"] for entry in nodes),
        "cost": None if None in costs else sum(costs),
        "also_asked": [label_of(node) for node in flow.nodes if not node.disabled and _is_external(node)],
    }


async def _cost_of(
    flow: Flow,
    node: Node,
    sampled: list[int],
    n_users: int,
    snapshot: Snapshot,
    named: NamedEndpoint | None,
) -> dict[str, Any]:
    """What one ranker asks for; ``named`` is the endpoint that its settings name, None when there is none."""
    chosen = _settings_of(node)
    quiet = without_asking(flow)
    source = next(other for other in flow.nodes if NODE_TYPES[other.type].output == "user")
    shown = []
    for user in sampled:
        request = RunRequest(history_of(snapshot, user), now=now_us(), until=node.id, use_pins=False)
        run = await execute(quiet, request, snapshot, services)
        items = snapshot.items.ids.texts(run.outputs.get(node.id, Candidates()).items[:MAX_CANDIDATES])
        if len(items) < 2:  # nothing to put in order, so nobody is asked
            shown.append({"calls": 0, "tokens": 0, "cost": 0.0})
            continue
        user_id = snapshot.users.ids[user]
        met = await asyncio.to_thread(scene, user_id, items, {}, source.settings)
        prompt = await (await PromptPreview.of(chosen, met)).rendered()
        shown.append(_counted(prompt, chosen.kind))
    costs = [entry["cost"] for entry in shown]
    has_price = named is not None and named.endpoint.price is not None and None not in costs
    return {
        "node_id": node.id,
        "name": label_of(node),
        "endpoint": chosen.endpoint,
        "model": named.endpoint.model if named else "",
        "notice": named.notice if named else "",
        "calls": _for_all(shown, "calls", n_users),
        "tokens": _for_all(shown, "tokens", n_users),
        "cost": statistics.fmean(costs or [0.0]) * n_users if has_price else None,
    }


def without_asking(flow: Flow) -> Flow:
    """The same drawing when nobody else may be asked."""

    def quiet(node: Node) -> Node:
        if node.disabled or not _asks_others(node):
            return node
        change = {"settings": _KEEPS_ORDER} if _asks_a_model(node) else {"disabled": True}
        return node.model_copy(update=change)

    return flow.model_copy(update={"nodes": tuple(quiet(node) for node in flow.nodes)})


def _counted(prompt: dict[str, Any], kind: str) -> dict[str, Any]:
    """Calls, tokens and money of one user; a chat model's estimate is of one call, a reranker's of all."""
    total = prompt["estimate"]["total"] if prompt["estimate"] else 0
    tokens = total * prompt["calls"] if kind == "llm" else total
    return {"calls": prompt["calls"], "tokens": tokens, "cost": prompt["cost"]}


def _for_all(shown: list[dict[str, Any]], name: str, n_users: int) -> int:
    return round(statistics.fmean([entry[name] for entry in shown] or [0]) * n_users)


def _settings_of(node: Node) -> Any:
    return NODE_TYPES[node.type].read_settings(node.settings)


def _asks_a_model(node: Node) -> bool:
    return hasattr(_settings_of(node), "endpoint")


def _asks_others(node: Node) -> bool:
    return _asks_a_model(node) or _is_external(node)


def _is_external(node: Node) -> bool:
    return any(hasattr(_settings_of(node), name) for name in ("url", "script"))
