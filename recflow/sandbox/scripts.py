"""Runs users' scripts (JavaScript) in a child process.

A script gets ``user_id`` and a synchronous ``fetch``, and its last expression is the list of item ids.
Scripts from Gorse configurations run unchanged, except that there is no ``env``: the server's environment
holds keys.

The child has no network. ``fetch`` is a question to this process, answered by the function that the caller
gives; it decides where a script may call and how long. A failed fetch is an exception the script may catch.

``run_script`` blocks until the script is done: an async caller awaits ``asyncio.to_thread(run_script, ...)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from recflow.errors import RecflowError, SandboxError, SandboxLimit

from .frames import whole_text
from .workers import Limits, Pool

_pool = Pool("script", size=8)  # more than for templates: a script holds its child while it waits for a fetch


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """What a script may use.

    Args:
        seconds: its own running time, without waiting for fetches.
        total_s: everything, fetches included.
        max_fetches: requests of one run.
    """

    seconds: float = 1.0
    total_s: float = 30.0
    max_fetches: int = 20
    output_chars: int = 1_000_000


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What a script asks for. ``timeout_s`` is the time that is left of the run."""

    url: str
    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """What a script gets; headers as pairs in any case, a name may repeat."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """The ids in the script's order, repeats included, and what it logged."""

    ids: list[str]
    logs: list[str]
    ms: float


Fetch = Callable[[FetchRequest], FetchResponse]


def run_script(
    script: str,
    user_id: str,
    *,
    fetch: Fetch | None = None,
    limits: ScriptLimits | None = None,
    on_log: Callable[[str], None] | None = None,
) -> ScriptResult:
    """Runs a script for one user.

    Args:
        fetch: does the HTTP. Whatever ``RecflowError`` it raises the script sees as an exception with that
            message; if the script lets it pass, it is the ``__cause__`` of the error raised here.
        on_log: told of each console line at once, so that the lines of a failing script are seen too.

    Raises:
        SandboxError: the script failed or its value is no list of ids; line and column where known.
        SandboxLimit: it was stopped.
    """
    limits = limits or ScriptLimits()
    run = _Run(fetch, limits, on_log)
    started = time.perf_counter()
    try:
        ids = _pool.run(
            {"script": script, "user_id": user_id},
            Limits(limits.seconds, limits.output_chars),
            run.answer,
        )
    except SandboxError as error:
        if run.last_failure is not None and str(run.last_failure) in str(error):
            raise error from run.last_failure
        raise
    return ScriptResult(ids, run.logs, (time.perf_counter() - started) * 1000)


def check_script(script: str) -> str:
    """What keeps a script from being read, with line and column; "" when nothing does. Nothing of it runs."""
    try:
        _pool.run({"check": script}, Limits())
    except SandboxError as error:
        return error.message
    return ""


class _Run:
    """Answers the frames of one running script."""

    def __init__(
        self, fetch: Fetch | None, limits: ScriptLimits, on_log: Callable[[str], None] | None
    ) -> None:
        self._fetch = fetch
        self._limits = limits
        self._on_log = on_log
        self._end = time.monotonic() + limits.total_s
        self._fetches = 0
        self.logs: list[str] = []
        self.last_failure: RecflowError | None = None

    def answer(self, frame: dict) -> dict | None:
        if "log" in frame:
            self.logs.append(frame["log"])
            if self._on_log is not None:
                self._on_log(frame["log"])
            return None
        try:
            return {"response": _for_script(self._fetched(frame["fetch"]))}
        except SandboxLimit:
            raise
        except RecflowError as error:
            self.last_failure = error
            return {"error": str(error)}

    def _fetched(self, asked: dict) -> FetchResponse:
        if self._fetch is None:
            raise SandboxError("This script may not call other machines.")
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise SandboxLimit(f"The script and its fetches took longer than {self._limits.total_s:g} s.")
        self._fetches += 1
        if self._fetches > self._limits.max_fetches:
            raise SandboxLimit(f"The script made more than {self._limits.max_fetches} fetches.")
        headers = {whole_text(name): whole_text(value) for name, value in asked["headers"].items()}
        url, method, body = (whole_text(asked[name]) for name in ("url", "method", "body"))
        return self._fetch(FetchRequest(url, method, headers, body, timeout_s=left_s))


def _for_script(response: FetchResponse) -> dict:
    """The response object as Gorse's scripts know it: the status text holds the code, headers have Go's
    names."""
    headers: dict[str, str] = {}
    for name, value in response.headers:
        canonical = "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
        headers[canonical] = f"{headers[canonical]}, {value}" if canonical in headers else value
    return {
        "ok": 200 <= response.status <= 299,
        "status": response.status,
        "statusText": f"{response.status} {_phrase(response.status)}".rstrip(),
        "body": response.body,
        "headers": headers,
    }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
