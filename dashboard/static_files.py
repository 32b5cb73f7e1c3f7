"""static/ over HTTP, under an address that changes with its content, so that browsers may keep every file."""

from __future__ import annotations

import posixpath
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

#: Headers that ask for a part of a file, or only for one that has changed.
_ABOUT_PARTS = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}


class _Immutable(StaticFiles):
    """Files whose address holds their version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class StaticForEver:
    """ASGI: the files of a folder below ``url``; other versions are gone.

    What was sent once is kept as it was sent: opening the editor asks for a hundred files, and finding and
    compressing each anew takes longer than anything else about it. All of them weigh less than a megabyte.

    Args:
        folder: what is served.
        url: where, with the version in it: ``/static/0123abcd/``.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._prefix = url.rstrip("/")
        self._files = ExceptionMiddleware(GZipMiddleware(_Immutable(directory=folder), minimum_size=1024))
        self._sent: dict[tuple[str, bool], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(f"{self._prefix}/"):
            response = PlainTextResponse("This page is older than the server: reload it", status_code=404)
            await response(scope, receive, send)
            return
        inner = scope | {"root_path": scope.get("root_path", "") + self._prefix}
        headers, path = dict(scope["headers"]), scope["path"]
        plain = scope["method"] == "GET" and path == posixpath.normpath(path)  # a file has one such path
        if not plain or not headers.keys().isdisjoint(_ABOUT_PARTS):
            await self._files(inner, receive, send)
            return
        asked = path, b"gzip" in headers.get(b"accept-encoding", b"")
        if asked not in self._sent:
            sent = await self._answer(inner, receive)
            if sent[0]["status"] != HTTPStatus.OK:
                await _send_all(sent, send)
                return
            self._sent[asked] = sent
        await _send_all(self._sent[asked], send)

    async def _answer(self, scope: Scope, receive: Receive) -> list[Message]:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._files(scope, receive, keep)
        return sent


async def _send_all(messages: list[Message], send: Send) -> None:
    for message in messages:
        await send(message)
