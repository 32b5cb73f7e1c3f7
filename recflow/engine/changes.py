"""What is different between two drawings: nodes and edges added, removed, changed, moved.

Settings are compared as they count: one that is left out is its default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from recflow.engine.check import label_of
from recflow.engine.flow import Edge, Flow, Node
from recflow.engine.registry import NODE_TYPES


def changes(before: Flow, after: Flow) -> dict[str, Any]:
    """The difference as the review shows it; nodes are matched by id, edges by what they join.

    Of a type that a flow may hold once, the node of one drawing is that of the other, whatever their ids.

    Returns:
        ``added``, ``removed`` and ``moved`` list {node_id, name, type}; ``changed`` lists {node_id, name,
        field, before, after}, one entry a setting; ``edges_added`` and ``edges_removed`` list {source,
        target, order}.
    """
    before = _named_as(before, after)
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


def _named_as(before: Flow, after: Flow) -> Flow:
    """The first drawing with the ids of the second for nodes that can only be meant by each other."""
    left, came = _unmatched(before, after), _unmatched(after, before)
    ids = {left[kind][0]: came[kind][0] for kind in left if len(left[kind]) == len(came[kind]) == 1}

    def renamed(part: Node | Edge, *names: str) -> Any:
        return part.model_copy(update={name: ids.get(old := getattr(part, name), old) for name in names})

    nodes = tuple(renamed(node, "id") for node in before.nodes)
    edges = tuple(renamed(edge, "source", "target") for edge in before.edges)
    return before.model_copy(update={"nodes": nodes, "edges": edges})


def _unmatched(flow: Flow, other: Flow) -> dict[str, list[str]]:
    """Type -> ids that the other drawing has not, of types that a flow may hold once."""
    there = {node.id for node in other.nodes}
    found: dict[str, list[str]] = defaultdict(list)
    for node in flow.nodes:
        if node.id not in there and node.type in NODE_TYPES and NODE_TYPES[node.type].at_most == 1:
            found[node.type].append(node.id)
    return found


def _changed(before: Node, after: Node) -> Iterator[dict[str, Any]]:
    # Pins are for the preview and never take part in serving, so they are no change.
    pairs = {field: (getattr(before, field), getattr(after, field)) for field in ("type", "name", "disabled")}
    old, new = _left_out(before), _left_out(after)
    for name in sorted({*before.settings, *after.settings}):
        # What only one of two kinds knows is no change while it has its default.
        past = before.settings.get(name, old.get(name, new.get(name)))
        if past != after.settings.get(name, new.get(name, old.get(name))):
            values = before.settings.get(name, old.get(name)), after.settings.get(name, new.get(name))
            pairs[f"settings.{name}"] = values
    for field, (past, now) in pairs.items():
        if past != now:
            yield {
                "node_id": after.id,
                "name": label_of(after),
                "field": field,
                "before": past,
                "after": now,
            }


def _left_out(node: Node) -> dict[str, Any]:
    """What counts where the settings of a node say nothing."""
    return NODE_TYPES[node.type].left_out(node.settings) if node.type in NODE_TYPES else {}


def _joined(edge: Edge) -> tuple[str, str, int]:
    return edge.source, edge.target, edge.order


def _edge(edge: Edge) -> dict[str, Any]:
    return {"source": edge.source, "target": edge.target, "order": edge.order}


def _named(node: Node) -> dict[str, str]:
    return {"node_id": node.id, "name": label_of(node), "type": node.type}
