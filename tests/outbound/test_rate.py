import multiprocessing
import time

import pytest

from recflow.errors import BudgetExceeded
from recflow.outbound.rate import Rate, RateLedger

NOW = 1_700_000_000.0
PATIENCE_S = 1000.0


@pytest.fixture
def ledger(tmp_path):
    opened = RateLedger(tmp_path / "rate.sqlite3")
    yield opened
    opened.close()


def waits(ledger, rate, times, tokens=0.0, now=NOW):
    return [ledger.reserve("api", rate, tokens, now, PATIENCE_S).wait_s for _ in range(times)]


def test_burst_is_a_sixth_of_a_minute_and_the_rest_wait_in_line(ledger):
    rate = Rate(requests_per_minute=30)  # 5 at once, then one each 2 s
    assert waits(ledger, rate, 8) == pytest.approx([0, 0, 0, 0, 0, 2, 4, 6])


def test_bucket_refills_with_time_but_holds_no_more_than_the_burst(ledger):
    rate = Rate(requests_per_minute=30)
    waits(ledger, rate, 5)
    assert waits(ledger, rate, 2, now=NOW + 2) == pytest.approx([0, 2])
    assert waits(ledger, rate, 6, now=NOW + 3600) == pytest.approx([0, 0, 0, 0, 0, 2])


def test_call_larger_than_the_bucket_may_start_and_leaves_a_debt(ledger):
    rate = Rate(tokens_per_minute=6000)  # bucket of 1000, 100 a second
    assert waits(ledger, rate, 2, tokens=3000) == pytest.approx([0, 30])  # (1000 - (1000 - 3000)) / 100


def test_the_scarcer_of_requests_and_tokens_decides(ledger):
    rate = Rate(requests_per_minute=600, tokens_per_minute=6000)
    assert waits(ledger, rate, 3, tokens=1000) == pytest.approx([0, 10, 20])


def test_settling_gives_back_what_was_not_used(ledger):
    rate = Rate(tokens_per_minute=6000)
    booked = ledger.reserve("api", rate, 1000, NOW, PATIENCE_S)
    ledger.settle(booked, 400, NOW)
    assert waits(ledger, rate, 2, tokens=600) == pytest.approx([0, 6])


def test_settling_charges_what_was_used_beyond_the_estimate(ledger):
    rate = Rate(tokens_per_minute=6000)
    booked = ledger.reserve("api", rate, 1000, NOW, PATIENCE_S)
    ledger.settle(booked, 1500, NOW)
    assert waits(ledger, rate, 1, tokens=100) == pytest.approx([6])  # (100 + 500) / 100


def test_cancelled_reservation_frees_its_request_and_tokens(ledger):
    rate = Rate(requests_per_minute=6, tokens_per_minute=6000)
    booked = ledger.reserve("api", rate, 1000, NOW, PATIENCE_S)
    ledger.cancel(booked, NOW)
    assert waits(ledger, rate, 1, tokens=1000) == [0]


def test_wait_beyond_the_patience_is_refused_and_books_nothing(ledger):
    rate = Rate(requests_per_minute=6)
    waits(ledger, rate, 1)
    with pytest.raises(BudgetExceeded, match=r"6 requests a minute would be passed.*in 10\.0 s") as caught:
        ledger.reserve("api", rate, 0, NOW, patience_s=9.0)
    assert caught.value.retry_after_s == pytest.approx(10.0)
    assert waits(ledger, rate, 1) == pytest.approx([10])


def test_endpoints_do_not_share_a_bucket(ledger):
    rate = Rate(requests_per_minute=6)
    waits(ledger, rate, 1)
    assert ledger.reserve("other", rate, 0, NOW, PATIENCE_S).wait_s == 0


def test_clock_set_back_does_not_drain_the_bucket(ledger):
    rate = Rate(requests_per_minute=30)
    waits(ledger, rate, 1)
    assert waits(ledger, rate, 1, now=NOW - 3600) == [0]


def _book(path, times, results):
    ledger = RateLedger(path)
    results.put(sum(ledger.reserve("api", Rate(600), 0, NOW, PATIENCE_S).wait_s == 0 for _ in range(times)))
    ledger.close()


def test_processes_share_the_buckets_of_a_file(ledger, tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_book, args=(tmp_path / "rate.sqlite3", 150, results)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    free = sum(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert free == 100  # 600 a minute: a burst of 100 among 300 tries, no token given twice


def test_reserving_is_cheap(ledger):
    started = time.perf_counter()
    waits(ledger, Rate(1e9, 1e9), 300, tokens=10)
    assert (time.perf_counter() - started) / 300 < 0.005  # measured at 0.05 ms; a disk sync would cost 10 ms


@pytest.fixture
def processes(tmp_path):
    both = [RateLedger(tmp_path / "rate.sqlite3") for _ in range(2)]
    yield both
    for one in both:
        one.close()


def test_places_are_counted_over_all_processes(processes):
    web, jobs = processes
    assert web.take_place("api", 2, "a", NOW, NOW + 60)
    assert jobs.take_place("api", 2, "b", NOW, NOW + 60)
    assert [one.take_place("api", 2, "c", NOW, NOW + 60) for one in processes] == [False, False]
    assert jobs.take_place("other", 2, "d", NOW, NOW + 60)
    jobs.give_back_place("b")
    assert web.take_place("api", 2, "c", NOW, NOW + 60)


def test_whoever_came_first_goes_in_first(processes):
    web, jobs = processes
    assert jobs.take_place("api", 1, "bulk 1", NOW, NOW + 60)
    assert not web.take_place("api", 1, "a user", NOW + 1, NOW + 60)
    jobs.give_back_place("bulk 1")
    assert not jobs.take_place("api", 1, "bulk 2", NOW + 2, NOW + 60)
    assert web.take_place("api", 1, "a user", NOW + 2.5, NOW + 60)


def test_whoever_stopped_looking_holds_nobody_up(processes):
    web, jobs = processes
    assert jobs.take_place("api", 1, "a", NOW, NOW + 60)
    assert not web.take_place("api", 1, "killed", NOW + 1, NOW + 60)
    assert not web.take_place("api", 1, "gave up", NOW + 2, NOW + 60)
    jobs.give_back_place("a")
    web.give_back_place("gave up")
    assert not jobs.take_place("api", 1, "b", NOW + 2, NOW + 60)
    assert jobs.take_place("api", 1, "b", NOW + 3, NOW + 60)


def test_whoever_waits_for_an_emptier_house_lets_others_pass(processes):
    web, jobs = processes
    assert web.take_place("api", 2, "a", NOW, NOW + 60)
    assert not jobs.take_place("api", 1, "careful", NOW, NOW + 60)
    assert web.take_place("api", 2, "b", NOW + 1, NOW + 60)


def test_place_of_a_process_that_was_killed_ends_by_itself(processes):
    web, jobs = processes
    assert jobs.take_place("api", 1, "a", NOW, NOW + 60)
    assert not web.take_place("api", 1, "b", NOW + 59, NOW + 120)
    assert web.take_place("api", 1, "b", NOW + 60, NOW + 120)
    jobs.give_back_place("a")  # it lived after all
    assert web.places_taken("api", NOW + 61) == 1
