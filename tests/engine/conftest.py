"""A registry of small node types, so that engine tests need none of the real ones."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRules, UserHistory
from recflow.engine import registry
from recflow.engine.context import RunContext, RunRequest
from recflow.engine.executor import Services
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.engine.registry import node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.errors import NotTrained, ServiceError


class NoSettings(NodeSettings):
    pass


class ListSettings(NodeSettings):
    items: tuple[int, ...] = (0, 1, 2)
    fail: Literal["", "crash", "service", "untrained"] = ""
    wait_s: float = Field(0.0, ge=0)


class Wait:
    """What nodes under test did, and the means to hold them up."""

    def __init__(self):
        self.calls = []
        self.together = 0
        self.most_together = 0
        self.lock = threading.Lock()
        self.gate = threading.Event()


@pytest.fixture
def seen():
    return Wait()


@pytest.fixture(autouse=True)
def node_types(monkeypatch, seen):
    monkeypatch.setattr(registry, "NODE_TYPES", {})
    import recflow.engine.check
    import recflow.engine.executor

    monkeypatch.setattr(recflow.engine.check, "NODE_TYPES", registry.NODE_TYPES)
    monkeypatch.setattr(recflow.engine.executor, "NODE_TYPES", registry.NODE_TYPES)

    @node("source", label="Source", family="input", settings=NoSettings, at_least=1, at_most=1)
    def source(ctx: RunContext, settings: NoSettings) -> UserContext:
        seen.calls.append(ctx.node_id)
        nothing = np.zeros(ctx.snapshot.n_items, bool)
        history = ctx.request.history
        return UserContext(
            history.user_id,
            None,
            history,
            ctx.snapshot.view(FeedbackRules()),
            history.items,
            history.times,
            history.types,
            nothing,
            nothing,
            nothing,
        )

    @node("list", label="List", family="recommender", settings=ListSettings, at_most=4)
    def proposals(ctx: RunContext, user: UserContext, settings: ListSettings) -> Candidates:
        with seen.lock:
            seen.calls.append(ctx.node_id)
            seen.together += 1
            seen.most_together = max(seen.most_together, seen.together)
        deadline = time.monotonic() + settings.wait_s
        try:
            while time.monotonic() < deadline and not seen.gate.is_set():
                ctx.check()
                seen.gate.wait(0.005)
        finally:
            with seen.lock:
                seen.together -= 1
        match settings.fail:
            case "crash":
                raise ZeroDivisionError("boom")
            case "service":
                raise ServiceError("The service is down")
            case "untrained":
                raise NotTrained("Not trained yet")
        items = np.array(settings.items, np.int32)
        return Candidates.proposed(ctx.source, items, 10.0 - np.arange(len(items)))

    @node("reverse", label="Reverse", family="rank", settings=NoSettings)
    async def reverse(ctx: RunContext, candidates: Candidates, settings: NoSettings) -> Candidates:
        seen.calls.append(ctx.node_id)
        await asyncio.sleep(0)
        return candidates.ranked(ctx.source, candidates.items[::-1], candidates.scores[::-1])

    @node("spare", label="Spare", family="output", settings=NoSettings, at_most=1, output="fallback")
    def spare(ctx: RunContext, lists: tuple[Candidates, ...], settings: NoSettings) -> Candidates:
        seen.calls.append(ctx.node_id)
        return lists[0]

    @node("end", label="End", family="output", settings=NoSettings, at_least=1, at_most=1, is_end=True)
    def end(
        ctx: RunContext,
        main: Annotated[Candidates, {"max": 1}],
        fallback: Annotated[Candidates | None, {"accepts": ("fallback",), "max": 1, "required": False}],
        settings: NoSettings,
    ) -> Candidates:
        seen.calls.append(ctx.node_id)
        found = main if len(main) else (fallback or Candidates())
        return found.cut(ctx.source, ctx.request.n)


@pytest.fixture
def data():
    items = [ItemRow(f"i{n}", comment=f"Item {n}") for n in range(5)]
    return build_snapshot([UserRow("u1")], items, [], version="1", taken_at=10)


class NoModels:
    def version(self, spec):
        return None

    def get(self, spec, view, *, progress, check):
        raise NotTrained("There are no models here")


@pytest.fixture
def services():
    with ThreadPoolExecutor(4) as pool:
        yield Services(NoModels(), pool, Memo())


@pytest.fixture
def request_for():
    def make(user_id="u1", **more):
        return RunRequest(UserHistory(user_id, is_known=True), **more)

    return make


@pytest.fixture
def draw():
    """draw("s:source a:list e:end", "s>a a>e", a={"items": [1]}) -> Flow"""

    def make(nodes, edges="", disabled=(), pins=None, **settings):
        def one(text):
            node_id, kind = text.split(":")
            return {
                "id": node_id,
                "type": kind,
                "settings": settings.get(node_id, {}),
                "disabled": node_id in disabled,
                "pin": (pins or {}).get(node_id),
            }

        pairs = [text.split(">") for text in edges.split()]
        return load_flow(
            {
                "nodes": [one(text) for text in nodes.split()],
                "edges": [
                    {"id": f"e{n}", "source": a, "target": b, "order": n} for n, (a, b) in enumerate(pairs)
                ],
            }
        )

    return make
