"""Ranks candidates with a rerank service: renders query and documents, asks in batches, sorts by score."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from recflow.errors import SandboxError, ServiceError
from recflow.llm.budget import Budget
from recflow.llm.chat import estimate_tokens
from recflow.llm.endpoint import Endpoint, capabilities_of, remember_refusal
from recflow.llm.outcome import CallRecord, LlmRanking, distinct, ranking_of
from recflow.llm.paid import PaidAnswers
from recflow.llm.records import Record, shown_feedback, shown_item, shown_user
from recflow.llm.rerank import (
    BATCH_CAPABILITY,
    PROFILES,
    BatchTooLarge,
    RerankAnswer,
    order_by_score,
    rerank,
    rerank_payload,
)
from recflow.llm.settings import RerankSettings
from recflow.outbound.call import Timing
from recflow.sandbox.templates import merged_uses, render_all


async def rank_with_reranker(
    endpoint: Endpoint,
    user: Record,
    feedback: Sequence[Record],
    candidates: Sequence[Record],
    settings: RerankSettings,
    *,
    budget: Budget | None = None,
    cache: MutableMapping[str, bytes] | None = None,
    timing: Timing | None = None,
) -> LlmRanking:
    """Asks the service for a score of each candidate.

    The templates may use ``user`` and ``feedback`` (query) and ``item`` (document), with Gorse's field names.

    Args:
        budget: asked before, and told after, every call.
        cache: keeps answers with scores; how long is its own business.
    """
    asked = distinct([str(item.get("ItemId", "")) for item in candidates])
    n = len(candidates)
    if len(asked) < 2:
        return LlmRanking(tuple(range(n)), "ok", ("incoming",) * n)
    calls: list[CallRecord] = []
    notes: list[str] = []
    paid = PaidAnswers(cache, notes)
    try:
        query, documents = await render_texts(user, feedback, [candidates[i] for i in asked], settings)
    except SandboxError as error:
        return ranking_of(n, asked, asked, set(), reason="template", message=str(error), error=error)
    if not query.strip():
        said = "The query is empty: this user has no history that the query template shows."
        return ranking_of(n, asked, asked, set(), reason="empty_query", message=said)
    try:
        scores = await _score_in_batches(
            endpoint, settings, query, documents, asked, calls, budget, paid, timing
        )
    except ServiceError as error:
        facts = {
            "reason": error.kind,
            "message": str(error),
            "error": error,
            "calls": tuple(calls),
            "notes": tuple(notes),
        }
        return ranking_of(n, asked, asked, set(), **facts)
    order = [asked[place] for place in order_by_score(scores)]
    ranked = {position for position, score in zip(asked, scores, strict=True) if score is not None}
    said = "The service gave no score for some documents; they follow in the order they came."
    if not ranked:
        said = "The service gave no score that can be used."
    facts = {"reason": "missing", "message": said, "calls": tuple(calls), "notes": tuple(notes)}
    return ranking_of(n, asked, order, ranked, **facts)


async def render_texts(
    user: Record, feedback: Sequence[Record], items: Sequence[Record], settings: RerankSettings
) -> tuple[str, list[str]]:
    """The query and one document for each item.

    Raises:
        SandboxError: a template is wrong.
    """
    return await asyncio.to_thread(_rendered, user, feedback[: settings.history_limit], items, settings)


def _rendered(
    user: Record, feedback: Sequence[Record], items: Sequence[Record], settings: RerankSettings
) -> tuple[str, list[str]]:
    shape = settings.shape()
    uses = merged_uses((settings.query_template, settings.document_template))
    item_fields, entry_fields = (uses[name].fields if name in uses else () for name in ("item", "feedback"))
    about_user = {
        "user": shown_user(user, shape),
        "feedback": [
            shown_feedback(entry, shape, str((entry.get("Item") or entry).get("ItemId", "")), entry_fields)
            for entry in feedback
        ],
    }
    shown = [
        {"item": shown_item(item, shape, str(item.get("ItemId", "")), rank, item_fields)}
        for rank, item in enumerate(items, 1)
    ]
    documents = [(settings.document_template, variables) for variables in shown]
    query, *texts = render_all([(settings.query_template, about_user), *documents])
    return query, texts


async def _score_in_batches(
    endpoint: Endpoint,
    settings: RerankSettings,
    query: str,
    documents: Sequence[str],
    positions: Sequence[int],
    calls: list[CallRecord],
    budget: Budget | None,
    paid: PaidAnswers,
    timing: Timing | None,
) -> list[float | None]:
    """Scores of all documents.

    A batch the service finds too large is split and the limit remembered; texts it finds too long are cut to
    half, once.
    """
    scores: list[float | None] = []
    is_cut = False
    while len(scores) < len(documents):
        done = len(scores)
        size = batch_size(endpoint, settings, query, documents[done:])
        batch = documents[done : done + size]
        try:
            scores += await _score(
                endpoint, settings, query, batch, positions[done : done + size], calls, budget, paid, timing
            )
        except BatchTooLarge as refusal:
            if len(batch) == 1:
                raise
            limit = refusal.limit if refusal.limit and refusal.limit < len(batch) else len(batch) // 2
            remember_refusal(endpoint, BATCH_CAPABILITY, str(limit))
        except ServiceError as refusal:
            if refusal.kind != "context_length" or is_cut:
                raise
            is_cut = True
            query = query[: len(query) // 2]
            documents = [document[: len(document) // 2] for document in documents]
    return scores


def batch_size(endpoint: Endpoint, settings: RerankSettings, query: str, documents: Sequence[str]) -> int:
    """Documents for the next call: the least of setting, profile's limit and what was seen to be accepted."""
    profile = PROFILES[settings.profile]
    seen = capabilities_of(endpoint).get(BATCH_CAPABILITY)
    limits = [settings.batch_size or profile.batch, int(seen) if seen else 0, len(documents)]
    size = min(limit for limit in limits if limit)
    if profile.token_product:
        per_query, spent = estimate_tokens(query), 0
        for place, document in enumerate(documents[:size]):
            spent += per_query + estimate_tokens(document)
            if spent > profile.token_product:
                return max(1, place)
    return size


