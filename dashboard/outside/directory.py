"""What may be called at this moment: endpoints, secrets and limits out of configuration and rows.

The endpoint "default" comes from ``[openai]`` and the OPENAI_ variables; where those name none, from
Settings; where there is none either, it is the playground's stand-in. A change made by another process
counts after ``FRESH_S`` seconds, one made by this process at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from pydantic import ValidationError

from dashboard.models import ModelPrice, OutsideLimits, Secret, ServiceEndpoint
from dashboard.outside import call_log
from dashboard.outside.kept_answers import AnswerFile
from dashboard.outside.spending import Both, DayBudget, SpendingBook
from recflow.engine.check import Problem, label_of
from recflow.engine.context import RunRequest
from recflow.engine.flow import Flow
from recflow.engine.registry import NODE_TYPES
from recflow.llm import standin
from recflow.llm.budget import Limit
from recflow.llm.endpoint import Endpoint, Price, ThinkingOff
from recflow.nodes.outside import DEFAULT_ENDPOINT, NamedEndpoint, Outside, endpoint_problem
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import Guard
from recflow.outbound.rate import Rate

FRESH_S = 2.0
STAND_IN_NOTICE = (
    "Answered by the built-in stand-in, which ranks by how alike texts are and is no language model. "
    "Set OPENAI_BASE_URL, OPENAI_AUTH_TOKEN and OPENAI_CHAT_COMPLETION_MODEL to ask a real one."
)

Origin = Literal["configuration", "settings", "stand-in"]


@dataclass(frozen=True)
class Directory:
    """All of it at one moment.

    Args:
        endpoints: by name.
        origins: where each endpoint was set up.
        secrets: by name.
        addresses: what may be called beside public addresses.
        limits: a copy of the row, or the defaults.
    """

    endpoints: dict[str, NamedEndpoint]
    origins: dict[str, Origin]
    secrets: dict[str, str] = field(repr=False)
    addresses: AddressPolicy
    limits: call_log.Limits


def read() -> Directory:
    """The directory as the rows have it now; blocks."""
    row = OutsideLimits.objects.first() or OutsideLimits()
    addresses = allowed_addresses(row.networks)
    prices = {
        price.model: Price(price.input, price.output, price.cached_input)
        for price in ModelPrice.objects.all()
    }
    endpoints: dict[str, NamedEndpoint] = {}
    origins: dict[str, Origin] = {}
    for found in (_configured(row.networks, prices), _stand_in()):
        if found is not None and not endpoints:
            endpoints[DEFAULT_ENDPOINT], origins[DEFAULT_ENDPOINT] = found
    for kept in ServiceEndpoint.objects.order_by("name"):
        if origins.get(kept.name) != "configuration":
            endpoints[kept.name] = _of_row(kept, addresses, prices)
            origins[kept.name] = "settings"
    return Directory(
        endpoints,
        origins,
        {secret.name: secret.value for secret in Secret.objects.order_by("name")},
        addresses,
        call_log.Limits.of_row(row),
    )


def allowed_addresses(networks: str) -> AddressPolicy:
    """The allow-list as it was written, one entry a line.

    Raises:
        ValueError: an entry is neither a network nor a host.
    """
    return AddressPolicy.parse([line.strip() for line in networks.splitlines() if line.strip()])


def _configured(networks: str, prices: dict[str, Price]) -> tuple[NamedEndpoint, Origin] | None:
    section = settings.CONFIGURATION.openai
    if not section.base_url:
        return None
    # Whoever may write the configuration need not allow the address a second time.
    with contextlib.suppress(ValueError):
        networks = f"{networks}\n{urlsplit(section.base_url).netloc.rpartition('@')[2]}"
        allowed_addresses(networks)
    rate = Rate(section.chat_completion_rpm, section.chat_completion_tpm)
    endpoint = Endpoint(
        section.base_url,
        section.chat_completion_model,
        section.auth_token.get_secret_value(),
        _policy(DEFAULT_ENDPOINT, Guard(allowed_addresses(networks)), rate),
        price=prices.get(section.chat_completion_model),
    )
    return NamedEndpoint(DEFAULT_ENDPOINT, endpoint), "configuration"


def _stand_in() -> tuple[NamedEndpoint, Origin] | None:
    url = settings.STAND_IN_URL
    if not url:
        return None
    guard = Guard(AddressPolicy.parse([urlsplit(url).netloc]))
    endpoint = Endpoint(url, standin.MODEL, policy=_policy("stand-in", guard, Rate()), price=Price(0.0, 0.0))
    return NamedEndpoint(DEFAULT_ENDPOINT, endpoint, STAND_IN_NOTICE), "stand-in"


def _of_row(row: ServiceEndpoint, addresses: AddressPolicy, prices: dict[str, Price]) -> NamedEndpoint:
    guard = Guard(
        addresses,
        total_s=row.timeout_s,
        connect_s=min(5.0, row.timeout_s),
        idle_s=min(30.0, row.timeout_s),
        verify_tls=row.verify_tls,
    )
    endpoint = Endpoint(
        row.base_url,
        row.model,
        row.key,
        _policy(
            policy_name(row), guard, Rate(row.requests_per_minute, row.tokens_per_minute), row.concurrency
        ),
        thinking_off=ThinkingOff(row.thinking_off),
        output_cap_field=row.output_cap_field,
        context_tokens=row.context_tokens,
        price=prices.get(row.model),
    )
    return NamedEndpoint(row.name, endpoint)


def policy_name(row: ServiceEndpoint) -> str:
    """What circuit and rate are kept under; a changed endpoint starts with new ones, in every process."""
    return f"{row.name} ({row.revision})"


def _policy(name: str, guard: Guard, rate: Rate, concurrency: int = 0) -> EndpointPolicy:
    return EndpointPolicy(name, guard, concurrency=concurrency, rate=rate, rate_file=rate_file())


def rate_file() -> str:
    """Where all processes keep the rates of endpoints; beside it, what was learned of them."""
    return str(settings.DATA_DIR / "rates.sqlite3")


class _Kept:
    """The directory of this process, read again when it is old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[Directory, float, int] | None = None  # until when it is good, after which change
        self._changes = 0
        self.hooks: list[Callable[[], None]] = []

    def fresh(self) -> Directory | None:
        if (kept := self._found) is None:
            return None
        found, good_until, changes = kept
        return found if time.monotonic() < good_until and changes == self._changes else None

    def current(self) -> Directory:
        with self._lock:
            if (found := self.fresh()) is not None:
                return found
            # What is changed while the rows are read may not be among them.
            before, changes = self._found, self._changes
            found = read()
            self._found = found, time.monotonic() + FRESH_S, changes
        if before is not None and before[0] != found:
            for hook in self.hooks:
                hook()
        return found

    def forget(self) -> None:
        self._changes += 1
        for hook in self.hooks:
            hook()


