"""Who somebody is and what they may do; decided here and nowhere else.

A viewer looks and previews, an editor also draws and saves, a publisher also activates and changes settings.
An account's role is the Django group of that name (accounts.py grants it). The playground asks for no
login, but only while it is bound to 127.0.0.1, only for a client on this machine and only without a proxy in
between.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args
from urllib.parse import quote

from asgiref.sync import sync_to_async
from channels.auth import get_user
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from ninja.utils import check_csrf

from dashboard import api_keys
from dashboard.errors import LoginNeeded, NotAllowed

logger = logging.getLogger(__name__)

Action = Literal["view", "edit", "publish"]
Role = Literal["viewer", "editor", "publisher"]
#: From the least to the most that one may do.
ROLES: tuple[Role, ...] = get_args(Role)

_MAY: dict[Role, set[Action]] = {
    "viewer": {"view"},
    "editor": {"view", "edit"},
    "publisher": {"view", "edit", "publish"},
}
#: Seconds between two looks at whether whoever opened a WebSocket may still have it.
LOOK_EVERY_S = 5.0
#: With which a WebSocket of somebody who may not have it is closed.
NOT_ALLOWED = 4403
#: Where a request of a browser may come from: our own pages, or somebody who typed the address.
_OWN = {"same-origin", "none"}
_PROXY_HEADERS = (b"x-forwarded-for", b"forwarded", b"x-real-ip")


@dataclass(frozen=True)
class Person:
    """Whoever sits at the other end; the name goes into versions and activations."""

    name: str
    role: Role

    def may(self, action: Action) -> bool:
        return action in _MAY[self.role]


def person_of_request(request: HttpRequest) -> Person | None:
    """Who sends this request, None for a stranger."""
    came_by_proxy = any(name.decode() in request.headers for name in _PROXY_HEADERS)
    return _person(request.user, request.META.get("REMOTE_ADDR", ""), came_by_proxy)


def person_of_scope(scope: dict[str, Any]) -> Person | None:
    """Who opens this WebSocket, None for a stranger; ``scope["user"]`` is Channels' doing."""
    came_by_proxy = any(name in _PROXY_HEADERS for name, _ in scope["headers"])
    return _person(scope["user"], (scope.get("client") or [""])[0], came_by_proxy)


async def person_now(scope: dict[str, Any]) -> Person | None:
    """Who has this WebSocket now: an open one may have lost account, login or role since."""
    if scope["user"].is_authenticated:
        scope = scope | {"user": await get_user({"session": _session_of_now(scope["session"])})}
    return await sync_to_async(person_of_scope)(scope)  # roles are in the database


async def may_preview(scope: dict[str, Any]) -> bool:
    """Whether this WebSocket may run previews now."""
    person = await person_now(scope)
    return person is not None and person.may("view")


async def close_when_locked_out(socket: AsyncWebsocketConsumer) -> None:
    """Close this WebSocket once whoever has it may not run previews any more.

    It is looked up now and then and not told: so it holds whichever process or command took the right away.
    A database that is away for a while tells nothing, so the next look decides.
    """
    is_let_in, is_failing = True, False
    while is_let_in:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            is_let_in = await may_preview(socket.scope)
            is_failing = False
        except Error:
            if not is_failing:
                logger.exception("Whether a socket may stay open cannot be looked up; tried until it can")
            is_failing = True
            await sync_to_async(close_old_connections)()  # one that was cut off is made anew
    await socket.close(NOT_ALLOWED)


def _session_of_now(session: SessionBase) -> SessionBase:
    """What a scope holds was read when the socket was opened; a logout or a new password ends that."""
    return import_module(settings.SESSION_ENGINE).SessionStore(session.session_key)


def allowed(request: HttpRequest, action: Action) -> Person:
    """Whoever sends this request, if they may do this.

    Raises:
        LoginNeeded: nobody is logged in.
        NotAllowed: their role does not reach so far, or a page of somebody else's sends this in their name.
    """
    person = person_of_request(request)
    if person is None:
        raise LoginNeeded("You are not logged in any more: log in again and repeat what you did")
    if not person.may(action):
        raise NotAllowed(f"{person.name} may not {action}: ask somebody who may to change your role")
    if check_csrf(request, lambda: None) is not None:
        raise NotAllowed("This page is too old to save: reload it and repeat what you did")
    return person


def refuse_other_sites(request: HttpRequest) -> None:
    """For a GET that sends or pays for something: a link on somebody else's page must not make a browser that
    is logged in here follow it.

    Raises:
        NotAllowed: a page of another site sent it.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in _OWN:
        raise NotAllowed("Another site may not ask for this in your name: open it from a page of this server")


def allow(action: Action) -> Callable[[HttpRequest], Person]:
    """Ninja's ``auth`` of an endpoint for people who may do this; its result is ``request.auth``."""

    def guard(request: HttpRequest) -> Person:
        return allowed(request, action)

    return guard


def role_of(user: Any) -> Role:
    """What was granted last; a superuser to whom nothing was granted publishes, everybody else looks."""
    granted = set(user.groups.values_list("name", flat=True))
    for role in reversed(ROLES):
        if role in granted:
            return role
    return "publisher" if user.is_superuser else "viewer"


def _person(user: Any, address: str, came_by_proxy: bool) -> Person | None:
    if user.is_authenticated and user.is_active:
        return Person(user.get_username(), role_of(user))
    if settings.OPEN_ON_LOOPBACK and _is_loopback(address) and not came_by_proxy:
        return Person("playground", "publisher")
    return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def key_fits(given: str | None) -> bool:
    """The data API is open when there is no key, else ``X-API-Key`` must be the configured or a named one."""
    wanted = settings.CONFIGURATION.server.api_key.get_secret_value()
    if wanted and hmac.compare_digest((given or "").encode(), wanted.encode()):
        return True
    named = api_keys.current()
    return not (wanted or named.any_kept) or named.fit(given or "")


def is_admin_key(given: str | None) -> bool:
    """Whether this is the key of whoever administers; without one configured no key is."""
    wanted = settings.CONFIGURATION.master.admin_api_key.get_secret_value()
    return bool(wanted) and hmac.compare_digest((given or "").encode(), wanted.encode())


def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for people who may look; others are sent to the login and back."""

    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        person = person_of_request(request)
        if person is None:
            return HttpResponseRedirect(
                f"{resolve_url(settings.LOGIN_URL)}?next={quote(request.get_full_path())}"
            )
        request.person = person
        return view(request, *args, **kwargs)

    return guarded
