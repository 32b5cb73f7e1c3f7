"""Bodies that are too large are refused before Django would write them to a disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from dashboard.access import is_admin_key, person_of_scope
from dashboard.api.bodies import too_large

#: A client that sends more than allowed is read this far, so that it gets to see the answer.
READ_ANYWAY = 100 * 1024 * 1024
#: A file sent with the form of the Data page; larger ones are for the command line.
MAX_IMPORT = 4 * 1024**3


class _TooMuch(Exception):
    """The body has passed the limit while it was being read."""


async def usual(scope: dict[str, Any]) -> int:
    """Bytes that a body may have wherever nothing else is said."""
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE


async def for_import(scope: dict[str, Any]) -> int:
    """Bytes that an imported file may have; only people who may import can fill the disk with it.

    ``scope["user"]`` is Channels' doing; programs have the administrator's key.
    """
    if is_admin_key(dict(scope["headers"]).get(b"x-api-key", b"").decode("latin-1")):
        return MAX_IMPORT
    person = await sync_to_async(person_of_scope)(scope)
    return MAX_IMPORT if person is not None and person.may("edit") else await usual(scope)


def limit_body(app: Any, limit: Callable[[dict[str, Any]], Awaitable[int]] = usual) -> Any:
    """ASGI: answers 413 for a body over the limit, announced or not."""

    async def limited(scope: dict[str, Any], receive: Any, send: Any) -> None:
        most = await limit(scope)
        seen = 0
        ended = False

        async def counted() -> dict[str, Any]:
            nonlocal seen, ended
            message = await receive()
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if seen > most:
                raise _TooMuch
            return message

        try:
            if _announced(scope) > most:
                raise _TooMuch
            await app(scope, counted, send)
        except _TooMuch:
            while not ended and seen < READ_ANYWAY:
                message = await receive()
                seen += len(message.get("body", b""))
                ended = not message.get("more_body", False)
            await _refuse(send)

    return limited


def _announced(scope: dict[str, Any]) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


async def _refuse(send: Any) -> None:
    text = too_large().encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
