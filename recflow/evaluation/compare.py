"""Fit, score and tabulate several rankers on the same questions.

All rankers get the same users, histories and candidates, and one function scores them. Nobody is skipped: a
ranker that fails on a user is scored with the order the candidates came in, and the share of such users
stands beside the score. Rankers never see what is to be found, so no retry can be guided by it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recflow.data.types import IndexVector
from recflow.errors import RecflowError, RunCancelled

from .intervals import Estimate, mean_with_interval, paired_difference
from .metrics import coverage, hit_rate_at_k, ndcg_at_k, reciprocal_rank
from .questions import Answer, Question, Ranker, Status, questions_of, settle
from .splits import Split


@dataclass(frozen=True)
class RankerResult:
    """What one ranker did on one split; the arrays hold one value per question.

    Args:
        ranker: its name in the table.
        shots: of the split.
        k: ranks that NDCG, hit rate and coverage read.
        users: (n,) user indices, the same for all rankers of a split.
        ndcg, hits, reciprocal_ranks: (n,) NDCG@k, hit rate@k and reciprocal rank.
        slots: (n,) at which place of the shuffled candidates the first item to be found stood, first is 0.
        ranked_share: (n,) share of candidates the ranker itself put in order.
        statuses: (n,) "ok", "partial" or "failed".
        reasons: reason -> number of questions, of all that are not "ok".
        coverage: share of the catalogue in the first k ranks of anybody.
        usage: sums of what the answers report; NaN for what one of them does not know, such as its cost.
        fit_seconds, rank_seconds: in all.
    """

    ranker: str
    shots: int | None
    k: int
    users: IndexVector
    ndcg: NDArray[np.float64]
    hits: NDArray[np.float64]
    reciprocal_ranks: NDArray[np.float64]
    slots: IndexVector
    ranked_share: NDArray[np.float64]
    statuses: NDArray[np.str_]
    reasons: Mapping[str, int]
    coverage: float
    usage: Mapping[str, float]
    fit_seconds: float
    rank_seconds: float

    def share(self, status: Status) -> float:
        return float((self.statuses == status).mean()) if len(self.statuses) else float("nan")

    def ndcg_by_slot(self, n_slices: int = 4) -> tuple[Estimate, ...]:
        """NDCG by where the item to be found stood among the candidates: a fair ranker shows no slope."""
        width = (int(self.slots.max(initial=0)) + 1) / n_slices
        slices = np.minimum((self.slots / width).astype(int), n_slices - 1)
        return tuple(mean_with_interval(self.ndcg[slices == part]) for part in range(n_slices))


@dataclass(frozen=True)
class Progress:
    """How far a comparison is: ``done`` of ``total`` questions of this ranker on this split."""

    ranker: str
    shots: int | None
    done: int
    total: int


@dataclass(frozen=True)
class Comparison:
    """All results, in the order splits and rankers were given."""

    results: tuple[RankerResult, ...]

    def result(self, ranker: str, shots: int | None) -> RankerResult | None:
        return next((r for r in self.results if (r.ranker, r.shots) == (ranker, shots)), None)

    def rows(self, baseline: str | None = None) -> list[dict[str, Any]]:
        """One flat record per result, ready for JSON and CSV; None where there is no value.

        Args:
            baseline: name of the ranker to whose NDCG on the same split the paired difference is taken.
        """
        return [self._row(result, baseline) for result in self.results]

    def _row(self, result: RankerResult, baseline: str | None) -> dict[str, Any]:
        other = self.result(baseline, result.shots) if baseline is not None else None
        row = {"ranker": result.ranker, "shots": result.shots, "users": len(result.users), "k": result.k}
        row |= _columns("ndcg", mean_with_interval(result.ndcg))
        row |= _columns("hit_rate", mean_with_interval(result.hits))
        row |= _columns("mrr", mean_with_interval(result.reciprocal_ranks))
        if other is not None:
            row |= _columns("ndcg_difference", paired_difference(result.ndcg, other.ndcg))
        row |= {
            "coverage": result.coverage,
            "ranked_share": float(result.ranked_share.mean()) if len(result.users) else None,
            "partial_rate": result.share("partial"),
            "failed_rate": result.share("failed"),
            "fit_seconds": result.fit_seconds,
            "seconds_per_user": result.rank_seconds / max(len(result.users), 1),
        }
        row |= {f"usage_{name}": total for name, total in result.usage.items()}
        return {name: None if value != value else value for name, value in row.items()}  # NaN is no JSON


def compare(
    splits: Split | Sequence[Split],
    rankers: Mapping[str, Ranker],
    *,
    k: int = 10,
    on_progress: Callable[[Progress], None] | None = None,
    check: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Ask every ranker every question of every split.

    Args:
        splits: one, or one per number of shots.
        rankers: name -> ranker, in the order of the table.
        k: ranks that NDCG, hit rate and coverage read.
        on_progress: told after every answer.
        check: called between answers and handed to every fit; raises to stop.
        clock: seconds, for the durations.
    """
    splits = [splits] if isinstance(splits, Split) else splits
    report = on_progress or (lambda progress: None)
    check = check or (lambda: None)
    return Comparison(
        tuple(
            _evaluate(name, ranker, split, k, report, check, clock)
            for split in splits
            for name, ranker in rankers.items()
        )
    )


