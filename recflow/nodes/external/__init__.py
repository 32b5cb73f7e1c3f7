"""External: asks another machine for items, by a request or by a script.

A **request** is made of templates (URL, headers, body), and a path says where the ids are in the JSON answer.
A **script** in JavaScript may call several machines and combine what they say; Gorse's scripts run unchanged.
Either may only go where the administrator allows: public addresses, and what Settings lists beside them.

The order of the answer is kept. Ids that are not in the catalogue are left out, and so is what the user has
seen. When nothing usable comes in time, the list is empty, the run says why, and the other nodes carry on.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from recflow.engine.context import RunContext
from recflow.engine.registry import node
from recflow.engine.settings import duration_seconds
from recflow.engine.values import Candidates, UserContext, drop_step, places
from recflow.errors import NoUsableAnswer, RecflowError, UnknownItem
from recflow.nodes.external import requests, scripts
from recflow.nodes.external.question import Question, Trace
from recflow.nodes.outside import Asked, masked, outside_of
from recflow.nodes.proposing import barred_items, known_items
from recflow.nodes.records import history_records, user_record

MODES: dict[str, Any] = {"request": requests, "script": scripts}
SHORTEST_S, LONGEST_S = 0.1, 120.0

Settings = Annotated[requests.RequestSettings | scripts.ScriptSettings, Field(discriminator="mode")]


def check(settings: Any) -> list[tuple[str, str]]:
    faults = list(MODES[settings.mode].check(settings))
    if not SHORTEST_S <= duration_seconds(settings.timeout) <= LONGEST_S:
        limits = f"from {SHORTEST_S:g} to {LONGEST_S:g} s"
        faults.append(("timeout", f"timeout must be {limits}, got {settings.timeout}"))
    return faults


def keep_s(settings: Any) -> float:
    return duration_seconds(settings.keep)


def question_of(ctx: RunContext, user: UserContext) -> Question:
    """Whom the other machine is asked about; history as long as Recommend says."""
    return Question(user_record(user), history_records(user, ctx.options.context_size), ctx.pool_size)


@node(
    "external",
    label="External",
    icon="globe",
    family="recommender",
    settings=Settings,
    card=("mode",),
    check=check,
    keep_s=keep_s,
)
async def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    outside = await outside_of(ctx)
    question = await ctx.in_thread(question_of, ctx, user)
    trace = Trace(outside.hidden)
    mode = MODES[settings.mode]
    try:
        ids = await mode.ids_of(question, settings, outside, trace, in_thread=ctx.in_thread)
    except RecflowError as error:
        message = masked(error.message, outside.hidden)
        outside.record(_asked(ctx, user, trace, error, message))
        raise NoUsableAnswer(
            message,
            details=trace.shown(),
            field=getattr(error, "field", None),
            kind=getattr(error, "kind", "script"),
        ) from None  # its text may repeat a secret, and logs tell causes
    outside.record(_asked(ctx, user, trace, None))
    return _proposed(ctx, user, ids, trace)


def _proposed(ctx: RunContext, user: UserContext, ids: list[str], trace: Trace) -> Candidates:
    """The known items in the order of the answer, less what may not be shown."""
    warnings: list[str] = []
    try:
        items, unknown = known_items(ids, ctx)
    except UnknownItem as error:
        warnings.append(masked(error.message, trace.secrets))
        items, unknown = np.zeros(0, np.int32), tuple(ids)
    # Ids are looked up as they came; of one that nobody knows, a secret is told no more than of the others.
    unknown = tuple(masked(unknown, trace.secrets))
    drops = [drop_step(ctx.source, [], "unknown", unknown_ids=unknown)] if unknown else []
    details = trace.shown() | {"ids": masked(ids, trace.secrets), "unknown_ids": list(unknown)}
    # The answer is an order without scores; 1/rank lets it take part in a weighted merge.
    found = Candidates.proposed(
        ctx.source, items, 1.0 / places(len(items)), drops=drops, warnings=warnings, details=details
    )
    for reason, mask in barred_items(ctx, user):
        found = found.without(ctx.source, mask[found.items], reason)
    return found.cut(ctx.source, ctx.pool_size)


def _asked(
    ctx: RunContext, user: UserContext, trace: Trace, error: RecflowError | None, message: str = ""
) -> Asked:
    return Asked(
        flow=ctx.flow_name,
        node_id=ctx.node_id,
        node_name=ctx.node_name,
        kind="external",
        endpoint="",
        model="",
        user_id=user.user_id,
        status="ok" if error is None else "failed",
        reason="" if error is None else getattr(error, "kind", "script"),
        message=message,
        n_calls=len(trace.exchanges),
        statuses=tuple(entry["status"] or 0 for entry in trace.exchanges),
        ms=sum(entry.get("ms", 0.0) for entry in trace.exchanges),
        details=trace.shown(),
    )
