import pytest

from recflow.llm import endpoint as endpoints
from recflow.llm.endpoint import Endpoint
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy, reset_breaker
from recflow.outbound.client import Guard, close_clients
from tests.scripted_server import ScriptedServer

CHAT = "/v1/chat/completions"


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True)
async def no_connection_left_open():
    yield
    await close_clients()


@pytest.fixture
def guard():
    """Loopback allowed, and more time than a busy machine takes; tests of a deadline set their own."""
    return Guard(
        addresses=AddressPolicy.parse(["127.0.0.0/8"]),
        total_s=30.0,
        connect_s=20.0,
        idle_s=20.0,
        max_body=100_000,
    )


@pytest.fixture
def endpoint(server, guard):
    """A model on the scripted server, with nothing remembered about it."""
    made = Endpoint(
        server.url("/v1"), "m", key="sk-very-secret-1234", policy=EndpointPolicy("llm test", guard)
    )
    yield made
    endpoints.forget_refusals(made)
    reset_breaker("llm test")
