"""Prepared lists: those of single runs, for whoever is active, taken up where a job was left."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from django.utils import timezone

from dashboard import activation, drafts, runs
from dashboard.catalogue import writing
from dashboard.jobs import ledger, parts, planning, prepared, refreshing, runner
from dashboard.jobs.remote import call
from dashboard.models import Job, PreparedList
from dashboard.store import now_us, store
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.engine import registry
from recflow.engine.context import RunRequest
from recflow.engine.executor import execute
from recflow.engine.values import Candidates
from recflow.nodes.outside import Asked, Outside
from recflow.nodes.starters import STARTERS

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

CLASSIC = STARTERS["classic"].document
POPULAR = STARTERS["popular"].document
DAY_US = 86_400_000_000


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.models, "folder", tmp_path / "models")
    monkeypatch.setattr(runs.models, "_loaded", OrderedDict())
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


def found_alone(flow, user_id):
    """Ids that a run for one user finds, best first."""
    snapshot, history = runs.load_user(user_id)
    request = RunRequest(history, n=100, now=now_us(), use_pins=False)
    run = asyncio.run(execute(flow, request, snapshot, runs.services))
    return snapshot.items.ids.texts(run.result.items)


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
        assert list(made.item_ids) == found_alone(flow, user_id)
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
    firsts = [None, *parts.cut(snapshot, now_us(), 5)[1:], None]
    found = [parts.users_of_part(snapshot, now_us(), *bounds) for bounds in pairwise(firsts)]
    assert len(found) == 7  # 31 users by fives
    assert sorted(np.concatenate(found).tolist()) == list(range(snapshot.n_users))


class TestParts:
    """Who was active last is in the first part, in every process and however many rows come meanwhile."""

    @pytest.fixture
    def cut_us(self):
        """Four users, last active 3, 1, 2 and no days ago."""
        now = now_us()
        writing.put_items([ItemRecord("i")])
        writing.put_feedback(
            [
                FeedbackRecord("like", user_id, "i", 1.0, now - days * DAY_US)
                for user_id, days in (("three", 3), ("one", 1), ("two", 2))
            ],
            overwrite=True,
        )
        writing.put_users([UserRecord("never")])
        return now

    def users(self, snapshot, cut_us, *bounds):
        return snapshot.users.ids.texts(parts.users_of_part(snapshot, cut_us, *bounds))

    def test_users_are_ordered_by_their_last_activity(self, cut_us):
        snapshot = store.snapshot(fresh=True)
        (first, second) = parts.cut(snapshot, cut_us, 2)
        assert self.users(snapshot, cut_us, None, None) == ["one", "two", "three", "never"]
        assert self.users(snapshot, cut_us, None, second) == ["one", "two"]
        assert self.users(snapshot, cut_us, second, None) == ["three", "never"]
        assert first[0] == cut_us - DAY_US

    def test_feedback_that_comes_while_the_job_lasts_moves_nobody(self, cut_us):
        bounds = parts.cut(store.snapshot(fresh=True), cut_us, 2)[1]
        writing.put_items([ItemRecord("new")])
        writing.put_feedback([FeedbackRecord("like", "never", "new", 1.0, cut_us + 5)], overwrite=True)
        snapshot = store.snapshot(fresh=True)
        assert self.users(snapshot, cut_us, bounds, None) == ["three", "never"]

    def test_without_users_there_is_one_empty_part(self, db):
        snapshot = store.snapshot(fresh=True)
        assert len(parts.cut(snapshot, now_us(), 2)) == 1
        assert self.users(snapshot, now_us(), None, None) == []


def test_a_refresh_begins_with_who_was_active_last(readers, activate, executor, monkeypatch):
    monkeypatch.setattr(refreshing, "SHARD_USERS", 8)
    label = activate(POPULAR)
    writing.put_feedback([FeedbackRecord("like", "u07", "i39", 1.0, now_us())], overwrite=True)
    refreshing.ask()
    make_shard, made = refreshing.make_shard, []

    def watched(*args):
        found = make_shard(*args)
        made.append(set(PreparedList.objects.filter(version=label).values_list("user_id", flat=True)))
        return found

    monkeypatch.setattr(refreshing, "make_shard", watched)
    job = ledger.claim("w1")
    runner.do(job, "w1", executor, window=1)
    assert [len(users) for users in made] == [8, 16, 24, 31]
    assert "u07" in made[0]
    assert "quiet" not in made[2]
    job.refresh_from_db()
    assert (job.made, job.parameters["users"]) == (31, 31)


def test_a_paused_refresh_goes_on_with_the_parts_that_are_left_after_a_restart(
    readers, activate, executor, monkeypatch
):
    monkeypatch.setattr(refreshing, "SHARD_USERS", 8)
    monkeypatch.setattr("dashboard.jobs.work.LOOK_EVERY_S", 0.0)
    label = activate(POPULAR)
    job = refreshing.ask()
    make_shard, seen = refreshing.make_shard, []

    def pause_after_the_first(*args):
        made = make_shard(*args)
        seen.append(args[3])
        if len(seen) == 1:
            ledger.pause(job.pk)
        return made

    monkeypatch.setattr(refreshing, "make_shard", pause_after_the_first)
    runner.do(ledger.claim("w1"), "w1", executor, window=1)
    job.refresh_from_db()
    assert (job.state, job.made, seen) == ("paused", 8, [0])
    ledger.take_up_stale(timezone.now() + timedelta(days=7))  # another process, a week later
    planning.plan()
    assert not do_all(executor)[0].finished_at
    ledger.resume(job.pk)
    do_all(executor)
    job.refresh_from_db()
    assert (job.state, job.made, sorted(seen)) == ("done", 31, [0, 1, 2, 3])  # two at a time
    assert prepared.count(label) == 31


def test_a_paused_refresh_of_an_older_version_gives_way_to_the_new_one(readers, activate, executor):
    activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
    job = refreshing.ask()
    Job.objects.filter(pk=job.pk).update(parameters={"version": "9@9"})
    ledger.pause(job.pk)
    planning.plan()
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert Job.objects.filter(key="lists", state="queued").count() == 1


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
    ledger.split(job, [[0, 0], [0, 1]])
    ledger.shard_done(job.pk, 0, "w1", 3)
    ledger.release(job.pk, "w1")
    label = activate(POPULAR)
    do_all(executor)
    job.refresh_from_db()
    assert job.parameters["version"] == label
    assert prepared.count(label) == 31


def test_a_refresh_that_another_version_overtook_leaves_its_lists_alone(
    readers, activate, executor, monkeypatch
):
    activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
    refreshing.ask()
    overtaken, make = [], refreshing.make_lists

    def overtake(*args):
        found = make(*args)
        overtaken.append(activate(POPULAR))
        prepared.put(overtaken[0], [prepared.MadeList("u01", ["i01"], [1.0], "d")], now_us())
        return found

    monkeypatch.setattr(refreshing, "make_lists", overtake)
    do_all(executor)
    assert prepared.count(overtaken[0]) == 1


def test_users_who_were_answered_without_a_list_get_one_of_their_own(readers, activate, executor):
    label = activate(POPULAR)
    for user_ids in (["u03"], ["u03", "nobody"]):
        prepared.want(user_ids)
    assert prepared.wanted(10) == ["nobody", "u03"]  # who came last was active last
    refreshing.ask_for_wanted()
    do_all(executor)
    assert list(PreparedList.objects.values_list("version", "user_id")) == [(label, "u03")]
    assert prepared.wanted(10) == []


def test_who_waits_for_a_list_waits_on_when_another_version_became_active_on_the_way(readers, activate):
    old = activate(with_settings(POPULAR, "popular", score="-len(feedback)"))
    prepared.want(["u03"])
    job = refreshing.ask_for_wanted()
    activate(POPULAR)
    made, said = refreshing.make_wanted(job.pk, "w1", old)
    assert (made, said) == (0, [f"{old} is no longer active"])
    assert PreparedList.objects.count() == 0
    assert prepared.wanted(10) == ["u03"]


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
        assert list(prepared.find(label, "u05").item_ids) == found_alone(planning.active_flow()[0], "u05")
        writing.put_feedback([FeedbackRecord("like", "u05", "i39", 1.0, now_us())], overwrite=False)
        refreshing.ask()
        assert "31 lists, 1 of them made now" in do_all(executor)[-1].text

    def test_an_empty_list_of_a_run_that_went_wrong_is_made_again(
        self, readers, activate, executor, monkeypatch
    ):
        together, broken = refreshing._together, {"u05": ["Ranker failed: no endpoint"], "u06": []}

        async def breaking(flow, requests, snapshot, own):
            found = await together(flow, requests, snapshot, own)
            return [
                replace(run, result=Candidates(), degraded=broken[request.history.user_id])
                if request.history.user_id in broken
                else run
                for request, run in zip(requests, found, strict=True)
            ]

        monkeypatch.setattr(refreshing, "_together", breaking)
        label = activate(CLASSIC)
        refreshing.ask()
        do_all(executor)
        assert list(prepared.find(label, "u05").item_ids) == []
        monkeypatch.setattr(refreshing, "_together", together)
        refreshing.ask()
        assert "31 lists, 1 of them made now" in do_all(executor)[-1].text  # that of u06 is empty by right
        assert list(prepared.find(label, "u05").item_ids) == found_alone(planning.active_flow()[0], "u05")

    def test_connections_are_closed_before_the_loop_that_they_belong_to(
        self, readers, activate, executor, monkeypatch
    ):
        used, closed, together = [], [], refreshing._together

        async def watched(*args):
            used.append(asyncio.get_running_loop())
            return await together(*args)

        async def close():
            closed.append(asyncio.get_running_loop())

        monkeypatch.setattr(refreshing, "_together", watched)
        monkeypatch.setattr(refreshing, "close_clients", close)
        activate(CLASSIC)
        refreshing.ask()
        do_all(executor)
        assert closed == list(dict.fromkeys(used))

    def test_what_models_are_paid_for_lists_is_counted(self, readers, activate, executor, monkeypatch):
        async def outside_for(request):
            return Outside(record=lambda asked: None)

        async def together(flow, requests, snapshot, own):
            runs_ = await asyncio.gather(*(execute(flow, one, snapshot, own) for one in requests))
            outside = await own.resources["outside"](requests[0])
            for one in requests:
                cost = None if one.history.user_id == "u00" else 0.25
                asked = Asked("Home", "n", "Ranker", "llm", "default", "m", "", "ok", cost=cost)
                outside.record(asked)
            return runs_

        monkeypatch.setitem(runs.services.resources, "outside", outside_for)
        monkeypatch.setattr(refreshing, "_together", together)
        activate(CLASSIC)
        refreshing.ask()
        (job,) = do_all(executor)
        assert (job.state, job.made, job.cost, job.cost_unknown) == ("done", 31, 7.5, 1)  # 30 x 0.25


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
        prepared.want(["u01"])
        assert not self.due_after(monkeypatch, seconds=1)
        assert self.keys() == {"lists:wanted"}


def test_the_door_for_parts_of_jobs_finds_their_functions():
    assert call("snapshots:data_version", "a-5-77") == "a-5"
