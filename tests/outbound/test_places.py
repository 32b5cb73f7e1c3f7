"""How many calls run at once: so many to one machine, so many to all, and one that hangs hurts no other."""

import asyncio
import dataclasses

import pytest

from recflow.errors import ServiceTimeout
from recflow.outbound import client, connections
from recflow.outbound.client import send
from recflow.outbound.messages import Request
from tests.patience import PATIENCE_S
from tests.scripted_server import ScriptedServer, hang, json_reply


def patient(guard):
    return dataclasses.replace(guard, total_s=PATIENCE_S, idle_s=PATIENCE_S)


@pytest.fixture
async def hanging(server, guard):
    """Begins calls that hang, as many as a test asks for; they are over when the test is."""
    server.script("/slow", hang())
    under_way = []

    async def begin(n):
        for _ in range(n):
            under_way.append(asyncio.create_task(send(Request(server.url("/slow")), patient(guard))))
        assert await asyncio.to_thread(server._wait_until, lambda: server.count("/slow") == n, PATIENCE_S)

    yield begin
    for call in under_way:
        call.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


async def test_machine_that_hangs_keeps_nobody_waiting_for_another(server, guard, monkeypatch, hanging):
    monkeypatch.setattr(connections, "MOST_TO_ONE", 3)
    with ScriptedServer() as good:
        good.script("/", json_reply([]))
        await hanging(3)
        in_line = asyncio.create_task(send(Request(server.url("/slow")), patient(guard)))
        answers = await asyncio.gather(*(send(Request(good.url("/")), patient(guard)) for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
        assert (good.connections, server.count("/slow"), in_line.done()) == (3, 3, False)
        in_line.cancel()
        await asyncio.gather(in_line, return_exceptions=True)


async def test_ports_of_one_host_are_different_machines(server, guard, monkeypatch, hanging):
    monkeypatch.setattr(connections, "MOST_TO_ONE", 1)
    with ScriptedServer() as neighbor:
        neighbor.script("/", json_reply([]))
        await hanging(1)
        assert (await send(Request(neighbor.url("/")), patient(guard))).status == 200
        with pytest.raises(ServiceTimeout, match=r"within 0\.2 s"):
            await send(Request(server.url("/")), dataclasses.replace(guard, total_s=0.2))


async def test_all_machines_together_have_a_bound_too(guard, monkeypatch, hanging):
    monkeypatch.setattr(connections, "MOST_OPEN", 2)
    with ScriptedServer() as good:
        good.script("/", json_reply([]))
        await hanging(2)
        with pytest.raises(ServiceTimeout, match=r"within 0\.2 s"):
            await send(Request(good.url("/")), dataclasses.replace(guard, total_s=0.2))
        assert good.hits == []


async def test_place_of_a_call_that_was_given_up_is_free_again(server, guard, monkeypatch):
    monkeypatch.setattr(connections, "MOST_TO_ONE", 1)
    server.script("/", json_reply([]))
    server.script("/slow", hang())
    given_up = asyncio.create_task(send(Request(server.url("/slow")), patient(guard)))
    assert await asyncio.to_thread(server.wait_for_hit, "/slow")
    in_line = asyncio.create_task(send(Request(server.url("/")), patient(guard)))
    given_up.cancel()
    assert (await in_line).status == 200
    await asyncio.gather(given_up, return_exceptions=True)


async def test_places_at_a_machine_are_forgotten_with_the_last_call_to_it(server, guard):
    server.script("/", json_reply([]))
    await asyncio.gather(*(send(Request(server.url("/")), guard) for _ in range(3)))
    assert len(client._connections(guard)._places_at) == 0
