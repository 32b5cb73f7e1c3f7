"""The runner's two lanes: what people wait for takes its turn beside fits and lists."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from dashboard.jobs import ledger, runner
from dashboard.models import Job
from tests.patience import PATIENCE_S, wait_until

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def run(monkeypatch, settings, tmp_path):
    """run(kinds, threads) starts the runner with these functions instead of the real ones."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(runner, "LOOK_EVERY_S", 0.01)
    stop, threads = threading.Event(), []

    def start(kinds, n_threads=2):
        for kind, function in kinds.items():
            monkeypatch.setitem(runner.KINDS, kind, function)

        def lanes():
            with ThreadPoolExecutor(n_threads) as executor:
                runner.run_until(stop, executor)
            runner.connections.close_all()

        threads.append(threading.Thread(target=lanes))
        threads[0].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def until_over(*jobs):
    def states():
        return set(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("state", flat=True))

    wait_until(lambda: states() == {"done"}, lambda: f"Not done: {states()}")


def test_a_long_measurement_holds_up_no_fit(run):
    began, may_end = threading.Event(), threading.Event()
    long = ledger.enqueue("evaluate", "evaluate:1", "Measure everything")

    def measure(work):
        began.set()
        return str(may_end.wait(PATIENCE_S))

    run({"evaluate": measure, "fit": lambda work: "fitted"})
    assert began.wait(PATIENCE_S)
    fit = ledger.enqueue("fit", "fit:a", "Train a")
    until_over(fit)
    long.refresh_from_db()
    assert long.state == "running"
    may_end.set()
    until_over(long)


def test_in_each_lane_one_job_is_done_at_a_time_in_the_order_of_asking(run):
    said, running, most, lock = [], 0, 0, threading.Lock()

    def job_of(lane):
        def do(work):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                said.append((lane, work.job.title))
            threading.Event().wait(0.02)
            with lock:
                running -= 1
            return ""

        return do

    jobs = [
        ledger.enqueue(kind, f"{kind}:{n}", f"{kind} {n}", {"folder": "x"})
        for n in range(3)
        for kind in ("fit", "import")
    ]
    run({"fit": job_of("main"), "import": job_of("aside")})
    until_over(*jobs)
    assert [title for lane, title in said if lane == "main"] == ["fit 0", "fit 1", "fit 2"]
    assert [title for lane, title in said if lane == "aside"] == ["import 0", "import 1", "import 2"]
    assert most <= 2


def part_of_test(job_id, worker, number):
    ATWORK.append(number)
    assert len(ATWORK) <= 2
    threading.Event().wait(0.02)
    ATWORK.remove(number)


ATWORK: list = []


def test_both_lanes_together_keep_no_more_threads_busy_than_there_are(run, monkeypatch):
    """A job of the second lane takes a thread of the arithmetic for as long as it lasts."""
    monkeypatch.setattr("dashboard.jobs.remote.call", lambda function, *args: part_of_test(*args))

    def spread(work):
        work.call_each("x:y", [(number,) for number in range(6)])
        return "spread"

    jobs = [
        ledger.enqueue("lists", "lists", "Lists"),
        ledger.enqueue("import", "import:1", "Import 1", {"folder": "x"}),
    ]
    run({"lists": spread, "import": lambda work: str(part_of_test(0, "", "aside"))})
    until_over(*jobs)
    assert Job.objects.filter(state="done").count() == 2


def test_every_kind_of_job_is_in_exactly_one_lane():
    assert set(runner.KINDS) == runner.MAIN | runner.ASIDE
    assert not runner.MAIN & runner.ASIDE


class TestSignsOfLife:
    def test_a_database_that_was_away_for_a_moment_does_not_silence_a_job(self, monkeypatch):
        """Silent for half a minute it would be done a second time, beside the first."""
        monkeypatch.setattr(runner, "LOOK_EVERY_S", 0.01)
        monkeypatch.setattr(runner, "HEARTBEAT_S", 0.01)
        answers, heard = iter([OperationalError("restarted")]), threading.Event()

        def beat(job_id, worker):
            for error in answers:
                raise error
            heard.set()

        monkeypatch.setattr(ledger, "beat", beat)
        job = ledger.enqueue("fit", "fit:a", "Train a")
        with runner._beating(job, "w1", None):
            assert heard.wait(PATIENCE_S)

    def test_a_job_that_was_to_be_paused_rests_when_its_process_ends(self, monkeypatch):
        monkeypatch.setattr(runner, "LOOK_EVERY_S", 0.01)
        job = ledger.enqueue("lists", "lists", "Refresh")
        ledger.claim("w1")
        ledger.pause(job.pk)
        stop = threading.Event()
        stop.set()
        with runner._beating(job, "w1", stop):
            wait_until(lambda: Job.objects.get().state != "running", "It goes on")
        job.refresh_from_db()
        assert (job.state, job.worker) == ("paused", "")


def test_an_error_that_comes_back_at_every_look_is_logged_once_a_minute(caplog):
    clock = [1000.0]
    troubles = runner.Troubles(lambda: clock[0])
    for second in range(150):
        clock[0] = 1000.0 + second
        for text in ("database or disk is full", *["disk I/O error"] * (second == 100)):
            try:
                raise OperationalError(text)
            except OperationalError as error:
                troubles.tell(error)
    full = [record for record in caplog.records if "disk I/O" not in (record.exc_text or "")]
    assert [bool(record.exc_info) for record in full] == [True, False, False]  # after 0, 60 and 120 seconds
    assert [record.getMessage().partition(" times more: ")[::2] for record in full[1:]] == [
        (
            "The runner of jobs goes on after an error that came 59",
            "OperationalError: database or disk is full",
        )
    ] * 2
    assert len(caplog.records) == 4  # another error does not wait
