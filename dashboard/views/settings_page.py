"""The Settings page: endpoints, secrets, prices, limits, allowed networks, accounts, and the log of calls.

Plain forms that are posted and answered by a redirect: nothing here needs a script, and a key that was typed
is in no page that comes back. What is told only once (a made-up password) stands in the answer itself. Each
form answers in the part of the page it is in, so nobody has to look for what came of it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings as configuration
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dashboard import accounts, api_keys
from dashboard.access import ROLES, page
from dashboard.errors import BadRequest, NotAllowed, status_of
from dashboard.outside import call_log, changes
from dashboard.outside.trial import WAYS
from dashboard.views.settings_actions import ACTIONS
from dashboard.views.settings_forms import LABELS, as_typed
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
        done = ACTIONS.get(request.GET.get("done", ""))
        return _shown(request, **({"part": done.part, "said": done.said} if done else {}))
    name = request.POST.get("action", "")
    action = ACTIONS.get(name)
    try:
        if not (request.person.may("publish") or (action and action.is_own)):
            raise NotAllowed(f"{request.person.name} may not change settings")
        if action is None:
            raise BadRequest(f"There is no action {name!r}")
        told = action.act(request)
    except RecflowError as error:
        typed = {name: value for name, value in request.POST.items() if name not in _NEVER_SHOWN_AGAIN}
        is_there = action and (action.is_own or request.person.may("publish"))
        why = {"part": action.part if is_there else "", "problem": error.message}
        return _shown(request, status=_page_status(error), action=name, typed=typed, **why)
    if told is not None:
        return _shown(request, part=action.part, **told)
    return redirect(f"{reverse('settings')}?{urlencode({'done': name})}#{action.part}")


def _page_status(error: RecflowError) -> int:
    status = status_of(error)
    return 422 if status == 400 else status


def _shown(
    request: HttpRequest,
    *,
    status: int = 200,
    action: str = "",
    typed: dict[str, str] | None = None,
    **more: Any,
) -> HttpResponse:
    """The page; ``typed`` is what did not do, and stands in its form again."""
    shown = changes.shown_settings()
    refused = {action: typed or {}}
    networks = "".join(f"{network}\n" for network in shown["networks"])
    context = {
        "shown": shown,
        "labels": LABELS,
        **_endpoints(shown["endpoints"], refused.get("save-endpoint")),
        "price": refused.get("save-price", {}),
        "secret": refused.get("save-secret", {}),
        "limits": refused.get("save-limits", as_typed(shown["limits"])),
        "networks": refused.get("save-networks", {}).get("networks", networks),
        "account": refused.get("add-account", {}),
        "new_key_name": refused.get("make-key", {}).get("name", ""),
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


def _endpoints(shown: list[dict[str, Any]], refused: dict[str, str] | None) -> dict[str, Any]:
    """Endpoints, each with what stands in its form, and what stands in the form for another one."""
    typed = {"verify_tls": "", "clear_key": ""} | refused if refused is not None else None
    is_for = typed.get("name", "").strip() if typed and "is_new" not in typed else None
    endpoints = [
        endpoint
        | {"form": endpoint | typed if endpoint["name"] == is_for else as_typed(endpoint)}
        | {"is_open": endpoint["name"] == is_for}
        for endpoint in shown
    ]
    is_new = typed is not None and not any(endpoint["is_open"] for endpoint in endpoints)
    another = typed if is_new else {"verify_tls": True}
    return {"endpoints": endpoints, "another": another, "is_another_open": is_new}


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
