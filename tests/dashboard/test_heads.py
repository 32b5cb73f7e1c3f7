"""What a client may send before and behind a body, over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from dashboard.management import heads
from dashboard.management.heads import MAX_HEAD, BoundedHeads
from tests.patience import PATIENCE_S

PIECE = 64 * 1024
#: A head may grow by what is read at once, before it is found too long.
READ_AT_ONCE = 256 * 1024
TOO_LONG = (MAX_HEAD + 2 * READ_AT_ONCE) // PIECE


async def echo(scope, receive, send):
    """Answers with the number of bytes that the body has."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d bytes" % size
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connection():
    """Reader and writer of a connection to a server of its own."""
    config, state = Config(echo, ws="none", log_config=None), ServerState()
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedHeads(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        server.close()
        await server.wait_closed()
        for left in list(state.connections):
            left.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)


async def said(reader) -> bytes:
    """All that comes until the server closes; nothing when what was being sent met a closed door."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""


async def pour(writer, piece: bytes, times: int) -> None:
    try:
        for _ in range(times):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        """The server has heard enough."""


BEGINNINGS = {
    "address": b"GET /",
    "header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ",
    "headers": b"GET / HTTP/1.1\r\nHost: x\r\n",
}


class Written(asyncio.Transport):
    """Keeps what is written; never reads."""

    def __init__(self):
        super().__init__()
        self.data, self.is_closed = b"", False

    def write(self, data):
        self.data += data

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed


async def test_the_byte_too_much_is_told():
    config = Config(echo, ws="none", log_config=None)
    config.load()
    protocol, transport = BoundedHeads(config, ServerState(), {}), Written()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\n")  # where it begins, a piece does not count
    protocol.data_received(b"X-Long: " + b"a" * (MAX_HEAD - 8))
    assert (transport.data, transport.is_closed) == (b"", False)
    protocol.data_received(b"a")
    assert transport.data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert transport.data.endswith(b"\r\n\r\nA request may have 131072 bytes before its body")
    assert transport.is_closed
    protocol.connection_lost(None)


@pytest.mark.parametrize("where", BEGINNINGS)
async def test_a_head_without_end_is_cut(where):
    piece = b"X-A: b\r\n" * (PIECE // 8) if where == "headers" else b"a" * PIECE
    async with connection() as (reader, writer):
        writer.write(BEGINNINGS[where])
        await pour(writer, piece, TOO_LONG)
        assert (await said(reader))[:12] in {b"HTTP/1.1 400", b""}


async def test_headers_behind_a_chunked_body_are_cut_too():
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n")
        await pour(writer, b"X-A: b\r\n" * (PIECE // 8), TOO_LONG)
        assert await said(reader) == b""


async def test_a_long_head_within_the_limit_and_bodies_of_any_length_pass():
    head = b"POST /%s HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n" % (b"a" * 65_000, b"b" * 65_000)
    size = 4 * MAX_HEAD
    async with connection() as (reader, writer):
        writer.write(head + b"Content-Length: %d\r\n\r\n" % size)
        await pour(writer, b"b" * PIECE, size // PIECE)
        assert (await reader.readuntil(b"%d bytes" % size)).startswith(b"HTTP/1.1 200")
        writer.write(head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        await pour(writer, b"%x\r\n%s\r\n" % (PIECE, b"c" * PIECE), size // PIECE)
        writer.write(b"0\r\n\r\n")
        assert (await said(reader)).endswith(b"%d bytes" % size)


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nX-Slow: "])
async def test_who_never_comes_to_an_end_is_not_waited_for(begun, monkeypatch):
    monkeypatch.setattr(heads, "HEAD_S", 0.05)
    async with connection() as (reader, writer):
        writer.write(begun)
        assert await said(reader) == b""


async def test_the_next_request_of_a_connection_is_not_waited_for_either(monkeypatch):
    async with connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"0 bytes")
        monkeypatch.setattr(heads, "HEAD_S", 0.05)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert await said(reader) == b""


async def test_a_body_may_take_longer_than_its_head(monkeypatch):
    async with connection() as (reader, writer):
        monkeypatch.setattr(heads, "HEAD_S", 0.05)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.2)
        writer.write(b"b")
        assert (await reader.readuntil(b"2 bytes")).startswith(b"HTTP/1.1 200")


async def test_so_may_a_chunk_whose_length_came_alone(monkeypatch):
    monkeypatch.setattr(heads, "HEAD_S", 0.05)
    config = Config(echo, ws="none", log_config=None)
    config.load()
    protocol, transport = BoundedHeads(config, ServerState(), {}), Written()
    protocol.connection_made(transport)
    protocol.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n")
    protocol.data_received(b"a")
    await asyncio.sleep(0.2)
    assert not transport.is_closed
    protocol.connection_lost(None)
