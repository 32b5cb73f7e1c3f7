"""What a ranking by a model is told as: all of it in the node's panel, its numbers in the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from recflow.engine.context import RunContext
from recflow.engine.values import Candidates
from recflow.llm.outcome import CallRecord, LlmRanking
from recflow.nodes.outside import Asked, NamedEndpoint, Outside, masked

#: Characters of one prompt or answer that the panel gets; a whole prompt of a hundred items is a third of it.
MAX_SHOWN = 100_000


def told(
    ctx: RunContext,
    candidates: Candidates,
    ranking: LlmRanking,
    *,
    kind: str,
    named: NamedEndpoint,
    outside: Outside,
) -> dict[str, Any]:
    """Everything about a ranking as the node's panel shows it, after the log has heard of it."""
    ids = ctx.snapshot.items.ids.texts(candidates.items)
    titles = ctx.snapshot.titles(candidates.items)
    details = _short(masked(_details(ranking, ids, titles, named) | {"kind": kind}, outside.hidden))
    outside.record(_asked(ctx, ranking, kind, named, details))
    return details


def _details(ranking: LlmRanking, ids: list[str], titles: list[str], named: NamedEndpoint) -> dict[str, Any]:
    return {
        "endpoint": named.name,
        "model": named.endpoint.model,
        "notice": named.notice,
        "status": ranking.status,
        "reason": ranking.reason,
        "message": ranking.message,
        "notes": list(ranking.notes),
        "agreement": ranking.agreement,
        "tokens": ranking.tokens,
        "cost": ranking.cost,
        "ms": round(sum(call.ms for call in ranking.calls), 2),
        "items": [
            {
                "item_id": ids[place],
                "title": titles[place],
                "rank": rank,
                "rank_before": place + 1,
                "origin": ranking.origins[place],
            }
            for rank, place in enumerate(ranking.order, start=1)
        ],
        "calls": [_call(call, ids) for call in ranking.calls],
    }


def _call(call: CallRecord, ids: list[str]) -> dict[str, Any]:
    reading = call.reading
    ranked = reading.order[: reading.n_ranked] if reading else ()
    return {
        "messages": [dict(message) for message in call.sent],
        "parameters": dict(call.parameters),
        "asked_about": [ids[place] for place in call.positions],
        "answer": call.answer,
        "reasoning": call.reasoning,
        "model": call.model,
        "finish_reason": call.finish_reason,
        "status": reading.status if reading else None,
        "reason": reading.reason if reading else "",
        "scores": list(call.scores),
        "ranked": [ids[call.positions[place]] for place in ranked],
        "dropped": [asdict(token) for token in call.dropped],
        "dropped_counts": dict(reading.dropped_counts) if reading else {},
        "tokens": {
            "estimate": asdict(call.estimate) if call.estimate else None,
            "in": call.tokens_in,
            "out": call.tokens_out,
            "cached": call.tokens_cached,
            "reasoning": call.tokens_reasoning,
            "is_estimated": call.is_estimated,
        },
        "cost": call.cost,
        "ms": round(call.ms, 2),
        "attempts": [asdict(attempt) for attempt in call.attempts],
        "is_kept": call.is_kept,
        "problem": call.problem,
        "warnings": list(call.warnings),
    }


def _short(details: dict[str, Any]) -> dict[str, Any]:
    """The same with texts cut to what is shown; after secrets are hidden, as half a one cannot be found."""
    for call in details["calls"]:
        call |= {"answer": _cut(call["answer"]), "reasoning": _cut(call["reasoning"])}
        call["messages"] = [message | {"content": _cut(message["content"])} for message in call["messages"]]
    return details


def _cut(text: str) -> str:
    left = len(text) - MAX_SHOWN
    return text if left <= 0 else f"{text[:MAX_SHOWN]}\n[{left:,} more characters]"


def _asked(
    ctx: RunContext, ranking: LlmRanking, kind: str, named: NamedEndpoint, details: dict[str, Any]
) -> Asked:
    fresh = [call for call in ranking.calls if not call.is_kept]
    totals: Counter[str] = Counter()
    for call in fresh:
        totals["in"] += call.tokens_in
        totals["out"] += call.tokens_out
        totals["cached"] += call.tokens_cached or 0
        totals["reasoning"] += call.tokens_reasoning or 0
    return Asked(
        flow=ctx.flow_name,
        node_id=ctx.node_id,
        node_name=ctx.node_name,
        kind=kind,
        endpoint=named.name,
        model=named.endpoint.model,
        user_id=ctx.request.history.user_id,
        status=ranking.status,
        reason=ranking.reason,
        message=details["message"],
        n_calls=len(ranking.calls),
        n_kept=len(ranking.calls) - len(fresh),
        statuses=tuple(attempt.status or 0 for call in fresh for attempt in call.attempts),
        tokens_in=totals["in"],
        tokens_out=totals["out"],
        tokens_cached=totals["cached"],
        tokens_reasoning=totals["reasoning"],
        cost=ranking.cost,
        ms=details["ms"],
        details=details,
    )
