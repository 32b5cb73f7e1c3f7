"""The models of this project as rankers to be measured, fitted on the training feedback of a split alone.

What an item is (time, labels, embedding) is known to all of them; what users did is not, beyond the split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.algorithms.als import AlsParams, fit_als, fold_in
from recflow.algorithms.fm import FmParams, fit_fm, fm_terms, sample_features
from recflow.algorithms.hybrid import HybridData, HybridParams, fit_hybrid, score_candidates
from recflow.data.types import NO_TIME, TimeVector

from .questions import FittedRanker, by_score
from .splits import TrainingFeedback


@dataclass(frozen=True)
class MatrixFactorization:
    """ALS on the training feedback; each question folds in the history it comes with."""

    params: AlsParams = field(default_factory=AlsParams)
    seed: int = 0

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        model = fit_als(train.matrix(), self.params, rng=np.random.default_rng(self.seed), check=check)
        return by_score(
            lambda question: model.item_factors[question.candidates] @ fold_in(model, question.history)
        )


@dataclass(frozen=True)
class Hybrid:
    """The learned blend.

    Args:
        item_times: (n_items,) microseconds, ``NO_TIME`` where unknown; None: unknown everywhere.
        labels: name -> (n_items, n_labels).
        embedding: (n_items, n_dimensions).
        values: (n_users, n_items) the values of positive feedback, of which only those of training pairs are
            read; None: all alike.
    """

    item_times: TimeVector | None = None
    labels: Mapping[str, sparse.spmatrix] = field(default_factory=dict)
    embedding: NDArray[np.float32] | None = None
    values: sparse.csr_matrix | None = None
    params: HybridParams = field(default_factory=HybridParams)
    seed: int = 0

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        users, n_items = train.users, train.n_items
        # Where nothing is known the fit says so; SciPy would make a matrix of no entries.
        are_alike = self.values is None or not len(users)
        values = np.ones(len(users)) if are_alike else self.values[users, train.items]
        data = HybridData(
            users=users,
            items=train.items,
            times=train.times,
            values=np.asarray(values, dtype=np.float32).ravel(),
            n_users=train.n_users,
            n_items=n_items,
            item_times=np.full(n_items, NO_TIME) if self.item_times is None else self.item_times,
            labels=self.labels,
            embedding=self.embedding,
        )
        model = fit_hybrid(data, self.params, rng=np.random.default_rng(self.seed), check=check)
        return by_score(
            lambda question: score_candidates(
                model, question.history, question.history_times, question.candidates, question.now
            )
        )


@dataclass(frozen=True)
class FactorizationMachine:
    """A factorization machine over what is known of users and items.

    The training feedback of a split holds positives only, so for each of them some items the user did not
    like are drawn as negatives.

    Args:
        users, items: (n_users, n_features), (n_items, n_features) as ``algorithms.fm.describe`` makes them.
        negatives_per_positive: drawn uniformly.
    """

    users: sparse.csr_matrix
    items: sparse.csr_matrix
    negatives_per_positive: int = 10
    params: FmParams = field(default_factory=FmParams)
    seed: int = 0

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        rng = np.random.default_rng(self.seed)
        drawn_for = np.repeat(train.users, self.negatives_per_positive)
        drawn = rng.integers(train.n_items, size=len(drawn_for))
        liked = train.matrix()[drawn_for, drawn] if len(drawn) else np.zeros(0)
        is_negative = np.asarray(liked).ravel() == 0
        samples = sample_features(
            np.concatenate([train.users, drawn_for[is_negative]]),
            np.concatenate([train.items, drawn[is_negative]]),
            self.users,
            self.items,
        )
        targets = np.repeat([1, -1], [len(train.items), is_negative.sum()])
        model = fit_fm(samples, targets, self.params, rng=rng, check=check)
        _, user_vectors = fm_terms(model, self.users)
        item_scores, item_vectors = fm_terms(model, self.items, first_column=self.users.shape[1])
        return by_score(
            lambda question: (
                item_scores[question.candidates]
                + item_vectors[question.candidates] @ user_vectors[question.user]
            )
        )
