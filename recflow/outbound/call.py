"""A call to somebody's service with everything that makes it safe: the one function other rooms use.

``call(policy, request)`` waits for its turn (concurrency, rate), asks the circuit, sends, reads the outcome
off the table in ``retry.py``, and tries again as long as the table and the deadline allow. What happened is
kept try by try, for the run panel and for the error.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from recflow.errors import (
    AddressRefused,
    BudgetExceeded,
    ReplyUnreadable,
    ServiceError,
    ServiceRefused,
    ServiceTimeout,
)

from .breaker import Breaker, BreakerStatus
from .client import Guard, send
from .gate import Gate
from .learned import learned_beside
from .messages import Answer, Request, shown_url
from .places import Place
from .rate import Rate, RateLedger, Reservation, ledger_at
from .redact import redact, secrets_of, shown
from .retry import Decision, Hint, classify
from .waits import LONGEST_ASKED_S, asked_wait, backoff, loading_step


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """How one endpoint is treated.

    Args:
        name: what circuit, gate and rate are kept under. Nodes that give the same name share them; put
            the model into it when one model's failure says nothing about the next.
        guard: bounds of the whole call; its ``total_s`` covers every try and every wait.
        max_retries: at most this many further tries, whatever the table allows. None leaves it to the table.
        concurrency: calls at the same time; 0 is no limit.
        rate_file: SQLite file that all processes share for both; empty keeps rate and concurrency in this
            process only.
        patience_s: longest wait in line (for a place, and for the rate) before a try, where that does not
            count towards the deadline: for work in bulk, whose line is long by design. None: it counts.
    """

    name: str
    guard: Guard = field(default_factory=Guard)
    max_retries: int | None = None
    concurrency: int = 0
    rate: Rate = field(default_factory=Rate)
    rate_file: str = ""
    patience_s: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, as the run panel shows it.

    Args:
        kind: the row of the table it fell under; ``ok`` when it worked.
        status: None when no answer came.
        ms: how long the try took.
        waited_ms: how long was waited before it.
        service_ms: how long the service took, as far as that is known.
        detail: what went wrong, redacted.
    """

    number: int
    kind: str
    status: int | None
    ms: float
    waited_ms: float
    request_id: str | None = None
    detail: str = ""
    service_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """An answer and how it was got.

    Args:
        in_line_s: waited for a place and the rate without counting it; see ``EndpointPolicy.patience_s``.
    """

    answer: Answer
    attempts: tuple[Attempt, ...]
    in_line_s: float = 0.0


_DICE = random.Random()  # seeding one costs more than the rest of a call's bookkeeping


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks, the sleep and the dice of a call, so that a test can hold them."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = _DICE


Adapt = Callable[[Decision, Answer, Request], Request | None]
TokensUsed = Callable[[Answer], float | None]


async def call(
    policy: EndpointPolicy,
    request: Request,
    *,
    expects: Literal["json", "any"] = "json",
    tokens: float = 0.0,
    tokens_used: TokensUsed | None = None,
    adapt: Adapt | None = None,
    on_attempt: Callable[[Attempt], None] | None = None,
    on_piece: Callable[[bytes], bool] | None = None,
    timing: Timing | None = None,
) -> Called:
    """Calls a service until it answers, the table says stop, or the time is over.

    Args:
        expects: see ``classify``.
        tokens: estimate for the tokens-per-minute limit.
        tokens_used: reads the true number from the answer; None keeps the estimate.
        adapt: asked once per hint and parameter for a changed request (a shorter prompt, one field less).
            Returning None means it cannot be changed.
        on_attempt: told of every try as soon as it is over.
        on_piece: told the body of an answer 200 as it comes; true when it passed something on. That cannot be
            taken back, so nothing is tried again from then on.

    Raises:
        ServiceError: or one of its kin; ``kind`` is the row of the table, ``history`` the tries, and no
            text of it holds a credential.
    """
    run = _Call(
        policy, request, expects, tokens, tokens_used, adapt, on_attempt, on_piece, timing or Timing()
    )
    return await run.until_settled()


