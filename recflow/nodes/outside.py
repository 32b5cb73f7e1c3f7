"""What nodes that call other machines are given by the server around them: models, secrets, limits, a log.

Not a node type. The server puts one function into ``ctx.resources["outside"]``; called with the run's request
it gives an ``Outside``, the state of the administrator's settings at that moment. Nodes know nothing of where
they are kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from recflow.engine.context import RunContext, RunRequest
from recflow.errors import NoUsableAnswer
from recflow.llm.budget import Budget
from recflow.llm.endpoint import Endpoint
from recflow.outbound.addresses import PUBLIC_ONLY, AddressPolicy
from recflow.outbound.redact import hide

#: Name of the endpoint that a node asks unless it says otherwise.
DEFAULT_ENDPOINT = "default"


@dataclass(frozen=True)
class NamedEndpoint:
    """A model that nodes pick by its name.

    Args:
        name: as nodes write it.
        endpoint: where it is.
        notice: a sentence that stands beside everything it answers; the stand-in says here what it is.
    """

    name: str
    endpoint: Endpoint
    notice: str = ""


@dataclass(frozen=True)
class Asked:
    """One time that a node asked other machines, for the log and its counters.

    Args:
        kind: "llm", "rerank" or "external".
        status: "ok", "partial" or "failed"; ``reason`` is one word for what is short of ok, ``message`` its
            sentence.
        statuses: HTTP status of each try, 0 where no answer came.
        tokens_in, tokens_out, tokens_cached, tokens_reasoning: of all calls; those not kept from before.
        cost: None when a price is unknown.
        ms: what the calls took.
        details: what was sent and answered; holds personal data.
    """

    flow: str
    node_id: str
    node_name: str
    kind: str
    endpoint: str
    model: str
    user_id: str
    status: str
    reason: str = ""
    message: str = ""
    n_calls: int = 0
    n_kept: int = 0
    statuses: tuple[int, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost: float | None = 0.0
    ms: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


def _record_nothing(asked: Asked) -> None:
    """Where there is no log."""


@dataclass(frozen=True, eq=False)
class Outside:
    """Which machines may be called, and with what, at one moment.

    Args:
        endpoints: models by name.
        secrets: texts that requests may hold, by name; never shown.
        addresses: where requests and scripts may go.
        budget: tokens and money of this run and this day.
        answers: seconds to live -> kept answers; None keeps none.
        record: hears of everything that was asked.
    """

    endpoints: Mapping[str, NamedEndpoint] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    addresses: AddressPolicy = PUBLIC_ONLY
    budget: Budget | None = None
    answers: Callable[[float], MutableMapping[str, bytes]] | None = None
    record: Callable[[Asked], None] = _record_nothing

    def endpoint(self, name: str) -> NamedEndpoint:
        """The endpoint of that name.

        Raises:
            NoUsableAnswer: there is none, or it is not complete.
        """
        problem = endpoint_problem(name, {key: named.endpoint for key, named in self.endpoints.items()})
        if problem:
            raise NoUsableAnswer(problem, kind="not_configured", field="endpoint", attempts=0)
        return self.endpoints[name]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every key and secret; none of them may be read in anything that is shown."""
        keys = (named.endpoint.key for named in self.endpoints.values())
        return tuple(text for text in (*keys, *self.secrets.values()) if text)

    def kept_for(self, seconds: float) -> MutableMapping[str, bytes] | None:
        return self.answers(seconds) if self.answers is not None and seconds > 0 else None


async def outside_of(ctx: RunContext) -> Outside:
    """What the server allows this run; nothing at all where nobody said."""
    give: Callable[[RunRequest], Awaitable[Outside]] | None = ctx.resources.get("outside")
    return Outside() if give is None else await give(ctx.request)


def endpoint_problem(name: str, endpoints: Mapping[str, Endpoint]) -> str:
    """Why a node cannot ask this endpoint, "" when it can."""
    if name not in endpoints:
        known = f"there are {', '.join(endpoints)}" if endpoints else "none is set up yet"
        return f"There is no endpoint {name!r}; {known}: choose or add one in Settings"
    endpoint = endpoints[name]
    missing = [
        word for word, value in (("address", endpoint.base_url), ("model", endpoint.model)) if not value
    ]
    return f"The endpoint {name!r} has no {' and no '.join(missing)}: enter it in Settings" if missing else ""


def masked(value: Any, secrets: Iterable[str]) -> Any:
    """A JSON-like value in which no secret can be read, however it was spelled on the way."""
    known = tuple(secrets)
    return _masked(value, known) if any(known) else value


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, Mapping):
        return {_masked(key, secrets): _masked(entry, secrets) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(entry, secrets) for entry in value]
    return value