@dataclass(frozen=True)
class _Answers:
    """What came back from one ranker: answers by row, why others are missing, and how long it took."""

    by_row: Mapping[int, Answer]
    why_missing: str
    fit_seconds: float
    rank_seconds: float

    def of(self, question: Question) -> Answer:
        missing = Answer(question.row, question.candidates, "failed", self.why_missing)
        return self.by_row.get(question.row, missing)


def _evaluate(
    name: str,
    ranker: Ranker,
    split: Split,
    k: int,
    report: Callable[[Progress], None],
    check: Callable[[], None],
    clock: Callable[[], float],
) -> RankerResult:
    questions = questions_of(split)
    collected = _ask(name, ranker, split, questions, report, check, clock)
    settled = [settle(question, collected.of(question)) for question in questions]
    answers = [answer for answer, _ in settled]
    relevant = [set(split.relevant[row].tolist()) for row in range(len(split))]
    pairs = [(answer.ranked, items) for answer, items in zip(answers, relevant, strict=True)]
    return RankerResult(
        ranker=name,
        shots=split.shots,
        k=k,
        users=split.users,
        ndcg=np.array([ndcg_at_k(*pair, k) for pair in pairs]),
        hits=np.array([hit_rate_at_k(*pair, k) for pair in pairs]),
        reciprocal_ranks=np.array([reciprocal_rank(*pair) for pair in pairs]),
        slots=np.array(
            [_first_slot(split.candidates[row], relevant[row]) for row in range(len(split))], np.int32
        ),
        ranked_share=np.array([share for _, share in settled]),
        statuses=np.array([answer.status for answer in answers], dtype="<U7"),
        reasons=dict(Counter(answer.reason for answer in answers if answer.status != "ok")),
        coverage=coverage((answer.ranked[:k] for answer in answers), split.train.n_items),
        usage=_summed(answer.usage for answer in answers),
        fit_seconds=collected.fit_seconds,
        rank_seconds=collected.rank_seconds,
    )


def _ask(
    name: str,
    ranker: Ranker,
    split: Split,
    questions: Sequence[Question],
    report: Callable[[Progress], None],
    check: Callable[[], None],
    clock: Callable[[], float],
) -> _Answers:
    """Fit, then take answers as they come; a failure it describes ends its turn, not the comparison."""
    report(Progress(name, split.shots, 0, len(split)))
    answers: dict[int, Answer] = {}
    why_missing = "the ranker gave no answer"
    began, fitted_at = clock(), None
    try:
        fitted = ranker.fit(split.train, check)
        fitted_at = clock()
        for answer in fitted(questions):
            check()
            answers.setdefault(answer.row, answer)
            report(Progress(name, split.shots, len(answers), len(split)))
    except RunCancelled:
        raise
    except RecflowError as error:
        why_missing = error.message
    ended = clock()
    fitted_at = ended if fitted_at is None else fitted_at
    return _Answers(answers, why_missing, fitted_at - began, ended - fitted_at)


def _summed(usages: Iterable[Mapping[str, float]]) -> dict[str, float]:
    reported = [usage for usage in usages if usage]
    names = dict.fromkeys(name for usage in reported for name in usage)
    return {name: sum(usage.get(name, float("nan")) for usage in reported) for name in names}


def _first_slot(candidates: IndexVector, relevant: set[int]) -> int:
    return next(place for place, item in enumerate(candidates.tolist()) if item in relevant)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
