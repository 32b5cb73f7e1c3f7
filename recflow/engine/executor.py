"""Running a flow: whatever is ready runs, waiting on the loop, arithmetic in threads; events out.

A run is a function of the flow, the user's history, the snapshot, the models, the clock and the seed. It
writes nothing. A node that fails gives an empty list, so that the others, and in the end the fallback, still
answer; the run then says that it is degraded, and why.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recflow.data.snapshot import Snapshot
from recflow.engine import events
from recflow.engine.check import blocking, check, label_of, port_for
from recflow.engine.context import CLOCK_ERROR_US, ModelStore, RunContext, RunRequest
from recflow.engine.flow import Flow, Node
from recflow.engine.memo import Memo
from recflow.engine.outcome import Run, described, described_list
from recflow.engine.registry import NODE_TYPES, NodeType
from recflow.engine.values import (
    Candidates,
    RunOptions,
    UserContext,
    drop_step,
    first_wins,
    places,
)
from recflow.errors import DataError, FlowError, NodeError, RecflowError, RunCancelled

SHOWN_ON_CARD = 10


@dataclass(eq=False)
class Services:
    """What a run may use.

    Args:
        models: fitted models.
        pool: threads for arithmetic; never the loop's default, which others share.
        memo: results of nodes.
        resources: other services by name, for nodes that need them.
        clock_error_us: feedback dated up to this far ahead counts as now.
    """

    models: ModelStore
    pool: Executor
    memo: Memo
    resources: Mapping[str, Any] = field(default_factory=dict)
    clock_error_us: int = CLOCK_ERROR_US


class _Failed:
    """Stands for the output of a node that could not give one."""


Emit = Callable[[events.Event], None]


async def execute(
    flow: Flow,
    request: RunRequest,
    snapshot: Snapshot,
    services: Services,
    on_event: Emit = lambda event: None,
) -> Run:
    """Run a flow for one user.

    Args:
        flow: the drawing.
        request: whom it is for.
        snapshot: the data.
        services: models, threads, memo.
        on_event: hears what happens, always on the loop's thread.

    Raises:
        FlowError: the drawing has blocking problems; call ``check`` for the list.
        asyncio.CancelledError: the run was cancelled; threads stop at their next check.
    """
    return await _Execution(flow, request, snapshot, services, on_event).run()


def refuse_problems(flow: Flow, until: str | None = None) -> None:
    """Raise the first blocking problem of a flow, if it has one.

    Args:
        flow: the drawing.
        until: only problems of this node and what it needs count.
    """
    found = blocking(check(flow))
    if until is not None:
        flow.node(until)
        needed = needed_for(flow, until, use_pins=True)
        found = [problem for problem in found if problem.node_id in needed]
    if found:
        raise FlowError(found[0].message, node_id=found[0].node_id, field=found[0].field)


def needed_for(flow: Flow, target: str, *, use_pins: bool) -> set[str]:
    """The node and all it needs; a pinned node needs nothing but the Data Source, for the user."""
    needed: set[str] = set()
    todo = [target]
    while todo:
        node_id = todo.pop()
        if node_id in needed:
            continue
        needed.add(node_id)
        if use_pins and flow.node(node_id).pin is not None:
            continue
        todo += [edge.source for edge in flow.inputs_of(node_id)]
    return needed


class _Execution:
    """The state of one run while it lasts."""

    def __init__(
        self, flow: Flow, request: RunRequest, snapshot: Snapshot, services: Services, emit: Emit
    ) -> None:
        self.flow = flow
        self.request = request
        self.snapshot = snapshot
        self.services = services
        self.emit = emit
        self.loop = asyncio.get_running_loop()
        self.cancelled = threading.Event()
        self.options = options_of(flow)
        self.has_fallback = _has_fallback(flow)
        self.tasks: dict[str, asyncio.Task] = {}
        self.signatures: dict[str, str] = {}
        self.degraded: list[str] = []
        self.started = time.perf_counter()

    async def run(self) -> Run:
        # Checking a template may ask a child process: off the loop, as all that can take its time.
        await self.loop.run_in_executor(self.services.pool, refuse_problems, self.flow, self.request.until)
        target = self.request.until or self._sink()
        needed = needed_for(self.flow, target, use_pins=self.request.use_pins)
        roots = {node.id for node in self.flow.nodes if NODE_TYPES[node.type].output == "user"}
        order = [node for node in in_order(self.flow) if node.id in needed | roots]
        self.emit(events.RunAccepted([node.id for node in order], self.request.history.user_id))
        for node in self.flow.nodes:
            if node.id not in needed | roots:
                self.emit(events.NodeSkipped(node.id, "The result does not need it"))
        try:
            for node in order:
                self.tasks[node.id] = asyncio.create_task(self._node(node))
            outputs = dict(zip(self.tasks, await asyncio.gather(*self.tasks.values()), strict=True))
        except BaseException:
            self.cancelled.set()
            for task in self.tasks.values():
                task.cancel()
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
            raise
        return self._finish(target, outputs)

    def _sink(self) -> str:
        return next(node.id for node in self.flow.nodes if NODE_TYPES[node.type].output is None)

    def _finish(self, target: str, outputs: dict[str, Any]) -> Run:
        result = outputs[target]
        result = result if isinstance(result, Candidates) else Candidates()
        good = {node_id: output for node_id, output in outputs.items() if not isinstance(output, _Failed)}
        note = _note(self.request, good, result)
        ms = (time.perf_counter() - self.started) * 1000
        run = Run(result, good, self.signatures, self.degraded, note, ms)
        self.emit(events.RunFinished(described(run, self.snapshot), round(ms, 2), self.degraded, note))
        return run

    async def _node(self, node: Node) -> Candidates | UserContext | _Failed:
        entry = NODE_TYPES[node.type]
        pinned = self.request.use_pins and node.pin is not None
        edges = [] if pinned else self.flow.inputs_of(node.id)
        gathered = await asyncio.gather(*(self.tasks[edge.source] for edge in edges))
        inputs = list(zip(edges, gathered, strict=True))
        began = time.perf_counter()
        user = await self._user(node)
        source = self.signatures[node.id] = self._signature(node, entry, inputs, user)
        context = self._context(node, source, user)
        if node.disabled and not pinned:
            return self._pass_through(node, entry, inputs)
        if pinned:
            output = _pinned(source, node, self.snapshot)
            return self._done(node, output, began, cached=False, pinned=True)
        if any(isinstance(value, _Failed) for _, value in inputs):
            self.emit(events.NodeSkipped(node.id, "What it needs failed"))
            return _Failed()
        if (kept := self.services.memo.find(source)) is not None:
            return self._done(node, kept, began, cached=True)
        self.emit(events.NodeStarted(node.id))
        try:
            output = await self._call(entry, node, context, inputs)
        except DataError as error:
            output = Candidates(warnings=(error.message,))
            return self._done(node, output, began, cached=False)
        except RunCancelled as error:
            raise asyncio.CancelledError from error
        except Exception as error:
            return self._failed(node, entry, error, began)
        if not (isinstance(output, Candidates) and output.warnings):
            # A result with a warning is one that may be better next time: a model may be there by then.
            self.services.memo.keep(source, output, entry.keep_s(entry.read_settings(node.settings)))
        return self._done(node, output, began, cached=False)

    async def _user(self, node: Node) -> UserContext | None:
        """What the Data Source gave; None for the Data Source itself, or when it failed."""
        for root_id, task in self.tasks.items():
            if root_id != node.id and NODE_TYPES[self.flow.node(root_id).type].output == "user":
                found = await task
                return found if isinstance(found, UserContext) else None
        return None

    def _context(self, node: Node, source: str, user: UserContext | None) -> RunContext:
        def report(share: float, text: str = "") -> None:
            event = events.NodeProgress(node.id, share, text)
            self.loop.call_soon_threadsafe(self.emit, event)

        return RunContext(
            source=source,
            node_id=node.id,
            node_name=label_of(node),
            request=self.request,
            snapshot=self.snapshot,
            options=self.options,
            user=user,
            models=self.services.models,
            resources=self.services.resources,
            memo=self.services.memo,
            pool=self.services.pool,
            cancelled=self.cancelled,
            report=report,
            flow_name=self.flow.name,
            has_fallback=self.has_fallback,
            name_of=self._name_of,
            clock_error_us=self.services.clock_error_us,
        )

    def _name_of(self, signature: str) -> str:
        node_id = next((key for key, known in self.signatures.items() if known == signature), None)
        return label_of(self.flow.node(node_id)) if node_id is not None else ""

    async def _call(self, entry: NodeType, node: Node, context: RunContext, inputs: list) -> Any:
        settings = entry.read_settings(node.settings)
        arguments = self._arguments(entry, context, inputs)
        if entry.is_async:
            return await entry.run(context, settings=settings, **arguments)
        return await self.loop.run_in_executor(
            self.services.pool, lambda: entry.run(context, settings=settings, **arguments)
        )

    def _arguments(self, entry: NodeType, context: RunContext, inputs: list) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for port in entry.inputs:
            values = [value for edge, value in inputs if self._port_of(edge.source, entry) is port]
            if port.is_list:
                arguments[port.name] = tuple(values)
            elif "user" in port.accepts:
                arguments[port.name] = values[0]
            elif values:
                arguments[port.name] = first_wins(context.source, values)
            else:
                arguments[port.name] = Candidates() if port.required else None
        return arguments

    def _port_of(self, source_id: str, entry: NodeType) -> Any:
        return port_for(entry, NODE_TYPES[self.flow.node(source_id).type].output)

    def _signature(self, node: Node, entry: NodeType, inputs: list, user: UserContext | None) -> str:
        parts: list[Any] = [node.type, node.settings, node.disabled]
        if self.request.use_pins:
            parts.append(node.pin)
        parts += [self.signatures[edge.source] for edge, _ in inputs]
        if entry.output == "user":
            parts += [_fingerprint(self.request), self.snapshot.version, repr(self.options)]
        if entry.output is None:
            parts.append(self.request.n)
        is_pinned = self.request.use_pins and node.pin is not None
        if user is not None and not node.disabled and not is_pinned:
            specs = entry.models(entry.read_settings(node.settings), user.view.rules)
            parts += [[spec.key, self.services.models.version(spec)] for spec in specs]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def _pass_through(self, node: Node, entry: NodeType, inputs: list) -> Candidates:
        self.emit(events.NodeSkipped(node.id, "It is disabled"))
        lists = [value for _, value in inputs if isinstance(value, Candidates)]
        return first_wins(self.signatures[node.id], lists) if entry.passes_through else Candidates()

    def _done(
        self, node: Node, output: Any, began: float, *, cached: bool, pinned: bool = False
    ) -> Candidates | UserContext:
        ms = round((time.perf_counter() - began) * 1000, 2)
        if not isinstance(output, Candidates):
            self.emit(events.NodeFinished(node.id, len(output.liked), ms, cached, unit="like"))
            return output
        own = [] if pinned else list(output.warnings)
        self.emit(
            events.NodeFinished(
                node.id,
                len(output),
                ms,
                cached,
                pinned,
                top=described_list(output.items[:SHOWN_ON_CARD], output.scores, self.snapshot),
                warnings=own,
                details=output.details,
                output=output,
            )
        )
        self.degraded += [
            text for warning in own if (text := f"{label_of(node)}: {warning}") not in self.degraded
        ]
        # Warnings and details belong to the node that had them, not to those further down.
        return Candidates(output.items, output.scores, output.trail)

    def _failed(self, node: Node, entry: NodeType, error: Exception, began: float) -> Candidates | _Failed:
        wrapped = NodeError(_say(error), node_id=node.id, node_type=node.type)
        wrapped.__cause__ = error
        ms = round((time.perf_counter() - began) * 1000, 2)
        field_name = getattr(error, "field", None)
        details = getattr(error, "details", None)
        self.emit(events.NodeFailed(node.id, wrapped.message, field_name, ms, details))
        self.degraded.append(f"{label_of(node)} failed: {wrapped.message}")
        return _Failed() if entry.output == "user" else Candidates()


def _say(error: Exception) -> str:
    if isinstance(error, RecflowError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def options_of(flow: Flow) -> RunOptions:
    for node in flow.nodes:
        entry = NODE_TYPES.get(node.type)
        if entry is not None and entry.options is not None and not node.disabled:
            return entry.options(entry.read_settings(node.settings))
    return RunOptions()


def _has_fallback(flow: Flow) -> bool:
    """Somebody answers when the main way gives nothing."""
    return any(
        (entry := NODE_TYPES.get(node.type)) is not None
        and entry.output == "fallback"
        and not node.disabled
        and any(edge.source == node.id for edge in flow.edges)
        for node in flow.nodes
    )


def in_order(flow: Flow) -> list[Node]:
    """The nodes, each after all that it needs."""
    ordered: dict[str, Node] = {}
    waiting = {node.id: {edge.source for edge in flow.inputs_of(node.id)} for node in flow.nodes}
    while len(ordered) < len(flow.nodes):
        for node in flow.nodes:
            if node.id not in ordered and waiting[node.id] <= ordered.keys():
                ordered[node.id] = node
    return list(ordered.values())


def _fingerprint(request: RunRequest) -> str:
    history = request.history
    digest = hashlib.sha256(json.dumps([history.user_id, history.item_ids, history.types]).encode())
    digest.update(np.ascontiguousarray(history.values).tobytes())
    digest.update(np.ascontiguousarray(history.times).tobytes())
    digest.update(json.dumps([request.categories, request.seed, history.labels], default=str).encode())
    return digest.hexdigest()


def _pinned(source: str, node: Node, snapshot: Snapshot) -> Candidates:
    """The list somebody pinned to a node: ``{"items": [item ids]}``, best first."""
    wanted = [str(item_id) for item_id in (node.pin or {}).get("items", [])]
    found = snapshot.items.ids.find_many(wanted)
    unknown = tuple(text for text, index in zip(wanted, found, strict=True) if index < 0)
    items = found[found >= 0]
    _, first = np.unique(items, return_index=True)
    items = items[np.sort(first)]
    drops = []
    if unknown:
        drops = [drop_step(source, [], "unknown", unknown_ids=unknown)]
    scores = 1.0 / places(len(items))
    return Candidates.proposed(source, items, scores, drops=drops)


def _note(request: RunRequest, outputs: Mapping[str, Any], result: Candidates) -> str:
    user = next((value for value in outputs.values() if isinstance(value, UserContext)), None)
    about = ""
    if not request.history.user_id:
        about = "An anonymous session: only what was done in it is known. "
    elif not request.history.is_known:
        about = f"No user is called {request.history.user_id!r}: what you see is what a stranger gets. "
    elif user is not None and user.is_cold_start:
        about = f"{request.history.user_id} has no positive feedback yet: a cold start. "
    if len(result) == 0:
        about += "Nothing came out of this flow."
    return about.strip()
