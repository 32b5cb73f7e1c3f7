"""Script mode: JavaScript that fetches, thinks and ends in a list of item ids; Gorse's scripts run as is."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Literal

from pydantic import ConfigDict, Field

from recflow.engine.settings import Duration, NodeSettings, duration_seconds, ui
from recflow.errors import NoUsableAnswer, SandboxError
from recflow.nodes.external.question import Exchange, InThread, KeepAnswers, Question, Trace, guard_for
from recflow.nodes.outside import Outside
from recflow.outbound.client import send
from recflow.outbound.messages import Request
from recflow.sandbox.scripts import FetchRequest, FetchResponse, ScriptLimits, check_script, run_script

# A script holds its thread while it waits for a fetch. In the threads of the run it would keep arithmetic
# waiting; there are as many here as the sandbox has children for scripts.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="script")


class ScriptSettings(NodeSettings):
    """A script with a synchronous fetch; its last expression is the list of item ids."""

    model_config = ConfigDict(json_schema_extra=ui(panel="request"))

    mode: Literal["script"] = Field("script", title="Script")
    script: str = Field(
        min_length=1,
        max_length=100_000,
        title="Script",
        description="JavaScript with user_id and fetch(url, {method, headers, body}), which waits for its "
        "answer {ok, status, statusText, headers, body}. The last expression is the list of ids. "
        "console.log shows in the preview.",
        json_schema_extra=ui("script"),
    )
    timeout: Duration = Field(
        "5s",
        title="Timeout",
        description="For the script and all its fetches; then the list is empty and the run goes on.",
        json_schema_extra=ui("duration"),
    )
    keep: KeepAnswers = "10m"


def check(settings: ScriptSettings) -> list[tuple[str, str]]:
    if not settings.script.strip():
        return [("script", "script must not be empty")]
    problem = _problem_of(settings.script)
    return [("script", problem)] if problem else []


@lru_cache(maxsize=256)
def _problem_of(script: str) -> str:
    """What keeps a script from running at all; remembered, as every check of a flow asks it."""
    return check_script(script)


async def ids_of(
    question: Question,
    settings: ScriptSettings,
    outside: Outside,
    trace: Trace,
    *,
    in_thread: InThread,
    exchange: Exchange | None = None,
) -> list[str]:
    """The ids a script ends in.

    Raises:
        RecflowError: it failed or was stopped.
    """
    loop = asyncio.get_running_loop()
    under_way: list[Future] = []

    def fetch(asked: FetchRequest) -> FetchResponse:
        guard = guard_for(outside, max(0.001, asked.timeout_s))
        body = asked.body.encode("utf-8", "replace")
        request = Request(asked.url, asked.method.upper(), tuple(asked.headers.items()), body)
        future = asyncio.run_coroutine_threadsafe(trace.send(exchange or send, request, guard), loop)
        under_way.append(future)
        answer = future.result()
        return FetchResponse(answer.status, answer.headers, answer.text)

    def work() -> list[str]:
        limits = ScriptLimits(total_s=duration_seconds(settings.timeout))
        return run_script(settings.script, question.user_id, fetch=fetch, limits=limits, on_log=trace.log).ids

    try:
        return await loop.run_in_executor(_threads, work)
    except asyncio.CancelledError:
        # Giving up a fetch ends the script's process too: its thread gets an error that no script can catch.
        for future in under_way:
            future.cancel()
        raise
    except SandboxError as error:
        raise NoUsableAnswer(error.message, field="script") from error
