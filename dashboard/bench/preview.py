"""How long a whole run of the default flow takes on MovieLens, cold and cached, split by node."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dashboard.artifacts import ArtifactStore
from dashboard.jobs.fitting import fit_missing
from recflow.data.building import build_snapshot
from recflow.data.feedback import UserHistory
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.data.snapshot import Snapshot
from recflow.engine.context import RunRequest
from recflow.engine.events import Event, NodeFinished
from recflow.engine.executor import Services, execute
from recflow.engine.flow import Flow, load_flow
from recflow.engine.memo import Memo
from recflow.interop.movielens import open_movielens
from recflow.interop.records import Rejected
from recflow.nodes.starters import DEFAULT, STARTERS

SEED = 0


def movielens_snapshot(folder: Path, on_rejected: Callable[[Rejected], None] = lambda row: None) -> Snapshot:
    """MovieLens as a snapshot, without a database.

    Args:
        folder: one of MovieLens' layouts.
        on_rejected: hears of each row that cannot be read.

    Raises:
        BadRecord: the folder holds none of MovieLens' layouts.
    """
    users: dict[str, UserRecord] = {}
    items: list[ItemRecord] = []
    feedback: list[FeedbackRecord] = []
    for record in open_movielens(folder):
        match record:
            case UserRecord():
                users.setdefault(record.user_id, record)
            case ItemRecord():
                items.append(record)
            case FeedbackRecord():
                feedback.append(record)
            case Rejected():
                on_rejected(record)
    for row in feedback:
        users.setdefault(row.user_id, UserRecord(row.user_id))
    return build_snapshot(
        [users[key].row() for key in sorted(users)],
        [item.row() for item in sorted(items, key=lambda item: item.item_id)],
        [(row.user_id, row.item_id, row.type, row.value, row.time_us) for row in feedback],
        version="movielens",
        taken_at=max(row.time_us for row in feedback) + 1,
    )


def history_in(snapshot: Snapshot, user_index: int) -> UserHistory:
    """A user's history as the snapshot has it, newest first."""
    log = snapshot.feedback
    rows = np.arange(len(log))[log.rows_of(user_index)][::-1]
    return UserHistory(
        snapshot.users.ids[user_index],
        log.items[rows],
        tuple(snapshot.items.ids.texts(log.items[rows])),
        tuple(log.type_names[t] for t in log.types[rows]),
        log.values[rows],
        log.times[rows],
        is_known=True,
    )


def run(say: Callable[[str], None], data: Path, n_users: int = 100) -> None:
    """Print p50 and p95 of a whole run and of each node.

    Args:
        say: prints a line.
        data: a MovieLens folder.
        n_users: users drawn at random, the same ones each time.
    """
    snapshot = movielens_snapshot(data)
    say(f"{snapshot.n_users:,} users, {snapshot.n_items:,} items, {len(snapshot.feedback):,} feedback")
    flow = load_flow(STARTERS[DEFAULT].document)
    rng = np.random.default_rng(SEED)
    chosen = rng.choice(snapshot.n_users, min(n_users, snapshot.n_users), replace=False)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
        models = ArtifactStore(Path(folder))
        fit_missing([flow], snapshot, models, say)
        services = Services(models, pool, Memo())
        asyncio.run(_measure(say, flow, snapshot, services, [int(user) for user in chosen]))


async def _measure(
    say: Callable[[str], None], flow: Flow, snapshot: Snapshot, services: Services, users: list[int]
) -> None:
    # The first run maps the models from disk and compiles what is compiled at first use.
    await execute(flow, RunRequest(history_in(snapshot, users[0]), now=snapshot.taken_at), snapshot, services)
    services.memo.clear()
    cold, cached = [], []
    by_node: dict[str, list[float]] = defaultdict(list)

    def note(event: Event) -> None:
        if isinstance(event, NodeFinished):
            by_node[event.node_id].append(event.ms)

    for user in users:
        request = RunRequest(history_in(snapshot, user), now=snapshot.taken_at)
        first = await execute(flow, request, snapshot, services, note)
        cold.append(first.ms)
        cached.append((await execute(flow, request, snapshot, services)).ms)
    say("")
    say(f"{'':24}{'p50 ms':>10}{'p95 ms':>10}")
    say(percentiles("whole run, cold", cold))
    say(percentiles("whole run, cached", cached))
    say(f"cached / cold at p50: {np.median(cached) / np.median(cold):.3f}")
    say("")
    for node in flow.nodes:
        if node.id in by_node:
            say(percentiles(f"  {node.id}", by_node[node.id]))


def percentiles(label: str, ms: list[float]) -> str:
    """A line of a table: what it is of, the median and the 95th percentile in milliseconds."""
    return f"{label:24}{np.percentile(ms, 50):>10.2f}{np.percentile(ms, 95):>10.2f}"