def breaker_status(name: str, rate_file: str = "") -> BreakerStatus:
    """The circuit of an endpoint in this process, for the page that shows it."""
    return _breaker_of(name, rate_file).status(time.monotonic())


def reset_breaker(name: str, rate_file: str = "") -> None:
    """Forgets an endpoint's failures, in all processes with that file; call it when its settings were
    changed."""
    learned_beside(rate_file).start_anew(name)
    _breaker_of(name, rate_file).reset()


@dataclass(slots=True)
class _Call:
    """One call between its tries."""

    policy: EndpointPolicy
    request: Request
    expects: Literal["json", "any"]
    tokens: float
    tokens_used: TokensUsed | None
    adapt: Adapt | None
    on_attempt: Callable[[Attempt], None] | None
    on_piece: Callable[[bytes], bool] | None
    timing: Timing
    has_told: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    hints_used: set[tuple[Hint | None, str | None]] = field(default_factory=set)
    started: float = field(init=False)
    last_end: float = field(init=False)
    in_line_s: float = 0.0
    admitted_as: int = 0
    breaker: Breaker = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.last_end = self.timing.monotonic()
        self.breaker = _breaker_of(self.policy.name, self.policy.rate_file)
        self.gate = _gate_of(self.policy)

    async def until_settled(self) -> Called:
        failure: ServiceError | None = None
        while True:
            try:
                outcome, decision = await self._try()
            except (ServiceRefused, BudgetExceeded) as refusal:
                if failure is None:
                    raise
                raise failure from refusal  # why it failed tells more than why it is not tried again
            if decision.kind == "ok" and isinstance(outcome, Answer):
                return Called(outcome, tuple(self.attempts), self.in_line_s)
            if self._changes_request(outcome, decision):
                continue
            wait_s = self._wait_before_next(outcome, decision)
            failure = self._failure(outcome, decision)
            if wait_s is None:
                if decision.wait == "loading":  # each look at it is no failure, a call in vain is one
                    self.breaker.fail(self.timing.monotonic(), self._reason(outcome, decision))
                raise failure
            await self.timing.sleep(wait_s)

    async def _try(self) -> tuple[Answer | ServiceError, Decision]:
        """One try, from the line at the gate to what was learned from it."""
        if not self.gate.try_enter():
            await self._wait_at_the_gate()
        try:
            self.admitted_as = self.breaker.admit(self.timing.monotonic())
            try:
                return await self._admitted()
            except BaseException:
                self.breaker.release(self.admitted_as)
                raise
        finally:
            self.gate.leave()

    async def _wait_at_the_gate(self) -> None:
        came = self.timing.monotonic()
        try:
            async with asyncio.timeout(self._longest_in_line()):
                await self.gate.enter()
        except TimeoutError:
            raise self._no_place(self.gate.width) from None
        self._stood_in_line(self.timing.monotonic() - came)

    def _no_place(self, width: int) -> BudgetExceeded:
        patience_s = self.policy.guard.total_s if self.policy.patience_s is None else self.policy.patience_s
        return BudgetExceeded(
            f"{self.policy.name} is busy with {width} other calls, and no place became free "
            f"within {patience_s:g} s.",
            kind="concurrency",
            retryable=True,
            attempts=0,
        )

    async def _admitted(self) -> tuple[Answer | ServiceError, Decision]:
        reservation = await self._reserve()
        sent_at: float | None = None
        try:
            async with self._place():
                sent_at = self.timing.monotonic()
                outcome = await self._sent()
        except BaseException:
            if reservation is not None and sent_at is None:
                self._ledger().cancel(reservation, self.timing.wall())
            raise
        await self._settle(reservation, outcome)
        decision = classify(outcome, expects=self.expects)
        self._learn(outcome, decision)
        self._record(outcome, decision, sent_at)
        return outcome, decision

    async def _sent(self) -> Answer | ServiceError:
        guard = replace(self.policy.guard, total_s=max(0.001, self._left()))
        try:
            return await send(self.request, guard, self._tell if self.on_piece is not None else None)
        except ServiceError as error:
            return error

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the calls of all processes; the gate counts those of this one only."""
        policy = self.policy
        if not policy.concurrency or not policy.rate_file:
            yield
            return
        place, came = Place(self._ledger(), policy.name, policy.concurrency), self.timing.monotonic()
        try:
            if not await place.take(
                self._left(), self._longest_in_line(), self.timing.wall, self.timing.sleep
            ):
                raise self._no_place(policy.concurrency)
            self._stood_in_line(self.timing.monotonic() - came)
            yield
        except BaseException:
            place.give_up()
            raise
        await place.give_back()

    def _tell(self, piece: bytes) -> None:
        self.has_told = self.on_piece(piece) or self.has_told

    async def _reserve(self) -> Reservation | None:
        policy, wall = self.policy, self.timing.wall
        if policy.rate.is_unlimited:
            return None
        ledger = self._ledger()
        reservation = await asyncio.to_thread(
            ledger.reserve, policy.name, policy.rate, self.tokens, wall(), self._longest_in_line()
        )
        try:
            if reservation.wait_s:
                await self.timing.sleep(reservation.wait_s)
                self._stood_in_line(reservation.wait_s)
        except BaseException:
            ledger.cancel(reservation, wall())
            raise
        return reservation

    def _ledger(self) -> RateLedger:
        return ledger_at(self.policy.rate_file or ":memory:")

    async def _settle(self, reservation: Reservation | None, outcome: Answer | ServiceError) -> None:
        if reservation is None:
            return
        ledger, now = self._ledger(), self.timing.wall()
        if isinstance(outcome, ServiceError):
            if outcome.kind in _NEVER_ARRIVED:
                await asyncio.to_thread(ledger.cancel, reservation, now)
            return  # the service may have done the work and billed it
        used = self.tokens_used(outcome) if self.tokens_used and outcome.status < 300 else None
        if used is not None:
            await asyncio.to_thread(ledger.settle, reservation, used, now)

    def _learn(self, outcome: Answer | ServiceError, decision: Decision) -> None:
        """Tells circuit and gate what the try showed about the service."""
        now = self.timing.monotonic()
        if decision.opens_circuit:
            self.breaker.open(now, self._reason(outcome, decision))
        elif decision.counts_as_failure and decision.wait != "loading":
            self.breaker.fail(now, self._reason(outcome, decision))
        elif isinstance(outcome, Answer) and not decision.counts_as_failure:
            self.breaker.succeed()
        else:  # nothing is known yet: of a service that is loading, only a whole call in vain tells something
            self.breaker.release(self.admitted_as)
        if decision.throttled:
            self.gate.narrow()
        elif decision.kind == "ok":
            self.gate.widen()

    def _record(self, outcome: Answer | ServiceError, decision: Decision, sent_at: float) -> None:
        now = self.timing.monotonic()
        attempt = Attempt(
            number=len(self.attempts) + 1,
            kind=decision.kind,
            status=outcome.status,
            ms=(now - sent_at) * 1000,
            waited_ms=(sent_at - self.last_end) * 1000,
            request_id=self._request_id(outcome),
            detail=shown(decision.detail, secrets_of(self.request)),
            service_ms=outcome.service_ms if isinstance(outcome, Answer) else None,
        )
        self.last_end = now
        self.attempts.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)

    def _changes_request(self, outcome: Answer | ServiceError, decision: Decision) -> bool:
        """Whether the request was changed as the hint says; once per hint and parameter, so nothing loops."""
        hint = (decision.hint, decision.parameter)
        if self.adapt is None or decision.hint is None or isinstance(outcome, ServiceError):
            return False
        if hint in self.hints_used or self.has_told:
            return False
        if self.policy.max_retries is not None and len(self.attempts) > self.policy.max_retries:
            return False
        self.hints_used.add(hint)
        changed = self.adapt(decision, outcome, self.request)
        if changed is not None:
            self.request = changed
        return changed is not None

    def _wait_before_next(self, outcome: Answer | ServiceError, decision: Decision) -> float | None:
        """Seconds until the next try; None when there is none."""
        asked = self._asked(outcome, decision)
        retries = decision.retries
        if self.policy.max_retries is not None:
            retries = min(retries, self.policy.max_retries)
        if self.has_told:
            retries = 0
        if len(self.attempts) > retries or (asked or 0.0) > LONGEST_ASKED_S:
            wait_s = math.inf
        elif asked is not None:
            wait_s = asked
        elif decision.wait == "loading":
            wait_s = loading_step(self.timing.rng)
        else:
            wait_s = backoff(len(self.attempts), self.timing.rng)
        if wait_s < self._left():
            return wait_s
        if asked is not None:  # nobody else needs to ask before the service is ready
            until = min(asked, _LONGEST_OPEN_S)
            self.breaker.open(self.timing.monotonic(), self._reason(outcome, decision), until)
        return None

    def _failure(self, outcome: Answer | ServiceError, decision: Decision) -> ServiceError:
        """The last outcome as the error the caller gets."""
        secrets = secrets_of(self.request)
        tries = len(self.attempts)
        spent = f" ({tries} tries in {self.last_end - self.started:.1f} s)" if tries > 1 else ""
        facts = {
            "retryable": decision.retries > 0,
            "status": outcome.status,
            "kind": decision.kind,
            "retry_after_s": self._asked(outcome, decision),
            "attempts": tries,
            "history": tuple(self.attempts),
            "request_id": self._request_id(outcome),
        }
        if isinstance(outcome, ServiceError):
            text = shown(str(outcome), secrets) + spent
            known = isinstance(outcome, ServiceTimeout | AddressRefused)
            return (type(outcome) if known else ServiceError)(text, **facts)
        said = shown(decision.detail, secrets)
        text = f"{redact(shown_url(outcome.url), secrets)} answered {outcome.status}. {decision.sentence}"
        text += (f": {said}" if said else ".") + spent
        if decision.kind in ("unreadable", "cut_reply"):
            return ReplyUnreadable(text, raw=redact(outcome.text, secrets)[:_RAW_CHARACTERS], **facts)
        return ServiceError(text, **facts)

    def _asked(self, outcome: Answer | ServiceError, decision: Decision) -> float | None:
        if isinstance(outcome, ServiceError) or not decision.retries:
            return None
        return asked_wait(outcome, self.timing.wall(), is_throttled=decision.throttled)

    def _reason(self, outcome: Answer | ServiceError, decision: Decision) -> str:
        status = f", status {outcome.status}" if outcome.status else ""
        return decision.sentence + status

    def _request_id(self, outcome: Answer | ServiceError) -> str | None:
        if isinstance(outcome, ServiceError):
            return None
        found = outcome.header("x-request-id") or outcome.header("request-id")
        return shown(found, secrets_of(self.request)) if found else None

    def _longest_in_line(self) -> float:
        return self._left() if self.policy.patience_s is None else self.policy.patience_s

    def _stood_in_line(self, seconds: float) -> None:
        """Moves the deadline by as much, where waiting in line does not count."""
        if self.policy.patience_s is not None:
            self.started += seconds
            self.in_line_s += seconds

    def _left(self) -> float:
        return self.started + self.policy.guard.total_s - self.timing.monotonic()


_NEVER_ARRIVED = frozenset(("dns", "connect", "tls", "address", "bad_url"))
_LONGEST_OPEN_S = 3600.0  # a service that asks for a day may have sent nonsense
_RAW_CHARACTERS = 4000

_breakers: dict[str, Breaker] = {}
_starts_seen: dict[tuple[str, str], int] = {}
_gates: dict[tuple[asyncio.AbstractEventLoop, str, int], Gate] = {}
_registry_lock = threading.Lock()


def _breaker_of(name: str, rate_file: str) -> Breaker:
    """The circuit of that name, closed again if another process started the endpoint anew meanwhile."""
    starts = learned_beside(rate_file).starts(name)
    with _registry_lock:
        breaker = _breakers.setdefault(name, Breaker())
        if _starts_seen.setdefault((name, rate_file), starts) != starts:
            _starts_seen[name, rate_file] = starts
            breaker.reset()
        return breaker


def _gate_of(policy: EndpointPolicy) -> Gate:
    loop = asyncio.get_running_loop()
    with _registry_lock:
        for key in [known for known in _gates if known[0].is_closed()]:
            del _gates[key]
        return _gates.setdefault((loop, policy.name, policy.concurrency), Gate(policy.concurrency))
