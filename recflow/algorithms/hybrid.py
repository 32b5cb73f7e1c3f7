"""Hybrid: a small learned blend of everything known when a list is asked for; strongest on short histories.

Matrix factorization needs many likes of a user before it says more than popularity. This ranker weighs a
handful of readable pieces of evidence instead: likes and their trend, age and labels that all like, the match
of labels and embedding with the history, shared likes, factors. The weights are learned by asking, for each
user, which of a hundred items they liked next, and letting a softmax over the hundred answer (listwise
logistic regression). They start from ``PRIOR`` and the data moves them, so a catalogue with hardly any
feedback still ranks sensibly.

Only what is known at the request enters: training feedback, item data and the request's time. While
training, the like that is asked about is taken out of every count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from ..errors import NoFeedback
from . import hybrid_features as evidence
from .als import AlsParams, FactorModel, fit_als, fold_in
from .arrays import NO_INDEX, IndexVector, ScoreVector, TimeVector

#: Weights before any feedback is seen, of the evidence as it is (not standardized). A lift is already a
#: logarithm of odds, so 1 would be right for a single one; the matches come from cosines, which vary less.
PRIOR = {"popularity": 1.0, "age": 0.7, "match": 4.0, "embedding": 4.0, "neighbors": 20.0}


@dataclass(frozen=True)
class HybridData:
    """What the ranker learns from.

    Args:
        users, items: (n,) pairs of positive feedback, each once.
        times: (n,) microseconds.
        values: (n,) the value of each feedback, such as a rating; all ones when there is none.
        n_users, n_items: rows and columns, also those without feedback.
        item_times: (n_items,) microseconds, ``NO_TIME`` where unknown.
        labels: name -> (n_items, n_labels), what items can be matched by: categories, labels, words of
        titles.
        embedding: (n_items, n_dimensions) float32, a row of zeros where there is none; None: no embedding.
    """

    users: IndexVector
    items: IndexVector
    times: TimeVector
    values: NDArray[np.float32]
    n_users: int
    n_items: int
    item_times: TimeVector
    labels: Mapping[str, sparse.spmatrix] = field(default_factory=dict)
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class HybridParams:
    """How the blend is learned.

    Args:
        n_questions: users asked at most; more cost time and change sixteen weights little.
        n_negatives: items drawn beside the one liked.
        regularization: pull of the weights towards their prior.
        recency_span: entries of a history after which one counts 1/e.
        n_recent: newest entries of a history that count at all.
        n_neighbors: items kept beside each item for shared likes.
        half_lives_days: how fast likes fade, one trend each.
        n_factors, n_epochs: of the matrix factorization whose score is one of the features; it is fitted
            twice, the other time without the likes asked about.
    """

    n_questions: int = 4_000
    n_negatives: int = 99
    regularization: float = 1.0
    recency_span: float = 5.0
    n_recent: int = 30
    n_neighbors: int = 200
    half_lives_days: tuple[float, ...] = (30.0, 365.0)
    n_factors: int = 32
    n_epochs: int = 8


@dataclass(frozen=True)
class HybridModel(FactorModel):
    """Weights, and the tables from which evidence about any candidate is read.

    It is a factor model with more evidence beside it, so that `fold_in` takes it as it is; the vectors of the
    users are left out, since every request folds in the history it comes with.

    Args:
        names: (n_features,) what each weight is for, in the words of the screen.
        weights: (n_features,) float32.
        loss: mean surprise per question in nats after fitting; guessing among 100 costs 4.6.
        n_recent, recency_span: as in ``HybridParams``.
        The rest: see the functions of ``hybrid_features`` that make them.
    """

    names: NDArray[np.str_]
    weights: ScoreVector
    loss: float
    n_recent: int
    recency_span: float
    counts: NDArray[np.float32]
    value_sums: NDArray[np.float32]
    like_offsets: NDArray[np.int64]
    like_times: TimeVector
    faded_likes: NDArray[np.float32]
    half_lives_days: NDArray[np.float32]
    item_times: TimeVector
    age_cuts: NDArray[np.float64]
    age_lifts: NDArray[np.float32]
    label_offsets: NDArray[np.int64]
    label_columns: IndexVector
    label_weights: NDArray[np.float32]
    label_spaces: IndexVector
    label_likes: NDArray[np.float32]
    label_expected: NDArray[np.float32]
    n_spaces: int
    embedding: NDArray[np.float32]
    neighbor_offsets: NDArray[np.int64]
    neighbor_items: IndexVector
    neighbor_shared: NDArray[np.float32]


def fit_hybrid(
    data: HybridData,
    params: HybridParams | None = None,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[int, int, float | None], None] | None = None,
    check: Callable[[], None] | None = None,
) -> HybridModel:
    """Learn the blend from each user's newest like, asked with what the user liked before.

    Args:
        rng: draws the users asked and the negatives.
        on_epoch: called with (step, steps at most, loss) while the weights move.
        check: called between steps; raises to stop.

    Raises:
        NoFeedback: there is no positive feedback at all.
    """
    if len(data.items) == 0:
        raise NoFeedback("the hybrid ranker needs positive feedback to learn from, got 0 pairs")
    params = params or HybridParams()
    check = check or (lambda: None)
    order = np.lexsort((-data.times, data.users))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(data.users, minlength=data.n_users))])
    model = _tables(data, params, order, offsets, rng, check)
    asked = np.flatnonzero(np.diff(offsets) > 0)
    if len(asked) > params.n_questions:
        asked = np.sort(rng.choice(asked, size=params.n_questions, replace=False))
    held_out = _without(model, order[offsets[asked]], data, params, rng, check)
    questions = np.zeros((len(asked), 1 + params.n_negatives, len(model.names)), np.float32)
    for row, user in enumerate(asked):
        own = order[offsets[user] : offsets[user + 1]]
        target, history = own[0], data.items[own[1:]]
        negatives = _draw_negatives(data.items[own], data.n_items, params.n_negatives, rng)
        candidates = np.concatenate([data.items[[target]], negatives])
        value = float(data.values[target] - data.values.mean())
        questions[row, : len(candidates)] = _features(
            held_out, history, candidates, int(data.times[target]), own=0, own_value=value
        )
        questions[row, len(candidates) :] = np.nan
        if row % 256 == 0:
            check()
    weights, loss = _fit_weights(questions, model.weights, params.regularization, on_epoch, check)
    return replace(model, weights=weights, loss=loss)


def score_candidates(
    model: HybridModel,
    history_items: IndexVector,
    history_times: TimeVector,
    candidates: IndexVector,
    now: int,
) -> ScoreVector:
    """(n,) scores of the candidates for one user at one moment; higher is better, 0 has no meaning.

    Args:
        history_items, history_times: the user's positive feedback in any order; empty for a cold start.
        candidates: (n,) item indices.
        now: microseconds, when the list is asked for.
    """
    return explain_candidates(model, history_items, history_times, candidates, now).sum(axis=1)


def explain_candidates(
    model: HybridModel,
    history_items: IndexVector,
    history_times: TimeVector,
    candidates: IndexVector,
    now: int,
) -> NDArray[np.float32]:
    """(n, n_features) what each piece of evidence adds to each score, in the order of ``model.names``."""
    newest = np.argsort(-np.asarray(history_times), kind="stable")
    history = np.asarray(history_items, dtype=np.int32)[newest]
    return _features(model, history, np.asarray(candidates, dtype=np.int32), now) * model.weights


def _features(
    model: HybridModel,
    history: IndexVector,
    candidates: IndexVector,
    now: int,
    own: int = NO_INDEX,
    own_value: float = 0.0,
) -> NDArray[np.float32]:
    """(n, n_features) the evidence about each candidate, in the order of ``_names``."""
    # An item without a vector, new since the fit, has no score: 0 is that of an item nobody likes.
    factor_scores = np.nan_to_num(model.item_factors[candidates] @ fold_in(model, history))
    history = history[: model.n_recent]
    recency = evidence.recency_weights(len(history), model.recency_span)
    trust = evidence.trust(len(history))
    trend = evidence.faded_at(
        candidates, now, model.like_offsets, model.like_times, model.faded_likes, model.half_lives_days
    )
    lift, match = evidence.label_features(
        candidates,
        history,
        recency,
        own,
        model.label_offsets,
        model.label_columns,
        model.label_weights,
        model.label_spaces,
        model.label_likes,
        model.label_expected,
        model.n_spaces,
    )
    alike = evidence.neighbor_feature(
        candidates,
        history,
        recency,
        own,
        model.counts,
        model.neighbor_offsets,
        model.neighbor_items,
        model.neighbor_shared,
    )
    return np.column_stack(
        [
            *evidence.popularity_features(candidates, own, own_value, model.counts, model.value_sums),
            np.log1p(trend),
            evidence.age_feature(candidates, now, model.item_times, model.age_cuts, model.age_lifts),
            lift,
            trust * match,
            trust * (model.embedding[candidates] @ (recency @ model.embedding[history])),
            trust * alike,
            factor_scores,
        ]
    ).astype(np.float32)


def _names(params: HybridParams, spaces: list[str]) -> list[str]:
    return [
        "popularity",
        "known",
        "value",
        *(f"trend of {days:g} days" for days in params.half_lives_days),
        "age",
        *(f"{space} liked by all" for space in spaces),
        *(f"{space} match" for space in spaces),
        "embedding match",
        "neighbors",
        "factors",
    ]


def _tables(
    data: HybridData,
    params: HybridParams,
    order: NDArray,
    offsets: NDArray,
    rng: np.random.Generator,
    check: Callable[[], None],
) -> HybridModel:
    """A model with the prior's weights."""
    spaces = {name: evidence.unit_labels(labels) for name, labels in data.labels.items()}
    spaces["era"] = evidence.unit_labels(evidence.eras(data.item_times))
    labels = sparse.hstack(list(spaces.values()), format="csr")
    counts = np.bincount(data.items, minlength=data.n_items).astype(np.float32)
    label_likes, label_expected = evidence.label_lifts(labels, counts)
    half_lives = np.array(params.half_lives_days, dtype=np.float32)
    like_offsets, like_times, faded_likes = evidence.fading_likes(
        data.items, data.times, data.n_items, half_lives
    )
    age_cuts, age_lifts = evidence.age_lifts(data.items, data.times, data.item_times, rng=rng)
    likes = sparse.csr_matrix(
        (np.ones(len(order), np.float32), data.items[order], offsets), shape=(data.n_users, data.n_items)
    )
    neighbors = evidence.shared_likes(likes, n_neighbors=params.n_neighbors, newest=200)
    names = _names(params, list(spaces))
    factors = fit_als(likes, _als_params(params), rng=rng, check=check)
    return HybridModel(
        **_factor_fields(factors),
        names=np.array(names),
        weights=np.array([_prior(name) for name in names], dtype=np.float32),
        loss=float("nan"),
        n_recent=params.n_recent,
        recency_span=params.recency_span,
        counts=counts,
        value_sums=_value_sums(data),
        like_offsets=like_offsets,
        like_times=like_times,
        faded_likes=faded_likes,
        half_lives_days=half_lives,
        item_times=data.item_times,
        age_cuts=age_cuts,
        age_lifts=age_lifts,
        label_offsets=labels.indptr.astype(np.int64),
        label_columns=labels.indices.astype(np.int32),
        label_weights=labels.data,
        label_spaces=np.repeat(np.arange(len(spaces)), [m.shape[1] for m in spaces.values()]).astype(
            np.int32
        ),
        label_likes=label_likes,
        label_expected=label_expected,
        n_spaces=len(spaces),
        embedding=_unit_rows(data),
        neighbor_offsets=neighbors.indptr.astype(np.int64),
        neighbor_items=neighbors.indices.astype(np.int32),
        neighbor_shared=neighbors.data.astype(np.float32),
    )


