"""Rankers that wait for somebody else's machine, measured with many questions in flight.

Questions of all splits go out together, so the endpoint never runs dry between two lines of the chart, and a
few more are prepared than may be in flight, so that a free place is taken at once. A question that was asked
before, in this run or in an interrupted one, is answered from what was kept. While the endpoint is left alone
because it failed, one question at a time tries it and the others wait. Nothing here knows which item is to be
found: no answer is asked for again because of what it says.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dashboard.evaluation.kept_answers import KeptAnswer, KeptAnswers
from dashboard.evaluation.watching import Step, Watcher, run_watched
from recflow.errors import ServiceError, ServiceRefused
from recflow.evaluation.questions import Answer, FittedRanker, Question
from recflow.evaluation.splits import TrainingFeedback

#: Questions prepared beyond those in flight, as a share of them.
_AHEAD = 0.5
#: Times in a row that an endpoint which failed is tried again before the run ends.
TRIES = 10
#: Times that one question may fail on its way before the failure counts as its own, and not the endpoint's.
_OWN_FAILURES = 3
#: Seconds until the next look at an endpoint that somebody else is trying.
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Forecast:
    """What asking is about to cost.

    Args:
        calls: of all questions that were not asked before; one may take several.
        kept: questions whose answer is there already.
        tokens: of all calls, prompt and answer; estimated.
        cost: None when the price is unknown.
    """

    calls: int
    kept: int
    tokens: int
    cost: float | None


@dataclass(frozen=True)
class Estimate:
    """What one question takes: calls, tokens of all of them, and money; None when the price is unknown."""

    calls: int
    tokens: int
    cost: float | None


@dataclass(frozen=True)
class Asked:
    """How busy an endpoint was kept.

    Args:
        calls: requests that went out; one question may take several.
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


@dataclass(frozen=True)
class Reply:
    """What came back for one question.

    Args:
        answer: what counts unless the question is put again.
        is_its_word: the model's word; a dead line is worth another call later.
        seconds: that the service took for each call.
        refused: why calls were not sent, or not sent again: the endpoint is left alone for a while.
        is_final: then, waiting changes nothing, such as a key that is refused.
    """

    answer: KeptAnswer
    is_its_word: bool
    seconds: tuple[float, ...] = ()
    refused: ServiceError | None = None
    is_final: bool = False


class Asker(Protocol):
    """One way to ask: which words, which model."""

    def key(self, question: Question) -> str:
        """A digest of all that is shown and of how it is asked."""

    async def ask(self, question: Question) -> Reply: ...

    async def estimate(self, question: Question) -> Estimate: ...

    def priced(self, kept: KeptAnswer) -> Mapping[str, float]:
        """What an answer took, with the cost of today if the price was unknown when it was asked for."""

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
                yield Answer(question.row, ranked, kept.status, kept.reason, self._asker.priced(kept))

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

        async def estimates() -> list[Estimate]:
            return [await self._asker.estimate(question) for question in chosen]

        found = asyncio.run(estimates())
        scale = len(missing) / len(found)
        costs = [one.cost for one in found if one.cost is not None]
        return Forecast(
            # No question is free: a reader who is told of no calls is not asked whether to go on.
            calls=max(len(missing), round(sum(one.calls for one in found) * scale)),
            kept=kept,
            tokens=round(sum(one.tokens for one in found) * scale),
            cost=sum(costs) * scale if len(costs) == len(found) else None,
        )

    def ask_all(self, questions: Sequence[Question], watcher: Watcher) -> Asked:
        """Ask what was not answered before, and keep the answers as they come.

        Args:
            questions: of any number of splits.
            watcher: hears how many are done; when it stops, what is in flight is cancelled.

        Raises:
            ServiceRefused: the endpoint failed and did not recover; what was answered is kept.
        """
        missing = self._missing(questions)
        if not missing:
            return Asked(0, 0, 0.0, 0.0)
        began = time.perf_counter()
        took = run_watched(lambda say: self._ask(missing, say), watcher)
        seconds = time.perf_counter() - began
        in_flight = min(self._in_flight, len(took))
        return Asked(len(took), in_flight, seconds, makespan(took, in_flight) if took else 0.0)

    def _missing(self, questions: Sequence[Question]) -> dict[str, Question]:
        by_key = {self._asker.key(question): question for question in questions}
        return {key: question for key, question in by_key.items() if self._kept.get(key) is None}

    async def _ask(self, questions: Mapping[str, Question], say: Callable[[Step], None]) -> list[float]:
        """Seconds that the service took for each call, in the order in which they ended."""
        asking = _Asking(self._asker, self._kept, len(questions), deque(questions.items()), say)
        workers = min(len(questions), max(1, round(self._in_flight * (1 + _AHEAD))))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(asking.work())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return asking.took


