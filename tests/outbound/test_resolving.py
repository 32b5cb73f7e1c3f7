"""Names are looked up in threads of their own, each in one: a dead name server hurts only its own names."""

import asyncio
import socket
import threading

import pytest

from recflow.outbound import addresses
from tests.patience import PATIENCE_S, wait_until


class Resolver:
    """Stands for the system's: gives 192.0.2.1 for every name, and hangs for those that begin with dead."""

    def __init__(self):
        self.asked = []
        self.recovers = threading.Event()

    def __call__(self, host, port, **how):
        self.asked.append(host)
        if host.startswith("dead"):
            self.recovers.wait(PATIENCE_S)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]


@pytest.fixture
def resolver(monkeypatch):
    made = Resolver()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", made)
    yield made
    made.recovers.set()
    wait_until(lambda: not addresses._asked, "a name is still being looked up")


async def test_dead_name_keeps_nobody_waiting_for_another(resolver):
    dead = [asyncio.create_task(addresses.lookup("dead.example", 443)) for _ in range(50)]
    assert await addresses.lookup("alive.example", 443) == ["192.0.2.1"]
    assert await asyncio.to_thread(str, 7) == "7"  # the loop's own threads are free
    resolver.recovers.set()
    assert await asyncio.gather(*dead) == [["192.0.2.1"]] * 50
    assert resolver.asked.count("dead.example") == 1


async def test_whoever_stops_waiting_leaves_the_question_to_the_others(resolver):
    impatient, patient = (asyncio.create_task(addresses.lookup("dead.example", 80)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    resolver.recovers.set()
    assert await patient == ["192.0.2.1"]


async def test_name_is_looked_up_anew_for_each_call_after_the_last_was_answered(resolver):
    for _ in range(2):
        await addresses.lookup("alive.example", 80)
        await asyncio.to_thread(wait_until, lambda: not addresses._asked, "the answer is still kept")
    assert resolver.asked == ["alive.example"] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_address_needs_no_resolver(resolver, host):
    assert await addresses.lookup(host, 80) == [host]
    assert resolver.asked == []
