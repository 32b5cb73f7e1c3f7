"""Factorization machine: by how the features of user and item meet.

Who the user is, which item it is, and the labels of both: texts, numbers and vectors. Trained to tell
positive feedback from read and negative feedback, so it needs both kinds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from recflow.algorithms.fm import FmParams, describe, fit_fm, fm_terms, sample_features
from recflow.algorithms.fm_search import search_fm
from recflow.data.feedback import FeedbackRules
from recflow.data.labels import number_matrix
from recflow.data.snapshot import TrainingView
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

DEFAULTS = FmParams()


class FmSettings(NodeSettings):
    """By how the features of user and item meet; needs read or negative feedback beside the positive."""

    kind: Literal["fm"] = Field("fm", title="Factorization machine")
    n_factors: int = Field(
        DEFAULTS.n_factors, ge=1, le=256, title="Factors", description="Length of a feature's vector."
    )
    n_epochs: int = Field(
        DEFAULTS.n_epochs, ge=1, le=500, title="Epochs", description="Passes over all samples, at most."
    )
    learning_rate: float = Field(
        DEFAULTS.learning_rate,
        gt=0,
        le=1,
        title="Learning rate",
        description="First step of AdaGrad; later steps shrink by themselves.",
        json_schema_extra=ui(group="Advanced"),
    )
    regularization: float = Field(
        DEFAULTS.regularization,
        ge=0,
        title="Regularization",
        description="Pulls weights towards zero: higher suits little data.",
        json_schema_extra=ui(group="Advanced"),
    )
    patience: int = Field(
        DEFAULTS.patience,
        ge=1,
        title="Patience",
        description="Epochs without a lower loss on held-out samples before training stops.",
        json_schema_extra=ui(group="Advanced"),
    )
    embedding: str = Field(
        "item.Labels.embedding",
        title="Vectors",
        description="Where the vector of an item is; empty, or nothing there: without vectors.",
        json_schema_extra=ui("expression", scope="item", expects="any"),
    )
    search_trials: int = Field(
        0,
        ge=0,
        le=200,
        title="Trials",
        description="Settings tried around these before each training, judged on samples set aside; the best "
        "are used. 0: none.",
        json_schema_extra=ui(group="Advanced"),
    )
    fit_period: FitPeriod = "60m"


def check(settings: FmSettings) -> list[tuple[str, str]]:
    return expression_problems("embedding", settings.embedding, expects="any", scope="item")


def models(settings: FmSettings, rules: FeedbackRules) -> list[ModelSpec]:
    params = asdict(chosen_over(DEFAULTS, settings)) | {
        "embedding": settings.embedding,
        "trials": settings.search_trials,
    }
    return [ModelSpec("fm", params, rules)]


@dataclass(frozen=True)
class FmTerms:
    """What is left of the machine for ranking: every user and item by itself, and how they meet.

    Args:
        bias: score before anything is known.
        user_own, item_own: (n_users,), (n_items,) what each adds by itself.
        user_vectors, item_vectors: (n_users, n_factors), (n_items, n_factors) whose product is the rest.
        auc, precision, recall, loss: on held-out samples.
    """

    bias: float
    user_own: NDArray[np.float32]
    item_own: NDArray[np.float32]
    user_vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    auc: float
    precision: float
    recall: float
    loss: float


def _remap(model: FmTerms, items: Renumbering, users: Renumbering | None) -> FmTerms:
    assert users is not None
    return replace(
        model,
        user_own=users.scatter(model.user_own, 0.0),
        user_vectors=users.scatter(model.user_vectors, 0.0),
        item_own=items.scatter(model.item_own, np.nan),
        item_vectors=items.scatter(model.item_vectors, 0.0),
    )


def _cost(view: TrainingView, params: dict[str, Any]) -> float:
    """Seconds, as measured: samples times epochs times factors."""
    samples = len(view.positive) + len(view.read) + len(view.negative)
    one = samples * params["n_epochs"] * params["n_factors"] / 1e8
    return 1 + one * (1 + params["trials"])


@fits("fm", label="Factorization machine", model=FmTerms, remap=_remap, cost=_cost, knows_users=True)
def fit(view: TrainingView, params: dict[str, Any], rng: np.random.Generator, progress, check) -> FmTerms:
    parts = (view.positive, view.read, view.negative)
    if len(view.positive) == 0 or len(view.read) + len(view.negative) == 0:
        raise NoFeedback(
            "A factorization machine needs positive feedback and read or negative feedback beside it"
        )
    column, trials = params.pop("embedding"), params.pop("trials")
    chosen = FmParams(**params)
    users, items = user_features(view), item_features(view, column)
    features = sample_features(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.items for part in parts]),
        users,
        items,
    )
    targets = np.concatenate([np.ones(len(parts[0])), np.zeros(len(parts[1]) + len(parts[2]))])

    def on_epoch(epoch: int, n_epochs: int, loss: float | None) -> None:
        progress(epoch / n_epochs, f"epoch {epoch} of {n_epochs}")

    def on_trial(trial: int, planned: int, tried: FmParams, loss: float) -> None:
        progress(trial / (planned + 1), f"search: {trial} of {planned}, loss {loss:.3f}")

    if trials:
        found = search_fm(
            features, targets, trials=trials, rng=rng, base=chosen, on_trial=on_trial, check=check
        )
        chosen = found[0].params
    model = fit_fm(features, targets, chosen, rng=rng, on_epoch=on_epoch, check=check)
    user_own, user_vectors = fm_terms(model, users)
    item_own, item_vectors = fm_terms(model, items, first_column=users.shape[1])
    return FmTerms(
        bias=model.bias,
        user_own=user_own,
        item_own=item_own,
        user_vectors=user_vectors,
        item_vectors=item_vectors,
        auc=model.auc,
        precision=model.precision,
        recall=model.recall,
        loss=model.loss,
    )


def user_features(view: TrainingView) -> sparse.csr_matrix:
    """Who each user is and what is known of them; nothing of what they did."""
    users = view.snapshot.users
    labels = [users.labels_of(i) for i in range(len(users))]
    return describe(len(users), labels=tag_matrix(labels), numbers=number_matrix(labels))


def item_features(view: TrainingView, column: str) -> sparse.csr_matrix:
    """The same of items; ``column`` says where the vector of an item is, empty: nowhere."""
    items = view.snapshot.items
    labels = [items.labels_of(i) for i in range(len(items))]
    vectors = None
    if column:
        found = compile_expression(column, expects="any", scope="item").evaluate_column(items)
        vectors = embedding_matrix(found)[0]
    tags = sparse.hstack([tag_matrix(labels), items.categories.astype(np.float32)], format="csr")
    return describe(len(items), labels=tags, numbers=number_matrix(labels), embedding=vectors)


def rank(ctx: RunContext, candidates: Candidates, settings: FmSettings) -> Candidates:
    user = ctx.user
    assert user is not None
    model = ctx.model(models(settings, user.view.rules)[0])
    items = candidates.items
    scores = model.bias + model.item_own[items]
    if user.user_index is not None:
        own, vector = model.user_own[user.user_index], model.user_vectors[user.user_index]
        scores = scores + own + model.item_vectors[items] @ vector
    return in_order_of(ctx, candidates, scores)
