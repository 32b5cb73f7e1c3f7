"""Rows become arrays: what a snapshot holds, when it is made anew, and what a run sees at once."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from django.db import connections

from dashboard import store as store_files
from dashboard.catalogue import writing
from dashboard.store import RowStore, build, catalogue_version
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

DAY = 86_400_000_000


@pytest.fixture
def rows():
    writing.put_users([UserRecord("zoe", {"age": 3}), UserRecord("ann")])
    writing.put_items([ItemRecord("m2", categories=("b", "a"), time_us=5), ItemRecord("m1", is_hidden=True)])
    writing.put_feedback(
        [
            FeedbackRecord("like", "zoe", "m1", 2.0, time_us=20),
            FeedbackRecord("like", "ann", "m2", 1.0, time_us=10),
            FeedbackRecord("a-type", "ann", "m1", 4.0, time_us=30),
        ],
        overwrite=True,
    )


def test_a_snapshot_holds_the_rows_in_the_order_of_their_ids(rows):
    _, snapshot = build(taken_at=99)
    assert snapshot.users.ids.texts([0, 1]) == ["ann", "zoe"]
    assert snapshot.items.ids.texts([0, 1]) == ["m1", "m2"]
    assert snapshot.items.hidden.tolist() == [True, False]
    assert snapshot.items.categories_of(1) == ["a", "b"]
    assert snapshot.users.labels_of(1) == {"age": 3}
    log = snapshot.feedback
    assert log.type_names == ("a-type", "like")
    # By user, then time: ann m2 at 10, ann m1 at 30, zoe m1 at 20.
    assert log.users.tolist() == [0, 0, 1]
    assert log.items.tolist() == [1, 0, 0]
    assert log.types.tolist() == [1, 0, 1]
    assert log.values.tolist() == [1.0, 4.0, 2.0]
    assert log.times.tolist() == [10, 30, 20]
    assert snapshot.taken_at == 99


def test_an_empty_catalogue_is_a_snapshot_of_nothing(tmp_path):
    snapshot = RowStore(tmp_path).snapshot()
    assert (snapshot.n_users, snapshot.n_items, len(snapshot.feedback)) == (0, 0, 0)


def test_the_same_object_is_given_until_the_rows_change(rows, tmp_path):
    store = RowStore(tmp_path)
    first = store.snapshot()
    assert store.snapshot() is first
    writing.put_users([UserRecord("new")])
    second = store.snapshot(fresh=True)
    assert second is not first
    assert second.version != first.version
    assert "new" in second.users.ids


def test_readers_keep_the_old_snapshot_until_the_new_one_is_ready(rows, tmp_path):
    store = RowStore(tmp_path)
    old = store.snapshot()
    store._not_before = 0.0
    writing.delete_item("m2")
    assert store.snapshot() is old
    store._worker.join(timeout=PATIENCE_S)
    assert store.snapshot().items.ids.texts([0]) == ["m1"]
    assert len(store.snapshot().feedback) == 2


def test_right_after_a_build_changed_rows_wait_for_their_turn(rows, tmp_path):
    store = RowStore(tmp_path)
    old = store.snapshot()
    store._not_before = float("inf")
    writing.put_users([UserRecord("new")])
    assert store.snapshot() is old
    assert store._worker is None


def test_another_process_opens_the_saved_snapshot_instead_of_building(rows, tmp_path, monkeypatch):
    made = RowStore(tmp_path).snapshot()
    monkeypatch.setattr("dashboard.store.build", lambda taken_at: pytest.fail("it was built again"))
    opened = RowStore(tmp_path).snapshot()
    assert opened.version == made.version
    np.testing.assert_array_equal(opened.feedback.items, made.feedback.items)
    assert opened.items.categories_of(1) == ["a", "b"]


def test_a_saved_snapshot_of_older_rows_is_not_used(rows, tmp_path):
    RowStore(tmp_path).snapshot()
    writing.put_users([UserRecord("new")])
    assert "new" in RowStore(tmp_path).snapshot().users.ids


def test_only_the_newest_two_snapshots_are_kept(rows, tmp_path):
    store = RowStore(tmp_path)
    for name in ("a", "b", "c", "d"):
        writing.put_users([UserRecord(name)])
        store.snapshot(fresh=True)
    kept = {folder.name for folder in tmp_path.iterdir()}
    assert len(kept) == 2
    assert catalogue_version() in kept


def test_what_a_killed_process_left_of_a_snapshot_is_never_opened_and_goes_after_an_hour(rows, tmp_path):
    RowStore(tmp_path).snapshot()
    (saved,) = tmp_path.iterdir()
    shutil.copytree(saved, tmp_path / "draft-1")  # all written, not yet named
    assert store_files._newest(tmp_path)[0] == saved.name
    writing.put_users([UserRecord("new")])
    RowStore(tmp_path).snapshot(fresh=True)
    assert (tmp_path / "draft-1").exists()
    os.utime(tmp_path / "draft-1", (0, 0))
    writing.put_users([UserRecord("newer")])
    RowStore(tmp_path).snapshot(fresh=True)
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2
    assert "draft-1" not in names


def test_unchanged_rows_are_dated_anew_after_an_hour(rows, tmp_path):
    now = [DAY]
    store = RowStore(tmp_path, clock=lambda: now[0])
    first = store.snapshot()
    now[0] += 3_600_000_000
    assert store.snapshot() is first
    now[0] += 1
    second = store.snapshot()
    assert second.taken_at == now[0]
    assert second.version != first.version
    assert second.feedback is first.feedback


def test_feedback_posted_after_the_snapshot_is_in_the_history(rows, tmp_path):
    store = RowStore(tmp_path)
    snapshot = store.snapshot()
    writing.put_feedback([FeedbackRecord("like", "ann", "brand new", 1.0, time_us=40)], overwrite=True)
    history = store.history("ann", snapshot)
    assert history.item_ids == ("brand new", "m1", "m2")  # newest first
    assert history.items.tolist() == [-1, 0, 1]
    assert history.types == ("like", "a-type", "like")
    assert history.times.tolist() == [40, 30, 10]
    assert history.is_known


def test_an_unknown_user_has_an_empty_history(rows, tmp_path):
    store = RowStore(tmp_path)
    history = store.history("nobody ÿ 'x'", store.snapshot())
    assert (len(history), history.is_known) == (0, False)


def test_building_does_not_make_a_writer_wait(rows):
    from django.conf import settings

    from dashboard.catalogue.streaming import one_moment

    with one_moment() as connection, connection.cursor() as reader:
        reader.execute("SELECT COUNT(*) FROM catalogue_user")
        writer = connections.create_connection(settings.CATALOGUE_DATABASE)
        writer.settings_dict = connection.settings_dict
        with writer.cursor() as cursor:
            cursor.execute(
                "INSERT INTO catalogue_user (user_id, labels, comment) VALUES ('late', 'null', '')"
            )
        writer.close()
        reader.execute("SELECT COUNT(*) FROM catalogue_user WHERE user_id = 'late'")
        assert reader.fetchone() == (0,)  # one moment is one moment
