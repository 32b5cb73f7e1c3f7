"""What the routes share that do without Django: host and key by hand, errors as text, a line in the log.

Django's middlewares and Ninja take a millisecond; what a shop asks or writes a thousand times a second has
not that much. The rules are those of dashboard/api/gorse.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.http.request import split_domain_port, validate_host

from dashboard import api_keys
from dashboard.access import is_admin_key, key_fits
from dashboard.errors import BadRequest, LoginNeeded, WebError, status_of
from dashboard.request_log import name_of, note, request_id
from dashboard.serving.memory import Headers
from recflow.errors import RecflowError

logger = logging.getLogger(__name__)

#: Pairs of host name and key remembered; with an open API a client may send any key.
MAX_DOORS = 100


class WrongMethod(WebError):
    """Something else than the route takes."""

    status = 405


class Doors:
    """Host names and keys that have been let in, so that the usual ones are looked up and not worked out.

    Args:
        for_admins: the administrator's key opens too.
    """

    def __init__(self, *, for_admins: bool) -> None:
        self._for_admins = for_admins
        self._good: set[tuple[bytes, bytes]] = set()
        self._keys: api_keys.Keys | None = None
        # Looking at the settings at each request would take as long as all the rest of it.
        setting_changed.connect(self.forget)

    def forget(self, **_: object) -> None:
        """Settings have changed, as they do in tests."""
        self._good.clear()

    def check(self, headers: dict[bytes, bytes]) -> None:
        """
        Raises:
            BadRequest: the server does not go by that name.
            LoginNeeded: the key is wrong.
        """
        if (keys := api_keys.current()) is not self._keys:  # one was made or taken back
            self._good.clear()
            self._keys = keys
        host, key = headers.get(b"host", b""), headers.get(b"x-api-key", b"")
        if (host, key) in self._good:
            return
        _check_host(host.decode("latin-1"))
        text = key.decode("latin-1")
        if not key_fits(text) and not (self._for_admins and is_admin_key(text)):
            raise LoginNeeded("unauthorized")
        if len(self._good) < MAX_DOORS:
            self._good.add((host, key))


Outcome = tuple[int, Headers, bytes]


async def answer(
    scope: dict[str, Any], send: Any, work: Callable[[], Awaitable[tuple[Headers, bytes]]]
) -> None:
    """ASGI: send what the work makes, with a name and a line in the log, as observed() gives others."""
    began = time.perf_counter()
    name = name_of(scope)
    token = request_id.set(name)
    status, headers, body = await outcome(scope, work)
    headers = [*headers, (b"x-request-id", name.encode())]
    await send_whole(send, (status, headers, body))
    note(scope, status, time.perf_counter() - began)
    request_id.reset(token)


async def outcome(scope: dict[str, Any], work: Callable[[], Awaitable[tuple[Headers, bytes]]]) -> Outcome:
    """Status, headers and body of what the work makes, or of why it cannot."""
    try:
        return 200, *await work()
    except Exception as error:
        return failure(scope, error)


def failure(scope: dict[str, Any], error: Exception) -> Outcome:
    """Why a request has no answer: an error of ours says it, any other only to the log."""
    if isinstance(error, RecflowError):
        status, body = status_of(error), error.message.encode("utf-8", "replace")
    else:
        logger.error("%s %r failed", scope["method"], scope["path"], exc_info=error)
        status, body = 500, b"The server failed on this request; its log says why"
    return status, headers_of(b"text/plain; charset=utf-8", body), body


async def send_whole(send: Any, made: Outcome) -> None:
    """Send an answer in one piece."""
    status, headers, body = made
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def headers_of(kind: bytes, body: bytes) -> Headers:
    """What every answer has."""
    return [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"access-control-allow-origin", b"*"),
    ]


def _check_host(host: str) -> None:
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        raise BadRequest("This server does not answer to that host name: add it to allowed_hosts")
