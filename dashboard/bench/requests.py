"""Requests over kept connections, as cheap as Python can make them: the measured server needs the cores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

PATIENCE_S = 30.0


class RequestFailed(Exception):
    """The server refused, or the connection was lost."""


class Line:
    """One connection, on which one request follows the other."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer.

        Raises:
            RequestFailed: there is none, or its status is not 200.
        """
        payload = b"" if body is None else orjson.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        if payload:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port)
                reader, writer = self._streams
                writer.write(f"{head}\r\n".encode() + payload)
                answer_head = await reader.readuntil(b"\r\n\r\n")
                answer = await reader.readexactly(_length(answer_head))
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise RequestFailed(f"{method} {path}: {error!r}") from error
        if not answer_head.startswith(b"HTTP/1.1 200 "):
            raise RequestFailed(f"{method} {path}: {answer_head[:40]!r}")
        return orjson.loads(answer)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Lines:
    """Some connections to one server, lent one at a time."""

    def __init__(self, url: str, count: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._all = [Line(parts.hostname, parts.port) for _ in range(count)]
        self._free: asyncio.Queue[Line] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for line in self._all:
            self._free.put_nowait(line)
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._all:
            line.close()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Line]:
        """A connection that nobody else uses meanwhile; waits until there is one."""
        line = await self._free.get()
        try:
            yield line
        finally:
            self._free.put_nowait(line)


def _length(head: bytes) -> int:
    for row in head.split(b"\r\n"):
        name, _, value = row.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
