"""Changing what may be called: endpoints, keys, secrets, prices, limits, the allow-list.

Keys go in and never come out again. Whoever changes where an endpoint is has to give its key anew, or else
the old key could be sent to a machine of their choice.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dashboard.errors import BadRequest, Conflict, NotFound
from dashboard.models import ModelPrice, OutsideLimits, Secret, ServiceEndpoint
from dashboard.outside import directory
from dashboard.outside.spending import today
from recflow.llm.endpoint import Endpoint, ThinkingOff, capabilities_of, forget_refusals
from recflow.nodes.outside import DEFAULT_ENDPOINT
from recflow.outbound.call import EndpointPolicy, breaker_status, reset_breaker

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SENDABLE = re.compile(r"[\x21-\x7e]*")
#: A shorter secret could not be hidden without blotting out half of every text.
_SHORTEST_SECRET = 6
#: Of a key shorter than this, four letters would tell too much.
_SHOWS_LAST_4 = 12
_MAX_NETWORKS = 200


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


class EndpointForm(_Form):
    """An endpoint as it is entered; an empty key keeps the one that is there."""

    base_url: str = Field(max_length=500)
    model: str = Field(min_length=1, max_length=200)
    key: str = Field("", max_length=4_000)
    clear_key: bool = False
    requests_per_minute: int = Field(0, ge=0, le=10_000_000)
    tokens_per_minute: int = Field(0, ge=0, le=1_000_000_000)
    concurrency: int = Field(0, ge=0, le=10_000)
    timeout_s: float = Field(60.0, ge=0.1, le=3_600, allow_inf_nan=False)
    context_tokens: int = Field(0, ge=0, le=100_000_000)
    thinking_off: ThinkingOff = ThinkingOff.NOT_SENT
    output_cap_field: str = Field("max_tokens", pattern=r"^(max_tokens|max_completion_tokens)$")
    verify_tls: bool = True

    @field_validator("base_url")
    @classmethod
    def _callable(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"must begin with http:// or https:// and name a host, got {value[:80]!r}")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no user name, query or fragment: keys belong into the field for them")
        return value

    @field_validator("key")
    @classmethod
    def _sendable(cls, value: str) -> str:
        if not _SENDABLE.fullmatch(value):
            raise ValueError("may hold only visible ASCII characters without spaces")
        return value


class PriceForm(_Form):
    """Money for a million tokens."""

    model: str = Field(min_length=1, max_length=200)
    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(None, ge=0, allow_inf_nan=False)


class LimitsForm(_Form):
    """What may be spent, how much is kept, and when a node that fails is marked; None is no limit."""

    currency: str = Field("USD", min_length=1, max_length=8)
    run_tokens: int | None = Field(None, ge=0, le=10**15)
    run_cost: float | None = Field(None, ge=0, allow_inf_nan=False)
    day_tokens: int | None = Field(None, ge=0, le=10**15)
    day_cost: float | None = Field(None, ge=0, allow_inf_nan=False)
    log_calls: int = Field(100, ge=0, le=100_000)
    log_days: int = Field(30, ge=1, le=3_650)
    log_prompts: bool = True
    warn_failed_percent: float = Field(10.0, ge=0, le=100)


def save_endpoint(name: str, form: EndpointForm) -> ServiceEndpoint:
    """Makes or changes the endpoint of that name.

    Raises:
        BadRequest: the name cannot be used.
        Conflict: the configuration sets it.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "The name of an endpoint has 1 to 64 letters, digits, dots, dashes and underscores, "
            f"got {name[:80]!r}"
        )
    _refuse_configured(name)
    with transaction.atomic():
        before = ServiceEndpoint.objects.select_for_update().filter(name=name).first()
        row = before or ServiceEndpoint(name=name, revision=0)
        old = _known_as(row) if before else None
        moved = row.base_url.rstrip("/") != form.base_url.rstrip("/")
        if moved or form.clear_key:
            row.key = ""
        row.key = form.key or row.key
        for field in form.model_dump(exclude={"key", "clear_key"}):
            setattr(row, field, getattr(form, field))
        row.thinking_off = form.thinking_off.value
        row.revision += 1
        row.save()
    for known in filter(None, (old, _known_as(row))):
        _start_anew(known)
    directory.changed()
    return row


def delete_endpoint(name: str) -> None:
    """Raises NotFound when there is none, Conflict when the configuration sets it."""
    _refuse_configured(name)
    row = ServiceEndpoint.objects.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no endpoint {name!r} in Settings")
    _start_anew(_known_as(row))
    row.delete()
    directory.changed()


def reset_endpoint(name: str) -> None:
    """Forgets, in all processes, what was learned of an endpoint: its failures, and what it refused."""
    named = directory.current().endpoints.get(name)
    if named is None:
        raise NotFound(f"There is no endpoint {name!r}")
    _start_anew(named.endpoint)


