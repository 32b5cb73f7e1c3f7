"""What rankers are asked and what they answer, so that every kind of ranker can be measured alike.

A ranker is anything with ``fit``; what it returns takes all questions at once and answers them in any
order. So arithmetic may answer one by one, and a ranker that waits for a remote model may keep many
questions in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recflow.data.types import IndexVector, TimeVector
from recflow.errors import RecflowError, RunCancelled

from .splits import Split, TrainingFeedback

Status = Literal["ok", "partial", "failed"]


@dataclass(frozen=True)
class Question:
    """What a ranker is asked: order these candidates for this user.

    Args:
        row: the question's place in its split; goes back with the answer.
        user: user index.
        history: item indices, newest first.
        history_times: microseconds of each.
        candidates: (n,) item indices, shuffled.
        now: microseconds.
    """

    row: int
    user: int
    history: IndexVector
    history_times: TimeVector
    candidates: IndexVector
    now: int


@dataclass(frozen=True)
class Answer:
    """A ranking, or why there is none.

    Args:
        row: that of the question.
        ranked: the candidates, best first. Those left out are put behind in the order they came in.
        status: "failed" when the incoming order is all there is; "partial" when candidates had to be put
            behind.
        reason: why it is not "ok".
        usage: what the answer cost, by name ("prompt_tokens", "cost"); added up over users. A name that is
            missing is unknown, unless there is none at all.
    """

    row: int
    ranked: IndexVector
    status: Status = "ok"
    reason: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)


class FittedRanker(Protocol):
    def __call__(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Answers in any order, as they come in; one that waits for others may ask about many at once."""


class Ranker(Protocol):
    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        """Learn from the training feedback alone."""


def questions_of(split: Split) -> list[Question]:
    """The questions of a split, without what is to be found."""
    return [
        Question(row, int(user), *split.train.history(user), split.candidates[row], int(split.times[row]))
        for row, user in enumerate(split.users)
    ]


def one_by_one(rank: Callable[[Question], IndexVector]) -> FittedRanker:
    """A ranker from a function that orders the candidates of one question.

    A failure it describes by a ``RecflowError`` counts for that question only; any other exception is a
    mistake in the program and ends the comparison.
    """

    def answers(questions: Sequence[Question]) -> Iterator[Answer]:
        for question in questions:
            try:
                yield Answer(question.row, rank(question))
            except RunCancelled:
                raise
            except RecflowError as error:
                yield Answer(question.row, question.candidates, "failed", error.message)

    return answers


def by_score(score: Callable[[Question], NDArray]) -> FittedRanker:
    """A ranker from a function that scores the candidates of one question; ties keep their incoming order."""
    return one_by_one(
        lambda question: question.candidates[
            np.argsort(-np.asarray(score(question), dtype=np.float64), kind="stable")
        ]
    )


def settle(question: Question, answer: Answer) -> tuple[Answer, float]:
    """The answer as a permutation of the candidates, and the share of them that the ranker put in order."""
    candidates = question.candidates
    if answer.status == "failed":
        return replace(answer, ranked=candidates), 0.0
    first = np.sort(np.unique(answer.ranked, return_index=True)[1]) if len(answer.ranked) else []
    proposed = np.asarray(answer.ranked, dtype=np.int32)[first]
    own = proposed[np.isin(proposed, candidates)]
    share = len(own) / len(candidates)
    if len(own) == len(candidates):
        return replace(answer, ranked=own), share
    reason = answer.reason or f"{len(candidates) - len(own)} of {len(candidates)} candidates were left out"
    rest = candidates[~np.isin(candidates, own)]
    status: Status = "partial" if len(own) else "failed"
    return replace(answer, ranked=np.concatenate([own, rest]), status=status, reason=reason), share
