"""A service that is still loading: each look at it is no failure, but a whole call in vain is one."""

import dataclasses

import pytest

from recflow.errors import ServiceError, ServiceRefused
from recflow.outbound.call import EndpointPolicy, breaker_status, call
from recflow.outbound.messages import Request
from tests.scripted_server import status


@pytest.fixture
def policy(guard, request):
    """A fresh circuit for each test; the deadline is one of the test's own clock."""
    return EndpointPolicy(request.node.name, dataclasses.replace(guard, total_s=20.0))


@pytest.fixture
def asked(server):
    return Request.json(server.url("/v1/rank"), {"query": "x"})


async def test_five_calls_in_vain_open_the_circuit(server, policy, asked, timing):
    server.script("/v1/rank", status(503))
    for _ in range(5):
        assert breaker_status(policy.name).state == "closed"
        with pytest.raises(ServiceError) as caught:
            await call(policy, asked, timing=timing)
        assert caught.value.kind == "loading"
    hits = server.count("/v1/rank")
    assert hits >= 5 * 4  # steps of 2 to 5 s in 20 s
    with pytest.raises(ServiceRefused, match="still loading or full, status 503"):
        await call(policy, asked, timing=timing)
    assert server.count("/v1/rank") == hits


async def test_call_that_comes_through_in_the_end_is_no_failure(server, policy, asked, timing):
    server.script("/v1/rank", *[status(503), status(200, "[]")] * 6)
    for _ in range(6):
        assert (await call(policy, asked, timing=timing)).answer.status == 200
    assert breaker_status(policy.name).state == "closed"


async def test_probe_that_finds_it_loading_does_not_close_the_circuit(server, policy, asked, clock, timing):
    server.script("/v1/rank", *[status(500)] * 5, status(503))
    for _ in range(2):
        with pytest.raises(ServiceError, match="failed inside"):
            await call(policy, asked, timing=timing)
    clock.now += 60
    with pytest.raises(ServiceError, match="still loading"):
        await call(policy, asked, timing=timing)
    hits = server.count("/v1/rank")
    with pytest.raises(ServiceRefused):
        await call(policy, asked, timing=timing)
    assert server.count("/v1/rank") == hits
