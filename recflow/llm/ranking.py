"""Ranks candidates with a chat model: one call, sliding windows, or several shuffled calls added up.

Whatever happens (a wrong template, a dead service, an answer about the weather), a permutation of the
candidates comes back with a status and a reason. What a failure means for the user is the caller's decision:
let the fallback answer, or keep the order that came in.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import MutableMapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from time import perf_counter
from typing import Any

from recflow.errors import RecflowError, SandboxError, ServiceError
from recflow.llm.aggregation import agreement, borda, window_starts
from recflow.llm.budget import Budget
from recflow.llm.chat import ChatOptions, ChatResult, build_payload, chat, estimate_tokens
from recflow.llm.endpoint import Endpoint
from recflow.llm.envelope import Completion, Usage, without_secrets
from recflow.llm.outcome import CallRecord, LlmRanking, distinct, ranking_of
from recflow.llm.paid import PaidAnswers
from recflow.llm.prompts import Prompt, PromptTemplate, build_messages
from recflow.llm.records import Record
from recflow.llm.replies import PARSER_VERSION, Reading, read_completion
from recflow.llm.settings import LlmSettings
from recflow.outbound.call import Timing
from recflow.outbound.redact import hide

#: Share of the refused prompt's tokens that the shorter one may have.
_SHRINK_TO = 0.6


async def rank_with_llm(
    endpoint: Endpoint,
    template: PromptTemplate,
    user: Record,
    feedback: Sequence[Record],
    candidates: Sequence[Record],
    settings: LlmSettings,
    *,
    budget: Budget | None = None,
    cache: MutableMapping[str, bytes] | None = None,
    timing: Timing | None = None,
) -> LlmRanking:
    """Asks the model for an order of the candidates.

    Args:
        user, feedback, candidates: records with Gorse's field names; feedback newest first.
        budget: asked before, and told after, every call.
        cache: keeps good answers; how long is its own business.
    """
    n = len(candidates)
    asked = distinct([str(item.get("ItemId", "")) for item in candidates])
    if len(asked) < 2:
        return LlmRanking(tuple(range(n)), "ok", ("incoming",) * n)
    session = _Session(endpoint, template, user, feedback, candidates, settings, budget, cache, timing)
    try:
        return await _rank(session, asked)
    except (SandboxError, ServiceError) as error:
        return session.failed(asked, error)


class _DoesNotFit(ServiceError):
    """The shortest prompt about these candidates passes the token limit."""

    def __init__(self, prompt: Prompt, limit: int) -> None:
        super().__init__(
            f"{len(prompt.names)} candidates need about {prompt.estimate.total} tokens, "
            f"more than the limit of {limit}.",
            kind="context_length",
            attempts=0,
        )
        self.prompt = prompt
        self.limit = limit


@dataclass
class _Session:
    """One ranking under way: what is asked with, and what was asked so far."""

    endpoint: Endpoint
    template: PromptTemplate
    user: Record
    feedback: Sequence[Record]
    candidates: Sequence[Record]
    settings: LlmSettings
    budget: Budget | None
    cache: InitVar[MutableMapping[str, bytes] | None]
    timing: Timing | None
    calls: list[CallRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shrunk_to: int | None = None
    paid: PaidAnswers = field(init=False)

    def __post_init__(self, cache: MutableMapping[str, bytes] | None) -> None:
        self.paid = PaidAnswers(cache, self.notes)

    async def ask_fitting(self, positions: Sequence[int]) -> Reading:
        """One call; if the model finds the prompt too long, once more with a shorter one, and never again.

        Raises:
            _DoesNotFit: no shortening of history and descriptions makes it fit.
            ServiceError: no answer came.
        """
        may_shrink = self.shrunk_to is None
        prompt = await self._prompt(positions)
        try:
            return await self.ask(prompt, positions)
        except ServiceError as error:
            if error.kind != "context_length" or not may_shrink or isinstance(error, _DoesNotFit):
                raise
        self.shrunk_to = int(prompt.estimate.total * _SHRINK_TO)
        self.notes.append("The model found the prompt too long; it was asked again with a shorter one.")
        return await self.ask(await self._prompt(positions), positions)

    async def _prompt(self, positions: Sequence[int]) -> Prompt:
        options = self.settings.prompt_options(self.endpoint.context_tokens)
        if self.shrunk_to is not None:
            options = replace(options, token_limit=self.shrunk_to)
        shown = [self.candidates[position] for position in positions]
        prompt = await build_messages(self.template, self.user, self.feedback, shown, options)
        if not prompt.fits:
            raise _DoesNotFit(prompt, options.token_limit)
        return prompt

    async def ask(self, prompt: Prompt, positions: Sequence[int]) -> Reading:
        """One call about these candidates, from the cache, or from the service within the budget.

        Raises:
            ServiceError: no answer came; the record of the attempt is in ``calls``.
        """
        options = self._options(prompt)
        payload = build_payload(self.endpoint, prompt.messages, options)
        sent = {name: value for name, value in payload.items() if name != "messages"}
        asked = [self.endpoint.identity, payload, PARSER_VERSION]
        record = CallRecord(
            prompt.messages, sent, tuple(positions), warnings=prompt.notes, estimate=prompt.estimate
        )
        kept = self.paid.find(asked, _completion)
        if kept is not None:
            kept = self._hidden(kept, prompt)
            reading = self._read(kept, prompt)
            usage = kept.usage
            self.calls.append(
                replace(
                    _answered(record, kept, reading),
                    tokens_in=usage.prompt or 0,
                    tokens_out=usage.completion or 0,
                    is_estimated=usage.prompt is None or usage.completion is None,
                    cost=0.0,
                    is_kept=True,
                )
            )
            return reading
        started = perf_counter()
        try:
            result = await self._paid(prompt, options)
        except ServiceError as error:
            spent = perf_counter() - started
            self.calls.append(
                replace(
                    record,
                    problem=str(error),
                    attempts=tuple(error.history),
                    ms=spent * 1000,
                    cost=None if error.attempts else 0.0,
                )
            )
            raise
        completion = self._hidden(result.completion, prompt)
        reading = self._read(completion, prompt)
        self.calls.append(
            replace(
                _answered(record, completion, reading),
                parameters=dict(result.sent),
                tokens_in=result.prompt_tokens,
                tokens_out=result.completion_tokens,
                is_estimated=result.is_estimated,
                cost=self._cost(result),
                ms=(perf_counter() - started) * 1000,
                attempts=result.attempts,
                warnings=(*prompt.notes, *result.warnings),
            )
        )
        if reading.status != "failed":
            self.paid.keep(asked, completion)
        return reading

    async def _paid(self, prompt: Prompt, options: ChatOptions) -> ChatResult:
        if self.budget is None:
            return await chat(self.endpoint, prompt.messages, options, timing=self.timing)
        price, estimate = self.endpoint.price, prompt.estimate
        cost = price.of(estimate.prompt, estimate.answer) if price else None
        settle = self.budget.reserve(estimate.total, cost)
        try:
            result = await chat(self.endpoint, prompt.messages, options, timing=self.timing)
        except BaseException as error:
            # What was cancelled was probably under way, and a prompt that was sent is paid for.
            wasted = estimate.prompt * (error.attempts if isinstance(error, ServiceError) else 1)
            settle(wasted, price.of(wasted, 0) if price else None)
            raise
        wasted = estimate.prompt * (len(result.attempts) - 1)
        used = result.prompt_tokens + result.completion_tokens + wasted
        settle(used, self._cost(result, wasted))
        return result

    def _options(self, prompt: Prompt) -> ChatOptions:
        settings = self.settings
        return ChatOptions(
            temperature=settings.temperature,
            seed=settings.seed if settings.send_seed else None,
            max_output_tokens=settings.max_output_tokens or prompt.estimate.answer,
            response_format=settings.response_format,
            names=prompt.names if settings.response_format == "json_schema" else (),
        )

    def _read(self, completion: Completion, prompt: Prompt) -> Reading:
        return read_completion(completion, prompt.names, aliases=prompt.aliases)

    def _hidden(self, completion: Completion, prompt: Prompt) -> Completion:
        """Without the key, should the service repeat it: of what is cut when it is read, half a key would be
        left to see. A key that stands in the names of candidates is no secret, and hiding it would spoil
        them."""
        secrets = self.endpoint.secrets
        if any(hide(name, secrets) != name for name in prompt.names):
            return completion
        return without_secrets(completion, secrets)

    def _cost(self, result: ChatResult, wasted_tokens: int = 0) -> float | None:
        price = self.endpoint.price
        if price is None:
            return None
        cached = result.completion.usage.cached or 0
        return price.of(result.prompt_tokens + wasted_tokens, result.completion_tokens, cached)

    def done(
        self,
        asked: Sequence[int],
        order: Sequence[int],
        ranked: set[int],
        reading: Reading | None = None,
        **facts,
    ) -> LlmRanking:
        said = {"reason": reading.reason, "message": reading.message} if reading else {}
        return ranking_of(
            len(self.candidates),
            asked,
            order,
            ranked,
            calls=tuple(self.calls),
            notes=tuple(self.notes),
            **said | facts,
        )

    def failed(self, asked: Sequence[int], error: RecflowError) -> LlmRanking:
        return self.done(asked, asked, set(), reason=_reason(error), message=str(error), error=error)


def _reason(error: RecflowError) -> str:
    return error.kind if isinstance(error, ServiceError) else "template"


def _completion(fields: dict[str, Any]) -> Completion:
    return Completion(**fields | {"usage": Usage(**fields["usage"])})


def _answered(record: CallRecord, completion: Completion, reading: Reading) -> CallRecord:
    return replace(
        record,
        answer=completion.content,
        reasoning=completion.reasoning,
        model=completion.model,
        tokens_cached=completion.usage.cached,
        tokens_reasoning=completion.usage.reasoning,
        finish_reason=completion.finish_reason,
        reading=reading,
    )


async def _rank(session: _Session, asked: list[int]) -> LlmRanking:
    """By the technique that was chosen, or in windows where that takes too many tokens."""
    settings = session.settings
    try:
        if settings.technique == "shuffle":
            return await _rank_shuffled(session, asked)
        if settings.technique == "windows":
            return await _rank_in_windows(session, asked, settings.window_size, settings.window_step)
        if len(asked) > settings.most_in_one_call:
            session.notes.append(f"{len(asked)} candidates were ranked in windows of {settings.window_size}.")
            return await _rank_in_windows(session, asked, settings.window_size, settings.window_step)
        reading = await session.ask_fitting(asked)
    except _DoesNotFit as problem:
        return await _rank_in_windows_that_fit(session, asked, problem)
    order = [asked[place] for place in reading.order]
    return session.done(asked, order, set(order[: reading.n_ranked]), reading)


async def _rank_in_windows_that_fit(session: _Session, asked: list[int], problem: _DoesNotFit) -> LlmRanking:
    """Windows, smaller again when the first one is of candidates with more to tell than most."""
    while True:
        n = len(problem.prompt.names)
        size = min(_window_that_fits(problem.prompt, problem.limit), n - 1)
        if size < 2:
            raise problem
        session.notes.append(
            f"{n} candidates do not fit {problem.limit} tokens; the list was ranked in windows of {size}."
        )
        try:
            return await _rank_in_windows(session, asked, size, max(1, size // 2))
        except _DoesNotFit as narrower:
            problem = narrower


async def _rank_in_windows(session: _Session, asked: list[int], size: int, step: int) -> LlmRanking:
    """Windows from the end of the list to its front, each reordered in place.

    Only the last of them says what comes first: without its answer there is no ranking, whatever became of
    the rest.
    """
    order = list(asked)
    ranked: set[int] = set()
    reading = None
    starts = window_starts(len(order), min(size, len(order)), step)
    for done, start in enumerate(starts):
        window = order[start : start + size]
        try:
            reading = await session.ask_fitting(window)
        except (SandboxError, ServiceError) as error:
            if not ranked:
                raise
            session.notes.append(f"The ranking stopped after {done} of {len(starts)} windows.")
            return session.failed(asked, error)
        placed = [window[place] for place in reading.order]
        order[start : start + size] = placed
        ranked.update(placed[: reading.n_ranked])
    if reading is not None and not reading.n_ranked:
        return session.done(asked, asked, set(), reading)
    return session.done(asked, order, ranked, reading)


async def _rank_shuffled(session: _Session, asked: list[int]) -> LlmRanking:
    """The same question in several seeded orders at once, the answers added up by Borda's points."""
    rng = random.Random(session.settings.seed)
    orders = [rng.sample(asked, len(asked)) for _ in range(session.settings.shuffles)]
    answers = await asyncio.gather(*(_ask_caught(session, order) for order in orders))
    place = {position: i for i, position in enumerate(asked)}
    rankings, ranked, reading = [], set(), None
    for order, answer in zip(orders, answers, strict=True):
        if isinstance(answer, Reading):
            reading = answer
            placed = [order[i] for i in answer.order]
            ranked.update(placed[: answer.n_ranked])
            if answer.n_ranked:
                rankings.append(([place[position] for position in placed], answer.n_ranked))
    errors = [answer for answer in answers if isinstance(answer, RecflowError)]
    if len(errors) == len(answers):
        raise errors[0]
    if errors:
        session.notes.append(f"{len(errors)} of {len(answers)} calls failed: {errors[0]}")
    return session.done(
        asked,
        [asked[i] for i in borda(rankings, len(asked))],
        ranked,
        reading,
        agreement=agreement([order for order, _ in rankings]),
    )


async def _ask_caught(session: _Session, positions: Sequence[int]) -> Reading | RecflowError:
    """A call whose failure leaves its siblings running."""
    try:
        return await session.ask_fitting(positions)
    except (SandboxError, ServiceError) as error:
        return error


def _window_that_fits(prompt: Prompt, limit: int) -> int:
    """Candidates that can be asked about within the limit."""
    estimate, n = prompt.estimate, len(prompt.names)
    listed = estimate.candidates + sum(estimate_tokens(name) + 1 for name in prompt.names)
    return int((limit - (estimate.total - listed)) * n / max(1, listed))
