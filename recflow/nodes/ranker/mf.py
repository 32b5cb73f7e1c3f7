"""Matrix factorization: by the dot product of the user's vector and the item's.

The model is the one a Collaborative node with the same numbers uses, trained once for both.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Literal

import numpy as np
from pydantic import Field

from recflow.algorithms.als import AlsParams, fold_in, fold_in_each, scores_for
from recflow.data.feedback import FeedbackRules
from recflow.engine.blocks import BlockContext, CandidateBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates
from recflow.nodes.ranker.ordering import in_order_of, kept_order
from recflow.nodes.training import Regularization, chosen_over

DEFAULTS = AlsParams()


class MfSettings(NodeSettings):
    """By the dot product of two vectors; users without positive feedback keep the order that came in."""

    kind: Literal["mf"] = Field("mf", title="Matrix factorization")
    n_factors: int = Field(
        DEFAULTS.n_factors, ge=1, le=512, title="Factors", description="Length of the vectors."
    )
    n_epochs: int = Field(
        DEFAULTS.n_epochs, ge=1, le=500, title="Epochs", description="Passes over all feedback."
    )
    regularization: Regularization = DEFAULTS.regularization


def models(settings: MfSettings, rules: FeedbackRules) -> list[ModelSpec]:
    chosen = replace(chosen_over(DEFAULTS, settings), patience=0)
    return [ModelSpec("mf", asdict(chosen), rules)]


def rank(ctx: RunContext, candidates: Candidates, settings: MfSettings) -> Candidates:
    user = ctx.user
    assert user is not None
    if user.is_cold_start:
        return kept_order(ctx, candidates, f"{user.user_id} has no positive feedback to rank by")
    model = ctx.model(models(settings, user.view.rules)[0])
    scores = scores_for(model, fold_in(model, user.liked), candidates.items)
    return in_order_of(ctx, candidates, scores)


def rank_block(ctx: BlockContext, candidates: CandidateBlock, settings: MfSettings) -> CandidateBlock:
    users = ctx.users
    assert users is not None
    spec = models(settings, users.view.rules)[0]
    model = ctx.model(spec)
    vectors = ctx.once(("vectors", spec.key), lambda: fold_in_each(model, users.offsets, users.liked))
    scores = np.vecdot(model.item_factors[candidates.items], vectors[:, None, :])
    ranked = candidates.in_order_of(scores)
    cold = users.is_cold_start[:, None]
    return CandidateBlock(
        np.where(cold, candidates.items, ranked.items), np.where(cold, candidates.scores, ranked.scores)
    )