def _without(
    model: HybridModel,
    targets: NDArray,
    data: HybridData,
    params: HybridParams,
    rng: np.random.Generator,
    check: Callable[[], None],
) -> HybridModel:
    """The model with vectors that have not seen the likes asked about, which no sum can undo."""
    is_known = np.ones(len(data.items), dtype=bool)
    is_known[targets] = False
    if not is_known.any():  # nobody has a second like: vectors tell nothing, and their weight keeps its prior
        return replace(model, item_factors=np.zeros_like(model.item_factors))
    pairs = (data.users[is_known], data.items[is_known])
    known = sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), (data.n_users, data.n_items))
    return replace(model, **_factor_fields(fit_als(known, _als_params(params), rng=rng, check=check)))


def _als_params(params: HybridParams) -> AlsParams:
    return AlsParams(n_factors=params.n_factors, n_epochs=params.n_epochs)


def _factor_fields(factors: FactorModel) -> dict[str, Any]:
    kept = {part.name: getattr(factors, part.name) for part in fields(FactorModel)}
    return kept | {"user_factors": factors.user_factors[:0]}


def _prior(name: str) -> float:
    return PRIOR.get(name, PRIOR.get(name.rpartition(" ")[2], 0.0))


def _value_sums(data: HybridData) -> NDArray[np.float32]:
    """(n_items,) by how much the values of each item's feedback pass the mean of all, summed."""
    above = data.values - data.values.mean()
    return np.bincount(data.items, weights=above, minlength=data.n_items).astype(np.float32)


