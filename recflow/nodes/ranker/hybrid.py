"""Hybrid: a small learned blend of everything known at the request, strongest on short histories.

Popularity and trend, age, the match of categories, tags, title words and vectors with the history, shared
likes and factors; the weights are learned from which item users liked next.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from recflow.algorithms.hybrid import (
    HybridData,
    HybridModel,
    HybridParams,
    explain_candidates,
    fit_hybrid,
)
from recflow.algorithms.words import word_labels
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.data.types import IndexVector
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec, Renumbering, fits
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import Candidates
from recflow.errors import NoFeedback
from recflow.expressions import compile_expression
from recflow.expressions.columns import embedding_matrix, tag_matrix
from recflow.nodes.formulas import expression_problems
from recflow.nodes.ranker.ordering import in_order_of
from recflow.nodes.training import FitPeriod, chosen_over

DEFAULTS = HybridParams()
#: Items whose evidence is shown on the node.
EXPLAINED = 10


class HybridSettings(NodeSettings):
    """A learned blend of popularity, trend, age, content match, shared likes and factors.

    Measured on MovieLens it ranks best of all kinds that make no call; also users with one like, or none.
    """

    kind: Literal["hybrid"] = Field("hybrid", title="Hybrid blend")
    embedding: str = Field(
        "item.Labels.embedding",
        title="Vectors",
        description="Where the vector of an item is; empty, or nothing there: matched without vectors.",
        json_schema_extra=ui("expression", scope="item", expects="any"),
    )
    n_factors: int = Field(
        DEFAULTS.n_factors,
        ge=1,
        le=256,
        title="Factors",
        description="Of the matrix factorization whose score is one piece of the evidence.",
        json_schema_extra=ui(group="Advanced"),
    )
    fit_period: FitPeriod = "60m"


def check(settings: HybridSettings) -> list[tuple[str, str]]:
    return expression_problems("embedding", settings.embedding, expects="any", scope="item")


def models(settings: HybridSettings, rules: FeedbackRules) -> list[ModelSpec]:
    chosen = chosen_over(DEFAULTS, settings)
    params = asdict(chosen) | {"half_lives_days": list(chosen.half_lives_days)}
    return [ModelSpec("hybrid", params | {"embedding": settings.embedding}, rules)]


@dataclass(frozen=True)
class HybridOfCatalogue(HybridModel):
    """The model, and where each item of the catalogue stands in its tables.

    Args:
        places: (n_items,) row in the model's tables, -1 for an item it does not know.
    """

    places: IndexVector


def _remap(model: HybridOfCatalogue, items: Renumbering, users: Renumbering | None) -> HybridOfCatalogue:
    return replace(model, places=items.scatter(model.places, -1))


def _cost(view: TrainingView, params: dict[str, Any]) -> float:
    """Seconds, as measured: one a 40,000 likes, and one a 1,500 users asked."""
    n_users = min(len(np.unique(view.positive.users)), params["n_questions"])
    return 1 + len(view.positive) / 40_000 + n_users / 1_500


@fits("hybrid", label="Hybrid ranker", model=HybridOfCatalogue, remap=_remap, cost=_cost)
def fit(
    view: TrainingView, params: dict[str, Any], rng: np.random.Generator, progress, check
) -> HybridOfCatalogue:
    if len(view.positive) == 0:
        raise NoFeedback(
            "There is no positive feedback to learn from yet; check the types in the Data Source"
        )
    items = view.snapshot.items
    column = params.pop("embedding")

    def on_epoch(step: int, steps: int, loss: float | None) -> None:
        progress(min(step / max(steps, 1), 1.0), f"step {step}")

    vectors = None
    if column:
        found = compile_expression(column, expects="any", scope="item").evaluate_column(items)
        matrix, has_vector, _ = embedding_matrix(found)
        vectors = matrix if has_vector.any() else None
    log = view.positive
    # One row a pair: the newest, as the log is sorted by time within a user.
    pairs = log.users.astype(np.int64) * len(items) + log.items
    _, last = np.unique(pairs[::-1], return_index=True)
    rows = np.sort(len(log) - 1 - last)
    data = HybridData(
        users=log.users[rows],
        items=log.items[rows],
        times=log.times[rows],
        values=log.values[rows],
        n_users=view.snapshot.n_users,
        n_items=len(items),
        item_times=items.times,
        labels={
            "categories": items.categories.astype(np.float32),
            "tags": tag_matrix([items.labels_of(i) for i in range(len(items))]),
            "title": word_labels(items.comments.all()),
        },
        embedding=vectors,
    )
    chosen = HybridParams(**{**params, "half_lives_days": tuple(params["half_lives_days"])})
    model = fit_hybrid(data, chosen, rng=rng, on_epoch=on_epoch, check=check)
    return HybridOfCatalogue(**vars(model), places=np.arange(len(items), dtype=np.int32))


def rank(ctx: RunContext, candidates: Candidates, settings: HybridSettings) -> Candidates:
    user = ctx.user
    assert user is not None
    model = ctx.model(models(settings, user.view.rules)[0])
    liked, first = np.unique(user.liked, return_index=True)  # the first row of an item is its newest
    known = model.places[liked] >= 0
    history, times = model.places[liked[known]], user.liked_times[first[known]]
    in_model = model.places[candidates.items]
    evidence = np.full((len(candidates), len(model.names)), np.nan)
    ranked = np.flatnonzero(in_model >= 0)
    evidence[ranked] = explain_candidates(model, history, times, in_model[ranked], ctx.now)
    ordered = in_order_of(ctx, candidates, evidence.sum(axis=1))
    places = candidates.rank_of(ordered.items[:EXPLAINED]) - 1
    details = {
        "evidence": {
            "names": [str(name) for name in model.names],
            "items": [
                {
                    "item_id": ctx.snapshot.items.ids[int(candidates.items[place])],
                    "parts": [round(float(part), 4) for part in evidence[place]],
                }
                for place in places
                if np.isfinite(evidence[place]).all()
            ],
        }
    }
    return replace(ordered, details=details)
