"""HTTP as uvicorn reads it, with an end to what a client may send before a body and to how long it may take.

Its parser takes headers of any length and joins the pieces of one anew with each that comes: sixty megabytes
held the event loop for seconds at a time. A proxy in front has such limits; a server without one needs them.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of a request line with its headers. Gorse's dashboard sends whole scripts in an address, which the
#: parser lets have half of this.
MAX_HEAD = 128 * 1024
#: Seconds they may take; browsers open connections before they know what to ask.
HEAD_S = 60.0


class BoundedHeads(HttpToolsProtocol):
    """One connection. What may follow a chunked body is bounded like what stands before one."""

    _in_head = False
    _is_new = False  # it began within the piece that is being read
    _n_read = 0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._is_new = False
        super().data_received(data)
        if not self._in_head:
            return
        if self._waiting is None:
            self._wait()
        if not self._is_new:
            self._n_read += len(data)
            if self._n_read > MAX_HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        self._end()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A chunk follows; behind the empty one, headers again."""
        self._begin()

    def on_body(self, body: bytes) -> None:
        self._end()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def _begin(self) -> None:
        self._in_head = self._is_new = True
        self._n_read = 0

    def _end(self) -> None:
        self._in_head = False
        self._wait_no_more()

    def _refuse(self) -> None:
        self._end()
        if self.cycle is None or self.cycle.response_complete:
            self.send_400_response(f"A request may have {MAX_HEAD} bytes before its body")
        else:  # half an answer may be on its way
            self.transport.close()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
