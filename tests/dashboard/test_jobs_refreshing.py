"""Prepared lists: those of single runs, for whoever is active, taken up where a job was left."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from dashboard import activation, drafts, runs
from dashboard.catalogue import writing
from dashboard.jobs import ledger, planning, prepared, refreshing, runner
from dashboard.jobs.remote import call
from dashboard.models import Job, PreparedList
from dashboard.store import now_us, store
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.engine import registry
from recflow.nodes.starters import STARTERS

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

CLASSIC = STARTERS["classic"].document
POPULAR = STARTERS["popular"].document
DAY_US = 86_400_000_000


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.models, "folder", tmp_path / "models")
    monkeypatch.setattr(runs.models, "_loaded", {})
    runs.services.memo.clear()
    return runs.models


@pytest.fixture
def executor():
    with runner.embedded() as threads:
        yield threads


@pytest.fixture
def activate():
    """activate(document) makes it what answers, and gives its name."""
    made = []

    def make(document):
        if not made:
            made.append(drafts.create("Home", document, "ada").pk)
        else:
            flow = drafts.find(made[0])
            drafts.save(flow.pk, flow.revision, document, "ada")
        version = activation.activate(made[0], None, "", "ada").version
        return f"{version.flow_id}@{version.number}"

    return make


@pytest.fixture
def readers():
    """Thirty users with feedback of the last twenty days, forty items; and one who never did anything."""
    rng = np.random.default_rng(1)
    now = now_us()
    writing.put_items([ItemRecord(f"i{n:02}", time_us=now - n * DAY_US) for n in range(40)])
    writing.put_feedback(
        [
            FeedbackRecord("like", f"u{u:02}", f"i{i:02}", 1.0, now - int(rng.integers(1, 20)) * DAY_US)
            for u in range(30)
            for i in rng.choice(40, 6, replace=False)
        ],
        overwrite=True,
    )
    writing.put_users([UserRecord("quiet")])


def do_all(executor):
    while (job := ledger.claim("w1")) is not None:
        runner.do(job, "w1", executor)
    return list(Job.objects.order_by("pk"))


def with_settings(document, node_id, **settings):
    nodes = [
        {**node, "settings": node["settings"] | settings} if node["id"] == node_id else node
        for node in document["nodes"]
    ]
    return {**document, "nodes": nodes}


def test_every_user_gets_the_list_of_a_single_run(readers, activate, executor):
    label = activate(CLASSIC)
    refreshing.ask("ada")
    (job,) = do_all(executor)
    assert (job.state, job.error) == ("done", "")
    assert prepared.count(label) == 31
    flow, _ = planning.active_flow()
    for user_id in ("u00", "u17", "quiet"):
        made = prepared.find(label, user_id)
        found = asyncio.run(runs.recommend(flow, label, user_id, n=100))
        assert list(made.item_ids) == [item_id for item_id, _ in found.items]
        assert made.digest == job.parameters["digest"]


def test_lists_are_kept_for_active_users_only_when_the_flow_says_so(readers, activate, executor):
    writing.put_feedback([FeedbackRecord("like", "old", "i00", 1.0, now_us() - 400 * DAY_US)], overwrite=True)
    label = activate(with_settings(CLASSIC, "recommend", active_user_ttl_days=100))
    refreshing.ask()
    do_all(executor)
    assert prepared.count(label) == 30
    assert prepared.find(label, "old") is None
    assert prepared.find(label, "quiet") is None


def test_the_parts_of_a_refresh_hold_every_user_once(readers):
    snapshot = store.snapshot(fresh=True)
    parts = [refreshing.users_of_shard(snapshot, number, 7) for number in range(7)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(snapshot.n_users))


def test_a_refresh_that_was_broken_off_goes_on_with_the_parts_that_are_left(
    readers, activate, executor, monkeypatch
):
    monkeypatch.setattr(refreshing, "SHARD_USERS", 8)
    label = activate(POPULAR)
    job = refreshing.ask()
    seen = []

    def dies_in_the_third(job_id, worker, *args):
        seen.append(args[1])
        if len(seen) == 3:
            raise SystemExit  # as if the process were gone: nobody writes anything any more
        return make_shard(job_id, worker, *args)

    make_shard = refreshing.make_shard
    monkeypatch.setattr(refreshing, "make_shard", dies_in_the_third)
    first = ledger.claim("w1")
    with pytest.raises(SystemExit):
        runner.do(first, "w1", executor, window=1)
    ledger.take_up_stale(timezone.now() + timedelta(seconds=ledger.STALE_S + 1))
    left = ledger.undone(job)
    assert len(left) == 2  # four parts, two of them done
    monkeypatch.setattr(refreshing, "make_shard", lambda *args: seen.append(args[3]) or make_shard(*args))
    seen.clear()
    do_all(executor)
    job.refresh_from_db()
    assert (job.state, sorted(seen), job.attempts) == ("done", left, 2)
    assert prepared.count(label) == 31


def test_a_cancelled_refresh_stops_between_parts(readers, activate, executor, monkeypatch):
    monkeypatch.setattr(refreshing, "SHARD_USERS", 8)
    monkeypatch.setattr("dashboard.jobs.work.LOOK_EVERY_S", 0.0)
    activate(POPULAR)
    job = refreshing.ask()
    make_shard = refreshing.make_shard

    def cancel_after_the_first(*args):
        made = make_shard(*args)
        ledger.cancel(job.pk)
        return made

    monkeypatch.setattr(refreshing, "make_shard", cancel_after_the_first)
    runner.do(ledger.claim("w1"), "w1", executor, window=1)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert len(ledger.undone(job)) == 3


def test_lists_of_another_version_stay_until_those_of_the_new_one_are_there(readers, activate, executor):
    first = activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
    refreshing.ask()
    do_all(executor)
    second = activate(POPULAR)
    assert prepared.count(first) == 31
    refreshing.ask()
    do_all(executor)
    assert (prepared.count(first), prepared.count(second)) == (0, 31)


def test_a_refresh_begins_anew_when_another_version_became_active_on_the_way(readers, activate, executor):
    activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
    job = refreshing.ask()
    ledger.claim("w1")
    Job.objects.filter(pk=job.pk).update(parameters={"version": "9@9", "digest": "x", "began_us": 0})
    ledger.split(job, 2)
    ledger.shard_done(job.pk, 0, "w1", 3)
    ledger.release(job.pk, "w1")
    label = activate(POPULAR)
    do_all(executor)
    job.refresh_from_db()
    assert job.parameters["version"] == label
    assert prepared.count(label) == 31


def test_users_who_were_answered_without_a_list_get_one_of_their_own(readers, activate, executor):
    label = activate(POPULAR)
    for user_id in ("u03", "u03", "nobody"):
        prepared.want(user_id)
    assert prepared.wanted(10) == ["u03", "nobody"]
    refreshing.ask_for_wanted()
    do_all(executor)
    assert list(PreparedList.objects.values_list("version", "user_id")) == [(label, "u03")]
    assert prepared.wanted(10) == []


def test_scores_that_are_no_numbers_come_back_as_such():
    made = prepared.MadeList("ann", ["a", "b"], [0.5, float("nan")], "d")
    prepared.put("1@1", [made], 5)
    found = prepared.find("1@1", "ann")
    assert found.item_ids == ["a", "b"]
    assert found.scores[0] == 0.5
    assert np.isnan(found.scores[1])
    assert prepared.find("1@2", "ann") is None


class TestAskingOtherMachines:
    """A flow that waits is run user by user, and only where the list is no longer what it was made of."""

    @pytest.fixture(autouse=True)
    def waits(self, monkeypatch):
        # Without its block form the ranker, whose function is async, counts as one that waits.
        monkeypatch.delitem(registry.BLOCK_FORMS, "ranker")

    def test_lists_are_the_same_as_in_blocks_and_are_not_made_twice(self, readers, activate, executor):
        label = activate(CLASSIC)
        refreshing.ask()
        (job,) = do_all(executor)
        assert "Ranker asks other machines" in job.log
        assert "31 lists, 31 of them made now" in job.text
        found = asyncio.run(runs.recommend(planning.active_flow()[0], label, "u05", n=100))
        assert list(prepared.find(label, "u05").item_ids) == [item_id for item_id, _ in found.items]
        writing.put_feedback([FeedbackRecord("like", "u05", "i39", 1.0, now_us())], overwrite=False)
        refreshing.ask()
        assert "31 lists, 1 of them made now" in do_all(executor)[-1].text


class TestPlanning:
    @pytest.fixture(autouse=True)
    def live(self, readers, activate, executor):
        activate(POPULAR)
        planning.plan()
        assert self.keys() == {"lists", "snapshot"}
        do_all(executor)

    def keys(self):
        return set(Job.objects.filter(state="queued").values_list("key", flat=True))

    def due_after(self, monkeypatch, **span):
        now = timezone.now() + timedelta(**span)
        monkeypatch.setattr(planning.timezone, "now", lambda: now)
        planning.plan()
        return "lists" in self.keys()

    def test_nothing_is_due_while_nothing_changed_until_lists_expire(self, monkeypatch):
        assert not self.due_after(monkeypatch, hours=71)
        assert self.due_after(monkeypatch, hours=73)

    def test_new_feedback_makes_lists_due_after_a_rest(self, monkeypatch):
        writing.put_feedback([FeedbackRecord("like", "u00", "i39", 1.0, now_us())], overwrite=True)
        assert not self.due_after(monkeypatch, seconds=5)
        assert self.due_after(monkeypatch, seconds=120)

    def test_another_version_makes_lists_due_at_once(self, activate, monkeypatch):
        activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
        assert self.due_after(monkeypatch, seconds=1)

    def test_lists_wait_for_models_that_are_about_to_be_fitted(self, activate, monkeypatch):
        activate(CLASSIC)
        assert not self.due_after(monkeypatch, seconds=120)
        for key in self.keys():
            assert key.startswith("fit:")
            Job.objects.filter(key=key).update(state="done", finished_at=planning.timezone.now())
        assert self.due_after(monkeypatch, seconds=121)

    def test_cancelled_lists_are_left_alone_for_a_while(self, monkeypatch):
        writing.put_feedback([FeedbackRecord("like", "u00", "i39", 1.0, now_us())], overwrite=True)
        ledger.cancel(refreshing.ask().pk)
        assert not self.due_after(monkeypatch, minutes=5)
        assert self.due_after(monkeypatch, minutes=11)

    def test_who_waits_for_a_list_is_served(self, monkeypatch):
        prepared.want("u01")
        assert not self.due_after(monkeypatch, seconds=1)
        assert self.keys() == {"lists:wanted"}


def test_the_door_for_parts_of_jobs_finds_their_functions():
    assert call("snapshots:data_version", "a-5-77") == "a-5"
