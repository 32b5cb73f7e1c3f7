"""Where a redirect leads, and what may travel there.

Every hop is a new request that passes all checks again; this file only works out what it looks like.
"""

from __future__ import annotations

import httpx

from .messages import Answer, Request

MOVED = (301, 302, 303, 307, 308)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Which headers are credentials cannot be known (X-Api-Key, X-Goog-Api-Key, ...); which are harmless can.
_TRAVELS_ANYWHERE = frozenset(("accept", "accept-language", "content-type", "user-agent"))


def target_of(request: Request, answer: Answer) -> str | None:
    """The absolute URL a redirect names; None when the answer is no redirect."""
    location = answer.header("location")
    if answer.status not in MOVED or not location:
        return None
    try:
        return str(with_readable_host(httpx.URL(answer.url or request.url).join(location)))
    except (httpx.InvalidURL, UnicodeError):
        return None


def with_readable_host(url: httpx.URL) -> httpx.URL:
    """The URL itself. httpx reads names such as xn--bcher-kva only when it is asked for the host.

    Raises:
        UnicodeError: the name of its host is no such name.
    """
    _ = url.host
    return url


def follow(request: Request, answer: Answer, target: str) -> Request:
    """The request for the next hop.

    301, 302 and 303 turn a POST into a GET without body, as browsers do; 307 and 308 keep both. On another
    origin (scheme, host or port) only harmless headers go along.
    """
    headers = request.headers
    if origin_of(target) != origin_of(request.url):
        headers = tuple((name, value) for name, value in headers if name.lower() in _TRAVELS_ANYWHERE)
    method, body = request.method, request.body
    if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
        method, body = "HEAD" if method == "HEAD" else "GET", b""
        headers = tuple((name, value) for name, value in headers if name.lower() != "content-type")
    return Request(target, method, headers, body, request.secrets)


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL, read by the parser that will also open the connection."""
    parts = httpx.URL(url)
    return parts.scheme, parts.host.rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme)
