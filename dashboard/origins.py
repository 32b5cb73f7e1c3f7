"""Which pages may open a WebSocket: our own, and those of trusted origins.

Browsers send cookies along whatever page opens it, and to every port of a host. So a page on another port is
a stranger's, as it is for Django's protection of forms; and a host that is not allowed is nobody's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import is_same_domain, split_domain_port, validate_host

_USUAL_PORTS = {"http": ":80", "https": ":443"}


def from_own_pages(app: Any) -> Any:
    """ASGI: the sockets of our own pages; others are refused before anybody looks at their cookies."""

    async def checked(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if is_own(headers.get(b"origin", ""), headers.get(b"host", "")):
            await app(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)

    return checked


def is_own(origin: str, host: str) -> bool:
    """Whether a page of this origin is ours, when it calls us by this host."""
    try:
        page = urlsplit(origin.lower())
    except ValueError:
        return False
    if page.scheme not in _USUAL_PORTS or not page.netloc:
        return False
    if any(_is_trusted(page, urlsplit(trusted)) for trusted in settings.CSRF_TRUSTED_ORIGINS):
        return True
    usual = _USUAL_PORTS[page.scheme]
    is_same = page.netloc.removesuffix(usual) == host.lower().removesuffix(usual)
    return is_same and validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def _is_trusted(page: SplitResult, trusted: SplitResult) -> bool:
    """An origin may begin with a star, for all names below it."""
    return page.scheme == trusted.scheme and is_same_domain(page.netloc, trusted.netloc.lower().lstrip("*"))
