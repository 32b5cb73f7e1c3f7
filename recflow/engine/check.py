"""What is wrong with a drawing: every problem at once, each with the node it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import ValidationError

from recflow.engine.flow import MAX_NAME, Edge, Flow, Node
from recflow.engine.registry import NODE_TYPES, NodeType, Port


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; blocking ones keep the flow from being activated or run."""

    severity: Literal["blocking", "warning"]
    code: str
    message: str
    node_id: str | None = None
    field: str | None = None
    edge_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check(flow: Flow) -> list[Problem]:
    """Every problem of a flow, in the order of its nodes, then of its edges."""
    return [*_counts(flow), *_nodes(flow), *_edges(flow), *_cycles(flow), *_loose_ends(flow)]


def blocking(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "blocking"]


def label_of(node: Node) -> str:
    """What a sentence calls a node."""
    entry = NODE_TYPES.get(node.type)
    return node.name or (entry.label if entry else node.type)


def port_for(target: NodeType, output: str | None) -> Port | None:
    """The input of a node type that takes an output, None when none does."""
    return next((port for port in target.inputs if output in port.accepts), None)


def _counts(flow: Flow) -> Iterator[Problem]:
    counts = Counter(node.type for node in flow.nodes)
    for entry in NODE_TYPES.values():
        count = counts[entry.type]
        if count < entry.at_least:
            yield Problem("blocking", "missing_node", f"The flow needs a {entry.label} node")
        if entry.at_most is not None and count > entry.at_most:
            extra = [node for node in flow.nodes if node.type == entry.type][entry.at_most :]
            for node in extra:
                yield Problem(
                    "blocking",
                    "too_many",
                    f"A flow has at most {entry.at_most} {entry.label} node, this one has {count}",
                    node.id,
                )


def _nodes(flow: Flow) -> Iterator[Problem]:
    names: Counter[tuple[str, str]] = Counter((node.type, node.name) for node in flow.nodes if node.name)
    for node in flow.nodes:
        severity = "warning" if node.disabled else "blocking"
        entry = NODE_TYPES.get(node.type)
        if entry is None:
            text = f"This server has no node type {node.type!r}; the node is kept as it is"
            yield Problem(severity, "unknown_type", text, node.id)
            continue
        if len(node.name) > MAX_NAME or "/" in node.name:
            text = f'A name has 1 to {MAX_NAME} characters and no "/", got {node.name[:80]!r}'
            yield Problem(severity, "bad_name", text, node.id, "name")
        if node.name and names[node.type, node.name] > 1:
            text = f"Two {entry.label} nodes are called {node.name!r}"
            yield Problem(severity, "same_name", text, node.id, "name")
        yield from _settings(node, entry, severity)


def _settings(node: Node, entry: NodeType, severity: Literal["blocking", "warning"]) -> Iterator[Problem]:
    try:
        settings = entry.read_settings(node.settings)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            place = [str(part) for part in fault["loc"] if not _is_union_tag(part, node, entry)]
            field = ".".join(place)
            yield Problem(severity, "bad_setting", _sentence(field, fault), node.id, field or None)
        return
    for field, message in entry.check(settings):
        yield Problem(severity, "bad_setting", message, node.id, field)


def _is_union_tag(part: object, node: Node, entry: NodeType) -> bool:
    return bool(entry.implied) and part in {**entry.implied, **node.settings}.values()


def _sentence(field: str, fault: Any) -> str:
    given = fault.get("input")
    context = fault.get("ctx", {})
    shown = repr(given) if len(repr(given)) <= 80 else repr(given)[:77] + "..."
    match fault["type"]:
        case "missing":
            return f"{field} must be given"
        case "extra_forbidden":
            return f"{field} is not a setting of this node"
        case "greater_than_equal":
            return f"{field} must be at least {context['ge']:g}, got {shown}"
        case "greater_than":
            return f"{field} must be more than {context['gt']:g}, got {shown}"
        case "less_than_equal":
            return f"{field} must be at most {context['le']:g}, got {shown}"
        case "less_than":
            return f"{field} must be less than {context['lt']:g}, got {shown}"
        case "string_too_short":
            return f"{field} must not be empty"
        case "literal_error":
            return f"{field} must be one of {context['expected']}, got {shown}"
        case "value_error":
            return str(context.get("error", fault["msg"]))
    return f"{field}: {fault['msg'].lower()}, got {shown}"


