"""Does an endpoint answer? One small question to it, sent and paid for like any other; a button in Settings.

It is asked to rank two made-up items, because that is what nodes will ask of it: an address that answers
with something else is found out here and not by the users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dashboard.errors import BadRequest, NotFound
from dashboard.outside import call_log
from dashboard.outside.directory import budget_of_today, current_soon
from dashboard.outside.preview import patient
from dashboard.outside.spending import DayBudget
from recflow.llm.outcome import CallRecord, LlmRanking
from recflow.llm.prompts import PromptTemplate
from recflow.llm.ranking import rank_with_llm
from recflow.llm.reranking import rank_with_reranker
from recflow.llm.settings import RERANK_PROFILES, LlmSettings, RerankSettings
from recflow.nodes.outside import Asked, NamedEndpoint, endpoint_problem, masked

#: How an endpoint can be asked: as a chat model, or in one of the dialects of rerank services.
WAYS: tuple[str, ...] = ("chat", *RERANK_PROFILES)

_ITEMS = ({"ItemId": "a", "Comment": "A pot of tea"}, {"ItemId": "b", "Comment": "A pair of boots"})
_PROMPT = PromptTemplate(
    "Which of these would somebody who is thirsty rather have? Answer with the two numbers only, the better "
    "one first, each on a line of its own.\n{% for item in items %}{{ item.ItemId }}, {{ item.text }}\n"
    "{% endfor %}"
)
#: A model that thinks first needs some room for it, or its answer to anything is empty.
_CHAT = LlmSettings(answer_headroom=512)


@dataclass(frozen=True)
class Trial:
    """How it went.

    Args:
        ok: the endpoint can be used by nodes.
        message: what happened, in one sentence; no key can be read in it.
        status: HTTP status of the last try, None where no answer came.
        ms: from the first try to the answer, waits included.
        model: the one that says it answered; "" when it does not say.
        tokens: of question and answer.
        cost: None when the price is unknown.
    """

    ok: bool
    message: str
    status: int | None
    ms: float
    model: str
    tokens: int
    cost: float | None


async def try_endpoint(name: str, way: str = "chat") -> Trial:
    """Asks the endpoint of that name, within today's budget.

    Raises:
        NotFound: there is no such endpoint.
        BadRequest: it is not complete, or there is no such way to ask.
    """
    found = await current_soon()
    if name not in found.endpoints:
        raise NotFound(f"There is no endpoint {name!r}")
    if way not in WAYS:
        raise BadRequest(f"An endpoint is asked as one of {', '.join(WAYS)}, got {way[:40]!r}")
    if problem := endpoint_problem(name, {name: found.endpoints[name].endpoint}):
        raise BadRequest(problem)
    named = patient(found.endpoints[name])
    ranking = await _asked(named, way, budget_of_today(found.limits))
    keys = [each.endpoint.key for each in found.endpoints.values()]
    trial = masked(_told(ranking), [*keys, *found.secrets.values()])
    _log(named, way, ranking, trial)
    return Trial(**trial)


async def _asked(named: NamedEndpoint, way: str, budget: DayBudget) -> LlmRanking:
    """Tried once: whoever presses a button wants to know what the other side says now."""
    policy = replace(named.endpoint.call_policy, max_retries=0)
    endpoint = replace(named.endpoint, policy=policy)
    if way == "chat":
        return await rank_with_llm(endpoint, _PROMPT, {}, [], _ITEMS, _CHAT, budget=budget)
    settings = RerankSettings(profile=way, query_template="Something to drink")
    return await rank_with_reranker(endpoint, {}, [], _ITEMS, settings, budget=budget)


def _told(ranking: LlmRanking) -> dict[str, Any]:
    call = ranking.calls[-1] if ranking.calls else CallRecord((), {}, ())
    ms, status = round(call.ms, 1), call.attempts[-1].status if call.attempts else None
    if ranking.status == "ok":
        message = "It answered with a ranking."
    elif call.answer:
        message = f"It answered, but with no ranking of the items it was asked about: {ranking.message}"
    else:
        message = ranking.message
    return {
        "ok": ranking.status == "ok",
        "message": message,
        "status": status,
        "ms": ms,
        "model": call.model,
        "tokens": ranking.tokens,
        "cost": ranking.cost,
    }


def _log(named: NamedEndpoint, way: str, ranking: LlmRanking, trial: dict[str, Any]) -> None:
    attempts = [attempt for call in ranking.calls for attempt in call.attempts]
    call_log.writer.record(
        Asked(
            flow="Settings",
            node_id=f"test of {named.name}",
            node_name=f"Test of {named.name}",
            kind="llm" if way == "chat" else "rerank",
            endpoint=named.name,
            model=named.endpoint.model,
            user_id="",
            status=ranking.status,
            reason=ranking.reason,
            message="" if trial["ok"] else trial["message"],
            n_calls=len(ranking.calls),
            statuses=tuple(attempt.status or 0 for attempt in attempts),
            tokens_in=sum(call.tokens_in for call in ranking.calls),
            tokens_out=sum(call.tokens_out for call in ranking.calls),
            cost=ranking.cost,
            ms=trial["ms"],
        )
    )
