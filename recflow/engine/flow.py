"""The saved drawing as values: Flow, Node, Edge, Note, and the migrations of its format.

What this server does not know (types, settings, extra keys) is kept as it came, so that a load and a save by
an older server lose nothing. Whether a flow makes sense is check.py's question, not this file's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recflow.data.nesting import MAX_LEVELS, is_too_deep
from recflow.errors import FlowError, FlowTooLarge

FORMAT = 1
MAX_BYTES = 1024 * 1024
MAX_NODES = 500
MAX_EDGES = 2000
MAX_NAME = 64

#: From a format to the next one; each entry takes and returns a whole document.
MIGRATIONS: dict[int, Callable[[dict], dict]] = {}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Position(_Part):
    """Upper left corner on the canvas, in pixels at zoom 1."""

    x: float = Field(0.0, allow_inf_nan=False)
    y: float = Field(0.0, allow_inf_nan=False)


class Node(_Part):
    """One box of the drawing."""

    id: str = Field(min_length=1, max_length=MAX_NAME)
    type: str = Field(min_length=1, max_length=MAX_NAME)
    name: str = ""
    position: Position = Position()
    settings: dict[str, Any] = {}
    disabled: bool = False
    pin: dict[str, Any] | None = None


class Edge(_Part):
    """One line from a node to another; ``order`` counts among the edges into the same node."""

    id: str = Field(min_length=1, max_length=2 * MAX_NAME)
    source: str
    target: str
    order: int = 0


class Note(_Part):
    """A sticky note on the canvas."""

    id: str
    text: str = ""
    position: Position = Position()


class Flow(_Part):
    """A whole drawing."""

    format: int = FORMAT
    name: str = "Untitled"
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    notes: tuple[Note, ...] = ()

    def node(self, node_id: str) -> Node:
        """The node of that id.

        Raises:
            FlowError: there is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise FlowError(f"The flow has no node {node_id!r}", node_id=node_id)

    def inputs_of(self, node_id: str) -> list[Edge]:
        """The edges into a node, in their order; ties in the order of the document."""
        return sorted((edge for edge in self.edges if edge.target == node_id), key=lambda edge: edge.order)

    def document(self) -> dict[str, Any]:
        """As the JSON object it was read from, unknown keys included."""
        return self.model_dump(mode="json")

    def content_hash(self) -> str:
        """The same for two documents that differ in white space or key order only."""
        canonical = json.dumps(self.document(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def load_flow(document: object, *, size: int | None = None) -> Flow:
    """Read a flow document, migrating older formats forward.

    Args:
        document: the parsed JSON.
        size: bytes of the JSON text when the caller knows; else it is measured.

    Raises:
        FlowTooLarge: it passes a limit.
        FlowError: it is not a flow document.
    """
    if not isinstance(document, dict):
        raise FlowError(f"A flow document is a JSON object, got {_kind(document)}")
    if is_too_deep(document):
        raise FlowTooLarge(f"A flow document may have {MAX_LEVELS} lists and objects inside each other")
    if size is None:
        size = len(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise FlowTooLarge(f"A flow document may have {MAX_BYTES:,} bytes, got {size:,}")
    for part, most in (("nodes", MAX_NODES), ("edges", MAX_EDGES)):
        if isinstance(document.get(part), list) and len(document[part]) > most:
            raise FlowTooLarge(f"A flow may have {most:,} {part}, got {len(document[part]):,}")
    version = document.get("format", FORMAT)
    if not isinstance(version, int) or version < 1:
        raise FlowError(f"The format of a flow document is a whole number from 1, got {version!r}")
    if version > FORMAT:
        raise FlowError(f"This flow has format {version}; this server reads formats up to {FORMAT}")
    while version < FORMAT:
        document = MIGRATIONS[version](document)
        version += 1
    try:
        flow = Flow.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FlowError(f"The flow document is wrong at {place}: {first['msg']}", field=place) from error
    _refuse_twins("node", [node.id for node in flow.nodes])
    _refuse_twins("edge", [edge.id for edge in flow.edges])
    return flow


def _refuse_twins(what: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for identifier in ids:
        if identifier in seen:
            raise FlowError(f"Two {what}s have the id {identifier!r}", node_id=identifier)
        seen.add(identifier)


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", type(None): "null", bool: "a truth value"}.get(
        type(value), "a number"
    )
