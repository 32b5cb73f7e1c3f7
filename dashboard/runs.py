"""Start, watch and cancel runs: the door between the web and the engine.

A preview run outlives the socket that started it, so that a browser that comes back can pick up where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings

from dashboard import metrics
from dashboard.artifacts import ArtifactStore
from dashboard.drafts import all_problems
from dashboard.outside import directory
from dashboard.saved_questions import refuse_unsaved
from dashboard.store import now_us, store
from recflow.data.feedback import UserHistory
from recflow.data.snapshot import Snapshot
from recflow.engine import events
from recflow.engine.check import blocking
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import Flow, load_flow
from recflow.engine.memo import Memo
from recflow.engine.outcome import Run, described_list, steps_of, whole_trail
from recflow.engine.values import REASONS, Candidates
from recflow.errors import FlowError

if TYPE_CHECKING:
    from dashboard.what_if import WhatIf  # it knows of jobs, which know of runs

#: Seconds a finished run can still be asked about.
KEPT_S = 60.0
#: Frames a second to one browser.
FRAMES_PER_S = 20
#: Events kept of one run; progress is thinned out long before.
MAX_EVENTS = 20_000
MAX_RUNS = 200
#: Runs that one account may have under way: a canvas, a comparison, some tabs, and what a reload left behind.
MAX_AT_ONCE = 20
MAX_USER_ID = 256

pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="arithmetic")
models = ArtifactStore(settings.DATA_DIR / "models")
services = Services(
    models=models,
    pool=pool,
    memo=Memo(),
    resources={"outside": directory.outside_for},
    clock_error_us=int(settings.CONFIGURATION.server.clock_error_s * 1e6),
)
# What a node was told by one endpoint says nothing about another that took its name.
directory.on_change(services.memo.clear)


@dataclass(eq=False)
class LiveRun:
    """One preview run with all it has said.

    Args:
        run_id: names it on the wire.
        request_id: the browser's own name for it.
        asked_by: whose account it runs for, "" where nobody logs in.
        messages: events as the browser gets them, in order; the seq of the first is 1.
        outputs: the whole list of each node that finished, also when the run was stopped later.
        changed: set and replaced whenever a message comes.
        watchers: browsers that follow it.
    """

    run_id: str
    snapshot: Snapshot
    request: RunRequest
    request_id: str = ""
    asked_by: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, Candidates] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    result: Run | None = None
    task: asyncio.Task | None = None
    ended_at: float | None = None
    watchers: int = 0
    closing: asyncio.Task | None = None
    _last_progress: dict[str, float] = field(default_factory=dict)

    def say(self, event: events.Event, **more: Any) -> None:
        """Record an event; of a node's progress at most ten a second."""
        message = event.message()
        if isinstance(event, events.NodeProgress):
            now = time.monotonic()
            if self.ended_at or now - self._last_progress.get(event.node_id, 0.0) < 0.1:
                return
            self._last_progress[event.node_id] = now
        if isinstance(event, events.NodeFinished) and event.output is not None:
            self.outputs[event.node_id] = event.output
        if len(self.messages) < MAX_EVENTS:
            self.messages.append({**message, **more, "run_id": self.run_id, "seq": len(self.messages) + 1})
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


_live: dict[str, LiveRun] = {}


def check_user_id(user_id: str) -> None:
    """Raises FlowError for an id that no user can have."""
    if len(user_id) > MAX_USER_ID:
        raise FlowError(f"A user ID has at most {MAX_USER_ID} characters, got {len(user_id):,}")
    if "\0" in user_id:  # PostgreSQL cannot even be asked for it
        raise FlowError(f"A user ID may not hold a null character, got {user_id!r}")


def load_user(user_id: str) -> tuple[Snapshot, UserHistory]:
    """The newest snapshot and the user's feedback as of now; for use in a thread."""
    snapshot = store.snapshot()
    return snapshot, store.history(user_id, snapshot)


async def start(
    document: object,
    user_id: str,
    *,
    n: int,
    categories: Sequence[str],
    until: str | None,
    request_id: str,
    what_if: WhatIf | None = None,
    asked_by: str = "",
    only_saved: bool = False,
) -> LiveRun:
    """Start a preview run of an unsaved drawing.

    A browser whose socket dropped before it heard of its run asks again under the same request id, and gets
    the run that was begun.

    Args:
        asked_by: whose account it runs for, "" where nobody logs in.
        only_saved: nodes that ask other machines have to be as somebody has saved them.

    Raises:
        FlowError: the document is no flow, no user can have that id, ``what_if`` names what is not there, a
            node may not be run, or too many runs are under way.
        Rejected: the flow has blocking problems.
    """
    if (begun := _begun(request_id, asked_by)) is not None:
        return begun
    check_user_id(user_id)
    flow = load_flow(document)
    await sync_to_async(refuse, thread_sensitive=False)(flow, until, only_saved=only_saved)
    snapshot, history = await sync_to_async(load_user, thread_sensitive=False)(user_id)
    now = now_us()
    if what_if is not None:
        history = what_if.applied(history, flow, snapshot, now)
    request = RunRequest(history, n=n, categories=tuple(categories), until=until, now=now)
    if (begun := _begun(request_id, asked_by)) is not None:  # asked for again meanwhile
        return begun
    live = LiveRun(uuid.uuid4().hex, snapshot, request, request_id, asked_by)
    _forget_old()
    _refuse_more(asked_by)  # behind all waiting: nothing comes between this look and the run that it lets in
    _live[live.run_id] = live
    live.task = asyncio.create_task(_run(live, flow, request_id))
    return live


