"""Running a flow for many users at once, node by node over arrays.

A node takes part with its block form, or else with its single form for each user in turn. What only waits,
such as a language model or an HTTP request, cannot: those flows are run user by user by the executor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from recflow.data.snapshot import Snapshot
from recflow.data.types import IndexVector
from recflow.engine.blocks import BlockContext, CandidateBlock, first_of
from recflow.engine.check import label_of, port_for
from recflow.engine.context import CLOCK_ERROR_US, ModelStore
from recflow.engine.executor import in_order, needed_for, options_of
from recflow.engine.flow import Flow, Node
from recflow.engine.memo import Memo
from recflow.engine.registry import BLOCK_FORMS, NODE_TYPES, NodeType
from recflow.errors import DataError, RecflowError, RunCancelled

logger = logging.getLogger(__name__)

#: Users of a block, and entries of its widest array: 80 MB of float32 scores beside the models.
MAX_BLOCK_USERS = 512
MAX_BLOCK_ENTRIES = 20_000_000


@dataclass(frozen=True, eq=False)
class BlockServices:
    """What a run for many users may use.

    Args:
        models: fitted models.
        pool: threads for nodes that want them.
        memo: what blocks share; large enough for a matrix of everything.
        resources: other services by name.
        check: raises when the work has to stop.
        clock_error_us: feedback dated up to this far ahead counts as now.
    """

    models: ModelStore
    pool: Executor
    memo: Memo = field(default_factory=lambda: Memo(max_bytes=2**31))
    resources: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[], None] = lambda: None
    clock_error_us: int = CLOCK_ERROR_US


def nodes_that_wait(flow: Flow) -> list[str]:
    """Names of the nodes that keep a flow from being run in blocks; none for one that can be."""
    return [label_of(node) for node in flow.nodes if waits(node)]


def waits(node: Node) -> bool:
    """Whether a node takes part and waits for something, which is other machines.

    Raises:
        pydantic.ValidationError: its settings cannot be read.
    """
    return not node.disabled and not _works_in_blocks(node)


def _works_in_blocks(node: Node) -> bool:
    entry = NODE_TYPES[node.type]
    form = BLOCK_FORMS.get(node.type)
    if form is not None:
        return form.when(entry.read_settings(node.settings))
    return not entry.is_async


def block_users(n_items: int) -> int:
    """How many users a block holds, so that its memory is bounded whatever the size of the catalogue."""
    return max(1, min(MAX_BLOCK_USERS, MAX_BLOCK_ENTRIES // max(n_items, 1)))


def run_block(
    flow: Flow,
    users: IndexVector,
    snapshot: Snapshot,
    services: BlockServices,
    *,
    n: int,
    now: int,
) -> tuple[CandidateBlock, list[str]]:
    """The lists of some users.

    Args:
        flow: a drawing without blocking problems, of which ``nodes_that_wait`` names nothing.
        users: (n_users,) rows in the snapshot; ``block_users`` says how many are good at a time.
        snapshot: the data.
        services: models, threads, memo.
        n: items wanted; 0 for all.
        now: microseconds since 1970.

    Returns:
        The lists in the order of the users, and sentences on what went wrong on the way.
    """
    return _BlockRun(flow, users, snapshot, services, n, now).run()


class _BlockRun:
    """The state of one run while it lasts."""

    def __init__(
        self,
        flow: Flow,
        users: IndexVector,
        snapshot: Snapshot,
        services: BlockServices,
        n: int,
        now: int,
    ) -> None:
        self.flow = flow
        self.indices = users
        self.snapshot = snapshot
        self.services = services
        self.n = n
        self.now = now
        self.options = options_of(flow)
        self.users: Any = None
        self.outputs: dict[str, Any] = {}
        self.of_block: dict[tuple, Any] = {}
        self.degraded: list[str] = []

    def run(self) -> tuple[CandidateBlock, list[str]]:
        sink = next(node.id for node in self.flow.nodes if NODE_TYPES[node.type].output is None)
        needed = needed_for(self.flow, sink, use_pins=False)
        roots = {node.id for node in self.flow.nodes if NODE_TYPES[node.type].output == "user"}
        for node in in_order(self.flow):
            if node.id in needed | roots:
                self.services.check()
                self.outputs[node.id] = self._output(node, NODE_TYPES[node.type])
        return self.outputs[sink], list(dict.fromkeys(self.degraded))

    def _output(self, node: Node, entry: NodeType) -> Any:
        arguments = self._arguments(node, entry)
        if node.disabled:
            lists = [block for block in self._inputs(node) if isinstance(block, CandidateBlock)]
            passed = first_of(lists) if entry.passes_through and lists else None
            return passed or CandidateBlock.empty(len(self.indices))
        context = self._context(node)
        settings = entry.read_settings(node.settings)
        if entry.output == "user":
            self.users = BLOCK_FORMS[node.type].run(context, settings=settings)
            return self.users
        try:
            if node.type in BLOCK_FORMS:
                output = BLOCK_FORMS[node.type].run(context, settings=settings, **arguments)
            else:
                output = context.by_user(
                    lambda run, **own: entry.run(run, settings=settings, **own), arguments
                )
        except RunCancelled:
            raise
        except DataError as error:
            context.warnings.append(error.message)
            output = CandidateBlock.empty(len(self.indices))
        except Exception as error:
            logger.exception("%s failed for a block of %d users", label_of(node), len(self.indices))
            said = error.message if isinstance(error, RecflowError) else repr(error)
            context.warnings.append(f"failed: {said}")
            output = CandidateBlock.empty(len(self.indices))
        self.degraded += [f"{label_of(node)}: {warning}" for warning in context.warnings]
        return output

    def _inputs(self, node: Node) -> list[Any]:
        return [self.outputs[edge.source] for edge in self.flow.inputs_of(node.id)]

    def _arguments(self, node: Node, entry: NodeType) -> dict[str, Any]:
        """The inputs by the ports they go into, as in recflow/engine/executor.py."""
        edges = self.flow.inputs_of(node.id)
        arguments: dict[str, Any] = {}
        for port in entry.inputs:
            values = [
                self.outputs[edge.source]
                for edge in edges
                if port_for(entry, NODE_TYPES[self.flow.node(edge.source).type].output) is port
            ]
            if port.is_list:
                arguments[port.name] = tuple(values)
            elif "user" in port.accepts:
                arguments[port.name] = values[0]
            elif values:
                arguments[port.name] = first_of(values)
            else:
                arguments[port.name] = CandidateBlock.empty(len(self.indices)) if port.required else None
        return arguments

    def _context(self, node: Node) -> BlockContext:
        return BlockContext(
            node_id=node.id,
            node_name=label_of(node),
            snapshot=self.snapshot,
            options=self.options,
            n=self.n,
            now=self.now,
            users=self.users,
            indices=self.indices,
            models=self.services.models,
            resources=self.services.resources,
            memo=self.services.memo,
            pool=self.services.pool,
            check=self.services.check,
            of_block=self.of_block,
            clock_error_us=self.services.clock_error_us,
        )
