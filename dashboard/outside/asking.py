"""Ask the default endpoint whatever somebody wants to know: one prompt, one answer, booked like any other."""

from __future__ import annotations

from time import perf_counter

from dashboard.outside import call_log
from dashboard.outside.directory import budget_of_today, current_soon
from dashboard.outside.preview import patient
from recflow.errors import ServiceError
from recflow.llm.chat import ChatOptions, ChatResult, chat, estimate_tokens
from recflow.nodes.outside import DEFAULT_ENDPOINT, Asked, Outside

#: Room for the answer, which is booked before the call.
MAX_OUTPUT_TOKENS = 4_096
#: What the log of calls says instead of a flow and a node.
_FLOW, _NODE = "API", "chat"


async def answer(prompt: str) -> str:
    """The answer of the default endpoint, within today's budget.

    Raises:
        NoUsableAnswer: there is no default endpoint, or it is not complete.
        BudgetExceeded: the day's limit would be passed.
        ServiceError: it gave no answer.
    """
    found = await current_soon()
    endpoint = patient(Outside(endpoints=found.endpoints).endpoint(DEFAULT_ENDPOINT)).endpoint
    price, asked = endpoint.price, estimate_tokens(prompt)
    booked = asked + MAX_OUTPUT_TOKENS
    cost = price.of(asked, MAX_OUTPUT_TOKENS) if price else None
    budget = budget_of_today(found.limits)
    budget.reserve(booked, cost)
    options = ChatOptions(temperature=None, max_output_tokens=MAX_OUTPUT_TOKENS)
    began = perf_counter()
    result: ChatResult | None = None
    failure: ServiceError | None = None
    try:
        result = await chat(endpoint, [{"role": "user", "content": prompt}], options)
    except ServiceError as error:
        failure = error
        raise
    finally:
        used_in, used_out = (result.prompt_tokens, result.completion_tokens) if result else (0, 0)
        paid = price.of(used_in, used_out) if price else None
        budget.settle(booked, cost, used_in + used_out, paid)
        told = Asked(
            flow=_FLOW,
            node_id=_NODE,
            node_name="Chat",
            kind="llm",
            endpoint=DEFAULT_ENDPOINT,
            model=endpoint.model,
            user_id="",
            status="ok" if result else "failed",
            reason=getattr(failure, "kind", ""),
            message=failure.message if failure else "",
            n_calls=1,
            tokens_in=used_in,
            tokens_out=used_out,
            cost=paid,
            ms=(perf_counter() - began) * 1000,
        )
        call_log.writer.record(told)
    return result.completion.content
