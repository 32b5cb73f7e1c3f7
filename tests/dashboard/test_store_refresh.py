"""After a few writes the next snapshot is made of the one before, and is what a full build makes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from django.conf import settings
from django.db import connections

from dashboard import store as store_module
from dashboard.catalogue import changes, writing
from dashboard.models import CatalogueChange
from dashboard.store import RowStore, build, refresh
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.data.snapshot import arrays
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def rows():
    writing.put_users([UserRecord("zoe"), UserRecord("ann")])
    writing.put_items([ItemRecord("m2", categories=("b",)), ItemRecord("m1")])
    writing.put_feedback(
        [FeedbackRecord("like", "zoe", "m1", time_us=20), FeedbackRecord("like", "ann", "m2", time_us=10)],
        overwrite=True,
    )


@pytest.fixture
def no_build(monkeypatch):
    """Call it where all rows may not be read again."""
    return lambda: monkeypatch.setattr(store_module, "build", lambda taken_at: pytest.fail("built in full"))


def assert_as_built(snapshot):
    _, built = build(0)
    ours, theirs = arrays(snapshot), arrays(built)
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert snapshot.items.category_names == built.items.category_names
    assert snapshot.feedback.type_names == built.feedback.type_names


def a_write(rng: random.Random) -> None:
    """Any of the catalogue's writes, with ids that often meet."""
    user, item = rng.choice(["ann", "bob", "Ä", "zoe", "☃"]), rng.choice(["m1", "m2", "M", "n", "µ"])
    kind = rng.choice(["like", "read", "a-type", "later"])
    rows = [FeedbackRecord(kind, user, item, rng.randrange(3), time_us=rng.randrange(9))]
    match rng.randrange(10):
        case 0:
            writing.put_users([UserRecord(user, {"n": rng.randrange(9)}, rng.choice(["", "äö"]))])
        case 1:
            writing.put_items([ItemRecord(item, rng.random() < 0.5, ("x", kind), rng.randrange(9))])
        case 2:
            writing.patch_user(user, comment="patched")
        case 3:
            writing.patch_item(item, categories=[kind], labels=[1])
        case 4:
            writing.delete_user(user)
        case 5:
            writing.delete_item(item)
        case 6:
            writing.set_category(item, kind, present=rng.random() < 0.7)
        case 7:
            writing.delete_feedback(user, item, rng.choice([kind, None]))
        case _:
            known = rng.random() < 0.2
            writing.put_feedback(
                rows, overwrite=rng.random() < 0.5, insert_users=not known, insert_items=not known
            )


@pytest.mark.parametrize("seed", range(8))
def test_any_writes_are_refreshed_to_what_a_full_build_makes(rows, seed):
    rng = random.Random(seed)
    current = build(0)
    for _ in range(12):
        for _ in range(rng.randrange(1, 12)):
            a_write(rng)
        refreshed = refresh(current, taken_at=7)
        assert refreshed is not None
        assert refreshed[1].taken_at == 7
        assert_as_built(refreshed[1])
        current = refreshed


def test_an_item_deleted_and_made_anew_comes_without_its_feedback(rows):
    before = build(0)
    writing.delete_item("m1")
    writing.put_items([ItemRecord("m1")])
    _, snapshot = refresh(before, 0)
    assert snapshot.feedback.items.tolist() == [1]  # ann's like of m2; zoe's of m1 went with the first m1
    assert_as_built(snapshot)


def test_the_store_refreshes_after_a_few_writes(rows, tmp_path, no_build):
    store = RowStore(tmp_path)
    store.snapshot()
    no_build()
    writing.put_feedback([FeedbackRecord("like", "new", "m3", time_us=1)], overwrite=True)
    snapshot = store.snapshot(fresh=True)
    assert snapshot.users.ids.texts(range(3)) == ["ann", "new", "zoe"]
    assert len(snapshot.feedback) == 3


