"""What is different between two drawings: nodes and edges added, removed, changed, moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recflow.engine.check import label_of
from recflow.engine.flow import Edge, Flow, Node


def changes(before: Flow, after: Flow) -> dict[str, Any]:
    """The difference as the review shows it; nodes are matched by id, edges by what they join.

    Returns:
        ``added``, ``removed`` and ``moved`` list {node_id, name, type}; ``changed`` lists {node_id, name,
        field, before, after}, one entry a setting; ``edges_added`` and ``edges_removed`` list {source,
        target, order}.
    """
    old = {node.id: node for node in before.nodes}
    new = {node.id: node for node in after.nodes}
    both = [(old[node.id], node) for node in after.nodes if node.id in old]
    old_edges = {_joined(edge): edge for edge in before.edges}
    new_edges = {_joined(edge): edge for edge in after.edges}
    return {
        "added": [_named(node) for node in after.nodes if node.id not in old],
        "removed": [_named(node) for node in before.nodes if node.id not in new],
        "changed": [entry for pair in both for entry in _changed(*pair)],
        "moved": [_named(node) for past, node in both if past.position != node.position],
        "edges_added": [_edge(edge) for key, edge in new_edges.items() if key not in old_edges],
        "edges_removed": [_edge(edge) for key, edge in old_edges.items() if key not in new_edges],
    }


def _changed(before: Node, after: Node) -> Iterator[dict[str, Any]]:
    # Pins are for the preview and never take part in serving, so they are no change.
    pairs = {field: (getattr(before, field), getattr(after, field)) for field in ("type", "name", "disabled")}
    for name in sorted({*before.settings, *after.settings}):
        pairs[f"settings.{name}"] = (before.settings.get(name), after.settings.get(name))
    for field, (past, now) in pairs.items():
        if past != now:
            yield {
                "node_id": after.id,
                "name": label_of(after),
                "field": field,
                "before": past,
                "after": now,
            }


def _joined(edge: Edge) -> tuple[str, str, int]:
    return edge.source, edge.target, edge.order


def _edge(edge: Edge) -> dict[str, Any]:
    return {"source": edge.source, "target": edge.target, "order": edge.order}


def _named(node: Node) -> dict[str, str]:
    return {"node_id": node.id, "name": label_of(node), "type": node.type}
