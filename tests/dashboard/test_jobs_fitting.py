"""Jobs that fit models and refresh the snapshot, done by the embedded runner; and when they are due."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard import activation, drafts
from dashboard.catalogue import writing
from dashboard.jobs import fitting, ledger, planning, runner, snapshots
from dashboard.models import Job
from dashboard.store import store
from recflow.data.records import FeedbackRecord
from recflow.engine.flow import load_flow
from recflow.engine.registry import FITTERS
from recflow.nodes.starters import STARTERS

pytestmark = [pytest.mark.django_db(databases="__all__", transaction=True), pytest.mark.usefixtures("models")]

CLASSIC = STARTERS["classic"].document
FLOW = load_flow(CLASSIC)
MF, NEIGHBORS = fitting.models_of_flow(FLOW)


class AtOnce(Executor):
    """Runs what it is given in the caller's thread."""

    def submit(self, function, *args):
        future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def readers():
    """Six users, six items, half of the pairs liked."""
    writing.put_feedback(
        [
            FeedbackRecord("like", f"u{u}", f"i{i}", 1.0, u + i)
            for u in range(6)
            for i in range(6)
            if (u + i) % 2 == 0
        ],
        overwrite=True,
    )


def do_all():
    """Every waiting job, in order, with how it ended."""
    while (job := ledger.claim("w1")) is not None:
        runner.do(job, "w1", AtOnce())
    return {job.key: job for job in Job.objects.all()}


def test_a_fit_makes_a_new_version_and_says_how_well_it_ranks(readers, models):
    first = fitting.ask(MF, "ada")
    job = do_all()[first.key]
    assert (job.state, job.share, job.asked_by) == ("done", 1.0, "ada")
    (meta,) = models.history(MF)
    assert meta["n_positive"] == 18
    assert 0 <= meta["metrics"]["ndcg_at_10"] <= 1
    assert "fitted in" in job.log
    fitting.ask(MF)
    do_all()
    assert len(models.history(MF)) == 2


def test_a_model_comes_back_from_a_job_s_parameters_as_it_went_in():
    assert fitting.as_spec(fitting.as_parameters(MF)).key == MF.key


def test_without_feedback_the_job_fails_with_the_reason(models):
    fitting.ask(MF)
    job = do_all()[fitting.key_of(MF)]
    assert job.state == "failed"
    assert job.error.startswith("There is no positive feedback to train on yet")
    assert models.history(MF) == []


def test_an_error_nobody_expected_is_told_and_the_next_job_runs(readers, monkeypatch, caplog):
    def broken(*args):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(fitting, "fit_here", broken)
    fitting.ask(MF)
    snapshots.ask()
    jobs = do_all()
    assert jobs[fitting.key_of(MF)].error == "ZeroDivisionError: boom"
    assert jobs["snapshot"].state == "done"
    assert jobs["snapshot"].text == "6 users, 6 items, 18 feedback"


def test_a_cancelled_fit_leaves_no_version(readers, models, monkeypatch):
    job = fitting.ask(MF)
    wanted = FITTERS["mf"].measure

    def cancel_then_measure(view, params, rng, check):
        ledger.cancel(job.pk)
        monkeypatch.setattr("dashboard.jobs.work.LOOK_EVERY_S", 0.0)
        return wanted(view, params, rng, check)

    monkeypatch.setattr("dashboard.jobs.work.LOOK_EVERY_S", -1.0)  # look every time
    monkeypatch.setitem(vars(FITTERS["mf"]), "measure", cancel_then_measure)
    assert do_all()[job.key].state == "cancelled"
    assert models.history(MF) == []


def test_the_runner_does_what_waits_and_ends_when_told(readers):
    stop = threading.Event()
    fitting.ask(NEIGHBORS)
    runner.run_until(stop, AtOnce(), plan=lambda: stop.set())
    assert Job.objects.get().state == "done"


def test_a_runner_that_meets_an_error_goes_on(caplog, monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(runner, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(runner, "PLAN_EVERY_S", 0.0)
    calls = []

    def plan():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the database is away")
        stop.set()

    runner.run_until(stop, AtOnce(), plan)
    assert len(calls) == 2
    assert "goes on after an error" in caplog.text


def with_factors(n):
    """The default flow with another number of factors."""
    nodes = [
        {**node, "settings": {"n_factors": n}} if node["type"] == "collaborative" else node
        for node in CLASSIC["nodes"]
    ]
    return {**CLASSIC, "nodes": nodes}


class TestPlanning:
    @pytest.fixture(autouse=True)
    def live(self, readers):
        flow = drafts.create("Home", CLASSIC, "ada")
        activation.activate(flow.pk, None, "", "ada")

    def due(self):
        """Keys of the jobs that are asked for now."""
        planning.plan()
        return set(Job.objects.filter(state="queued").values_list("key", flat=True))

    def later(self, monkeypatch, **span):
        now = timezone.now() + timedelta(**span)
        monkeypatch.setattr(planning.timezone, "now", lambda: now)

    def test_models_that_are_missing_and_a_snapshot_are_due_once(self):
        wanted = {fitting.key_of(MF), fitting.key_of(NEIGHBORS), "snapshot"}
        assert self.due() >= wanted
        assert self.due() >= wanted
        do_all()
        assert self.due() & wanted == set()

    def test_a_model_is_due_after_its_period_when_feedback_came(self, monkeypatch):
        self.due()
        do_all()
        writing.put_feedback([FeedbackRecord("like", "u0", "i1", 1.0, 50)], overwrite=True)
        assert fitting.key_of(MF) not in self.due()  # its period is an hour
        self.later(monkeypatch, minutes=61)
        assert fitting.key_of(MF) in self.due()

    def test_a_model_is_not_due_while_nothing_changed(self, monkeypatch):
        self.due()
        do_all()
        self.later(monkeypatch, days=9)
        assert self.due() & {fitting.key_of(MF), "snapshot"} == set()

    def test_models_that_nobody_uses_go_after_a_week_and_those_of_drafts_stay(self, monkeypatch, models):
        tried = load_flow(with_factors(4))
        kept = load_flow(with_factors(8))
        drafts.create("Another", kept.document(), "ada")
        view = store.snapshot(fresh=True).view(MF.rules)
        for flow in (tried, kept, FLOW):
            models.fit(fitting.models_of_flow(flow)[0], view)
        self.later(monkeypatch, days=6)
        planning.plan()
        assert len(list(models.folder.iterdir())) == 3
        self.later(monkeypatch, days=8)
        planning.plan()
        expected = {fitting.models_of_flow(flow)[0].key for flow in (kept, FLOW)}
        assert {folder.name for folder in models.folder.iterdir()} == expected

    def test_what_failed_waits_a_period(self, monkeypatch):
        job = fitting.ask(MF)
        ledger.claim("w1")
        ledger.fail(job.pk, "w1", "no")
        assert fitting.key_of(MF) not in self.due()
        self.later(monkeypatch, minutes=61)
        assert fitting.key_of(MF) in self.due()


def test_the_shortest_period_that_a_node_asks_for_counts():
    nodes = [
        {**node, "settings": {"fit_period": "5m"}} if node["type"] == "collaborative" else node
        for node in CLASSIC["nodes"]
    ]
    periods = {
        spec.kind: period
        for spec, period in fitting.models_with_periods(load_flow({**CLASSIC, "nodes": nodes}))
    }
    assert periods == {"mf": 300.0, "item-neighbors": 3600.0}
