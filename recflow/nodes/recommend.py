"""Recommend: the end of the flow, the list the user gets.

The main input comes first; where it is short, the fallback fills up. What the user has seen is left out
once more, because an external service or a pinned list does not know it. The settings here hold for the
whole run.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from recflow.engine.blocks import BlockContext, CandidateBlock, first_of
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import Duration, NodeSettings, ui
from recflow.engine.values import Candidates, RunOptions
from recflow.nodes.proposing import barred_items


class Settings(NodeSettings):
    """What holds for the whole run, and for the lists that are prepared for serving."""

    cache_size: int = Field(
        100,
        ge=1,
        le=10_000,
        title="List size",
        description="Items each recommender puts forward, and items in a prepared list.",
    )
    cache_expire: Duration = Field(
        "72h",
        title="Prepared lists live for",
        description="After that a list is made again.",
        json_schema_extra=ui("duration"),
    )
    context_size: int = Field(
        100,
        ge=1,
        le=10_000,
        title="History",
        description="Newest positive feedback that item-to-item and the rankers look at.",
    )
    active_user_ttl_days: int = Field(
        0,
        ge=0,
        title="Users are active for",
        description="No lists are prepared for users without feedback in this time. 0: for all users.",
        json_schema_extra=ui(unit="days"),
    )
    replace_seen: bool = Field(
        False,
        title="Recommend seen items again",
        description="With lower scores, by the two factors below.",
        json_schema_extra=ui(group="Replacement"),
    )
    positive_decay: float = Field(
        0.8,
        gt=0,
        title="Factor for liked items",
        description="Times the score of an item the user liked before.",
        json_schema_extra=ui(group="Replacement", visible_when={"replace_seen": [True]}),
    )
    read_decay: float = Field(
        0.6,
        gt=0,
        title="Factor for read items",
        description="Times the score of an item the user only read.",
        json_schema_extra=ui(group="Replacement", visible_when={"replace_seen": [True]}),
    )


def options(settings: Settings) -> RunOptions:
    return RunOptions(
        pool_size=settings.cache_size,
        context_size=settings.context_size,
        replace_seen=settings.replace_seen,
        positive_decay=settings.positive_decay,
        read_decay=settings.read_decay,
    )


@node(
    "recommend",
    label="Recommend",
    icon="flag",
    family="output",
    settings=Settings,
    at_least=1,
    at_most=1,
    is_end=True,
    card=("cache_size",),
    options=options,
)
def run(
    ctx: RunContext,
    main: Annotated[Candidates, {"max": 1}],
    fallback: Annotated[Candidates | None, {"accepts": ("fallback",), "max": 1, "required": False}],
    settings: Settings,
) -> Candidates:
    assert ctx.user is not None
    reserve = fallback or Candidates()
    added = reserve.without(ctx.source, np.isin(reserve.items, main.items), "duplicate")
    items = np.concatenate([main.items, added.items])
    scores = np.concatenate([main.scores, added.scores])
    whole = Candidates.merged(ctx.source, [main, reserve], items, scores, note="")
    for reason, mask in barred_items(ctx, ctx.user):
        if reason == "read" and ctx.options.replace_seen:
            continue
        whole = whole.without(ctx.source, mask[whole.items], reason)
    return whole.cut(ctx.source, ctx.request.n) if ctx.request.n else whole


@in_blocks("recommend")
def run_block(
    ctx: BlockContext, main: CandidateBlock, fallback: CandidateBlock | None, settings: Settings
) -> CandidateBlock:
    assert ctx.users is not None
    if ctx.options.replace_seen:
        return ctx.by_user(
            lambda run_ctx, **lists: run(run_ctx, settings=settings, **lists),
            {"main": main, "fallback": fallback},
        )
    whole = first_of([main] if fallback is None else [main, fallback])
    seen = ctx.users.excluded.toarray()
    rows = np.arange(len(whole))[:, None]
    kept = whole.where(ctx.users.view.alive[whole.items] & ~seen[rows, whole.items])
    return kept.cut(ctx.n) if ctx.n else kept
