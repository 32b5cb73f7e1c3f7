"""One answer: the prepared list less what was seen since, filled up by the fallback.

Without a list for this user, or with one that is too old, the fallback answers at once and the user is
queued for a new list. Somebody who gave feedback since their list was made is answered by the flow itself,
so that taste folds in at once. So is everybody while no lists are prepared at all, as on the first day, and
whoever has no good list where there is no fallback. A flow that asks other machines is never run inside a
request: without a fallback a list that is too old still answers there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from dashboard import metrics, runs
from dashboard.lists import NOBODY
from dashboard.serving.plan import Plan, current_plan
from dashboard.serving.rows import (
    Position,
    Rows,
    Seen,
    Standing,
    has_prepared,
    open_rows,
    read_prepared,
    read_standing,
)
from dashboard.serving.threads import in_thread
from dashboard.store import now_us
from recflow.data.feedback import UserHistory
from recflow.data.types import MICROSECONDS_PER_DAY
from recflow.engine.block_run import waits
from recflow.engine.context import RunRequest
from recflow.engine.executor import execute
from recflow.engine.outcome import Run

Items = list[tuple[str, float]]

#: Items one answer holds at most; ``n=0`` asks for all of them.
MAX_ITEMS = 1_000
#: An answer is worked out anew at least so often.
FRESH_US = 60_000_000
#: And one that nodes had a part in so often: they see a new snapshot some time after the rows have changed.
LIVE_FRESH_US = 2_000_000
#: What the fallback gives to everybody is kept so long.
SHARED_S = 10.0
#: Items looked up beyond those that are wanted: some will have been seen.
_SPARE = 8


@dataclass(frozen=True)
class Question:
    """Who asks for how much."""

    user_id: str
    categories: tuple[str, ...] = ()
    n: int = 10
    offset: int = 0

    @property
    def wanted(self) -> int:
        return min(self.n + self.offset, MAX_ITEMS) if self.n or self.offset else MAX_ITEMS


@dataclass(frozen=True)
class Answer:
    """What somebody is recommended.

    Args:
        items: outside id and score, best first.
        version: name of the version whose list it is.
        source: "prepared", "fallback" or "live".
        made_at_us: when the list was made.
        good_until_us: the same question has the same answer until then, unless something is written.
    """

    items: Items
    version: str
    source: str
    made_at_us: int
    good_until_us: int


@dataclass
class _Found:
    """An answer in the making; ``good_until_us`` shrinks as reasons turn up."""

    good_until_us: int
    items: Items = field(default_factory=list)


class Answerer:
    """Answers questions in this process.

    Args:
        ask_for_list: hears of a user who should have a list and has none.
        clock: microseconds since 1970.
    """

    def __init__(
        self, ask_for_list: Callable[[str], None] = lambda user_id: None, clock: Callable[[], int] = now_us
    ) -> None:
        self.rows: Rows = open_rows()
        self._ask_for_list = ask_for_list
        self._clock = clock
        self._plan: Plan | None = None
        self._planned_at: Hashable = None
        self._shared: dict[tuple[str, str, tuple[str, ...]], tuple[float, Items]] = {}

    async def answer(self, question: Question, position: Position) -> Answer:
        """What a user is recommended this moment.

        Args:
            question: who asks for how much.
            position: how far the writes were a moment ago.
        """
        plan = await self.plan(position)
        now = self._clock()
        found = _Found(now + FRESH_US)
        prepared = await self.rows.read(read_prepared, plan.labels, question.user_id)
        is_good = prepared is not None and now < prepared.made_at_us + plan.expire_us
        version, source, made_at = plan.label, "fallback", now
        is_behind = prepared is not None and prepared.is_behind
        if not plan.waits and (is_behind or (not is_good and await self._would_be_empty(plan))):
            source = "live"  # so taste folds in at once, until the list has been made anew
            found.good_until_us = now + LIVE_FRESH_US
            await self._add(found, await self._run(plan, question), plan, question, now)
        elif prepared is not None and (is_good or plan.fallback is None):
            version, source, made_at = prepared.version, "prepared", prepared.made_at_us
            if is_good:
                found.good_until_us = min(found.good_until_us, made_at + plan.expire_us)
            await self._add(found, prepared.items, plan, question, now)
        if source != "live" and (version != plan.label or not is_good):
            self._ask_for_list(question.user_id)
        if source != "live" and len(found.items) < question.wanted and plan.fallback is not None:
            found.good_until_us = min(found.good_until_us, now + LIVE_FRESH_US)
            await self._add(found, await self._fallback(plan, question), plan, question, now)
        items = found.items[question.offset : question.wanted]
        return Answer(items, version, source, made_at, found.good_until_us)

    async def plan(self, position: Position) -> Plan:
        """The active flow, read again only after an activation."""
        plan = self._plan
        if plan is None or self._planned_at != position.activation:
            plan = await in_thread(current_plan, plan)
            self._plan, self._planned_at = plan, position.activation
        return plan

    async def explain(self, question: Question, plan: Plan, source: str) -> tuple[Run, Any]:
        """A run made now for the user, with its snapshot: who proposes what, and why.

        It is of what answered, up to the fallback or to the end, less nodes that ask other machines.
        """
        nodes = [
            node.model_copy(update={"disabled": node.disabled or waits(node)}) for node in plan.flow.nodes
        ]
        asking_nobody = replace(plan, flow=plan.flow.model_copy(update={"nodes": tuple(nodes)}))
        until = plan.fallback if source == "fallback" else None
        snapshot, history = await _load(question.user_id)
        return await _execute(asking_nobody, snapshot, history, question, until), snapshot

    async def _would_be_empty(self, plan: Plan) -> bool:
        """Nobody has a list yet, or there is no fallback for those whose list is still to be made."""
        return plan.fallback is None or not await self.rows.read(has_prepared, plan.labels)

    async def _add(
        self, found: _Found, items: Iterable[tuple[str, float]], plan: Plan, question: Question, now: int
    ) -> None:
        """Append what the user may be shown, until there is enough."""
        there = {item_id for item_id, _ in found.items}
        left = (row for row in items if row[0] not in there)
        seen = Seen(plan.rules.negative if plan.recommend.replace_seen else None)
        while len(found.items) < question.wanted:
            block = list(islice(left, question.wanted - len(found.items) + _SPARE))
            if not block:
                return
            ids = [item_id for item_id, _ in block]
            standing = await self.rows.read(read_standing, question.user_id, ids, seen)
            for row in block:
                how = standing.get(row[0])
                if how is not None and _may_be_shown(how, plan, question.categories, now, found):
                    found.items.append(row)

    async def _fallback(self, plan: Plan, question: Question) -> Items:
        if not plan.is_fallback_shared:
            snapshot, history = await _load(question.user_id)
            return _items(await _execute(plan, snapshot, history, question, plan.fallback), snapshot)
        snapshot = await in_thread(runs.store.snapshot)
        key = (plan.label, snapshot.version, question.categories)
        kept = self._shared.get(key)
        if kept is None or time.monotonic() > kept[0]:
            items = _items(await _execute(plan, snapshot, NOBODY, question, plan.fallback), snapshot)
            now = time.monotonic()
            self._shared = {name: entry for name, entry in self._shared.items() if entry[0] > now}
            kept = self._shared[key] = (now + SHARED_S, items)
        return kept[1]

    async def _run(self, plan: Plan, question: Question) -> Items:
        snapshot, history = await _load(question.user_id)
        return _items(await _execute(plan, snapshot, history, question, None), snapshot)


async def _load(user_id: str) -> tuple[Any, UserHistory]:
    return await in_thread(runs.load_user, user_id)


async def _execute(
    plan: Plan, snapshot: Any, history: UserHistory, question: Question, until: str | None
) -> Run:
    request = RunRequest(
        history,
        n=0,
        categories=question.categories,
        until=until,
        now=now_us(),
        use_pins=False,
    )
    return await execute(plan.flow, request, snapshot, runs.services, metrics.timing(plan.flow))


def _items(run: Run, snapshot: Any) -> Items:
    ids = snapshot.items.ids.texts(run.result.items)
    return list(zip(ids, run.result.scores.tolist(), strict=True))


def _may_be_shown(how: Standing, plan: Plan, categories: Sequence[str], now: int, found: _Found) -> bool:
    if how.seen_us is not None:
        if how.seen_us <= now + runs.services.clock_error_us:
            return False
        # Feedback from the future, as write-back with a delay leaves it: shown until then.
        found.good_until_us = min(found.good_until_us, how.seen_us - runs.services.clock_error_us)
    if plan.rules.item_ttl_days and how.time_us < now - plan.rules.item_ttl_days * MICROSECONDS_PER_DAY:
        return False
    return not categories or set(categories) <= set(json.loads(how.categories) or ())
