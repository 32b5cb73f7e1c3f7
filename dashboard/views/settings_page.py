"""The Settings page: endpoints and keys, secrets, prices, limits, allowed networks, the log of calls.

Plain forms that are posted and answered by a redirect: nothing here needs a script, and a key that was typed
is in no page that comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from pydantic import BaseModel, ValidationError

from dashboard.access import page
from dashboard.errors import BadRequest, NotAllowed, status_of
from dashboard.outside import call_log, changes
from dashboard.outside.changes import EndpointForm, LimitsForm, PriceForm
from dashboard.outside.trial import WAYS, try_endpoint
from recflow.errors import RecflowError
from recflow.llm.endpoint import ThinkingOff

#: Days that the counters on the page look back.
DAYS = 7
_NEVER_SHOWN_AGAIN = {"key", "value"}


@page
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return _shown(request, said=_SAID.get(request.GET.get("done", ""), ""))
    action = request.POST.get("action", "")
    try:
        if not request.person.may("publish"):
            raise NotAllowed(f"{request.person.name} may not change settings")
        if action == "test-endpoint":
            return _tested(request)
        if action not in _ACTIONS:
            raise BadRequest(f"There is no action {action!r}")
        _ACTIONS[action](request.POST)
    except RecflowError as error:
        typed = {name: value for name, value in request.POST.items() if name not in _NEVER_SHOWN_AGAIN}
        return _shown(request, status=_page_status(error), problem=error.message, action=action, typed=typed)
    return redirect(f"{reverse('settings')}?{urlencode({'done': action})}")


def _tested(request: HttpRequest) -> HttpResponse:
    """What came of one question to an endpoint; no redirect, so that a browser asks before it is repeated."""
    name, way = request.POST.get("name", ""), request.POST.get("way", "chat")
    trial = async_to_sync(try_endpoint)(name, way)
    return _shown(request, tested={"name": name, "way": way, **asdict(trial)})


def _page_status(error: RecflowError) -> int:
    status = status_of(error)
    return 422 if status == 400 else status


def _shown(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "shown": changes.shown_settings(),
        "nodes": call_log.by_node(DAYS),
        "days": DAYS,
        "log": _log(request),
        "ways": WAYS,
        "thinking_off": [option.value for option in ThinkingOff],
        "may_change": request.person.may("publish"),
    }
    return render(request, "settings.html", context | more, status=status)


def _log(request: HttpRequest) -> dict[str, Any] | None:
    """The newest calls of the node that the address names."""
    flow, node_id = request.GET.get("flow", ""), request.GET.get("node", "")
    if not node_id:
        return None
    calls = call_log.newest(call_log.JUDGED, flow=flow, node_id=node_id)
    return {"flow": flow, "node_name": calls[0]["node_name"] if calls else node_id, "calls": calls}


def _read(form: type[BaseModel], posted: Mapping[str, str], switches: tuple[str, ...] = ()) -> Any:
    """A form's fields as its model; an empty field is left out, a box that is not ticked is off."""
    names = form.model_fields
    values: dict[str, Any] = {
        name: posted[name] for name in names if posted.get(name, "").strip() and name not in switches
    }
    values |= {name: name in posted for name in switches}
    try:
        return form.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise BadRequest(f"{place.replace('_', ' ')}: {fault['msg']}") from None


def _save_endpoint(posted: Mapping[str, str]) -> None:
    form = _read(EndpointForm, posted, ("verify_tls", "clear_key"))
    changes.save_endpoint(posted.get("name", "").strip(), form)


def _save_networks(posted: Mapping[str, str]) -> None:
    changes.save_networks(posted.get("networks", "").splitlines())


_ACTIONS: dict[str, Callable[[Mapping[str, str]], None]] = {
    "save-endpoint": _save_endpoint,
    "delete-endpoint": lambda posted: changes.delete_endpoint(posted.get("name", "")),
    "reset-endpoint": lambda posted: changes.reset_endpoint(posted.get("name", "")),
    "save-secret": lambda posted: changes.save_secret(
        posted.get("name", "").strip(), posted.get("value", "")
    ),
    "delete-secret": lambda posted: changes.delete_secret(posted.get("name", "")),
    "save-price": lambda posted: changes.save_price(_read(PriceForm, posted)),
    "delete-price": lambda posted: changes.delete_price(posted.get("model", "")),
    "save-limits": lambda posted: changes.save_limits(_read(LimitsForm, posted, ("log_prompts",))),
    "save-networks": _save_networks,
}
_SAID = {
    "save-endpoint": "The endpoint is saved.",
    "delete-endpoint": "The endpoint is gone.",
    "reset-endpoint": "What was learned of the endpoint is forgotten.",
    "save-secret": "The secret is saved.",
    "delete-secret": "The secret is gone.",
    "save-price": "The price is saved.",
    "delete-price": "The price is gone; what this model costs is now unknown.",
    "save-limits": "The limits are saved.",
    "save-networks": "The allowed networks are saved.",
}