def _begun(request_id: str, asked_by: str) -> LiveRun | None:
    if not request_id:
        return None
    mine = (live for live in _live.values() if live.asked_by == asked_by)
    return next((live for live in mine if live.request_id == request_id), None)


def _refuse_more(asked_by: str) -> None:
    """Raises FlowError when an account, or all together, have as many runs under way as they may."""
    under_way = [live.asked_by for live in _live.values() if not live.is_over]
    if (mine := under_way.count(asked_by)) >= MAX_AT_ONCE:
        raise FlowError(f"{mine} previews of yours are under way: wait for one to end, or cancel one")
    if len(under_way) >= MAX_RUNS:
        raise FlowError(f"{MAX_RUNS} previews are under way on this server: try again when some are done")


class Rejected(FlowError):
    """The flow has blocking problems; nothing ran."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(problems[0]["message"])
        self.problems = problems


def refuse(flow: Flow, until: str | None = None, *, only_saved: bool = False) -> None:
    """Raise Rejected with every blocking problem.

    With ``until`` only the problems of that node and what it needs count, and the executor looks for those.
    With ``only_saved`` a node that asks others with settings nobody has saved raises FlowError.
    """
    found = blocking(all_problems(flow))
    if found and until is None:
        raise Rejected([problem.as_dict() for problem in found])
    if only_saved:
        refuse_unsaved(flow)


async def _run(live: LiveRun, flow: Flow, request_id: str) -> None:
    began = time.perf_counter()
    hear = metrics.timing(flow)

    def say(event: events.Event) -> None:
        hear(event)
        more = {"request_id": request_id} if isinstance(event, events.RunAccepted) else {}
        live.say(event, **more)

    try:
        live.result = await execute(flow, live.request, live.snapshot, services, say)
    except FlowError as error:
        problem = {
            "severity": "blocking",
            "code": "refused",
            "message": error.message,
            "node_id": error.node_id,
            "field": error.field,
            "edge_id": None,
        }
        live.say(events.RunRejected([problem]), request_id=request_id)
    except asyncio.CancelledError:
        live.say(events.RunCancelledEvent(round((time.perf_counter() - began) * 1000, 2)))
    finally:
        live.ended_at = time.monotonic()
        live.changed.set()


def find(run_id: str) -> LiveRun | None:
    return _live.get(run_id)


async def cancel(live: LiveRun) -> None:
    """Stop a run's work; returns once it has said so."""
    if live.task is not None and not live.task.done():
        live.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await live.task


def cancel_unless_watched(live: LiveRun, after_s: float) -> None:
    """Stop a run that nobody watches any more, unless somebody comes back in time."""

    async def wait() -> None:
        await asyncio.sleep(after_s)
        if live.watchers == 0:
            await cancel(live)

    live.closing = asyncio.create_task(wait())


def _forget_old() -> None:
    over = deque(
        sorted((run for run in _live.values() if run.ended_at is not None), key=lambda run: run.ended_at or 0)
    )
    while over and (len(_live) >= MAX_RUNS or time.monotonic() - (over[0].ended_at or 0) > KEPT_S):
        del _live[over.popleft().run_id]


def output_of(live: LiveRun, node_id: str) -> list[dict[str, Any]]:
    """All that came out of a node in a run, best first: {item_id, title, score}; empty when nothing did."""
    output = live.outputs.get(node_id, Candidates())
    return described_list(output.items, output.scores, live.snapshot)


def explain(live: LiveRun, item_id: str) -> dict[str, Any]:
    """Why an item is in a run's result, or is not.

    Returns:
        ``{item_id, title, known, verdict, steps}``; the verdict is one sentence.
    """
    index = live.snapshot.items.ids.find(item_id)
    if index is None:
        verdict = f"No item has the id {item_id!r}."
        return {"item_id": item_id, "title": "", "known": False, "verdict": verdict, "steps": []}
    title = live.snapshot.titles([index])[0]
    steps = steps_of(live.result, whole_trail(live.result), index) if live.result else []
    in_result = live.result is not None and index in live.result.result.items
    return {
        "item_id": item_id,
        "title": title,
        "known": True,
        "verdict": _verdict(steps, in_result),
        "steps": steps,
    }


def _verdict(steps: list[dict[str, Any]], in_result: bool) -> str:
    if in_result:
        return "It is in the result."
    drops = [step for step in steps if step["kind"] == "dropped"]
    if drops:
        return f"It was dropped because {REASONS.get(drops[-1]['reason'], drops[-1]['reason'])}."
    if any(step["kind"] == "proposed" for step in steps):
        return "It was proposed, but stood below the end of the list."
    return "It was never proposed: no recommender put it among its best."