def _refuse_configured(name: str) -> None:
    if directory.read().origins.get(name) == "configuration":
        raise Conflict(
            f"The endpoint {name!r} is set by config.toml or the OPENAI_ variables: change it there, "
            "or use another name"
        )


def _known_as(row: ServiceEndpoint) -> Endpoint:
    policy = EndpointPolicy(directory.policy_name(row), rate_file=directory.rate_file())
    return Endpoint(row.base_url, row.model, policy=policy)


def _start_anew(endpoint: Endpoint) -> None:
    policy = endpoint.call_policy
    reset_breaker(policy.name, policy.rate_file)
    forget_refusals(endpoint)


def save_secret(name: str, value: str) -> None:
    """Raises BadRequest for a name or value that cannot be used."""
    if not _SECRET_NAME.fullmatch(name):
        raise BadRequest(
            "The name of a secret has 1 to 64 letters, digits and underscores and no digit in front, "
            f"got {name[:80]!r}"
        )
    value = value.strip()
    if not _SHORTEST_SECRET <= len(value) <= 8_000 or any(sign in value for sign in "\r\n\0"):
        raise BadRequest(f"A secret has {_SHORTEST_SECRET} to 8,000 characters on one line")
    Secret.objects.update_or_create(name=name, defaults={"value": value})
    directory.changed()


def delete_secret(name: str) -> None:
    """Raises NotFound when there is none."""
    if not Secret.objects.filter(name=name).delete()[0]:
        raise NotFound(f"There is no secret {name!r}")
    directory.changed()


def save_price(form: PriceForm) -> None:
    ModelPrice.objects.update_or_create(model=form.model, defaults=form.model_dump(exclude={"model"}))
    directory.changed()


def delete_price(model: str) -> None:
    """Raises NotFound when there is none."""
    if not ModelPrice.objects.filter(model=model).delete()[0]:
        raise NotFound(f"There is no price for {model!r}")
    directory.changed()


def save_limits(form: LimitsForm) -> None:
    OutsideLimits.objects.update_or_create(id=1, defaults=form.model_dump())
    directory.changed()


def save_networks(entries: list[str]) -> None:
    """Raises BadRequest for an entry that is neither a network nor a host."""
    entries = [entry.strip() for entry in entries if entry.strip()]
    if len(entries) > _MAX_NETWORKS:
        raise BadRequest(f"The list may have {_MAX_NETWORKS} entries, got {len(entries):,}")
    networks = "\n".join(entries)
    try:
        directory.allowed_addresses(networks)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    OutsideLimits.objects.update_or_create(id=1, defaults={"networks": networks})
    directory.changed()


def shown_settings() -> dict[str, Any]:
    """All of it without a single key."""
    found = directory.read()
    rows = {row.name: row for row in ServiceEndpoint.objects.all()}
    row = OutsideLimits.objects.first() or OutsideLimits()
    tokens, cost = directory.book().of(today())
    limits = {name: getattr(row, name) for name in LimitsForm.model_fields}
    return {
        "endpoints": [
            _shown_endpoint(found, name, rows.get(name) if origin == "settings" else None)
            for name, origin in found.origins.items()
        ],
        "secrets": [{"name": name} | shown_key(value) for name, value in found.secrets.items()],
        "prices": list(
            ModelPrice.objects.order_by("model").values("model", "input", "output", "cached_input")
        ),
        "limits": limits,
        "networks": row.networks.splitlines(),
        "spent_today": {"tokens": tokens, "cost": round(cost, 6)},
    }


def shown_endpoint(name: str) -> dict[str, Any]:
    """One endpoint as it may be shown."""
    return _shown_endpoint(directory.read(), name, ServiceEndpoint.objects.get(name=name))


def _shown_endpoint(found: directory.Directory, name: str, row: ServiceEndpoint | None) -> dict[str, Any]:
    named = found.endpoints[name]
    endpoint, policy = named.endpoint, named.endpoint.call_policy
    status = breaker_status(policy.name, policy.rate_file)
    return {
        "name": name,
        "origin": found.origins[name],
        "is_default": name == DEFAULT_ENDPOINT,
        "notice": named.notice,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        **shown_key(endpoint.key),
        "requests_per_minute": policy.rate.requests_per_minute,
        "tokens_per_minute": policy.rate.tokens_per_minute,
        "concurrency": policy.concurrency,
        "timeout_s": policy.guard.total_s,
        "context_tokens": endpoint.context_tokens,
        "thinking_off": endpoint.thinking_off.value,
        "output_cap_field": endpoint.output_cap_field,
        "verify_tls": policy.guard.verify_tls,
        "revision": row.revision if row else 0,
        "price_known": endpoint.price is not None,
        "circuit": {"state": status.state, "reason": status.reason, "seconds_left": status.seconds_left},
        "refused": dict(capabilities_of(endpoint)),
    }


def shown_key(key: str) -> dict[str, Any]:
    """That there is a key, and its end if that tells little."""
    return {"has_key": bool(key), "last4": key[-4:] if len(key) >= _SHOWS_LAST_4 else ""}
