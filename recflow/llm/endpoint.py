"""Where a model lives and what it can do: address, key, prices, and what it was seen to refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from time import time
from types import MappingProxyType
from urllib.parse import urlsplit

from recflow.outbound.call import EndpointPolicy
from recflow.outbound.learned import Learned, learned_beside


class ThinkingOff(StrEnum):
    """How an endpoint is told not to reason; none of them is understood everywhere, so none is sent by
    default."""

    NOT_SENT = "not_sent"
    ENABLE_THINKING = "chat_template_kwargs.enable_thinking"
    THINKING = "chat_template_kwargs.thinking"
    REASONING_EFFORT = "reasoning_effort"
    SYSTEM_TEXT = "detailed thinking off"
    SUFFIX = "/no_think"


@dataclass(frozen=True)
class Price:
    """Money for a million tokens, in whatever currency the table is kept in.

    Args:
        cached_input: for input that the service read from its cache; None charges it as input.
    """

    input: float
    output: float
    cached_input: float | None = None

    def of(self, tokens_in: int, tokens_out: int, tokens_cached: int = 0) -> float:
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, tokens_in - tokens_cached)
        return (fresh * self.input + tokens_cached * cached + tokens_out * self.output) / 1_000_000


@dataclass(frozen=True)
class Endpoint:
    """One model behind one address.

    Args:
        base_url: as the vendor prints it; with or without a trailing slash, with or without /v1.
        model: name sent with each call.
        key: sent as a bearer token; no header when empty. Never printed.
        policy: deadline, retries, concurrency and rate; None takes the defaults under a name made of address
            and model, so nodes that use the same model share circuit and limits.
        thinking_off: how to tell this endpoint not to reason.
        output_cap_field: name of the field that caps the answer.
        context_tokens: tokens the model takes in and gives out together; 0 when unknown.
        price: None when nobody has entered one; costs are then unknown, not zero.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    policy: EndpointPolicy | None = None
    thinking_off: ThinkingOff = ThinkingOff.NOT_SENT
    output_cap_field: str = "max_tokens"
    context_tokens: int = 0
    price: Price | None = None

    @property
    def identity(self) -> str:
        """Address and model: what circuits, limits, capabilities and kept answers belong to."""
        return f"{self.base_url.strip().rstrip('/')} {self.model}"

    @property
    def call_policy(self) -> EndpointPolicy:
        return self.policy or EndpointPolicy(self.identity)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text about it may show."""
        return (self.key,) if self.key else ()

    def url(self, path: str) -> str:
        """``path`` under the base; a bare host gets /v1 in front, nothing is ever doubled."""
        base = self.base_url.strip().rstrip("/")
        if base.endswith(path):
            return base
        return f"{base}{path}" if urlsplit(base).path else f"{base}/v1{path}"


def capabilities_of(endpoint: Endpoint) -> MappingProxyType[str, str | None]:
    """Parameters that the endpoint refused, and what is sent instead; None means left out.

    All processes with the rate file of its policy know them, for a day.
    """
    return MappingProxyType(_learned(endpoint).refusals(endpoint.identity, time()))


def remember_refusal(endpoint: Endpoint, parameter: str, instead: str | None) -> None:
    """From now on ``parameter`` is sent to this endpoint as ``instead``, or not at all."""
    _learned(endpoint).remember(endpoint.identity, parameter, instead, time())


def forget_refusals(endpoint: Endpoint) -> None:
    """Everything is tried again; call it when the endpoint was changed or updated."""
    _learned(endpoint).forget(endpoint.identity)


def _learned(endpoint: Endpoint) -> Learned:
    return learned_beside(endpoint.call_policy.rate_file)
