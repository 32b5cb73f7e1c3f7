"""Ranker: puts the candidates in the order this user will like best.

It adds no items. Cheap kinds can stand in a row before a costly one: let matrix factorization choose the
best fifty, and a language model order those.

When a ranker fails, either the fallback answers or the order that came in is kept, as the setting says; the
run tells which.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from recflow.data.feedback import FeedbackRules
from recflow.engine.blocks import BlockContext, CandidateBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec, in_blocks, node
from recflow.engine.settings import duration_seconds
from recflow.engine.values import Candidates, Step, places
from recflow.nodes.ranker import fm, hybrid, llm, mf, none, rerank
from recflow.nodes.ranker.asking import LOOK_AGAIN_S

KINDS: dict[str, Any] = {
    "mf": mf,
    "hybrid": hybrid,
    "fm": fm,
    "llm": llm,
    "rerank": rerank,
    "none": none,
}

Settings = Annotated[
    mf.MfSettings
    | hybrid.HybridSettings
    | fm.FmSettings
    | llm.LlmRankerSettings
    | rerank.RerankRankerSettings
    | none.NoneSettings,
    Field(discriminator="kind"),
]


def models(settings: Any, rules: FeedbackRules) -> list[ModelSpec]:
    needed = getattr(KINDS[settings.kind], "models", None)
    return needed(settings, rules) if needed else []


def check(settings: Any) -> list[tuple[str, str]]:
    checked = getattr(KINDS[settings.kind], "check", None)
    return checked(settings) if checked else []


def keep_s(settings: Any) -> float | None:
    """Kinds that ask a model say how long an answer is kept; those that compute one need not."""
    return min(LOOK_AGAIN_S, duration_seconds(settings.keep)) if hasattr(settings, "keep") else None


@node(
    "ranker",
    label="Ranker",
    icon="bars",
    family="rank",
    settings=Settings,
    card=("kind",),
    models=models,
    check=check,
    keep_s=keep_s,
)
async def run(ctx: RunContext, candidates: Candidates, settings: Settings) -> Candidates:
    kind = KINDS[settings.kind]
    replaces = ctx.options.replace_seen and settings.kind != "none"
    if replaces:
        candidates = _with_seen(ctx, candidates)
    if len(candidates) == 0:
        return candidates
    if hasattr(kind, "rank_async"):
        ranked = await kind.rank_async(ctx, candidates, settings)
    else:
        ranked = await ctx.in_thread(kind.rank, ctx, candidates, settings)
    return _decayed(ctx, ranked) if replaces else ranked


@in_blocks("ranker", when=lambda settings: not hasattr(KINDS[settings.kind], "rank_async"))
def run_block(ctx: BlockContext, candidates: CandidateBlock, settings: Settings) -> CandidateBlock:
    kind = KINDS[settings.kind]
    replaces = ctx.options.replace_seen and settings.kind != "none"
    if hasattr(kind, "rank_block") and not replaces:
        return kind.rank_block(ctx, candidates, settings)

    def rank_one(run_ctx: RunContext, candidates: Candidates) -> Candidates:
        if replaces:
            candidates = _with_seen(run_ctx, candidates)
        if len(candidates) == 0:
            return candidates
        ranked = kind.rank(run_ctx, candidates, settings)
        return _decayed(run_ctx, ranked) if replaces else ranked

    return ctx.by_user(rank_one, {"candidates": candidates})


def _with_seen(ctx: RunContext, candidates: Candidates) -> Candidates:
    """The candidates, and behind them what the user has seen and may see again."""
    assert ctx.user is not None
    seen = np.flatnonzero(ctx.user.read & ctx.user.view.alive & ~ctx.user.disliked).astype(np.int32)
    seen = seen[~np.isin(seen, candidates.items)]
    ranks = len(candidates) + places(len(seen))
    scores = np.full(len(seen), np.nan)
    step = Step(ctx.source, "proposed", seen, ranks, scores, note="seen before")
    return Candidates(
        np.concatenate([candidates.items, seen]),
        np.concatenate([candidates.scores, scores]),
        (*candidates.trail, step),
    )


def _decayed(ctx: RunContext, ranked: Candidates) -> Candidates:
    """Seen items moved down: their score less the share that their decay takes, whatever its sign."""
    assert ctx.user is not None
    liked = np.isin(ranked.items, ctx.user.liked)
    share = np.where(liked, 1 - ctx.options.positive_decay, 1 - ctx.options.read_decay)
    share = np.where(ctx.user.read[ranked.items], share, 0.0)
    scores = ranked.scores - np.abs(ranked.scores) * share
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    return ranked.ranked(
        ctx.source,
        ranked.items[order],
        scores[order],
        warnings=(),
        details=ranked.details,
        note="replacement decay",
    )
