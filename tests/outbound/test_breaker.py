import pytest

from recflow.errors import ServiceRefused
from recflow.outbound.breaker import Breaker


def failed(times: int, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker.admit(now)
        breaker.fail(now, "status 500")
    return breaker


def test_four_failures_leave_it_closed():
    failed(4).admit(0.0)


def test_five_failures_in_a_row_open_it_for_sixty_seconds():
    breaker = failed(5)
    with pytest.raises(ServiceRefused, match=r"status 500\); the next try is in 60 s") as caught:
        breaker.admit(0.0)
    assert (caught.value.retry_after_s, caught.value.kind) == (60.0, "circuit_open")
    with pytest.raises(ServiceRefused):
        breaker.admit(59.9)
    assert breaker.status(59.0).seconds_left == 1.0


def test_a_success_in_between_starts_the_count_anew():
    breaker = failed(4)
    breaker.succeed()
    breaker.fail(0.0, "status 500")
    breaker.admit(0.0)


def test_one_probe_goes_through_when_the_time_is_over():
    breaker = failed(5)
    assert breaker.status(60.0).state == "half-open"
    breaker.admit(60.0)
    with pytest.raises(ServiceRefused, match="one call is trying it again"):
        breaker.admit(60.0)


def test_probe_that_works_closes_it():
    breaker = failed(5)
    breaker.admit(60.0)
    breaker.succeed()
    breaker.admit(60.0)
    assert breaker.status(60.0).state == "closed"


def test_probe_that_fails_opens_it_again_at_once():
    breaker = failed(5)
    breaker.admit(60.0)
    breaker.fail(61.0, "status 502")
    with pytest.raises(ServiceRefused, match="status 502"):
        breaker.admit(120.9)
    breaker.admit(121.0)


def test_probe_that_was_cancelled_lets_another_one_through():
    breaker = failed(5)
    breaker.release(breaker.admit(60.0))
    breaker.admit(60.0)


def test_a_call_from_before_that_is_cancelled_leaves_the_probe_of_another_alone():
    breaker = Breaker()
    before = breaker.admit(0.0)
    breaker.open(0.0, "dead")
    first = breaker.admit(61.0)
    breaker.release(before)
    with pytest.raises(ServiceRefused):
        breaker.admit(62.0)
    breaker.fail(62.0, "still dead")
    second = breaker.admit(123.0)
    breaker.release(first)  # the probe that is under way is another one by now
    with pytest.raises(ServiceRefused):
        breaker.admit(124.0)
    breaker.release(second)
    breaker.admit(125.0)


def test_time_the_service_named_is_not_shortened_by_other_failures():
    breaker = Breaker()
    breaker.open(0.0, "status 429", seconds=100.0)
    for _ in range(5):
        breaker.fail(1.0, "status 500")
    assert breaker.status(1.0).seconds_left == 99.0


def test_reset_forgets_everything():
    breaker = failed(5)
    breaker.reset()
    breaker.admit(0.0)
    breaker.fail(0.0, "status 500")
    breaker.admit(0.0)
