"""Models behind an endpoint as rankers to be measured: what they are shown, and what an answer cost."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
import orjson

from dashboard.evaluation.asking import Estimate, Reply
from dashboard.evaluation.kept_answers import KeptAnswer
from dashboard.outside.preview import llm_prompt, rerank_texts
from recflow.configuration import OpenAISection
from recflow.data.feedback import FeedbackLog
from recflow.data.snapshot import Snapshot
from recflow.errors import ServiceError, ServiceRefused
from recflow.evaluation.questions import Question
from recflow.llm.budget import Budget
from recflow.llm.endpoint import Endpoint, Price
from recflow.llm.outcome import CallRecord, LlmRanking
from recflow.llm.prompts import DEFAULT_TEMPLATE, PromptTemplate
from recflow.llm.ranking import rank_with_llm
from recflow.llm.records import Record
from recflow.llm.replies import PARSER_VERSION
from recflow.llm.reranking import rank_with_reranker
from recflow.llm.settings import LlmSettings, RerankSettings
from recflow.nodes.ranker.asking import Material
from recflow.nodes.records import item_record
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import Attempt, EndpointPolicy
from recflow.outbound.client import Guard
from recflow.outbound.rate import Rate
from recflow.outbound.retry import RULES

#: What is asked of the configured model: all candidates in one call, and every shot of the chart is shown.
LLM_SETTINGS = LlmSettings(most_in_one_call=1000, history_limit=50)

Told = tuple[Record, list[Record], list[Record]]


def endpoint_of(section: OpenAISection, *, in_flight: int, price: Price | None = None) -> Endpoint | None:
    """The endpoint that ``[openai]`` names; None when it names none.

    Whoever wrote the configuration may name an address inside the own network.

    Args:
        section: of the configuration.
        in_flight: calls at the same time.
        price: None leaves costs unknown.
    """
    if not section.base_url or not section.chat_completion_model:
        return None
    address = urlsplit(section.base_url)
    own_host = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)
    policy = EndpointPolicy(
        f"evaluation {section.base_url} {section.chat_completion_model}",
        guard=Guard(addresses=AddressPolicy.parse([own_host])),
        concurrency=in_flight,
        rate=Rate(section.chat_completion_rpm, section.chat_completion_tpm),
    )
    return Endpoint(
        section.base_url,
        section.chat_completion_model,
        section.auth_token.get_secret_value(),
        policy=policy,
        price=price,
    )


@dataclass(frozen=True, eq=False)
class _RecordsAsker(ABC):
    """Shows a model the user, the history and the candidates of a question; ``asking.Asker``.

    Args:
        endpoint: where the model is.
        snapshot: what users and items look like.
        positive: the feedback that histories are made of; tells the type of an entry.
        budget: asked before every call; a question it refuses counts as failed.
        remark: words in front of the description of one candidate, ``remarked(question)``.
    """

    endpoint: Endpoint
    snapshot: Snapshot
    positive: FeedbackLog
    budget: Budget | None = field(default=None, kw_only=True)
    remark: str = field(default="", kw_only=True)
    _items: dict[int, Record] = field(default_factory=dict, repr=False, kw_only=True)
    _types: dict[int, dict[int, str]] = field(default_factory=dict, repr=False, kw_only=True)

    @abstractmethod
    def _how(self) -> list[Any]:
        """What changes an answer beside the question, as plain values."""

    @abstractmethod
    async def _rank(self, told: Told) -> LlmRanking: ...

    @abstractmethod
    async def estimate(self, question: Question) -> Estimate: ...

    @cached_property
    def settings_key(self) -> str:
        """The same for the same model, words and settings: what the file of its answers is named by."""
        asked = [self.endpoint.identity, self._how()]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    def key(self, question: Question) -> str:
        shown = orjson.dumps(self._told(question), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(shown + self.settings_key.encode(), digest_size=16).hexdigest()

    async def ask(self, question: Question) -> Reply:
        ranking = await self._rank(self._told(question))
        error = ranking.error if isinstance(ranking.error, ServiceError) else None
        is_final = error is not None and error.kind in RULES and RULES[error.kind].opens_circuit
        return Reply(
            _kept(ranking),
            is_its_word=error is None and not any(map(_was_cut_off, ranking.calls)),
            seconds=tuple(_seconds(attempt) for call in ranking.calls for attempt in call.attempts),
            refused=error if is_final else _open_circuit(error),
            is_final=is_final,
        )

    def priced(self, kept: KeptAnswer) -> Mapping[str, float]:
        price, usage = self.endpoint.price, kept.usage
        # Nobody knows whether a call without an answer is billed, nor for how many tokens.
        if "cost" in usage or price is None or kept.status == "failed":
            return usage
        tokens_in, tokens_out = (int(usage[name]) for name in ("prompt_tokens", "completion_tokens"))
        return {**usage, "cost": price.of(tokens_in, tokens_out)}

    def remarking(self, remark: str) -> Self:
        return replace(self, remark=remark)

    def _told(self, question: Question) -> Told:
        """User, history and candidates as a node of a flow would tell them."""
        users, index = self.snapshot.users, question.user
        user = {
            "UserId": users.ids[index],
            "Labels": users.labels_of(index),
            "Comment": users.comments[index],
        }
        types = self._types_of(index)
        history = [
            {"FeedbackType": types.get(item, ""), **self._item(item)} for item in question.history.tolist()
        ]
        candidates = [self._item(item) for item in question.candidates.tolist()]
        if self.remark:
            place = remarked(question)
            words = f"{self.remark} {candidates[place]['Comment']}"
            candidates[place] = {**candidates[place], "Comment": words}
        return user, history, candidates

    def _item(self, index: int) -> Record:
        if index not in self._items:
            self._items[index] = item_record(self.snapshot.items, index)
        return self._items[index]

    def _types_of(self, user: int) -> dict[int, str]:
        """Item -> type of the user's newest feedback on it; older feedback on it is in no history."""
        if user not in self._types:
            log, own = self.positive, self.positive.rows_of(user)
            pairs = zip(log.items[own].tolist(), log.types[own].tolist(), strict=True)
            self._types[user] = {item: log.type_names[kind] for item, kind in pairs}
        return self._types[user]


