"""Keeps connections open between calls, and gives each to one call at a time.

httpcore's own pool asks the operating system about every idle connection at the beginning and at the end of
each call: with 64 of them that is two milliseconds of work a call, more than all the rest of it. Here the
connection used last is used next, and only that one is looked at.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from weakref import WeakValueDictionary

import httpcore

from .addresses import AddressPolicy, PinnedBackend

#: Calls at the same time to one machine, so that one which hangs keeps nobody else waiting; and to all of
#: them together, for a process may open only so many files. More wait for a place.
MOST_TO_ONE = 128
MOST_OPEN = 512
MOST_IDLE = 64
IDLE_S = 15.0


class Connections:
    """The connections of one event loop under one address policy.

    Args:
        addresses: asked for each connection that is opened.
        tls: for https.
    """

    def __init__(self, addresses: AddressPolicy, tls: ssl.SSLContext) -> None:
        self._backend = PinnedBackend(addresses)
        self._tls = tls
        self._places = asyncio.Semaphore(MOST_OPEN)
        # Of the machines that are being called; those of one are forgotten with the last call to it.
        self._places_at: WeakValueDictionary[tuple[bytes, bytes, int], asyncio.Semaphore] = (
            WeakValueDictionary()
        )
        # With the time since when it is idle; the one used last stands last.
        self._idle: deque[tuple[httpcore.AsyncHTTPConnection, float]] = deque()
        self._sweeping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def exchange(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """Sends a request; its answer may be read until the block ends. An answer that is not read to its end
        costs the connection, and so does anything that goes wrong."""
        origin = request.url.origin
        async with self._at(origin), self._places:
            connection = await self._take(origin)
            try:
                response = await connection.handle_async_request(request)
                try:
                    yield response
                finally:
                    await response.aclose()
            finally:
                if connection.is_available():
                    self._idle.append((connection, monotonic()))
                else:
                    await connection.aclose()
            await self._clear_out()
        if self._idle and (self._sweeping is None or self._sweeping.done()):
            self._sweeping = asyncio.create_task(self._sweep())

    async def aclose(self) -> None:
        """Closes those that are idle; the others belong to calls."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._idle:
            await self._idle.pop()[0].aclose()

    def _at(self, origin: httpcore.Origin) -> asyncio.Semaphore:
        """The places at one machine, shared by all calls to it."""
        machine = (origin.scheme, origin.host, origin.port)
        places = self._places_at.get(machine)
        if places is None:
            places = self._places_at[machine] = asyncio.Semaphore(MOST_TO_ONE)
        return places

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        """The connection to that machine that was used last, or a new one."""
        while (place := self._newest(origin)) is not None:
            connection, _ = self._idle[place]
            del self._idle[place]
            if not connection.has_expired():  # nor was it closed by the other side
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._tls, keepalive_expiry=IDLE_S, network_backend=self._backend
        )

    def _newest(self, origin: httpcore.Origin) -> int | None:
        places = reversed(range(len(self._idle)))
        return next((place for place in places if self._idle[place][0].can_handle_request(origin)), None)

    async def _sweep(self) -> None:
        """Also after the last call, be it because nobody asks any more or because the policy was changed."""
        while self._idle:
            await asyncio.sleep(max(0.0, self._idle[0][1] + IDLE_S - monotonic()) + 0.01)
            await self._clear_out()

    async def _clear_out(self) -> None:
        """Closes those that have waited longest, where there are too many of them or they waited too long."""
        while self._idle and (len(self._idle) > MOST_IDLE or monotonic() - self._idle[0][1] > IDLE_S):
            await self._idle.popleft()[0].aclose()
