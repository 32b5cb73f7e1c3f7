"""Matrix factorization for implicit feedback: alternating least squares over all user-item pairs.

What is fitted. Every user u gets a vector x_u and every item i a vector y_i so that x_u.y_i is near 1 where
there is positive feedback and near 0 elsewhere:

    sum over positives w (1 - x_u.y_i)^2  +  unobserved_weight * sum over all pairs (x_u.y_i)^2
        + sum over users l_u |x_u - m|^2  +  sum over items l_i |y_i|^2

Two choices make it behave with little data. The regularization can grow with the attention a row gets
(frequency scaling). And users are drawn not to 0 but to a typical user m, a share of the mean of all:
whoever has one positive, or none, is scored close to popularity, and moves away from it as feedback comes
in.

How it is solved. With the items fixed, each user is a ridge regression of its own, and the other way round:
see `ridge`. The last step solves all users exactly.

How it is asked. `fold_in` solves the same regression for a history of this moment, with one difference: the
fit does not know what came when, a request does. The newest positive weighs most, the k-th newest a k-th of
that. On MovieLens this is worth 0.01 NDCG@10 after 20 positives and 0.02 after 50.

Source: Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022; Takács, Pilászy and Tikk, "Applications of the Conjugate Gradient Method for
Implicit Feedback Collaborative Filtering", RecSys 2011.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..errors import NoFeedback
from .arrays import Factors, IndexVector, ScoreVector
from .retrieval import best_items_for_users, factor_scores
from .ridge import solve_rows

#: Length of the noise in the first item vectors, where the typical user has length 1. With less, taste takes
#: more epochs to come out beside popularity.
_FIRST_NOISE = 1.0
#: Keeps a system solvable when regularization is 0 and a direction is unused.
_LEAST_REGULARIZATION = 1e-6
#: Ranks that the validation metric reads.
_VALIDATION_K = 10
#: Validation users that are ranked per epoch; more would cost time and hardly change the mean.
_VALIDATION_USERS = 2000

OnEpoch = Callable[[int, int, float | None], None]


@dataclass(frozen=True)
class AlsParams:
    """Settings of a fit. The defaults were chosen on MovieLens for histories of 1 to 50 positives alike.

    Args:
        n_factors: dimensions of the vectors.
        n_epochs: rounds over users and items, at most.
        regularization: how strongly vectors are pulled in, as a share of the mean attention a row gets,
            which is its positives plus ``unobserved_weight`` for every pair. Larger is smoother.
        user_share: regularization of users as a share of that of items. Users need less: what they are
            drawn to is a sensible place to be.
        unobserved_weight: weight of a pair without feedback, where positive feedback weighs 1.
        frequency_exponent: 0 regularizes every row alike, 1 in proportion to its attention.
        typical_user_share: share of the mean user vector that users are drawn to; 0 draws them to 0.
        recency: weight of the newest positive when a history is folded in; the k-th newest weighs a k-th of
            it. 0 lets all weigh 1.
        patience: epochs without improvement on the validation pairs before the fit stops; 0 never stops.
    """

    n_factors: int = 64
    n_epochs: int = 16
    regularization: float = 1.4
    user_share: float = 0.0018
    unobserved_weight: float = 0.02
    frequency_exponent: float = 0.0
    typical_user_share: float = 0.1
    recency: float = 8.0
    patience: int = 3

    def __post_init__(self) -> None:
        if min(self.n_factors, self.n_epochs) < 1:
            raise ValueError(
                f"n_factors and n_epochs must be at least 1, got {self.n_factors} and {self.n_epochs}"
            )
        if not min(self.regularization, self.user_share, self.recency) >= 0:
            raise ValueError(
                "regularization, user_share and recency must not be negative, "
                f"got {self.regularization}, {self.user_share} and {self.recency}"
            )
        if not self.unobserved_weight > 0:
            raise ValueError(f"unobserved_weight must be above 0, got {self.unobserved_weight}")


@dataclass(frozen=True)
class FactorModel:
    """Fitted vectors, and what folding in a new history needs.

    Args:
        user_factors: (n_users, n_factors) float32, all positives of a user weighing alike.
        item_factors: (n_items, n_factors) float32.
        item_gram: (n_factors, n_factors) float32, ``item_factors.T @ item_factors``.
        typical_user: (n_factors,) float32, what users are drawn to.
        unobserved_weight, frequency_exponent, recency: as in `AlsParams`.
        user_regularization: l of a user whose attention is ``mean_attention``.
        mean_attention: the mean over users of positives plus ``unobserved_weight`` times items.
        unobserved_attention: ``unobserved_weight`` times the items of the fit.
        n_epochs: rounds that these vectors have seen; those of the best epoch when there was validation.
        metric: NDCG@10 on the validation pairs, NaN without.
    """

    user_factors: Factors
    item_factors: Factors
    item_gram: NDArray[np.float32]
    typical_user: NDArray[np.float32]
    unobserved_weight: float
    frequency_exponent: float
    recency: float
    user_regularization: float
    mean_attention: float
    unobserved_attention: float
    n_epochs: int
    metric: float


def fit_als(
    positives: csr_matrix,
    params: AlsParams | None = None,
    *,
    rng: np.random.Generator,
    on_epoch: OnEpoch | None = None,
    validation: tuple[IndexVector, IndexVector] | None = None,
    check: Callable[[], None] | None = None,
    n_threads: int | None = None,
) -> FactorModel:
    """Fit vectors to positive feedback.

    Args:
        positives: (n_users, n_items); a stored value is the weight of that positive, 1 for an ordinary one.
        rng: the first vectors are drawn from it; the same state gives the same model.
        on_epoch: told the epoch (from 1), the epochs planned and the validation metric, after each epoch.
        validation: user and item indices of held-out positives, which must not stand in ``positives``. With
            them the model of the best epoch is returned, and ``patience`` may end the fit early.
        check: called twice an epoch; raises to stop.
        n_threads: as many as there are processors when not given. The model does not depend on it.

    Raises:
        NoFeedback: there is no positive.
    """
    params = params or AlsParams()
    check = check or _go_on
    positives = csr_matrix(positives, dtype=np.float32)
    if positives.nnz == 0:
        raise NoFeedback("there is no positive feedback to fit factors on")
    by_item = positives.T.tocsr()
    user_regularization, mean_attention = _regularization(positives, params, params.user_share)
    item_regularization, _ = _regularization(by_item, params, 1.0)
    validation = _sampled(validation, rng)
    common = {"shared_weight": params.unobserved_weight, "n_threads": n_threads}

    item_factors, typical_user = _first_vectors(by_item, params, rng)
    user_factors = np.tile(typical_user, (positives.shape[0], 1))
    best: FactorModel | None = None
    for epoch in range(1, params.n_epochs + 1):
        check()
        user_factors = solve_rows(
            positives,
            item_factors,
            _gram(item_factors),
            regularization=user_regularization,
            prior=typical_user,
            start=user_factors,
            **common,
        )
        mean_user = np.average(user_factors, axis=0, weights=user_regularization)
        typical_user = (params.typical_user_share * mean_user).astype(np.float32)
        check()
        item_factors = solve_rows(
            by_item,
            user_factors,
            _gram(user_factors),
            regularization=item_regularization,
            start=item_factors,
            **common,
        )
        is_last = epoch == params.n_epochs
        metric = None
        if validation is not None or is_last:
            model = FactorModel(
                user_factors=user_factors,
                item_factors=item_factors,
                item_gram=_gram(item_factors),
                typical_user=typical_user,
                unobserved_weight=params.unobserved_weight,
                frequency_exponent=params.frequency_exponent,
                recency=params.recency,
                user_regularization=params.regularization * params.user_share * mean_attention,
                mean_attention=mean_attention,
                unobserved_attention=params.unobserved_weight * positives.shape[1],
                n_epochs=epoch,
                metric=float("nan"),
            )
            if validation is not None:
                metric = _validation_metric(model, positives, validation)
                model = replace(model, metric=metric)
            if best is None or validation is None or metric > best.metric:
                best = model
        if on_epoch is not None:
            on_epoch(epoch, params.n_epochs, metric)
        if validation is not None and params.patience and epoch - best.n_epochs >= params.patience:
            break
    return replace(best, user_factors=fold_in_many(best, positives, n_threads=n_threads))


def fold_in(
    model: FactorModel, item_indices: IndexVector, weights: ScoreVector | None = None
) -> NDArray[np.float32]:
    """(n_factors,) the vector of a user with this history, in closed form, without touching the model.

    Items that the model has no vector of are left out, and one that stands there twice counts once. Without
    any item it is the typical user.

    Args:
        item_indices: items of positive feedback, newest first.
        weights: one per item; when not given, the newest weighs ``model.recency`` and the k-th newest a
            k-th of it. With all 1 a history of the fit gives the user's vector of the fit.
    """
    items = np.asarray(item_indices, dtype=np.int64)
    is_first = np.zeros(len(items), dtype=bool)
    is_first[np.unique(items, return_index=True)[1]] = True
    known = is_first & (items >= 0) & (items < len(model.item_factors))
    known[known] = np.isfinite(model.item_factors[items[known], 0])
    if not known.any():
        return model.typical_user.copy()
    own = model.item_factors[items[known]].astype(np.float64)
    if weights is None:
        weights = recency_weights(len(own), model.recency)
    else:
        weights = np.asarray(weights, dtype=np.float64)[known]
    regularization = float(_user_regularization(model, np.array([weights.sum()]))[0])
    system = model.unobserved_weight * model.item_gram.astype(np.float64) + (own.T * weights) @ own
    system[np.diag_indices_from(system)] += regularization
    pull = weights @ own + regularization * model.typical_user
    return np.linalg.solve(system, pull).astype(np.float32)


def fold_in_each(model: FactorModel, offsets: NDArray[np.int64], item_indices: IndexVector) -> Factors:
    """(n_users, n_factors) `fold_in` of each user, to the last bit, which `fold_in_many` does not promise.

    Args:
        offsets: (n_users + 1,) user i's history is ``item_indices[offsets[i]:offsets[i + 1]]``.
        item_indices: items of positive feedback.
    """
    vectors = np.empty((len(offsets) - 1, len(model.typical_user)), np.float32)
    for user in range(len(vectors)):
        vectors[user] = fold_in(model, item_indices[offsets[user] : offsets[user + 1]])
    return vectors


def fold_in_many(model: FactorModel, positives: csr_matrix, *, n_threads: int | None = None) -> Factors:
    """(n_users, n_factors) what `fold_in` gives for every row, but with the stored values for weights."""
    positives = csr_matrix(positives, dtype=np.float32)
    attention = np.asarray(positives.sum(axis=1), dtype=np.float64).ravel()
    vectors = solve_rows(
        positives,
        model.item_factors,
        model.item_gram,
        shared_weight=model.unobserved_weight,
        regularization=_user_regularization(model, attention),
        prior=model.typical_user,
        n_threads=n_threads,
    )
    vectors[np.diff(positives.indptr) == 0] = model.typical_user
    return vectors


def recency_weights(n: int, recency: float) -> NDArray[np.float64]:
    """(n,) weights of a history that is newest first: recency, recency / 2, recency / 3 ...; all 1 for 0."""
    return recency / np.arange(1, n + 1) if recency else np.ones(n)


def scores_for(
    model: FactorModel, user_vector: NDArray[np.float32], item_indices: IndexVector | None = None
) -> ScoreVector:
    """Scores of the given items, or of all, for the user with this vector."""
    factors = model.item_factors if item_indices is None else model.item_factors[item_indices]
    return factor_scores(user_vector, factors)


def _gram(factors: Factors) -> NDArray[np.float32]:
    return factors.T @ factors


def _go_on() -> None:
    """Nobody asked to be able to stop."""


def _regularization(
    entries: csr_matrix, params: AlsParams, share: float
) -> tuple[NDArray[np.float32], float]:
    """(n_rows,) l of each row, and the mean attention that the setting is relative to."""
    attention = np.asarray(entries.sum(axis=1), dtype=np.float64).ravel()
    attention += params.unobserved_weight * entries.shape[1]
    mean = float(attention.mean())
    return _scaled(params.regularization * share * mean, attention / mean, params.frequency_exponent), mean


def _user_regularization(model: FactorModel, positives: NDArray[np.float64]) -> NDArray[np.float32]:
    attention = (positives + model.unobserved_attention) / model.mean_attention
    return _scaled(model.user_regularization, attention, model.frequency_exponent)


def _scaled(of_the_mean: float, attention: NDArray[np.float64], exponent: float) -> NDArray[np.float32]:
    return np.maximum(of_the_mean * attention**exponent, _LEAST_REGULARIZATION).astype(np.float32)


def _first_vectors(
    by_item: csr_matrix, params: AlsParams, rng: np.random.Generator
) -> tuple[Factors, NDArray[np.float32]]:
    """Item vectors and a typical user to start from: popularity along one random direction, and noise."""
    typical = rng.standard_normal(params.n_factors)
    typical /= max(float(np.linalg.norm(typical)), 1e-9)
    popularity = np.asarray(by_item.sum(axis=1)).ravel()
    along = np.outer(popularity / popularity.max(), typical)
    noise = rng.standard_normal(along.shape) * (_FIRST_NOISE / np.sqrt(params.n_factors))
    return (along + noise).astype(np.float32), typical.astype(np.float32)


def _sampled(
    validation: tuple[IndexVector, IndexVector] | None, rng: np.random.Generator
) -> tuple[IndexVector, IndexVector] | None:
    """As many held-out pairs as are ranked per epoch; None when there are none."""
    if validation is None or len(validation[0]) == 0:
        return None
    users, items = (np.asarray(part) for part in validation)
    if len(users) <= _VALIDATION_USERS:
        return users, items
    chosen = np.sort(rng.choice(len(users), _VALIDATION_USERS, replace=False))
    return users[chosen], items[chosen]


def _validation_metric(
    model: FactorModel, positives: csr_matrix, validation: tuple[IndexVector, IndexVector]
) -> float:
    """Mean NDCG@10 of held-out pairs, each ranked among all items that the user has no positive on."""
    users, items = validation
    own = positives[users]
    ranked, _ = best_items_for_users(fold_in_many(model, own), model.item_factors, _VALIDATION_K, own)
    hits, ranks = np.nonzero(ranked == items[:, None])
    return float((1 / np.log2(ranks + 2)).sum() / len(users)) if len(hits) else 0.0
