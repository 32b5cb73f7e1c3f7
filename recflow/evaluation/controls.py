"""Rankers that know nothing, or next to nothing: what every other one has to beat.

On shuffled candidates echo, reverse and random have to score alike (NDCG@10 of 0.0454 among 100); when they
do not, the measurement leaks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .questions import FittedRanker, Question, Ranker, by_score, one_by_one
from .splits import TrainingFeedback


@dataclass(frozen=True)
class RandomOrder:
    """Draws an order per user; the same for the same seed, whatever was asked before."""

    seed: int = 0

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        def rank(question: Question) -> np.ndarray:
            return np.random.default_rng([self.seed, question.user]).permutation(question.candidates)

        return one_by_one(rank)


@dataclass(frozen=True)
class Echo:
    """Gives the candidates back as they came."""

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        return one_by_one(lambda question: question.candidates)


@dataclass(frozen=True)
class Reverse:
    """Gives the candidates back last to first: shows whether items to be found stand at an end."""

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        return one_by_one(lambda question: question.candidates[::-1])


@dataclass(frozen=True)
class Popularity:
    """Orders by likes in the training feedback, the same for everybody."""

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        likes = np.bincount(train.items, minlength=train.n_items)
        return by_score(lambda question: likes[question.candidates])


def controls(seed: int = 0) -> Mapping[str, Ranker]:
    """All of them by name, in the order of the table."""
    return {"random": RandomOrder(seed), "echo": Echo(), "reverse": Reverse(), "popularity": Popularity()}
