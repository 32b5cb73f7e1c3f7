"""Factorization machine: a linear model in which every two features also meet.

A sample is a sparse row of features: one for the user, one for the item, and whatever labels, numbers and
embedding dimensions describe them. The score is

    bias + sum_i w_i x_i + sum_(i<j) <v_i, v_j> x_i x_j

so labels let it score users and items it has never seen together, or at all. The pairs are not enumerated:
per factor, half of ((sum v x)^2 - sum (v x)^2) is their sum, which costs no more than the linear part times
the factors.

Trained by AdaGrad on the logistic loss, one sample after the other: only the features of a sample move, so a
million rare features cost nothing while they are absent.

Source: Rendle, "Factorization Machines", ICDM 2010; Duchi, Hazan and Singer, "Adaptive Subgradient
Methods", JMLR 2011.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ..errors import NoFeedback
from .arrays import NO_INDEX, Factors, IndexVector, ScoreVector
from .classification import auc, precision, recall


@dataclass(frozen=True)
class FmParams:
    """Settings of a fit.

    Args:
        n_factors: dimensions in which features meet; 0 leaves a plain linear model.
        n_epochs: rounds over the samples, at most.
        learning_rate: first step of AdaGrad; later steps shrink by themselves.
        regularization: pull of every weight towards 0.
        validation_share: samples set aside, drawn at random, to stop early and to measure on.
        patience: epochs without a lower validation loss before the fit stops.
    """

    n_factors: int = 16
    n_epochs: int = 50
    learning_rate: float = 0.05
    regularization: float = 0.0005
    validation_share: float = 0.1
    patience: int = 3

    def __post_init__(self) -> None:
        for name, least in (("n_factors", 0), ("n_epochs", 1), ("patience", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share must be inside [0, 1), got {self.validation_share}")


@dataclass(frozen=True)
class FmModel:
    """Fitted weights, those of the epoch that did best on the validation samples.

    Args:
        bias: score of a sample without features.
        linear: (n_features,) float32.
        factors: (n_features, n_factors) float32.
        n_epochs: rounds these weights have seen.
        loss, auc, precision, recall: on the validation samples; NaN where they cannot be told.
    """

    bias: float
    linear: ScoreVector
    factors: Factors
    n_epochs: int
    loss: float
    auc: float
    precision: float
    recall: float


def fit_fm(
    features: sparse.csr_matrix,
    targets: ArrayLike,
    params: FmParams | None = None,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[int, int, float | None], None] | None = None,
    check: Callable[[], None] | None = None,
) -> FmModel:
    """Fit weights that tell positive from negative samples.

    Args:
        features: (n_samples, n_features), as made by ``sample_features``.
        targets: (n_samples,) above 0 for positive feedback, else negative (disliked, or read and left).
        rng: draws the validation samples, the first factors and the order of the samples.
        on_epoch: called with (epoch, epochs at most, validation loss).
        check: called between epochs; raises to stop.

    Raises:
        NoFeedback: there is no sample at all.
    """
    params = params or FmParams()
    features = sparse.csr_matrix(features, dtype=np.float32)
    is_positive = np.asarray(targets) > 0
    n_samples, n_features = features.shape
    if n_samples == 0:
        raise NoFeedback("a factorization machine needs feedback to learn from, got 0 samples")
    shuffled = rng.permutation(n_samples)
    n_validation = int(n_samples * params.validation_share)
    held_out, trained = shuffled[:n_validation], shuffled[n_validation:]
    measured = held_out if n_validation else trained
    signs = np.where(is_positive, 1.0, -1.0).astype(np.float32)
    weights = _Weights(
        # The log odds of the training samples: what a model without features would answer.
        bias=np.full(1, _log_odds(is_positive[trained]), np.float32),
        linear=np.zeros(n_features, np.float32),
        factors=rng.normal(0, 0.01, (n_features, params.n_factors)).astype(np.float32),
    )
    squares = _Weights(*(np.zeros_like(part) for part in (weights.bias, weights.linear, weights.factors)))
    best, best_loss, best_epoch = weights.copy(), np.inf, 0
    for epoch in range(1, params.n_epochs + 1):
        if check is not None:
            check()
        _epoch(
            rng.permutation(trained),
            features.indptr,
            features.indices,
            features.data,
            signs,
            weights.bias,
            weights.linear,
            weights.factors,
            squares.bias,
            squares.linear,
            squares.factors,
            params.learning_rate,
            params.regularization,
        )
        scores = fm_scores(weights.model(), features[measured])
        loss = float(np.logaddexp(0, -signs[measured] * scores).mean())
        if on_epoch is not None:
            on_epoch(epoch, params.n_epochs, loss)
        if loss < best_loss:
            best, best_loss, best_epoch = weights.copy(), loss, epoch
        elif epoch - best_epoch >= params.patience:
            break
    scores = fm_scores(best.model(), features[measured])
    truth = is_positive[measured]
    return best.model(
        n_epochs=best_epoch,
        loss=best_loss,
        auc=auc(scores, truth),
        precision=precision(scores, truth),
        recall=recall(scores, truth),
    )


def fm_scores(model: FmModel, features: sparse.csr_matrix) -> ScoreVector:
    """(n_samples,) log odds that the feedback is positive; may be negative."""
    return np.float32(model.bias) + fm_terms(model, features)[0]


def fm_terms(
    model: FmModel, features: sparse.csr_matrix, *, first_column: int = 0
) -> tuple[ScoreVector, Factors]:
    """What one part of a sample scores by itself, and the vector by which it meets the other parts.

    Two features either lie within one part or in two, so the score of a user with an item is
    ``bias + own_user + own_item + vector_user . vector_item``. With the terms of all items kept, a list is
    ranked by one product, as in matrix factorization.

    Args:
        features: (n, n_part_features) the part, without the other columns of the sample.
        first_column: where the part begins in a whole sample.

    Returns:
        (n,) own scores without the bias; (n, n_factors) vectors.
    """
    part = slice(first_column, first_column + features.shape[1])
    linear, factors = model.linear[part], model.factors[part]
    vectors = features @ factors
    alone = features.multiply(features) @ np.square(factors).sum(axis=1)  # each feature with itself
    own = features @ linear + 0.5 * (np.square(vectors).sum(axis=1) - alone)
    return own.astype(np.float32), vectors.astype(np.float32)


def describe(
    n_rows: int,
    *,
    labels: sparse.spmatrix | None = None,
    numbers: ArrayLike | None = None,
    embedding: ArrayLike | None = None,
) -> sparse.csr_matrix:
    """(n_rows, n_rows + n_columns) users or items as features: who it is, then what is known about it.

    Args:
        labels: (n_rows, n_labels) 1 where a row has the label. A label that a single row has tells no more
            than the row itself and is dropped.
        numbers: (n_rows, n_numbers), NaN where unknown; standardized, an unknown becomes the mean.
        embedding: (n_rows, n_dimensions); rows are brought to length 1, a row of zeros stays.
    """
    parts = [sparse.identity(n_rows, dtype=np.float32, format="csr")]
    if labels is not None:
        labels = sparse.csr_matrix(labels, dtype=np.float32)
        parts.append(labels[:, np.bincount(labels.indices, minlength=labels.shape[1]) > 1])
    if numbers is not None:
        known = np.ma.masked_invalid(np.asarray(numbers, dtype=np.float64))
        spread = np.maximum(np.ma.filled(known.std(axis=0), 0), 1e-9)
        standardized = (known - known.mean(axis=0)) / spread
        parts.append(sparse.csr_matrix(standardized.filled(0).astype(np.float32)))
    if embedding is not None:
        embedding = np.asarray(embedding, dtype=np.float32)
        norms = np.linalg.norm(embedding, axis=1, keepdims=True)
        units = np.divide(embedding, norms, out=np.zeros_like(embedding), where=norms > 0)
        parts.append(sparse.csr_matrix(units))
    return sparse.hstack(parts, format="csr")


def sample_features(
    user_indices: IndexVector,
    item_indices: IndexVector,
    users: sparse.csr_matrix,
    items: sparse.csr_matrix,
) -> sparse.csr_matrix:
    """(n, n_user_columns + n_item_columns) one row per pair.

    Args:
        user_indices, item_indices: (n,) -1 leaves that half empty: an unknown user is a cold start.
        users, items: everybody and everything, of ``describe``.
    """
    return sparse.hstack([_rows(users, user_indices), _rows(items, item_indices)], format="csr")


def _rows(described: sparse.csr_matrix, indices: IndexVector) -> sparse.csr_matrix:
    indices = np.asarray(indices)
    rows = np.flatnonzero(indices != NO_INDEX)
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_matrix((ones, (rows, indices[rows])), (len(indices), described.shape[0])) @ described


@dataclass(frozen=True)
class _Weights:
    """The three kinds of weights while they move, or the sums of their squared gradients."""

    bias: NDArray[np.float32]  # (1,)
    linear: NDArray[np.float32]
    factors: NDArray[np.float32]

    def copy(self) -> _Weights:
        return _Weights(self.bias.copy(), self.linear.copy(), self.factors.copy())

    def model(self, **measured: float) -> FmModel:
        unmeasured = dict.fromkeys(("loss", "auc", "precision", "recall"), float("nan")) | {"n_epochs": 0}
        return FmModel(
            bias=float(self.bias[0]), linear=self.linear, factors=self.factors, **unmeasured | measured
        )


def _log_odds(is_positive: NDArray[np.bool_]) -> float:
    """Log odds of a sample being positive, one sample of either kind added."""
    n_positive = int(is_positive.sum())
    return float(np.log((n_positive + 1) / (len(is_positive) - n_positive + 1)))


@njit(cache=True, nogil=True)
def _epoch(
    order,
    offsets,
    columns,
    values,
    signs,
    bias,
    linear,
    factors,
    bias_squares,
    linear_squares,
    factor_squares,
    learning_rate,
    regularization,
):
    """One AdaGrad step per sample; all weights change in place."""
    n_factors = factors.shape[1]
    meeting = np.empty(n_factors, np.float32)  # sum of v x per factor
    for sample in order:
        first, last = offsets[sample], offsets[sample + 1]
        score = bias[0]
        meeting[:] = 0
        alone = np.float32(0)
        for entry in range(first, last):
            column, x = columns[entry], values[entry]
            score += linear[column] * x
            for f in range(n_factors):
                vx = factors[column, f] * x
                meeting[f] += vx
                alone += vx * vx
        together = np.float32(0)
        for f in range(n_factors):
            together += meeting[f] * meeting[f]
        score += np.float32(0.5) * (together - alone)
        slope = -signs[sample] / (1 + np.exp(signs[sample] * score))  # of the logistic loss
        bias_squares[0] += slope * slope
        bias[0] -= learning_rate * slope / np.sqrt(bias_squares[0] + 1e-8)
        for entry in range(first, last):
            column, x = columns[entry], values[entry]
            gradient = slope * x + regularization * linear[column]
            linear_squares[column] += gradient * gradient
            linear[column] -= learning_rate * gradient / np.sqrt(linear_squares[column] + 1e-8)
            for f in range(n_factors):
                v = factors[column, f]
                gradient = slope * x * (meeting[f] - v * x) + regularization * v
                factor_squares[column, f] += gradient * gradient
                factors[column, f] = v - learning_rate * gradient / np.sqrt(factor_squares[column, f] + 1e-8)