@dataclass(eq=False)
class _Asking:
    """Questions under way.

    Args:
        total: questions in all.
        waiting: not asked yet, or to be asked again.
        took: seconds of each call.
        done: questions with an answer.
        tries: since the last answer, of an endpoint that failed.
        failures: question -> times that its own calls failed until the endpoint was left alone.
        way: clear while one worker tries the endpoint and the others wait.
    """

    asker: Asker
    kept: KeptAnswers
    total: int
    waiting: deque[tuple[str, Question]]
    say: Callable[[Step], None]
    took: list[float] = field(default_factory=list)
    done: int = 0
    tries: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    way: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.way.set()
        self._tell()

    async def work(self) -> None:
        """One question after the other."""
        while self.waiting:
            refused = await self._next()
            if refused is not None and self.way.is_set():
                self.way.clear()
                await self._until_let_through(refused)
                self.way.set()
            await self.way.wait()

    async def _next(self) -> ServiceError | None:
        """Ask the next question; why it was put back, if it was."""
        key, question = self.waiting.popleft()
        reply = await self.asker.ask(question)
        self.took += reply.seconds
        if reply.is_its_word:
            self.tries = 0
        if reply.refused is not None:
            if reply.is_final:
                self.waiting.append((key, question))
                raise self._given_up(reply.refused)
            self.failures[key] += bool(reply.seconds)
            if self.failures[key] < _OWN_FAILURES:
                self.waiting.append((key, question))
                return reply.refused
        self.kept.add(key, reply.answer, in_file=reply.is_its_word)
        self.done += 1
        self._tell()
        return reply.refused

    async def _until_let_through(self, refused: ServiceError | None) -> None:
        """Wait for the endpoint's next try, and ask one question, until that is not refused.

        Raises:
            ServiceRefused: it was, time and again.
        """
        while refused is not None and self.waiting:
            wait_s = refused.retry_after_s or 0.0
            if wait_s:  # else another call of this process is trying it just now
                self.tries += 1
                if self.tries > TRIES:
                    raise self._given_up(refused)
            self._tell(f"; the endpoint failed, the next try is in {wait_s or _LOOK_AGAIN_S:.0f} s")
            await asyncio.sleep(wait_s or _LOOK_AGAIN_S)
            refused = await self._next()

    def _given_up(self, refused: ServiceError) -> ServiceRefused:
        left = self.total - self.done
        return ServiceRefused(
            f"The endpoint does not answer. {refused} {left:,} of {self.total:,} questions were not asked, "
            "or in vain. What was answered is kept, so starting again goes on from there.",
            kind="circuit_open",
            retryable=True,
            attempts=0,
        )

    def _tell(self, more: str = "") -> None:
        self.say(Step(self.done / self.total, f"asked {self.done:,} of {self.total:,}{more}"))


def makespan(seconds: Iterable[float], places: int) -> float:
    """How long tasks take together when each starts as soon as one of the places is free."""
    free_at = [0.0] * places
    for each in seconds:
        heapq.heapreplace(free_at, free_at[0] + each)
    return max(free_at, default=0.0)
