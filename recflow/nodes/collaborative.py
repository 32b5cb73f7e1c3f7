"""Collaborative: what users with a similar taste like, by matrix factorization.

Implicit alternating least squares gives every user and item a short vector; an item's score for a user is
the dot product. The user's vector is computed afresh from the feedback of this moment (a closed-form solve
against the item vectors), so new feedback counts at once and a user who came after the last training is no
stranger.

A user without positive feedback gets nothing here: connect Latest or a popular list to the fallback for
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from pydantic import Field

from recflow.algorithms.als import AlsParams, FactorModel, fit_als, fold_in, fold_in_each, scores_for
from recflow.algorithms.retrieval import best_items_for_users
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.engine.blocks import NO_ITEM, BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec, Renumbering, fits, in_blocks, node
from recflow.engine.settings import Duration, NodeSettings, ui
from recflow.engine.values import Candidates, UserContext
from recflow.errors import NoFeedback
from recflow.nodes.proposing import propose

DEFAULTS = AlsParams()


class Settings(NodeSettings):
    """How the factors are trained, and how often."""

    n_factors: int = Field(
        DEFAULTS.n_factors,
        ge=1,
        le=512,
        title="Factors",
        description="Length of the vector of a user or item. More can tell finer tastes apart and cost more.",
    )
    n_epochs: int = Field(
        DEFAULTS.n_epochs, ge=1, le=500, title="Epochs", description="Passes over all feedback."
    )
    regularization: float = Field(
        DEFAULTS.regularization,
        ge=0,
        title="Regularization",
        description="Pulls vectors towards zero: higher suits little data.",
        json_schema_extra=ui(group="Advanced"),
    )
    unobserved_weight: float = Field(
        DEFAULTS.unobserved_weight,
        gt=0,
        title="Weight of unseen pairs",
        description="How much a pair without feedback counts as dislike, beside 1 for positive feedback.",
        json_schema_extra=ui(group="Advanced"),
    )
    fit_period: Duration = Field(
        "60m", title="Train every", description="Time between trainings.", json_schema_extra=ui("duration")
    )
    optimize_period: Duration = Field(
        "0s",
        title="Search settings every",
        description="Time between searches for better settings. 0s: never.",
        json_schema_extra=ui("duration", group="Advanced"),
    )
    optimize_trials: int = Field(
        10,
        ge=1,
        title="Trials",
        description="Settings tried in a search.",
        json_schema_extra=ui(group="Advanced"),
    )
    patience: int = Field(
        0,
        ge=0,
        title="Patience",
        description="Stop after so many epochs without a better score on held-out feedback. 0: never.",
        json_schema_extra=ui(group="Advanced"),
    )


def models(settings: Settings, rules: FeedbackRules) -> list[ModelSpec]:
    chosen = replace(
        DEFAULTS,
        n_factors=settings.n_factors,
        n_epochs=settings.n_epochs,
        regularization=settings.regularization,
        unobserved_weight=settings.unobserved_weight,
    )
    return [ModelSpec("mf", asdict(chosen), rules)]


def _cost(view: TrainingView, params: dict[str, Any]) -> float:
    """Seconds, from about 2 * 10^8 multiply-adds a second of a plain numpy solve."""
    f = params["n_factors"]
    rows = view.snapshot.n_users + view.snapshot.n_items
    return params["n_epochs"] * (len(view.positive) * f * f + rows * f**3) / 1e9


def _remap(model: FactorModel, items: Renumbering, users: Renumbering | None) -> FactorModel:
    return replace(model, item_factors=items.scatter(model.item_factors, np.nan))


def measure(
    view: TrainingView, params: dict[str, Any], rng: np.random.Generator, check: Callable[[], None]
) -> dict[str, float]:
    """How high a fit without each user's newest like ranks it among all items: a validation, not a test."""
    likes = view.positive
    newest = likes.user_starts[1:][np.diff(likes.user_starts) > 1] - 1
    users, items = likes.users[newest], likes.items[newest]
    rest = likes.matrix.copy()
    rest[users, items] = 0.0
    rest.eliminate_zeros()
    if len(users) == 0 or rest.nnz == 0:
        return {}
    chosen = AlsParams(**params | {"patience": 0})
    return {"ndcg_at_10": fit_als(rest, chosen, rng=rng, validation=(users, items), check=check).metric}


@fits("mf", label="Matrix factorization", model=FactorModel, remap=_remap, cost=_cost, measure=measure)
def fit(view: TrainingView, params: dict[str, Any], rng: np.random.Generator, progress, check) -> FactorModel:
    if len(view.positive) == 0:
        raise NoFeedback("There is no positive feedback to train on yet; check the types in the Data Source")

    def on_epoch(epoch: int, n_epochs: int, metric: float | None) -> None:
        progress(epoch / n_epochs, f"epoch {epoch} of {n_epochs}")

    return fit_als(view.positive.matrix, AlsParams(**params), rng=rng, on_epoch=on_epoch, check=check)


@node(
    "collaborative",
    label="Collaborative",
    icon="grid",
    family="recommender",
    settings=Settings,
    at_most=1,
    card=("n_factors",),
    models=models,
)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    if user.is_cold_start:
        return Candidates()
    model = ctx.model(models(settings, user.view.rules)[0])
    return propose(ctx, user, scores_for(model, fold_in(model, user.liked)))


@in_blocks("collaborative")
def run_block(ctx: BlockContext, user: UserBlock, settings: Settings) -> CandidateBlock:
    spec = models(settings, user.view.rules)[0]
    model = ctx.model(spec)
    vectors = ctx.once(("vectors", spec.key), lambda: fold_in_each(model, user.offsets, user.liked))
    shown, factors = ctx.shared(("factors", spec.key), lambda: _shown(model, user.view))
    if len(shown) == 0:
        return CandidateBlock.empty(len(user))
    places, scores = best_items_for_users(
        vectors, factors, ctx.pool_size, user.excluded[:, shown], check=ctx.check
    )
    places[user.is_cold_start] = NO_ITEM
    return CandidateBlock.of(np.where(places == NO_ITEM, NO_ITEM, shown[places]), scores)


def _shown(model: FactorModel, view: TrainingView) -> tuple[np.ndarray, np.ndarray]:
    """The items that may be shown and have a vector, ascending, and their vectors."""
    shown = np.flatnonzero(view.alive & np.isfinite(model.item_factors[:, 0])).astype(np.int32)
    return shown, np.ascontiguousarray(model.item_factors[shown])
