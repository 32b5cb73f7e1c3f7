"""All the executor ever says, in the words of the WebSocket messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run."""

    name: ClassVar[str] = ""

    def message(self) -> dict[str, Any]:
        """As the browser gets it, without run_id and seq, which the run adds."""
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True)
class RunAccepted(Event):
    name: ClassVar[str] = "run.accepted"
    node_ids: list[str]
    user_id: str


@dataclass(frozen=True)
class NodeStarted(Event):
    name: ClassVar[str] = "node.started"
    node_id: str


@dataclass(frozen=True)
class NodeProgress(Event):
    """A share in [0, 1] and what is being done."""

    name: ClassVar[str] = "node.progress"
    node_id: str
    share: float
    text: str = ""


@dataclass(frozen=True)
class NodeFinished(Event):
    """``count`` of ``unit`` came out ("item", of a user's context "like"); ``cached``: nothing was computed.

    ``top`` holds the best items as {item_id, title, score}; ``output`` is all that came out, for whoever
    listens on this side of the wire: it is not told.
    """

    name: ClassVar[str] = "node.finished"
    node_id: str
    count: int
    ms: float
    cached: bool
    pinned: bool = False
    top: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] | None = None
    unit: str = "item"
    output: Any = field(default=None, repr=False, compare=False)

    def message(self) -> dict[str, Any]:
        told = [part.name for part in fields(self) if part.name != "output"]
        return {"event": self.name} | {name: getattr(self, name) for name in told}


@dataclass(frozen=True)
class NodeFailed(Event):
    """``details``: what the node still has to show of its work, such as an answer it could not use."""

    name: ClassVar[str] = "node.failed"
    node_id: str
    message_text: str
    field: str | None = None
    ms: float = 0.0
    details: dict[str, Any] | None = None

    def message(self) -> dict[str, Any]:
        return {
            "event": self.name,
            "node_id": self.node_id,
            "message": self.message_text,
            "field": self.field,
            "ms": self.ms,
            "details": self.details,
        }


@dataclass(frozen=True)
class NodeSkipped(Event):
    name: ClassVar[str] = "node.skipped"
    node_id: str
    reason: str


@dataclass(frozen=True)
class RunFinished(Event):
    """``items``, best first: {item_id, title, rank, score, categories, steps}; see docs/protocol.md."""

    name: ClassVar[str] = "run.finished"
    items: list[dict[str, Any]]
    ms: float
    degraded: list[str]
    note: str = ""


@dataclass(frozen=True)
class RunCancelledEvent(Event):
    name: ClassVar[str] = "run.cancelled"
    ms: float


@dataclass(frozen=True)
class RunRejected(Event):
    name: ClassVar[str] = "run.rejected"
    problems: list[dict[str, Any]]
