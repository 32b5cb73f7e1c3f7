"""Item-to-Item: items like those the user liked lately.

Each of the user's newest liked items gives its nearest neighbors their similarity; what several liked items
agree on adds up. Similarity is measured by

**users**: how many of the same users liked both, rare users counting more;
**tags**: how many tags both carry, rare tags counting more;
**embedding**: the distance of two vectors, such as those of a text or image model. From 100,000 items on an
approximate index finds the neighbors; the share it finds is measured and shown with the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from recflow.algorithms.neighbor_index import (
    WORTH_AN_INDEX,
    approximate_neighbors_by_embedding,
    has_index_library,
)
from recflow.algorithms.neighbors import (
    Neighbors,
    neighbors_by_embedding,
    neighbors_by_sets,
    score_from_neighbors,
)
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.engine.blocks import BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import ModelSpec, Renumbering, fits, in_blocks, node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.errors import NoFeedback
from recflow.expressions import compile_expression
from recflow.expressions.columns import tag_matrix
from recflow.nodes.proposing import propose, propose_sparse
from recflow.nodes.similarity import column_field, column_problems, n_neighbors_field, vectors_or_nan


class Settings(NodeSettings):
    """What makes two items alike."""

    similarity: Literal["users", "tags", "embedding"] = Field(
        "users", title="Similarity", description="What makes two items alike."
    )
    column: str = column_field(
        "item", "Where the tags or the vector of an item are, such as item.Labels.embedding."
    )
    n_neighbors: int = n_neighbors_field("Neighbors kept for each item.")


def check(settings: Settings) -> list[tuple[str, str]]:
    return column_problems(settings.similarity, settings.column, without="users", scope="item")


def models(settings: Settings, rules: FeedbackRules) -> list[ModelSpec]:
    column = "" if settings.similarity == "users" else settings.column
    params = {"similarity": settings.similarity, "column": column, "n_neighbors": settings.n_neighbors}
    return [ModelSpec("item-neighbors", params, rules)]


def _cost(view: TrainingView, params: dict[str, Any]) -> float:
    """Seconds, from the pairs that have to be looked at."""
    if params["similarity"] == "users":
        per_user = np.diff(view.positive.matrix.indptr).astype(np.float64)
        return float(np.square(per_user).sum()) / 2e7
    return view.snapshot.n_items**2 / 2e7


@dataclass(frozen=True)
class MeasuredNeighbors(Neighbors):
    """The neighbors, and how sure they are.

    Args:
        recall: share of the true nearest neighbors that were found; 1 unless an approximate index found them.
    """

    recall: float


def _remap(model: MeasuredNeighbors, items: Renumbering, users: Renumbering | None) -> MeasuredNeighbors:
    indices = items.scatter(items.rename(model.indices), -1)
    scores = items.scatter(model.scores, 0.0)
    return replace(model, indices=indices, scores=np.where(indices >= 0, scores, np.float32(0)))


@fits("item-neighbors", label="Item neighbors", model=MeasuredNeighbors, remap=_remap, cost=_cost)
def fit(
    view: TrainingView, params: dict[str, Any], rng: np.random.Generator, progress, check
) -> MeasuredNeighbors:
    k = params["n_neighbors"]
    if params["similarity"] == "users":
        if len(view.positive) == 0:
            raise NoFeedback("There is no positive feedback to compare items by yet")
        by_users = view.positive.matrix.T.tocsr()
        return _exact(neighbors_by_sets(by_users, k, candidates=view.alive, check=check))
    column = compile_expression(params["column"], expects="any", scope="item")
    values = column.evaluate_column(view.snapshot.items)
    if params["similarity"] == "tags":
        return _exact(neighbors_by_sets(tag_matrix(values), k, candidates=view.alive, check=check))
    matrix = vectors_or_nan(values)
    if np.isnan(matrix).all():
        raise NoFeedback(f"No item has a vector at {params['column']}")
    if len(matrix) >= WORTH_AN_INDEX and has_index_library():
        found, recall = approximate_neighbors_by_embedding(
            matrix, k, rng=rng, candidates=view.alive, check=check, n_threads=1
        )
        return MeasuredNeighbors(**vars(found), recall=recall)
    return _exact(neighbors_by_embedding(matrix, k, candidates=view.alive, check=check))


def _exact(found: Neighbors) -> MeasuredNeighbors:
    return MeasuredNeighbors(found.indices, found.scores, recall=1.0)


@node(
    "item-to-item",
    label="Item-to-Item",
    icon="link",
    family="recommender",
    settings=Settings,
    card=("similarity",),
    models=models,
    check=check,
)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    if user.is_cold_start:
        return Candidates()
    model = ctx.model(models(settings, user.view.rules)[0])
    recent = user.liked[: ctx.options.context_size]
    scores = score_from_neighbors(model, recent, ctx.snapshot.n_items)
    return propose(ctx, user, scores)


@in_blocks("item-to-item")
def run_block(ctx: BlockContext, user: UserBlock, settings: Settings) -> CandidateBlock:
    spec = models(settings, user.view.rules)[0]
    model = ctx.model(spec)
    similar = ctx.shared(("neighbors", spec.key), lambda: model.as_matrix().astype(np.float64))
    # Sums run over the history, newest first, and in double precision, as those of a single run do.
    return propose_sparse(ctx, user, user.newest_liked(ctx.options.context_size) @ similar)
