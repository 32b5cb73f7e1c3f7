"""Who made each change of a drawing, read from the saves of its flow.

A change belongs to the author of the first save in an unbroken row of saves that have it, seen from the
newest. Whoever keeps a version or saves something else later did not make it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from dashboard.models import Draft, FlowVersion
from recflow.engine.flow import Flow, load_flow

#: One fact of a drawing, such as the value of a setting.
Read = Callable[[Flow], Any]


def with_authors(found: dict[str, Any], saved: Draft | FlowVersion) -> dict[str, Any]:
    """The changes that lead to a saved drawing, each with ``author`` and ``at``.

    Args:
        found: as ``recflow.engine.changes.changes`` gives them.
        saved: the drawing after all of them.
    """
    reads: dict[tuple[str, int], Read] = {
        (kind, place): _read(kind, entry)
        for kind in ("added", "removed", "changed", "edges_added", "edges_removed")
        for place, entry in enumerate(found[kind])
    }
    made = _made(reads, saved)
    return found | {
        kind: [entry | made[kind, place] for place, entry in enumerate(found[kind])]
        for kind in dict.fromkeys(kind for kind, _ in reads)
    }


def _made(reads: dict[tuple[str, int], Read], saved: Draft | FlowVersion) -> dict[tuple[str, int], Any]:
    """Author and time of every fact, looking back no further than somebody has to."""
    drawing = load_flow(saved.document)
    wanted = {name: read(drawing) for name, read in reads.items()}
    made = {name: _signed(saved) for name in reads}
    open_ones = set(reads)
    for save in _saves_before(saved):
        if not open_ones:
            break
        drawing = load_flow(save.document)
        open_ones = {name for name in open_ones if reads[name](drawing) == wanted[name]}
        made |= {name: _signed(save) for name in open_ones}
    return made


def _saves_before(saved: Draft | FlowVersion) -> Iterator[Draft | FlowVersion]:
    """Drafts that are still there and versions, newest first."""
    until = _time(saved)
    drafts = Draft.objects.filter(flow=saved.flow_id, saved_at__lte=until).order_by("-saved_at", "-pk")
    versions = FlowVersion.objects.filter(flow=saved.flow_id, created_at__lte=until)
    return heapq.merge(
        drafts.iterator(chunk_size=20),
        versions.order_by("-created_at", "-pk").iterator(chunk_size=20),
        key=_time,
        reverse=True,
    )


def _time(saved: Draft | FlowVersion) -> datetime:
    return saved.saved_at if isinstance(saved, Draft) else saved.created_at


def _signed(saved: Draft | FlowVersion) -> dict[str, Any]:
    return {"author": saved.author, "at": _time(saved)}


def _read(kind: str, entry: dict[str, Any]) -> Read:
    """How to see in a drawing whether a change is there."""
    if kind.startswith("edges"):
        joined = (entry["source"], entry["target"], entry["order"])
        return lambda flow: joined in {(edge.source, edge.target, edge.order) for edge in flow.edges}
    node_id = entry["node_id"]
    if kind == "changed":
        field = entry["field"]
        return lambda flow: [_value(node, field) for node in flow.nodes if node.id == node_id]
    return lambda flow: any(node.id == node_id for node in flow.nodes)


def _value(node: Any, field: str) -> Any:
    name = field.removeprefix("settings.")
    return getattr(node, field) if name == field else node.settings.get(name)
