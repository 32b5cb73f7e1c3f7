"""Ask the default endpoint whatever somebody wants to know: one answer, whole or as it comes, and booked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from time import perf_counter

from dashboard.errors import BadRequest
from dashboard.outside import call_log
from dashboard.outside.directory import budget_of_today, current_soon
from dashboard.outside.preview import patient
from recflow.errors import ServiceError
from recflow.llm.chat import ChatOptions, ChatResult, Message, chat, estimate_tokens
from recflow.llm.endpoint import Endpoint
from recflow.llm.envelope import without_secrets
from recflow.nodes.outside import DEFAULT_ENDPOINT, Asked, Outside
from recflow.outbound.call import Attempt
from recflow.outbound.redact import PieceHider

#: Room for the answer, which is booked before the call.
MAX_OUTPUT_TOKENS = 4_096
PLAIN = ChatOptions(temperature=None, max_output_tokens=MAX_OUTPUT_TOKENS)
#: What the log of calls says instead of a flow and a node.
_FLOW, _NODE = "API", "chat"


async def answer(
    messages: Sequence[Message],
    options: ChatOptions = PLAIN,
    *,
    model: str = "",
    on_text: Callable[[str], None] | None = None,
) -> ChatResult:
    """The answer of the default endpoint, within today's budget; a key or secret in it is hidden.

    Args:
        options: with ``max_output_tokens``, which is what the answer is booked with.
        model: what the caller thinks it asks; "" for whatever there is.
        on_text: told the text as it comes.

    Raises:
        NoUsableAnswer: there is no default endpoint, or it is not complete.
        BadRequest: it has another model; the budget knows the price of its own only.
        BudgetExceeded: the day's limit would be passed.
        ServiceError: it gave no answer.
    """
    found = await current_soon()
    endpoint = patient(Outside(endpoints=found.endpoints).endpoint(DEFAULT_ENDPOINT)).endpoint
    if model and model != endpoint.model:
        raise BadRequest(f"The default endpoint has the model {endpoint.model}, not {model[:80]}")
    price, asked = endpoint.price, sum(estimate_tokens(message["content"]) for message in messages)
    room = options.max_output_tokens or MAX_OUTPUT_TOKENS
    booked, cost = asked + room, price.of(asked, room) if price else None
    budget = budget_of_today(found.limits)
    settle = budget.reserve(booked, cost)
    heard: list[str] = []
    secrets = Outside(endpoints=found.endpoints, secrets=found.secrets).hidden
    hider = PieceHider(secrets)

    def hear(text: str) -> None:
        heard.append(text)
        tell(hider.feed(text))

    def tell(text: str) -> None:
        if text:
            on_text(text)

    began = perf_counter()
    failure: BaseException | None = None
    attempts: tuple[Attempt, ...] = ()
    try:
        result = await chat(endpoint, messages, options, on_text=hear if on_text is not None else None)
        attempts = result.attempts
        used = (result.prompt_tokens + asked * (len(attempts) - 1), result.completion_tokens)
        if on_text is not None:
            tell(hider.rest())
        result = replace(result, completion=without_secrets(result.completion, secrets))
    except BaseException as error:
        failure = error
        # What was sent is paid for, and so is what was said before it broke off or nobody listened any more.
        attempts, tries = (error.history, error.attempts) if isinstance(error, ServiceError) else ((), 1)
        used = (asked * tries, estimate_tokens("".join(heard)))
        raise
    finally:
        paid = price.of(*used) if price else None
        settle(sum(used), paid)
        ms = (perf_counter() - began) * 1000
        call_log.writer.record(_logged(endpoint, used, paid, ms, attempts, failure))
    return result


async def streamed(
    messages: Sequence[Message], options: ChatOptions = PLAIN, *, model: str = ""
) -> AsyncGenerator[str | ChatResult, None]:
    """Pieces of the text as they come, and at the end the whole answer; raises as ``answer``.

    Whoever stops listening ends the call upstream.
    """
    pieces: asyncio.Queue[str | None] = asyncio.Queue()  # never more than the guard's cap for a body
    asking = asyncio.create_task(answer(messages, options, model=model, on_text=pieces.put_nowait))
    asking.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await asking
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def _logged(
    endpoint: Endpoint,
    used: tuple[int, int],
    paid: float | None,
    ms: float,
    attempts: Sequence[Attempt],
    failure: BaseException | None,
) -> Asked:
    is_left = isinstance(failure, asyncio.CancelledError)
    told = "Nobody waited for the answer any more" if is_left else str(failure or "")
    return Asked(
        flow=_FLOW,
        node_id=_NODE,
        node_name="Chat",
        kind="llm",
        endpoint=DEFAULT_ENDPOINT,
        model=endpoint.model,
        user_id="",
        status="failed" if failure else "ok",
        reason="cancelled" if is_left else getattr(failure, "kind", ""),
        message=failure.message if isinstance(failure, ServiceError) else told,
        n_calls=1,
        statuses=tuple(attempt.status or 0 for attempt in attempts),
        tokens_in=used[0],
        tokens_out=used[1],
        cost=paid,
        ms=ms,
    )
