"""Collaborative: what users with a similar taste like, by matrix factorization.

Implicit alternating least squares gives every user and item a short vector; an item's score for a user is
the dot product. The user's vector is computed afresh from the feedback of this moment (a closed-form solve
against the item vectors), so new feedback counts at once and a user who came after the last training is no
stranger.

A user without positive feedback gets nothing here: connect Latest or a popular list to the fallback for
them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from pydantic import Field
from scipy import sparse

from recflow.algorithms.als import AlsParams, FactorModel, fit_als, fold_in, fold_in_each, scores_for
from recflow.algorithms.als_search import hold_out_newest, search_als
from recflow.algorithms.retrieval import best_items_for_users
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.data.types import NO_TIME
from recflow.engine.blocks import NO_ITEM, BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec, Renumbering, fits, in_blocks, node
from recflow.engine.settings import Duration, NodeSettings, duration_seconds, ui
from recflow.engine.values import Candidates, UserContext
from recflow.errors import NoFeedback
from recflow.nodes.proposing import propose
from recflow.nodes.training import FitPeriod, Regularization, chosen_over

DEFAULTS = AlsParams()
#: Seconds after which a search begins no further trial.
SEARCH_BUDGET_S = 600.0


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
    regularization: Regularization = DEFAULTS.regularization
    unobserved_weight: float = Field(
        DEFAULTS.unobserved_weight,
        gt=0,
        title="Weight of unseen pairs",
        description="How much a pair without feedback counts as dislike, beside 1 for positive feedback.",
        json_schema_extra=ui(group="Advanced"),
    )
    fit_period: FitPeriod = "60m"
    optimize_period: Duration = Field(
        "0s",
        title="Search settings every",
        description="Time between searches for better settings around these; in between, trainings use the "
        "best that was found. 0s: never.",
        json_schema_extra=ui("duration", group="Advanced"),
    )
    optimize_trials: int = Field(
        10,
        ge=1,
        title="Trials",
        description="Settings tried in a search, each judged by the place it gives each user's newest like.",
        json_schema_extra=ui(group="Advanced"),
    )
    patience: int = Field(
        0,
        ge=0,
        title="Patience",
        description="Train only as many epochs as help: look no further after so many without a better place "
        "for each user's newest like. 0: train them all.",
        json_schema_extra=ui(group="Advanced"),
    )


def models(settings: Settings, rules: FeedbackRules) -> list[ModelSpec]:
    chosen = chosen_over(DEFAULTS, settings)
    search_every_s = duration_seconds(settings.optimize_period)
    search = {"trials": settings.optimize_trials, "search_every_s": search_every_s} if search_every_s else {}
    return [ModelSpec("mf", asdict(chosen) | search, rules)]


@dataclass(frozen=True)
class TunedFactors(FactorModel):
    """The factors, and what a search has found.

    Args:
        found: the settings they were fitted with, as JSON; those of the node when there was no search.
        searched_at: microseconds since 1970 of the snapshot the search saw, NO_TIME when there was none.
    """

    found: str
    searched_at: int


def _cost(view: TrainingView, params: dict[str, Any]) -> float:
    """Seconds, from about 10^9 multiply-adds a second, twice for each trial of a search."""
    f = params["n_factors"]
    rows = view.snapshot.n_users + view.snapshot.n_items
    one = params["n_epochs"] * (len(view.positive) * f * f + rows * f**3) / 1e9
    return one * (1 + 2 * params.get("trials", 0))


def _remap(model: TunedFactors, items: Renumbering, users: Renumbering | None) -> TunedFactors:
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
    chosen = replace(_params_of(params), patience=0)
    return {"ndcg_at_10": fit_als(rest, chosen, rng=rng, validation=(users, items), check=check).metric}


def _params_of(params: dict[str, Any]) -> AlsParams:
    """The numbers of a fit, without what is said about the search."""
    return AlsParams(**{field.name: params[field.name] for field in fields(AlsParams)})


def _carry(model: TunedFactors, params: dict[str, Any], view: TrainingView) -> dict[str, Any]:
    """What the last search found, while it is young enough."""
    age_s = (view.snapshot.taken_at - model.searched_at) / 1e6
    if "trials" not in params or age_s >= params["search_every_s"]:
        return params
    return params | json.loads(model.found) | {"trials": 0, "searched_at": model.searched_at}


@fits(
    "mf",
    label="Matrix factorization",
    model=TunedFactors,
    remap=_remap,
    cost=_cost,
    measure=measure,
    carry=_carry,
)
def fit(
    view: TrainingView, params: dict[str, Any], rng: np.random.Generator, progress, check
) -> TunedFactors:
    if len(view.positive) == 0:
        raise NoFeedback("There is no positive feedback to train on yet; check the types in the Data Source")
    chosen, searched_at = _params_of(params), params.get("searched_at", NO_TIME)
    likes, times = _likes(view)

    def on_trial(trial: int, trials: int, tried: AlsParams, metric: float) -> None:
        progress(trial / (trials + 1), f"search: {trial} of {trials}, NDCG@10 {metric:.3f}")

    def on_epoch(epoch: int, n_epochs: int, metric: float | None) -> None:
        progress(epoch / n_epochs, f"epoch {epoch} of {n_epochs}")

    if params.get("trials"):
        found = search_als(
            likes,
            times,
            trials=params["trials"],
            rng=rng,
            base=chosen,
            clock=time.monotonic,
            budget_s=SEARCH_BUDGET_S,
            on_trial=on_trial,
            check=check,
        )
        chosen, searched_at = replace(found[0].params, patience=0), view.snapshot.taken_at
    elif chosen.patience:
        chosen = _with_the_epochs_that_help(chosen, likes, times, rng, check)
    model = fit_als(likes, chosen, rng=rng, on_epoch=on_epoch, check=check)
    return TunedFactors(**vars(model), found=json.dumps(asdict(chosen)), searched_at=searched_at)


def _likes(view: TrainingView) -> tuple[sparse.csr_matrix, np.ndarray]:
    """(n_users, n_items) likes, and the time of the newest row of each in the order they are stored."""
    log = view.positive
    pairs = log.users.astype(np.int64) * view.snapshot.n_items + log.items
    _, newest = np.unique(pairs[::-1], return_index=True)  # the log is sorted by time within a user
    matrix = log.matrix.sorted_indices()
    return matrix, log.times[::-1][newest]


def _with_the_epochs_that_help(
    chosen: AlsParams, likes: sparse.csr_matrix, times: np.ndarray, rng: np.random.Generator, check
) -> AlsParams:
    """As many epochs as rank the newest like of each user best; all likes are then trained on as long."""
    rest, validation = hold_out_newest(likes, times)
    if rest.nnz == 0 or len(validation[0]) == 0:
        return chosen
    model = fit_als(rest, chosen, rng=rng, validation=validation, check=check)
    return replace(chosen, n_epochs=model.n_epochs)


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
