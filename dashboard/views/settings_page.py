"""The Settings page: endpoints, secrets, prices, limits, allowed networks, accounts, and the log of calls.

Plain forms that are posted and answered by a redirect: nothing here needs a script, and a key that was typed
is in no page that comes back. What is told only once (a made-up password) stands in the answer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.conf import settings as configuration
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from pydantic import BaseModel, ValidationError

from dashboard import accounts, api_keys
from dashboard.access import ROLES, page
from dashboard.errors import BadRequest, NotAllowed, status_of
from dashboard.outside import call_log, changes
from dashboard.outside.changes import EndpointForm, LimitsForm, PriceForm
from dashboard.outside.trial import WAYS, try_endpoint
from recflow.errors import RecflowError
from recflow.llm.endpoint import ThinkingOff

#: Days that the counters on the page look back.
DAYS = 7
_NEVER_SHOWN_AGAIN = {"key", "value", "old_value"}


@page
@never_cache
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return _shown(request, said=_SAID.get(request.GET.get("done", ""), ""))
    action = request.POST.get("action", "")
    try:
        if action == "own-password":
            _change_own_password(request)
        elif not request.person.may("publish"):
            raise NotAllowed(f"{request.person.name} may not change settings")
        elif action == "make-key":
            name = request.POST.get("name", "").strip()
            return _shown(request, new_key={"name": name, "key": api_keys.make(name, request.person.name)})
        elif action not in _ACTIONS:
            raise BadRequest(f"There is no action {action!r}")
        elif told := _ACTIONS[action](request.POST):
            return _shown(request, **told)
    except RecflowError as error:
        typed = {name: value for name, value in request.POST.items() if name not in _NEVER_SHOWN_AGAIN}
        return _shown(request, status=_page_status(error), problem=error.message, action=action, typed=typed)
    return redirect(f"{reverse('settings')}?{urlencode({'done': action})}")


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
        "accounts": accounts.accounts() if request.person.may("publish") else [],
        "keys": _keys() if request.person.may("publish") else None,
        "roles": ROLES,
    }
    return render(request, "settings.html", context | more, status=status)


def _keys() -> dict[str, Any]:
    """The keys of the API, none in readable form."""
    server, master = configuration.CONFIGURATION.server, configuration.CONFIGURATION.master
    configured = [
        {"label": label, "setting": setting, "opens": opens, **changes.shown_key(key.get_secret_value())}
        for label, setting, opens, key in (
            ("Data", "server.api_key", "opens the data API", server.api_key),
            (
                "Administrator",
                "master.admin_api_key",
                "opens Gorse's dashboard endpoints, metrics and explain",
                master.admin_api_key,
            ),
        )
    ]
    named = api_keys.named()
    return {"configured": configured, "named": named, "is_open": not (configured[0]["has_key"] or named)}


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


def _test_endpoint(posted: Mapping[str, str]) -> dict[str, Any]:
    """What came of one question to an endpoint."""
    name, way = posted.get("name", ""), posted.get("way", "chat")
    trial = async_to_sync(try_endpoint)(name, way)
    return {"tested": {"name": name, "way": way, **asdict(trial)}}


def _add_account(posted: Mapping[str, str]) -> dict[str, Any] | None:
    name, typed = posted.get("name", "").strip(), posted.get("value", "")
    password = typed or accounts.made_up_password()
    accounts.add(name, password, posted.get("role", ""))
    return None if typed else _password_told(name, password)


def _give_password(posted: Mapping[str, str]) -> dict[str, Any] | None:
    name, typed = posted.get("name", ""), posted.get("value", "")
    password = accounts.set_password(name, typed)
    return None if typed else _password_told(name, password)


def _password_told(name: str, password: str) -> dict[str, Any]:
    return {"new_password": {"name": name, "password": password}}


def _change_own_password(request: HttpRequest) -> None:
    """Everybody may; whoever only found the browser open has to know the old one."""
    if not request.user.is_authenticated:
        raise BadRequest("The playground has no accounts, so there is no password to change")
    if not request.user.check_password(request.POST.get("old_value", "")):
        raise BadRequest("That is not your password of now")
    new = request.POST.get("value", "")
    if not new:
        raise BadRequest("The new password is empty")
    accounts.set_password(request.user.get_username(), new)
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)


_ACTIONS: dict[str, Callable[[Mapping[str, str]], dict[str, Any] | None]] = {
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
    "test-endpoint": _test_endpoint,
    "add-account": _add_account,
    "grant": lambda posted: accounts.grant(posted.get("name", ""), posted.get("role", "")),
    "lock-out": lambda posted: accounts.let_in(posted.get("name", ""), is_active=False),
    "let-in": lambda posted: accounts.let_in(posted.get("name", ""), is_active=True),
    "give-password": _give_password,
    "take-key": lambda posted: api_keys.take_back(posted.get("name", "")),
    "forget-key": lambda posted: api_keys.forget(posted.get("name", "")),
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
    "add-account": "The account is made.",
    "grant": "The role is changed.",
    "lock-out": "The account may not log in any more.",
    "let-in": "The account may log in again.",
    "give-password": "The password is changed.",
    "take-key": "The key is taken back.",
    "forget-key": "The key is forgotten.",
    "own-password": "Your password is changed; other browsers are logged out.",
}
