"""What comes out of asking a model to rank: always an order, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recflow.errors import RecflowError
from recflow.llm.prompts import TokenEstimate
from recflow.llm.replies import Dropped, Reading
from recflow.outbound.call import Attempt

Status = Literal["ok", "partial", "failed"]
Origin = Literal["ranked", "appended", "incoming"]


@dataclass(frozen=True)
class CallRecord:
    """One question to a model and its answer, as the run panel and the log show it.

    Args:
        sent: the messages (of a reranker: the query and the documents, as roles).
        parameters: the other fields of the request.
        answer: raw text of the answer, verbatim; "" without one.
        reasoning: what the model said beside its answer.
        tokens_in, tokens_out: reported by the service, or estimated.
        tokens_cached, tokens_reasoning: None when the service does not say.
        cost: None when the price is unknown.
        ms: from the first attempt to the answer, waits included; 0 for a kept answer.
        attempts: every try with its status, wait and duration.
        positions: candidates that were asked about, in the order they were shown.
        reading: how the answer was read; None when there was none.
        problem: why there was no answer.
        warnings: sentences about truncated input and shortened prompts.
        estimate: tokens of the prompt by part; None for a reranker.
        scores: of a reranker, one for each position, None where it gave none; empty for a chat model.
    """

    sent: tuple[dict[str, str], ...]
    parameters: dict
    positions: tuple[int, ...]
    answer: str = ""
    reasoning: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    is_estimated: bool = True
    cost: float | None = None
    ms: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    finish_reason: str | None = None
    reading: Reading | None = None
    problem: str = ""
    is_kept: bool = False
    warnings: tuple[str, ...] = ()
    estimate: TokenEstimate | None = None
    scores: tuple[float | None, ...] = ()

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        return self.reading.dropped if self.reading else ()


@dataclass(frozen=True)
class LlmRanking:
    """A ranking of candidates by a model.

    Args:
        order: all candidate positions, best first, in every outcome.
        status: ok (all ranked), partial (some) or failed (none, or in windows not the top of the list: the
            order is the one that came in).
        reason: one word for what is short of ok, "" for ok.
        message: its sentence.
        origins: for each candidate: ranked by the model, appended behind because the model left it out, or
            incoming because nothing was ranked (or it repeats an earlier candidate).
        calls: every question that was asked, in order.
        agreement: mean Kendall tau between the answers of a shuffled run.
        notes: what was done differently from the settings, in sentences.
        error: what was raised on the way; line and column of a template error are in it.
    """

    order: tuple[int, ...]
    status: Status
    origins: tuple[Origin, ...]
    reason: str = ""
    message: str = ""
    calls: tuple[CallRecord, ...] = ()
    agreement: float | None = None
    notes: tuple[str, ...] = ()
    error: RecflowError | None = None

    @property
    def tokens(self) -> int:
        return sum(call.tokens_in + call.tokens_out for call in self.calls if not call.is_kept)

    @property
    def cost(self) -> float | None:
        """Money for all calls; None as soon as one price is unknown."""
        costs = [call.cost for call in self.calls]
        return None if None in costs else sum(costs)


def failed_ranking(
    n_candidates: int, reason: str, message: str, error: RecflowError | None = None
) -> LlmRanking:
    """No candidate was ranked, and nobody was asked: all stay as they came."""
    order, origins = tuple(range(n_candidates)), ("incoming",) * n_candidates
    return LlmRanking(order, "failed", origins, reason, message, error=error)


def distinct(ids: Sequence[str]) -> list[int]:
    """Positions of the first mention of each id."""
    first: dict[str, int] = {}
    for position, item_id in enumerate(ids):
        first.setdefault(item_id, position)
    return list(first.values())


def ranking_of(
    n_candidates: int,
    asked: Sequence[int],
    order: Sequence[int],
    ranked: set[int],
    *,
    reason: str = "",
    message: str = "",
    **facts,
) -> LlmRanking:
    """A ranking of all candidates from the order of those that were asked about.

    Args:
        asked: positions without repeats, as they came.
        order: the same positions, best first.
        ranked: those that the model placed.
        reason, message: why not all of them were; a ranking of all is ok whatever they say.
    """
    repeats = [position for position in range(n_candidates) if position not in set(asked)]
    if len(ranked) == len(asked):
        status, reason, message = "ok", "", ""
    else:
        status = "partial" if ranked else "failed"
    left_over: Origin = "appended" if ranked else "incoming"
    origins: list[Origin] = ["incoming"] * n_candidates
    for position in asked:
        origins[position] = "ranked" if position in ranked else left_over
    final = (*order, *repeats) if ranked or not asked else (*asked, *repeats)
    return LlmRanking(
        order=tuple(final), status=status, origins=tuple(origins), reason=reason, message=message, **facts
    )