async def _score(
    endpoint: Endpoint,
    settings: RerankSettings,
    query: str,
    batch: Sequence[str],
    positions: Sequence[int],
    calls: list[CallRecord],
    budget: Budget | None,
    paid: PaidAnswers,
    timing: Timing | None,
) -> tuple[float | None, ...]:
    sent = ({"role": "query", "content": query}, *({"role": "document", "content": text} for text in batch))
    record = CallRecord(sent, {"profile": settings.profile}, tuple(positions))
    asked = [endpoint.identity, rerank_payload(endpoint, PROFILES[settings.profile], query, batch)]
    if (kept := paid.find(asked, _rerank_answer)) is not None:
        told = _scored(record, kept)
        calls.append(replace(told, tokens_in=kept.tokens or 0, cost=0.0, is_kept=True))
        return kept.scores
    tokens = estimate_tokens(query) * len(batch) + sum(map(estimate_tokens, batch))
    price = endpoint.price
    cost = price.of(tokens, 0) if price else None
    settle = budget.reserve(tokens, cost) if budget is not None else _book_nothing
    started = perf_counter()
    try:
        answer = await rerank(endpoint, settings.profile, query, batch, timing=timing)
    except ServiceError as error:
        ms = (perf_counter() - started) * 1000
        calls.append(replace(record, problem=str(error), attempts=tuple(error.history), ms=ms))
        wasted = tokens * error.attempts
        settle(wasted, price.of(wasted, 0) if price else None)
        raise
    used = tokens if answer.tokens is None else answer.tokens
    used_with_retries = used + tokens * (len(answer.attempts) - 1)
    settle(used_with_retries, price.of(used_with_retries, 0) if price else None)
    calls.append(
        replace(
            _scored(record, answer),
            tokens_in=used,
            cost=price.of(used, 0) if price else None,
            ms=(perf_counter() - started) * 1000,
            attempts=answer.attempts,
        )
    )
    if any(score is not None for score in answer.scores):
        paid.keep(asked, replace(answer, attempts=()))
    return answer.scores


def _book_nothing(used: int, paid: float | None) -> None:
    """Without a budget."""


def _scored(record: CallRecord, answer: RerankAnswer) -> CallRecord:
    return replace(
        record,
        parameters=record.parameters | answer.sent,
        answer=answer.raw,
        is_estimated=answer.tokens is None,
        scores=answer.scores,
    )


def _rerank_answer(fields: dict[str, Any]) -> RerankAnswer:
    return RerankAnswer(**fields | {"scores": tuple(fields["scores"]), "attempts": ()})
