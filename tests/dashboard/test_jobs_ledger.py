"""The ledger: one live job a key, one worker a job, and nothing lost when a process dies."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from dashboard.errors import Conflict, NotFound
from dashboard.jobs import ledger
from dashboard.jobs.work import WRITE_EVERY_S, Reporter
from dashboard.models import Job
from recflow.errors import RunCancelled

pytestmark = pytest.mark.django_db

LATER = timedelta(seconds=ledger.STALE_S + 1)


def ask(key="fit:a", **parameters):
    return ledger.enqueue("fit", key, f"Train {key}", parameters, asked_by="ada")


def states():
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


def test_while_a_job_waits_or_runs_asking_again_gives_that_one():
    first = ask()
    assert ask() == first
    ledger.claim("w1")
    assert ask() == first
    ledger.finish(first.pk, "w1")
    assert ask() != first


def test_jobs_are_claimed_in_the_order_in_which_they_were_asked_for():
    first, second = ask("fit:a"), ask("fit:b")
    assert [ledger.claim("w1"), ledger.claim("w2"), ledger.claim("w3")] == [first, second, None]
    assert Job.objects.get(pk=first.pk).worker == "w1"


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_claim_at_once_each_job_goes_to_one():
    asked = {ask(f"fit:{n}").pk for n in range(6)}
    together = threading.Barrier(4)
    claimed, lock = [], threading.Lock()

    def work(name):
        together.wait()
        while (job := ledger.claim(name)) is not None:
            with lock:
                claimed.append(job.pk)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(asked)  # each once, none twice


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked_to_stop():
    waiting, running = ask("fit:a"), ask("fit:b")
    ledger.cancel(waiting.pk)
    assert ledger.claim("w1") == running
    assert ledger.must_stop(running.pk, "w1") == ""
    ledger.cancel(running.pk)
    assert states() == ["cancelled", "running"]
    assert ledger.must_stop(running.pk, "w1") == "The job was cancelled"
    ledger.stop(running.pk, "w1")
    assert states() == ["cancelled", "cancelled"]


def test_a_finished_job_stays_finished_when_somebody_cancels_it():
    job = ask()
    ledger.claim("w1")
    ledger.finish(job.pk, "w1", "fitted")
    assert ledger.cancel(job.pk).state == "done"


def test_a_job_without_a_sign_of_life_waits_again_and_keeps_what_is_done():
    job = ask()
    ledger.claim("w1")
    ledger.split(job, [0, 10, 20])
    ledger.shard_done(job.pk, 1, "w1", 10)
    assert ledger.take_up_stale() == 0  # the heartbeat is fresh
    assert ledger.take_up_stale(timezone.now() + LATER) == 1
    again = ledger.claim("w2")
    assert again == job
    assert ledger.undone(again) == [0, 2]
    ledger.split(again, [7])  # cut already: nothing changes
    assert again.shards.count() == 3
    assert "w1 gave no sign of life" in again.log


def test_who_was_thought_dead_cannot_write_any_more():
    job = ask()
    ledger.claim("w1")
    ledger.take_up_stale(timezone.now() + LATER)
    ledger.claim("w2")
    assert not ledger.progress(job.pk, "w1", 0.9, "still here")
    assert not ledger.finish(job.pk, "w1")
    assert not ledger.beat(job.pk, "w1")
    assert ledger.must_stop(job.pk, "w1") == "Another process has taken this job up"
    assert ledger.finish(job.pk, "w2")


def test_who_gives_a_sign_of_life_at_the_last_moment_keeps_the_job(monkeypatch):
    resting, back = ask("fit:a"), ask("fit:b")
    ledger.claim("w1")
    ledger.claim("w2")
    ledger.pause(resting.pk)
    late, rest = timezone.now() + LATER, ledger._rest

    def rest_slowly(jobs, state):
        assert ledger.beat(back.pk, "w2", late)
        return rest(jobs, state)

    monkeypatch.setattr(ledger, "_rest", rest_slowly)
    assert ledger.take_up_stale(late) == 0
    assert states() == ["paused", "running"]


def test_a_job_that_ends_its_process_time_and_again_fails():
    job = ask()
    now = timezone.now()
    for attempt in range(ledger.MAX_ATTEMPTS):
        ledger.claim("w", now + attempt * LATER)
        ledger.take_up_stale(now + (attempt + 1) * LATER)
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.error == "The process that worked on it ended 3 times without a word"


def test_a_silent_job_that_was_to_be_cancelled_is_not_taken_up():
    job = ask()
    ledger.claim("w1")
    ledger.cancel(job.pk)
    ledger.take_up_stale(timezone.now() + LATER)
    assert states() == ["cancelled"]


class TestPausing:
    """A paused job rests until somebody resumes it, whatever becomes of processes in between."""

    def test_a_waiting_job_rests_at_once_and_is_claimed_by_nobody(self):
        job = ask()
        assert ledger.pause(job.pk).state == "paused"
        assert ledger.claim("w1") is None
        assert ask() == job  # no second one takes its place
        assert ledger.resume(job.pk).state == "queued"
        assert ledger.claim("w1") == job

    def test_a_running_job_rests_when_its_worker_has_seen_it_and_keeps_what_is_done(self):
        job = ask()
        ledger.claim("w1")
        ledger.split(job, [0, 10])
        ledger.shard_done(job.pk, 0, "w1", 10)
        ledger.add(job.pk, "w1", made=10, cost=0.5)
        ledger.pause(job.pk)
        assert ledger.must_stop(job.pk, "w1") == "The job was paused"
        assert ledger.stop(job.pk, "w1")
        job.refresh_from_db()
        assert (job.state, job.worker, job.attempts) == ("paused", "", 0)
        ledger.resume(job.pk)
        again = ledger.claim("w2")
        assert (ledger.undone(again), again.made, again.made_before, again.cost) == ([1], 10, 10, 0.5)

    def test_a_job_that_was_paused_and_whose_process_then_died_stays_paused(self):
        job = ask()
        ledger.claim("w1")
        ledger.pause(job.pk)
        assert ledger.take_up_stale(timezone.now() + LATER) == 0
        assert states() == ["paused"]
        assert ledger.take_up_stale(timezone.now() + 10 * LATER) == 0  # however long it rests
        assert ledger.claim("w2") is None

    def test_a_job_resumed_before_its_worker_stopped_waits_again(self):
        job = ask()
        ledger.claim("w1")
        ledger.pause(job.pk)
        ledger.resume(job.pk)
        assert ledger.must_stop(job.pk, "w1") == ""
        ledger.stop(job.pk, "w1")  # it had seen the pause already
        assert states() == ["queued"]

    def test_a_paused_job_can_be_cancelled_and_tried_again(self):
        job = ask()
        ledger.pause(job.pk)
        assert ledger.cancel(job.pk).state == "cancelled"
        assert ledger.retry(job.pk).pause_asked is False

    def test_a_job_put_back_before_its_worker_saw_the_pause_can_be_resumed(self):
        job = ask()
        ledger.claim("w1")
        ledger.pause(job.pk)
        ledger.release(job.pk, "w1")
        assert ledger.resume(job.pk).state == "queued"
        ledger.claim("w2")
        assert ledger.must_stop(job.pk, "w2") == ""

    @pytest.mark.parametrize("act", [ledger.cancel, ledger.pause, ledger.resume])
    @pytest.mark.parametrize("state", ["queued", "running", "paused"])
    def test_what_is_asked_of_a_job_is_one_statement(self, act, state, django_assert_num_queries):
        """Between two, a worker may claim the job or put it to rest: what was asked would be lost."""
        job = ask()
        Job.objects.filter(pk=job.pk).update(state=state, worker="w1", pause_asked=True)
        with django_assert_num_queries(3) as asked:
            act(job.pk)
        assert [query["sql"].split()[0] for query in asked] == ["SELECT", "UPDATE", "SELECT"]

    def test_only_what_can_be_is_paused_and_resumed(self):
        job = ask()
        with pytest.raises(Conflict, match="Only a paused job can be resumed; Train fit:a is queued"):
            ledger.resume(job.pk)
        ledger.claim("w1")
        ledger.finish(job.pk, "w1")
        with pytest.raises(Conflict, match="waits or runs can be paused; Train fit:a is done"):
            ledger.pause(job.pk)


def test_only_whoever_has_the_job_counts_what_it_made():
    job = ask()
    ledger.claim("w1")
    assert ledger.add(job.pk, "w1", made=3, cost_unknown=1)
    assert not ledger.add(job.pk, "w2", made=3)
    job.refresh_from_db()
    assert (job.made, job.cost, job.cost_unknown) == (3, 0.0, 1)


def test_a_worker_claims_jobs_of_its_kinds_only():
    ask()
    other = ledger.enqueue("import", "import:x", "Import x")
    assert ledger.is_any_waiting({"import"})
    assert ledger.claim("w1", kinds={"import"}) == other
    assert ledger.claim("w1", kinds={"import"}) is None
    assert not ledger.is_any_waiting({"import"})


def test_a_job_given_back_has_lost_no_attempt():
    job = ask()
    ledger.claim("w1")
    assert ledger.release(job.pk, "w1")
    assert not ledger.release(job.pk, "w1")
    job.refresh_from_db()
    assert (job.state, job.attempts, job.worker) == ("queued", 0, "")


def test_a_failed_job_can_be_tried_again_and_a_done_one_cannot():
    job = ask()
    ledger.claim("w1")
    ledger.fail(job.pk, "w1", "There is no positive feedback to train on yet")
    again = ledger.retry(job.pk)
    assert (again.pk, again.state, again.error, again.attempts) == (job.pk, "queued", "", 0)
    ledger.claim("w1")
    ledger.finish(job.pk, "w1")
    with pytest.raises(Conflict, match="Only a failed or cancelled job can be tried again"):
        ledger.retry(job.pk)


def test_a_failed_job_is_not_tried_again_while_another_of_its_key_is_on_its_way():
    job = ask()
    ledger.claim("w1")
    ledger.fail(job.pk, "w1", "no")
    ask()
    with pytest.raises(Conflict, match="under way already"):
        ledger.retry(job.pk)


def test_an_unknown_job_is_not_found():
    for act in (ledger.cancel, ledger.retry):
        with pytest.raises(NotFound, match="There is no job 7"):
            act(7)


def test_only_the_newest_finished_jobs_are_kept():
    for n in range(4):
        job = ask(f"fit:{n}")
        ledger.claim("w1")
        ledger.finish(job.pk, "w1")
    waiting = ask("fit:live")
    ledger.forget_old(kept=2)
    assert list(Job.objects.order_by("pk").values_list("key", flat=True)) == ["fit:2", "fit:3", waiting.key]


class TestReporter:
    @pytest.fixture
    def clock(self):
        return [0.0]

    @pytest.fixture
    def reporter(self, clock):
        job = ask()
        ledger.claim("w1")
        return Reporter(job.pk, "w1", lambda: clock[0])

    def test_progress_is_written_a_few_times_a_second_and_at_the_end(
        self, reporter, clock, django_assert_num_queries
    ):
        with django_assert_num_queries(1):
            reporter.progress(0.1, "epoch 1")
            reporter.progress(0.2, "epoch 2")
        clock[0] += WRITE_EVERY_S
        with django_assert_num_queries(2):
            reporter.progress(0.3, "epoch 3")
            reporter.progress(1.0, "epoch 10")
        assert Job.objects.get().text == "epoch 10"

    def test_a_cancelled_job_stops_at_the_next_look(self, reporter, clock):
        reporter.check()
        ledger.cancel(reporter.job_id)
        reporter.check()  # too soon after the last look
        clock[0] += 1
        with pytest.raises(RunCancelled, match="The job was cancelled"):
            reporter.check()
