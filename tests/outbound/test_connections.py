"""Connections between calls: used again while they are good, and given up in time."""

import asyncio
import dataclasses
import threading

import pytest

from recflow.errors import ServiceError, ServiceTimeout
from recflow.outbound import client, connections
from recflow.outbound.client import send
from recflow.outbound.messages import Request
from tests.patience import PATIENCE_S
from tests.scripted_server import ScriptedServer, hang, json_reply, status


def idle(guard):
    return [connection for connection, _ in client._connections(guard)._idle]


async def test_each_machine_has_its_own_connection(server, guard):
    server.script("/", json_reply([]))
    with ScriptedServer() as other:
        other.script("/", json_reply([]))
        for asked in (server, other, server, other):
            await send(Request(asked.url("/")), guard)
        assert (server.connections, other.connections) == (1, 1)


async def test_connection_that_the_other_side_closed_is_not_used_again(server, guard):
    def reply_and_close(exchange):
        exchange.reply(200, "[]")
        exchange.close()

    server.script("/", reply_and_close)
    await send(Request(server.url("/")), guard)
    (left,) = idle(guard)
    async with asyncio.timeout(PATIENCE_S):
        while not left.has_expired():  # noqa: ASYNC110  the news comes over the wire, no event tells it
            await asyncio.sleep(0)
    assert (await send(Request(server.url("/")), guard)).status == 200
    assert server.connections == 2


async def test_connection_with_the_rest_of_an_answer_in_it_is_not_used_again(server, guard):
    server.script("/", status(200, b"x" * 5000), json_reply([]))
    with pytest.raises(ServiceError, match="longer than 1,000 bytes"):
        await send(Request(server.url("/")), dataclasses.replace(guard, max_body=1000))
    assert idle(guard) == []
    assert (await send(Request(server.url("/")), guard)).body == b"[]"
    assert server.connections == 2


async def test_only_so_many_stay_open(server, guard, monkeypatch):
    monkeypatch.setattr(connections, "MOST_IDLE", 2)
    all_there = threading.Barrier(5)

    def reply_together(exchange):
        all_there.wait(PATIENCE_S)
        exchange.reply(200, "[]")

    server.script("/", reply_together)
    await asyncio.gather(*(send(Request(server.url("/")), guard) for _ in range(5)))
    assert server.connections == 5
    assert len(idle(guard)) == 2


async def test_none_stays_open_for_long(server, guard, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_S", -1.0)
    server.script("/", json_reply([]))
    for _ in range(2):
        await send(Request(server.url("/")), guard)
    assert idle(guard) == []
    assert server.connections == 2


async def test_the_last_ones_are_closed_though_nobody_calls_any_more(server, guard, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_S", 0.05)
    server.script("/", json_reply([]))
    await send(Request(server.url("/")), guard)
    assert len(idle(guard)) == 1
    async with asyncio.timeout(PATIENCE_S):
        await client._connections(guard)._sweeping
    assert idle(guard) == []


async def test_call_without_a_place_waits_no_longer_than_its_deadline(server, guard, monkeypatch):
    monkeypatch.setattr(connections, "MOST_OPEN", 1)
    server.script("/slow", hang())
    server.script("/", json_reply([]))
    slow = asyncio.create_task(send(Request(server.url("/slow")), guard))
    assert await asyncio.to_thread(server.wait_for_hit, "/slow")
    with pytest.raises(ServiceTimeout, match=r"within 0\.2 s"):
        await send(Request(server.url("/")), dataclasses.replace(guard, total_s=0.2))
    assert server.count("/") == 0
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert (await send(Request(server.url("/")), guard)).status == 200
