import random

import pytest

from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import Timing
from recflow.outbound.client import Guard, close_clients
from tests.scripted_server import ScriptedServer

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8", "::1"])


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def guard():
    """Loopback allowed, and more time than a busy machine takes; tests of a deadline set their own."""
    return Guard(addresses=LOOPBACK, total_s=30.0, connect_s=20.0, idle_s=20.0)


@pytest.fixture(autouse=True)
async def no_connection_left_open():
    yield
    await close_clients()


class Clock:
    """A clock that only sleeping moves; keeps the sleeps."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.sleeps: list[float] = []

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timing(clock):
    return Timing(monotonic=clock.read, wall=clock.read, sleep=clock.sleep, rng=random.Random(7))