_kept = _Kept()
_run_budgets: WeakKeyDictionary[RunRequest, Limit] = WeakKeyDictionary()
_files = threading.Lock()
_book: SpendingBook | None = None
_answers: AnswerFile | None = None


def current() -> Directory:
    """What may be called now; reads the rows at most every ``FRESH_S`` seconds, and blocks then."""
    return _kept.current()


async def current_soon() -> Directory:
    """The same from the event loop."""
    found = _kept.fresh()
    return found if found is not None else await sync_to_async(_kept.current, thread_sensitive=False)()


def changed() -> None:
    """Something was saved: the next look sees it."""
    _kept.forget()


def on_change(hook: Callable[[], None]) -> None:
    """Calls ``hook`` whenever a look finds something else than the one before."""
    _kept.hooks.append(hook)


def book() -> SpendingBook:
    """The book of this data folder."""
    global _book
    with _files:
        if _book is None:
            _book = SpendingBook(settings.DATA_DIR / "spending.sqlite3")
        return _book


def answers() -> AnswerFile:
    """The kept answers of this data folder."""
    global _answers
    with _files:
        if _answers is None:
            _answers = AnswerFile(settings.DATA_DIR / "answers.sqlite3")
        return _answers


def budget_of_today(limits: call_log.Limits) -> DayBudget:
    """What everybody together may still spend today."""
    return DayBudget(book(), limits.day_tokens, limits.day_cost)


async def outside_for(request: RunRequest) -> Outside:
    """What a run may call; ``Services.resources["outside"]`` of every run. Previews keep no answers."""
    found = await current_soon()
    limits = found.limits
    run = _run_budgets.setdefault(request, Limit("this run", limits.run_tokens, limits.run_cost))
    return Outside(
        endpoints=found.endpoints,
        secrets=found.secrets,
        addresses=found.addresses,
        budget=Both(run, budget_of_today(limits)),
        answers=answers().to_look_at if request.is_preview else answers().for_seconds,
        record=call_log.writer.record,
    )


def endpoint_problems(flow: Flow) -> list[Problem]:
    """Endpoints that nodes of a flow name and that cannot be asked."""
    problems = []
    for node in flow.nodes:
        for field_name, name in _endpoints_of(node):
            known = {key: named.endpoint for key, named in current().endpoints.items()}
            if text := endpoint_problem(name, known):
                severity = "warning" if node.disabled else "blocking"
                message = f"{label_of(node)}: {text}"
                problems.append(Problem(severity, "no_endpoint", message, node.id, field_name))
    return problems


def _endpoints_of(node: object) -> list[tuple[str, str]]:
    """(field, endpoint) of each setting whose widget says that it names one."""
    entry = NODE_TYPES.get(node.type)
    if entry is None:
        return []
    try:
        chosen = entry.read_settings(node.settings)
    except ValidationError:
        return []  # check.py has said so
    found = []
    for name, info in type(chosen).model_fields.items():
        hints = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        if hints.get("ui", {}).get("widget") == "endpoint":
            found.append((name, getattr(chosen, name)))
    return found
