import asyncio

import pytest

from recflow.outbound.gate import Gate


async def settle():
    """Lets every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_the_width_are_inside_and_the_rest_come_in_order():
    gate, entered = Gate(2), []

    async def visitor(number):
        await gate.enter()
        entered.append(number)

    visitors = [asyncio.create_task(visitor(n)) for n in range(4)]
    await settle()
    assert entered == [0, 1]
    gate.leave()
    await settle()
    assert entered == [0, 1, 2]
    gate.leave()
    await asyncio.gather(*visitors)
    assert entered == [0, 1, 2, 3]


async def test_visitor_who_gives_up_waiting_takes_no_place():
    gate = Gate(1)
    await gate.enter()
    impatient = asyncio.create_task(gate.enter())
    patient = asyncio.create_task(gate.enter())
    await settle()
    impatient.cancel()
    await settle()
    gate.leave()
    await asyncio.wait_for(patient, 1)


async def test_visitor_let_in_and_cancelled_in_the_same_moment_hands_the_place_on():
    gate = Gate(1)
    await gate.enter()
    first = asyncio.create_task(gate.enter())
    second = asyncio.create_task(gate.enter())
    await settle()
    gate.leave()  # lets the first in
    first.cancel()  # before it could notice
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(second, 1)


async def test_visitors_who_go_when_a_place_becomes_free_take_none():
    gate = Gate(1)
    await gate.enter()
    gone = [asyncio.create_task(gate.enter()) for _ in range(3)]
    patient = asyncio.create_task(gate.enter())
    await settle()
    for visitor in gone:
        visitor.cancel()  # they have not noticed when the place becomes free
    gate.leave()
    await asyncio.wait_for(patient, 1)
    found = await asyncio.gather(*gone, return_exceptions=True)
    assert [type(each) for each in found] == [asyncio.CancelledError] * 3
    gate.leave()
    assert gate.try_enter()


async def test_width_is_halved_when_throttled_and_grows_by_one_each_full_round_of_successes():
    gate = Gate(8)
    gate.narrow()
    assert gate.width == 4
    for _ in range(4):
        gate.widen()
    assert gate.width == 5
    for _ in range(5 + 6 + 7 + 50):
        gate.widen()
    assert gate.width == 8  # never wider than configured


async def test_unlimited_gate_gets_a_width_when_throttled():
    gate = Gate(0)
    for _ in range(10):
        await gate.enter()
    gate.narrow()
    assert gate.width == 5
    gate.narrow()
    gate.narrow()
    gate.narrow()
    assert gate.width == 1  # never closed
