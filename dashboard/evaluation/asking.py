"""Rankers that wait for somebody else's machine, measured with many questions in flight.

Questions of all splits go out together, so the endpoint never runs dry between two lines of the chart, and a
few more are prepared than may be in flight, so that a free place is taken at once. A question that was asked
before, in this run or in an interrupted one, is answered from what was kept. Nothing here knows which item is
to be found: no answer is asked for again because of what it says.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dashboard.evaluation.kept_answers import KeptAnswer, KeptAnswers
from dashboard.evaluation.watching import Step, Watcher, run_watched
from recflow.evaluation.questions import Answer, FittedRanker, Question
from recflow.evaluation.splits import TrainingFeedback

#: Questions prepared beyond those in flight, as a share of them.
_AHEAD = 0.5


@dataclass(frozen=True)
class Forecast:
    """What asking is about to cost.

    Args:
        calls: questions that were not asked before.
        kept: questions whose answer is there already.
        tokens: of all calls, prompt and answer; estimated.
        cost: None when the price is unknown.
    """

    calls: int
    kept: int
    tokens: int
    cost: float | None


@dataclass(frozen=True)
class Asked:
    """How busy an endpoint was kept.

    Args:
        calls: questions that went out.
        in_flight: that many could have been answered at the same time.
        seconds: from the first to the last.
        possible_seconds: the same for somebody who has the next question at hand whenever a place is free.
    """

    calls: int
    in_flight: int
    seconds: float
    possible_seconds: float

    @property
    def busy_share(self) -> float:
        """Of the throughput that the endpoint has with ``in_flight`` calls at a time, the share we used."""
        return self.possible_seconds / self.seconds if self.seconds else 0.0

    def described(self) -> dict[str, float | int]:
        return {
            "calls": self.calls,
            "in_flight": self.in_flight,
            "seconds": round(self.seconds, 2),
            "calls_per_second": round(self.calls / self.seconds, 2) if self.seconds else 0.0,
            "busy_share": round(self.busy_share, 3),
        }


class Asker(Protocol):
    """One way to ask: which words, which model."""

    def key(self, question: Question) -> str:
        """A digest of all that is shown and of how it is asked."""

    async def ask(self, question: Question) -> tuple[KeptAnswer, bool]:
        """The answer, and whether it is the model's word: a dead line is worth another call later."""

    async def estimate(self, question: Question) -> tuple[int, float | None]:
        """Tokens and money for one question."""

    def remarking(self, remark: str) -> Asker:
        """The same, with these words in front of the description of one candidate in each question."""


class AskedRanker:
    """A ranker over an ``Asker``; fitting it costs nothing.

    Args:
        asker: asks one question.
        kept: what was answered already.
        in_flight: questions that may wait for an answer at the same time.
    """

    def __init__(self, asker: Asker, kept: KeptAnswers, in_flight: int = 32) -> None:
        self._asker = asker
        self._kept = kept
        self._in_flight = in_flight

    def fit(self, train: TrainingFeedback, check: Callable[[], None]) -> FittedRanker:
        def answers(questions: Sequence[Question]) -> Iterator[Answer]:
            self.ask_all(questions, Watcher(check=check))
            for question in questions:
                kept = self.answer_to(question)
                ranked = question.candidates[list(kept.order)]
                yield Answer(question.row, ranked, kept.status, kept.reason, kept.usage)

        return answers

    def remarking(self, remark: str) -> AskedRanker:
        """The same, with these words in front of the description of one candidate in each question."""
        return AskedRanker(self._asker.remarking(remark), self._kept, self._in_flight)

    def answer_to(self, question: Question) -> KeptAnswer:
        """The answer to a question that was asked."""
        kept = self._kept.get(self._asker.key(question))
        assert kept is not None
        return kept

    def missing(self, questions: Sequence[Question]) -> list[Question]:
        """Those that were not answered before, the same one once."""
        return list(self._missing(questions).values())

    def forecast(self, questions: Sequence[Question], sample: int = 20) -> Forecast:
        """What asking these would cost, from the prompts of an even sample of them."""
        missing = self.missing(questions)
        kept = sum(self._kept.get(self._asker.key(question)) is not None for question in questions)
        if not missing:
            return Forecast(0, kept, 0, 0.0)
        step = max(1, len(missing) // sample)
        chosen = missing[::step][:sample]

        async def estimates() -> list[tuple[int, float | None]]:
            return [await self._asker.estimate(question) for question in chosen]

        found = asyncio.run(estimates())
        scale = len(missing) / len(found)
        costs = [cost for _, cost in found if cost is not None]
        return Forecast(
            calls=len(missing),
            kept=kept,
            tokens=round(sum(tokens for tokens, _ in found) * scale),
            cost=sum(costs) * scale if len(costs) == len(found) else None,
        )

    def ask_all(self, questions: Sequence[Question], watcher: Watcher) -> Asked:
        """Ask what was not answered before, and keep the answers as they come.

        Args:
            questions: of any number of splits.
            watcher: hears how many are done; when it stops, what is in flight is cancelled.
        """
        missing = self._missing(questions)
        if not missing:
            return Asked(0, 0, 0.0, 0.0)
        began = time.perf_counter()
        took = run_watched(lambda say: self._ask(missing, say), watcher)
        seconds = time.perf_counter() - began
        in_flight = min(self._in_flight, len(missing))
        return Asked(len(missing), in_flight, seconds, makespan(took, in_flight))

    def _missing(self, questions: Sequence[Question]) -> dict[str, Question]:
        by_key = {self._asker.key(question): question for question in questions}
        return {key: question for key, question in by_key.items() if self._kept.get(key) is None}

    async def _ask(self, questions: Mapping[str, Question], say: Callable[[Step], None]) -> list[float]:
        """Seconds that the service took for each call, in the order in which they ended."""
        waiting = iter(questions.items())
        took: list[float] = []
        say(Step(0.0, f"asked 0 of {len(questions):,}"))

        async def work() -> None:
            for key, question in waiting:
                answer, is_its_word = await self._asker.ask(question)
                self._kept.add(key, answer, in_file=is_its_word)
                took.append(answer.usage.get("seconds", 0.0))
                say(Step(len(took) / len(questions), f"asked {len(took):,} of {len(questions):,}"))

        workers = min(len(questions), max(1, round(self._in_flight * (1 + _AHEAD))))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return took


def makespan(seconds: Iterable[float], places: int) -> float:
    """How long tasks take together when each starts as soon as one of the places is free."""
    free_at = [0.0] * places
    for each in seconds:
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at, default=0.0)