def _edges(flow: Flow) -> Iterator[Problem]:
    nodes = {node.id: node for node in flow.nodes}
    seen: set[tuple[str, str]] = set()
    taken: dict[tuple[str, str], Node] = {}
    for edge in sorted(flow.edges, key=lambda edge: edge.order):
        source, target = nodes.get(edge.source), nodes.get(edge.target)
        if source is None or target is None:
            missing = edge.source if source is None else edge.target
            text = f"An edge leads to {missing!r}, which is not in the flow"
            yield Problem("blocking", "loose_edge", text, edge_id=edge.id)
            continue
        if (edge.source, edge.target) in seen:
            text = f"{label_of(source)} and {label_of(target)} are connected twice"
            yield Problem("blocking", "duplicate_edge", text, target.id, edge_id=edge.id)
        seen.add((edge.source, edge.target))
        yield from _fit(edge, source, target, taken)


def _fit(edge: Edge, source: Node, target: Node, taken: dict[tuple[str, str], Node]) -> Iterator[Problem]:
    source_type, target_type = NODE_TYPES.get(source.type), NODE_TYPES.get(target.type)
    if source_type is None or target_type is None:
        return
    severity = "warning" if source.disabled or target.disabled else "blocking"
    port = port_for(target_type, source_type.output)
    if port is None:
        given = source_type.output or "nothing"
        text = f"{label_of(source)} gives {given}, which {label_of(target)} cannot take"
        yield Problem(severity, "port_mismatch", text, target.id, edge_id=edge.id)
        return
    holder = taken.get((target.id, port.name))
    if port.max == 1 and holder is not None and not source.disabled:
        text = (
            f"{label_of(target)} takes one {port.label} list and {label_of(holder)} gives it already; "
            f"connect {label_of(source)} to {label_of(holder)} or to a Merge before it"
        )
        yield Problem(severity, "port_full", text, target.id, edge_id=edge.id)
    elif not source.disabled:
        taken[target.id, port.name] = source


def _cycles(flow: Flow) -> Iterator[Problem]:
    left = cyclic_nodes(flow)
    if left:
        names = ", ".join(label_of(node) for node in flow.nodes if node.id in left)
        text = f"A flow may not run in a circle: {names}"
        yield Problem("blocking", "cycle", text, next(node.id for node in flow.nodes if node.id in left))


def cyclic_nodes(flow: Flow) -> set[str]:
    """Ids of the nodes on a circle."""
    ids = {node.id for node in flow.nodes}
    edges = {(edge.source, edge.target) for edge in flow.edges if {edge.source, edge.target} <= ids}
    for near, far in ((0, 1), (1, 0)):
        # Nodes without an edge coming in (then: going out) cannot lie on a circle; peel them off.
        shrinking = True
        while shrinking:
            blocked = {edge[far] for edge in edges if edge[near] in ids and edge[far] in ids}
            shrinking = ids != ids & blocked
            ids &= blocked
    return ids


def _loose_ends(flow: Flow) -> Iterator[Problem]:
    nodes = {node.id: node for node in flow.nodes}
    for node in flow.nodes:
        entry = NODE_TYPES.get(node.type)
        if entry is None or node.disabled:
            continue
        live = [
            known.output
            for edge in flow.edges
            if edge.target == node.id
            and edge.source in nodes
            and (known := NODE_TYPES.get(nodes[edge.source].type))
            and (known.passes_through or not nodes[edge.source].disabled)
        ]
        wanted = _feeds_somebody(flow, node) or entry.output is None
        for port in entry.inputs:
            if port.required and not any(output in port.accepts for output in live):
                severity = "blocking" if wanted else "warning"
                text = f"Nothing is connected to the {port.label} input of {label_of(node)}"
                yield Problem(severity, "no_input", text, node.id)
        if not wanted:
            text = f"{label_of(node)} leads nowhere: its result is not used"
            yield Problem("warning", "not_used", text, node.id)


def _feeds_somebody(flow: Flow, node: Node) -> bool:
    return any(edge.source == node.id for edge in flow.edges)
