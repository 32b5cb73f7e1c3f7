"""Who somebody is and what they may do; decided here and nowhere else.

The playground asks for no login, but only while it is bound to 127.0.0.1, only for a client on this machine
and only without a proxy in between. Everybody else logs in with Django's accounts.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url

Action = Literal["view", "edit", "publish"]
Role = Literal["viewer", "editor", "publisher"]

_MAY: dict[Role, set[Action]] = {
    "viewer": {"view"},
    "editor": {"view", "edit"},
    "publisher": {"view", "edit", "publish"},
}
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


async def may_preview(scope: dict[str, Any]) -> bool:
    """Whether this WebSocket may run previews."""
    person = person_of_scope(scope)
    return person is not None and person.may("view")


def _person(user: Any, address: str, came_by_proxy: bool) -> Person | None:
    if user.is_authenticated and user.is_active:
        return Person(user.get_username(), "publisher")
    if settings.OPEN_ON_LOOPBACK and _is_loopback(address) and not came_by_proxy:
        return Person("playground", "publisher")
    return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def key_fits(given: str | None) -> bool:
    """The data API is open when no key is configured, else ``X-API-Key`` has to be that key."""
    wanted = settings.CONFIGURATION.server.api_key.get_secret_value()
    return not wanted or hmac.compare_digest((given or "").encode(), wanted.encode())


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
