"""Job kind "lists": the list of every active user, made by the active version and kept for serving.

The users are cut into parts, who was active last first (parts.py). A part is computed over arrays where the
flow allows it; a flow that asks other machines is run user by user, and only for users whose list is no
longer what it was made of. Parts that are done stay done when the job is paused or its process ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dashboard.active import active_flow
from dashboard.jobs import fitting, ledger, parts, prepared
from dashboard.jobs.prepared import MadeList
from dashboard.jobs.snapshots import data_version
from dashboard.jobs.work import Reporter, Work
from dashboard.models import Job
from dashboard.runs import models, services
from dashboard.store import now_us, store
from recflow.data.snapshot import Snapshot
from recflow.data.types import MICROSECONDS_PER_DAY, IndexVector
from recflow.engine.block_run import BlockServices, block_users, nodes_that_wait, run_block
from recflow.engine.blocks import history_of
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import Flow
from recflow.engine.outcome import Run
from recflow.engine.registry import NODE_TYPES
from recflow.engine.settings import duration_seconds
from recflow.nodes.outside import Asked, Outside
from recflow.nodes.recommend import Settings as RecommendSettings
from recflow.outbound.client import close_clients

KIND = "lists"
#: Users of a part: enough to be worth handing out, few enough to lose little.
SHARD_USERS = 2_000
#: The same for flows that ask other machines.
SHARD_USERS_ASKING = 50
#: Users run at the same time when other machines are asked.
AT_ONCE = 8
#: Users who wait for a list that are served by one job.
MAX_WANTED = 1_000
#: Sentences on what went wrong that go into the log of a job.
_TOLD = 5


def ask(asked_by: str = "") -> Job:
    """A job that makes the lists of all active users."""
    return ledger.enqueue(KIND, KIND, "Refresh the prepared lists", asked_by=asked_by)


def ask_for_wanted(asked_by: str = "") -> Job:
    """A job that makes the lists of users who were answered without one."""
    title = "Prepare lists that were asked for"
    return ledger.enqueue(KIND, f"{KIND}:wanted", title, {"wanted": True}, asked_by=asked_by)


@dataclass(frozen=True)
class ListSettings:
    """What the Recommend node says about prepared lists."""

    n: int
    expire_s: float
    active_user_ttl_days: int


def settings_of(flow: Flow) -> ListSettings:
    """Length and life of the lists of a flow."""
    node = next(node for node in flow.nodes if NODE_TYPES[node.type].output is None)
    chosen = RecommendSettings(**node.settings)
    return ListSettings(chosen.cache_size, duration_seconds(chosen.cache_expire), chosen.active_user_ttl_days)


def digest_of(flow: Flow, catalogue: str) -> str:
    """What the lists of a flow are made of: the drawing, the data, the models."""
    versions = [[spec.key, models.version(spec)] for spec in fitting.models_of_flow(flow)]
    return _hashed(flow.content_hash(), catalogue, versions)


def run(work: Work) -> str:
    """Make the lists; returns how many there are and how long it took."""
    flow, label = active_flow()
    began = time.monotonic()
    waiting = nodes_that_wait(flow)
    if waiting:
        work.say(f"user by user, because {', '.join(waiting)} asks other machines")
    if work.job.parameters.get("wanted"):
        made, degraded = work.call("refreshing:make_wanted", label)
        said = f"{made:,} lists"
    else:
        made, degraded = _make_all(work, flow, label, bool(waiting))
        seconds = round(time.monotonic() - began, 1)
        work.remember(seconds=seconds)
        if active_flow()[1] == label:  # else the lists of the version that is live now would be the others
            prepared.forget_others(label, work.job.parameters["began_us"])
        said = f"{prepared.count(label):,} lists, {made:,} of them made now in {seconds} s"
    for sentence in degraded[:_TOLD]:
        work.say(sentence)
    work.say(said)
    return said


def _make_all(work: Work, flow: Flow, label: str, is_waiting: bool) -> tuple[int, list[str]]:
    """Every part that is left; how many lists were made, and what went wrong."""
    snapshot = store.snapshot(fresh=True)
    if work.job.parameters.get("version") != label:  # another version was activated since it was cut up
        work.job.shards.all().delete()
        cut_us = now_us()
        per_part = SHARD_USERS_ASKING if is_waiting else SHARD_USERS
        ledger.split(work.job, parts.cut(snapshot, cut_us, per_part))
        work.remember(
            version=label,
            digest=digest_of(flow, data_version(snapshot.version)),
            cut_us=cut_us,
            began_us=cut_us - int(settings_of(flow).expire_s * 1e6) if is_waiting else cut_us,
            users=len(active_users(snapshot, np.arange(snapshot.n_users, dtype=np.int32), flow)),
        )
    cut_us, firsts = work.job.parameters["cut_us"], ledger.firsts(work.job)
    made, degraded = 0, []

    def on_done(found: tuple[int, list[str]]) -> None:
        nonlocal made
        made += found[0]
        degraded.extend(sentence for sentence in found[1] if sentence not in degraded)
        n_done = len(firsts) - len(ledger.undone(work.job))
        work.progress(n_done / len(firsts), f"{n_done:,} of {len(firsts):,} parts")

    begins = dict(enumerate(firsts))
    calls = [
        (label, number, cut_us, begins[number] if number else None, begins.get(number + 1))
        for number in ledger.undone(work.job)
    ]
    work.call_each("refreshing:make_shard", calls, on_done)
    return made, degraded


def make_shard(
    job_id: int,
    worker: str,
    label: str,
    number: int,
    cut_us: int,
    first: parts.Place | None,
    following: parts.Place | None,
) -> tuple[int, list[str]]:
    """Make the lists of one part in this process; how many, and what went wrong on the way."""
    snapshot = store.snapshot()
    flow, now_active = active_flow()
    if now_active != label:
        return 0, [f"{label} is no longer active"]
    users = active_users(snapshot, parts.users_of_part(snapshot, cut_us, first, following), flow)
    found = make_lists(flow, label, users, snapshot, Reporter(job_id, worker))
    ledger.shard_done(job_id, number, ledger.process_name(), len(users))
    return found


def make_wanted(job_id: int, worker: str, label: str) -> tuple[int, list[str]]:
    """Make the lists of users who wait for one; they go on waiting when another version is active by now."""
    began_us = now_us()
    snapshot = store.snapshot(fresh=True)
    flow, now_active = active_flow()
    if now_active != label:
        return 0, [f"{label} is no longer active"]
    user_ids = prepared.wanted(MAX_WANTED)
    found = snapshot.users.ids.find_many(user_ids)
    made = make_lists(flow, label, found[found >= 0], snapshot, Reporter(job_id, worker))
    # Also those whom nobody knows: the fallback is all they can have.
    prepared.no_longer_wanted(user_ids, began_us)
    return made


def active_users(snapshot: Snapshot, users: IndexVector, flow: Flow) -> IndexVector:
    """Those of the users who gave feedback lately enough to be worth a list."""
    days = settings_of(flow).active_user_ttl_days
    if not days:
        return users
    log = snapshot.feedback
    since = now_us() - days * MICROSECONDS_PER_DAY
    has_any = np.diff(log.user_starts)[users] > 0
    users = users[has_any]
    return users[log.times[log.user_starts[users + 1] - 1] >= since]  # the last row of a user is the newest


def make_lists(
    flow: Flow, label: str, users: IndexVector, snapshot: Snapshot, reporter: Reporter
) -> tuple[int, list[str]]:
    """Make and keep the lists of some users; how many, and what went wrong on the way."""
    if nodes_that_wait(flow):
        return _one_by_one(flow, label, users, snapshot, reporter)
    users = np.sort(users)  # rows of a block lie close to each other
    n = settings_of(flow).n
    digest = digest_of(flow, data_version(snapshot.version))
    size = block_users(snapshot.n_items)
    degraded: list[str] = []
    with ThreadPoolExecutor(2, thread_name_prefix="arithmetic") as pool:
        of_blocks = BlockServices(
            models,
            pool,
            resources=services.resources,
            check=reporter.check,
            clock_error_us=services.clock_error_us,
        )
        for start in range(0, len(users), size):
            block, now = users[start : start + size], now_us()
            lists, said = run_block(flow, block, snapshot, of_blocks, n=n, now=now)
            degraded += said
            rows = (lists.row(place) for place in range(len(block)))
            prepared.put(
                label,
                [
                    MadeList(user_id, snapshot.items.ids.texts(items), scores, digest)
                    for user_id, (items, scores) in zip(snapshot.users.ids.texts(block), rows, strict=True)
                ],
                now,
            )
            reporter.add(made=len(block))
    return len(users), list(dict.fromkeys(degraded))


def _one_by_one(
    flow: Flow, label: str, users: IndexVector, snapshot: Snapshot, reporter: Reporter
) -> tuple[int, list[str]]:
    """A run of the whole flow for each user whose list is too old or made of something else."""
    chosen, content = settings_of(flow), flow.content_hash()
    histories = {snapshot.users.ids[int(user)]: history_of(snapshot, int(user)) for user in users}
    wanted = {
        user_id: _hashed(content, history.item_ids, history.types, history.times.tolist())
        for user_id, history in histories.items()
    }
    since_us = now_us() - int(chosen.expire_s * 1e6)
    there = prepared.digests(label, list(wanted), since_us)
    left = [user_id for user_id, digest in wanted.items() if there.get(user_id) != digest]
    degraded: list[str] = []
    asked: list[Asked] = []
    with _own_loop() as loop, ThreadPoolExecutor(2, thread_name_prefix="arithmetic") as pool:
        own = replace(services, pool=pool, resources=_overheard(services.resources, asked.append))
        for start in range(0, len(left), AT_ONCE):
            reporter.check()
            now, together = now_us(), left[start : start + AT_ONCE]
            requests = [
                RunRequest(histories[user_id], n=chosen.n, now=now, use_pins=False) for user_id in together
            ]
            runs = loop.run(_together(flow, requests, snapshot, own))
            degraded += [sentence for run in runs for sentence in run.degraded]
            lists = [
                MadeList(
                    user_id,
                    snapshot.items.ids.texts(run.result.items),
                    run.result.scores,
                    # An empty list because something went wrong is made again by the next refresh.
                    "" if run.degraded and not len(run.result.items) else wanted[user_id],
                )
                for user_id, run in zip(together, runs, strict=True)
            ]
            prepared.put(label, lists, now)
            costs = [one.cost for one in asked]
            asked.clear()
            known = [cost for cost in costs if cost is not None]
            reporter.add(made=len(lists), cost=sum(known), cost_unknown=len(costs) - len(known))
    return len(left), list(dict.fromkeys(degraded))


@contextmanager
def _own_loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as loop:
        try:
            yield loop
        finally:
            loop.run(close_clients())  # connections belong to this loop, which ends here


def _overheard(resources: Mapping[str, Any], hear: Callable[[Asked], None]) -> dict[str, Any]:
    """The same resources; ``hear`` is told of everything that nodes ask other machines."""
    outside_for = resources.get("outside")
    if outside_for is None:
        return dict(resources)

    async def overheard(request: RunRequest) -> Outside:
        outside = await outside_for(request)

        def record(asked: Asked) -> None:
            hear(asked)
            outside.record(asked)

        return replace(outside, record=record)

    return {**resources, "outside": overheard}


async def _together(flow: Flow, requests: list[RunRequest], snapshot: Snapshot, own: Services) -> list[Run]:
    return await asyncio.gather(*(execute(flow, request, snapshot, own) for request in requests))


def _hashed(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
