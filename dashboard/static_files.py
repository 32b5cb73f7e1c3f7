"""static/ over HTTP, under an address that changes with its content, so that browsers may keep every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send


class _Immutable(StaticFiles):
    """Files whose address holds their version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class StaticForEver:
    """ASGI: the files of a folder below ``url``; other versions are gone.

    Args:
        folder: what is served.
        url: where, with the version in it: ``/static/0123abcd/``.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._prefix = url.rstrip("/")
        self._files = ExceptionMiddleware(GZipMiddleware(_Immutable(directory=folder), minimum_size=1024))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(f"{self._prefix}/"):
            response = PlainTextResponse("This page is older than the server: reload it", status_code=404)
            await response(scope, receive, send)
            return
        inner = scope | {"root_path": scope.get("root_path", "") + self._prefix}
        await self._files(inner, receive, send)