def test_a_process_that_starts_goes_on_from_the_newest_saved_snapshot(rows, tmp_path, no_build):
    RowStore(tmp_path).snapshot()
    writing.put_users([UserRecord("new")])
    no_build()
    assert "new" in RowStore(tmp_path).snapshot().users.ids


def test_a_refresh_in_the_background_writes_no_files(rows, tmp_path):
    store = RowStore(tmp_path)
    store.snapshot()
    store._not_before = 0.0
    writing.put_users([UserRecord("new")])
    store.snapshot()
    store._worker.join(timeout=PATIENCE_S)
    assert "new" in store.snapshot().users.ids
    assert len(list(tmp_path.iterdir())) == 1
    store.snapshot(fresh=True)
    assert len(list(tmp_path.iterdir())) == 2


def entries():
    return list(CatalogueChange.objects.order_by("pk").values_list("kind", "name"))


def forget():
    CatalogueChange.objects.all().delete()


def test_feedback_touches_its_users_and_the_items_it_makes(rows):
    forget()
    writing.put_feedback(
        [FeedbackRecord("like", "ann", "m1"), FeedbackRecord("like", "ann", "made")], overwrite=True
    )
    assert entries() == [("item", "made"), ("user", "ann")]


def test_a_large_write_is_one_entry_and_makes_the_log_short(rows, monkeypatch):
    monkeypatch.setattr(changes, "MOST_IDS", 3)
    before = build(0)
    writing.put_users([UserRecord(name) for name in "abcd"])
    assert entries() == [("everything", "")]
    assert refresh(before, 0) is None


def test_a_write_that_names_nothing_may_have_changed_anything(rows):
    before = build(0)
    with writing.change() as write:
        write.cursor.execute("UPDATE catalogue_user SET comment = 'by hand'")
    assert refresh(before, 0) is None


def test_writing_nothing_changes_nothing(rows):
    before = entries()
    writing.put_users([])
    writing.put_items([])
    writing.put_feedback([], overwrite=True)
    assert entries() == before


def test_what_was_rolled_back_was_never_touched(rows):
    forget()
    with pytest.raises(ZeroDivisionError), writing.change() as write:
        write.touched.add("user", ["ann"])
        _ = 1 / 0
    assert entries() == []


def test_a_snapshot_older_than_the_log_is_built_anew(rows, monkeypatch):
    monkeypatch.setattr(changes, "MOST_ENTRIES", 2)
    monkeypatch.setattr(changes, "_TRIM_EVERY", 1)
    snapshots = [build(0)]
    for name in "abcd":
        writing.put_users([UserRecord(name)])
        snapshots.append(build(0))
    assert entries() == [("user", "c"), ("user", "d")]
    assert [refresh(base, 0) is not None for base in snapshots] == [False, False, True, True, True]


def test_many_changed_rows_are_not_worth_a_refresh(rows, monkeypatch):
    before = build(0)
    writing.put_users([UserRecord("ann", comment="x")])  # one row and one feedback of hers: 2 rows
    monkeypatch.setattr(store_module, "_SMALL_SHARE", 0.0)
    monkeypatch.setattr(store_module, "_FEW_ROWS", 1)
    assert refresh(before, 0) is None
    monkeypatch.setattr(store_module, "_FEW_ROWS", 2)
    assert refresh(before, 0) is not None


def test_a_snapshot_of_another_database_is_not_gone_on_from(rows):
    _, snapshot = build(0)
    assert refresh(("0123-1", snapshot), 0) is None
    assert refresh(("empty", snapshot), 0) is None


def test_rows_that_do_not_fit_the_log_are_read_in_full(rows, tmp_path, caplog):
    store = RowStore(tmp_path)
    store.snapshot()
    with connections[settings.CATALOGUE_DATABASE].cursor() as cursor:  # past every rule: nothing is noted
        cursor.execute("UPDATE catalogue_item SET item_id = 'renamed' WHERE item_id = 'm2'")
    writing.put_users([UserRecord("ann")])
    snapshot = store.snapshot(fresh=True)
    assert "'renamed'" in caplog.text
    assert_as_built(snapshot)