def remarked(question: Question) -> int:
    """Place of the candidate that carries the remark: drawn by user and row, so the same for every remark."""
    rng = np.random.default_rng([question.user, question.row])
    return int(rng.integers(len(question.candidates)))


@dataclass(frozen=True, eq=False)
class ChatAsker(_RecordsAsker):
    """A chat model.

    Args:
        template: the words of the prompt.
        settings: how it is asked.
    """

    template: PromptTemplate = DEFAULT_TEMPLATE
    settings: LlmSettings = LLM_SETTINGS

    def _how(self) -> list[Any]:
        words = [self.template.system, self.template.user]
        return [words, self.settings.model_dump(mode="json"), PARSER_VERSION]

    async def _rank(self, told: Told) -> LlmRanking:
        return await rank_with_llm(self.endpoint, self.template, *told, self.settings, budget=self.budget)

    async def estimate(self, question: Question) -> Estimate:
        material = Material(*self._told(question))
        shown = await llm_prompt(self.settings, self.template, material, self.endpoint)
        return Estimate(shown["calls"], shown["calls"] * shown["estimate"]["total"], shown["cost"])


@dataclass(frozen=True, eq=False)
class RerankAsker(_RecordsAsker):
    """A rerank model."""

    settings: RerankSettings = field(default_factory=RerankSettings)

    def _how(self) -> list[Any]:
        return ["rerank", self.settings.model_dump(mode="json")]

    async def _rank(self, told: Told) -> LlmRanking:
        return await rank_with_reranker(self.endpoint, *told, self.settings, budget=self.budget)

    async def estimate(self, question: Question) -> Estimate:
        shown = await rerank_texts(self.settings, Material(*self._told(question)), self.endpoint)
        return Estimate(shown["calls"], shown["estimate"]["total"], shown["cost"])


def _open_circuit(error: ServiceError | None) -> ServiceRefused | None:
    """The refusal that an error is, or that kept it from being tried again."""
    return next((one for one in (error, error and error.__cause__) if isinstance(one, ServiceRefused)), None)


def _was_cut_off(call: CallRecord) -> bool:
    """A call that would have got an answer later; the other prompts of a shuffle rank without it."""
    if not call.problem:
        return False
    last = RULES.get(call.attempts[-1].kind) if call.attempts else None
    return last is None or last.retries > 0


def _kept(ranking: LlmRanking) -> KeptAnswer:
    order = tuple(place for place in ranking.order if ranking.origins[place] == "ranked")
    usage: dict[str, float] = {
        "calls": len(ranking.calls),
        "prompt_tokens": sum(call.tokens_in for call in ranking.calls),
        "completion_tokens": sum(call.tokens_out for call in ranking.calls),
        "seconds": sum(_seconds(attempt) for call in ranking.calls for attempt in call.attempts),
    }
    if ranking.cost is not None:
        usage["cost"] = ranking.cost
    return KeptAnswer(order, ranking.status, ranking.message or ranking.reason, usage)


def _seconds(attempt: Attempt) -> float:
    """What the service took: with many calls under way, answers lie there a while until they are read."""
    return (attempt.ms if attempt.service_ms is None else attempt.service_ms) / 1000