def _unit_rows(data: HybridData) -> NDArray[np.float32]:
    if data.embedding is None:
        return np.zeros((data.n_items, 0), np.float32)
    norms = np.linalg.norm(data.embedding, axis=1, keepdims=True)
    return np.divide(data.embedding, norms, out=np.zeros_like(data.embedding, np.float32), where=norms > 0)


def _draw_negatives(touched: IndexVector, n_items: int, n: int, rng: np.random.Generator) -> IndexVector:
    """At most n items the user did not like, each drawn once."""
    drawn = rng.permutation(n_items) if n_items < 4 * n else rng.integers(n_items, size=2 * n)
    drawn = drawn[~np.isin(drawn, touched)]
    return drawn[np.sort(np.unique(drawn, return_index=True)[1])][:n].astype(np.int32)


def _fit_weights(
    questions: NDArray[np.float32],
    prior: ScoreVector,
    regularization: float,
    on_epoch: Callable[[int, int, float | None], None] | None,
    check: Callable[[], None],
) -> tuple[ScoreVector, float]:
    """Weights under which the liked candidate, row 0, stands out; (n_questions, n_candidates, n_features) in.

    Features are scaled to deviation 1, so one regularization suits all. A feature that never varied (no
    history in the training data reached any embedding, say) has no gradient and keeps its prior.
    """
    is_absent = np.isnan(questions[:, :, 0])
    features = np.nan_to_num(questions).astype(np.float64)
    deviations = features[~is_absent].std(axis=0) if (~is_absent).any() else np.zeros(len(prior))
    scale = np.where(deviations > 1e-9, deviations, 1.0)
    features /= scale
    start = prior * scale
    n_steps, step = 200, 0
    last_loss = float("nan")

    def loss_and_gradient(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal last_loss
        scores = features @ weights
        scores[is_absent] = -np.inf
        scores -= scores.max(axis=1, keepdims=True)
        odds = np.exp(scores)
        sums = odds.sum(axis=1, keepdims=True)
        surprise = float((np.log(sums[:, 0]) - scores[:, 0]).sum())
        last_loss = surprise / max(len(features), 1)
        pull = weights - start
        gradient = np.tensordot(odds / sums, features, axes=2) - features[:, 0].sum(axis=0)
        return surprise + regularization * float(pull @ pull), gradient + 2 * regularization * pull

    def report(_: NDArray[np.float64]) -> None:
        nonlocal step
        step += 1
        check()
        if on_epoch is not None:
            on_epoch(step, n_steps, last_loss)

    found = optimize.minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B", callback=report, options={"maxiter": n_steps}
    )
    loss_and_gradient(found.x)
    return (found.x / scale).astype(np.float32), last_loss
