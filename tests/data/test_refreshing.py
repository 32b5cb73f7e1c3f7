"""A refreshed snapshot is the one that a full build makes, array for array."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.refreshing import Changes, refreshed
from recflow.data.snapshot import Snapshot, arrays
from recflow.data.splicing import Splice
from recflow.data.types import TextColumn


def assert_same(left: Snapshot, right: Snapshot) -> None:
    ours, theirs = arrays(left), arrays(right)
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert left.items.category_names == right.items.category_names
    assert left.items.categories.shape == right.items.categories.shape
    log, other = left.feedback, right.feedback
    assert (log.type_names, log.n_users, log.n_items) == (other.type_names, other.n_users, other.n_items)


@pytest.fixture
def old():
    return build_snapshot(
        [UserRow("ann"), UserRow("cy", comment="Cyril")],
        [ItemRow("a", categories=("x",)), ItemRow("c", categories=("x", "z"), time=3)],
        [
            ("ann", "a", "like", 1.0, 10),
            ("ann", "c", "like", 2.0, 20),
            ("cy", "c", "read", 3.0, 5),
        ],
        version="v1",
        taken_at=100,
    )


def changes(users=None, items=None, emptied=(), feedback=(), type_names=("like", "read")):
    return Changes(users or {}, items or {}, emptied, feedback, type_names)


def test_nothing_but_the_date_changes_without_changes(old):
    new = refreshed(old, changes(), version="v2", taken_at=200)
    assert (new.version, new.taken_at) == ("v2", 200)
    assert_same(new, old)


def test_the_feedback_of_a_changed_user_takes_the_place_of_the_old(old):
    rows = [("ann", "c", "like", 9.0, 20), ("ann", "c", "read", 1.0, 15)]
    log = refreshed(old, changes({"ann": UserRow("ann")}, feedback=rows), version="v2", taken_at=0).feedback
    assert log.users.tolist() == [0, 0, 1]  # ann, ann, cy
    assert log.times.tolist() == [15, 20, 5]
    assert log.types.tolist() == [1, 0, 1]
    assert log.values.tolist() == [1.0, 9.0, 3.0]


def test_new_ids_come_in_at_their_place_and_move_the_others_up(old):
    new = refreshed(
        old,
        changes(
            {"bob": UserRow("bob")},
            {"b": ItemRow("b", categories=("y",))},
            (),
            [("bob", "b", "like", 1.0, 7)],
        ),
        version="v2",
        taken_at=0,
    )
    assert new.users.ids.find_many(["ann", "bob", "cy"]).tolist() == [0, 1, 2]
    assert new.items.ids.find_many(["a", "b", "c"]).tolist() == [0, 1, 2]
    assert new.feedback.users.tolist() == [0, 0, 1, 2]
    assert new.feedback.items.tolist() == [0, 2, 1, 2]  # c was 1 and is 2 now
    assert [new.items.categories_of(i) for i in range(3)] == [["x"], ["y"], ["x", "z"]]
    assert new.users.comments[2] == "Cyril"


def test_an_item_that_is_gone_takes_its_feedback_and_its_category_along(old):
    new = refreshed(old, changes(items={"c": None}), version="v2", taken_at=0)
    assert new.items.category_names == ("x",)
    assert new.feedback.items.tolist() == [0]
    assert new.feedback.n_items == 1
    assert new.items.ids.find("c") is None


def test_a_user_who_is_gone_takes_the_feedback_along(old):
    new = refreshed(old, changes({"ann": None}), version="v2", taken_at=0)
    assert new.users.ids.texts([0]) == ["cy"]
    assert (new.feedback.users.tolist(), new.feedback.items.tolist()) == ([0], [1])


def test_an_item_that_was_deleted_and_made_anew_has_no_feedback_of_before(old):
    new = refreshed(old, changes(items={"c": ItemRow("c")}, emptied=["c"]), version="v2", taken_at=0)
    assert new.feedback.items.tolist() == [0]
    assert new.items.categories_of(1) == []


def test_a_type_between_the_others_renumbers_them(old):
    rows = [("cy", "a", "more", 1.0, 1)]
    new = refreshed(
        old,
        changes({"cy": UserRow("cy")}, feedback=rows, type_names=("like", "more", "read")),
        version="v2",
        taken_at=0,
    )
    assert new.feedback.types.tolist() == [0, 0, 1]


def test_what_came_and_went_between_two_snapshots_is_nothing(old):
    assert_same(refreshed(old, changes({"bob": None}, {"b": None}), version="v2", taken_at=0), old)


@pytest.mark.parametrize("row", [("bob", "a", "like", 1.0, 1), ("ann", "b", "like", 1.0, 1)])
def test_feedback_of_unknown_ids_is_refused(old, row):
    with pytest.raises(ValueError, match=r"of or on '(bob|b)'"):
        refreshed(old, changes({"ann": UserRow("ann")}, feedback=[row]), version="v2", taken_at=0)


def test_a_splice_copies_neighboring_rows_as_one_run():
    # Rows 1 and 2 of five are replaced by fresh 0 and 1; fresh 2 comes before row 4.
    splice = Splice.make(5, *(np.array(a) for a in ([1, 2, 4], [2, 3, 4], [0, 1, 2], [1, 2, 3])))
    assert splice.runs == ((False, 0, 1), (True, 0, 2), (False, 3, 4), (True, 2, 3), (False, 4, 5))
    assert splice.rows(np.arange(5), np.array([10, 11, 12])).tolist() == [0, 10, 11, 3, 12, 4]
    texts = splice.texts(TextColumn.from_texts("abcde"), TextColumn.from_texts(["X", "", "ZZ"]))
    assert texts.all() == ["a", "X", "", "d", "ZZ", "e"]


@dataclass
class Rows:
    """A little database that remembers what was written since the last look."""

    users: dict[str, UserRow] = field(default_factory=dict)
    items: dict[str, ItemRow] = field(default_factory=dict)
    feedback: dict[tuple[str, str, str], tuple[float, int]] = field(default_factory=dict)
    touched_users: set[str] = field(default_factory=set)
    touched_items: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)

    def put_user(self, name, comment):
        self.users[name] = UserRow(name, comment=comment)
        self.touched_users.add(name)

    def put_item(self, name, comment, categories):
        self.items[name] = ItemRow(name, categories=categories, comment=comment, time=len(comment))
        self.touched_items.add(name)

    def drop_user(self, name):
        self.users.pop(name, None)
        self.feedback = {key: row for key, row in self.feedback.items() if key[0] != name}
        self.touched_users.add(name)

    def drop_item(self, name):
        self.items.pop(name, None)
        self.feedback = {key: row for key, row in self.feedback.items() if key[1] != name}
        self.touched_items.add(name)
        self.emptied.add(name)

    def say(self, user, item, kind, value, time):
        if user not in self.users:
            self.put_user(user, "")
        if item not in self.items:
            self.put_item(item, "", ())
        self.feedback[user, item, kind] = (value, time)
        self.touched_users.add(user)

    def unsay(self, user, item, kind):
        self.feedback.pop((user, item, kind), None)
        self.touched_users.add(user)

    def build(self):
        return build_snapshot(
            [self.users[name] for name in sorted(self.users)],
            [self.items[name] for name in sorted(self.items)],
            [(*key, *row) for key, row in self.feedback.items()],
            version="full",
            taken_at=0,
        )

    def changes(self):
        found = Changes(
            {name: self.users.get(name) for name in self.touched_users},
            {name: self.items.get(name) for name in self.touched_items},
            self.emptied,
            [(*key, *row) for key, row in self.feedback.items() if key[0] in self.touched_users],
            tuple(sorted({kind for _, _, kind in self.feedback})),
        )
        self.touched_users, self.touched_items, self.emptied = set(), set(), set()
        return found


NAMES = st.sampled_from(["", "a", "aa", "b", "ä", "☃", "𝄞", "z"])
KINDS = st.sampled_from(["like", "more", "read"])
WRITES = st.one_of(
    st.tuples(st.just("put_user"), NAMES, st.text(max_size=3)),
    st.tuples(
        st.just("put_item"), NAMES, st.text(max_size=3), st.sets(KINDS).map(lambda s: tuple(sorted(s)))
    ),
    st.tuples(st.just("drop_user"), NAMES),
    st.tuples(st.just("drop_item"), NAMES),
    st.tuples(st.just("say"), NAMES, NAMES, KINDS, st.integers(0, 3).map(float), st.integers(0, 4)),
    st.tuples(st.just("unsay"), NAMES, NAMES, KINDS),
)


@settings(deadline=None)
@given(st.lists(st.lists(WRITES, max_size=12), max_size=5))
def test_any_writes_make_the_snapshot_of_a_full_build(rounds):
    rows = Rows()
    snapshot = rows.build()
    for writes in rounds:
        for name, *values in writes:
            getattr(rows, name)(*values)
        snapshot = refreshed(snapshot, rows.changes(), version="full", taken_at=0)
        assert_same(snapshot, rows.build())
        names = list(rows.users)
        assert snapshot.users.ids.texts(snapshot.users.ids.find_many(names)) == names
