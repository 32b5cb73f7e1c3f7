import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import KEPT_VIEWS, load, save
from recflow.data.types import TextColumn, Vocabulary


@given(st.lists(st.text(), unique=True))
def test_every_id_finds_its_own_place_and_no_other(ids):
    vocabulary = Vocabulary.from_ids(ids)
    assert vocabulary.find_many(ids).tolist() == list(range(len(ids)))
    assert [vocabulary[i] for i in range(len(ids))] == ids


def test_unknown_id_is_none_and_minus_one():
    vocabulary = Vocabulary.from_ids(["a", "b"])
    assert vocabulary.find("A") is None
    assert vocabulary.find_many(["b", "x"]).tolist() == [1, -1]


def test_ids_whose_hashes_collide_stay_apart(monkeypatch):
    monkeypatch.setattr("recflow.data.types.hash_id", lambda text: 7)
    vocabulary = Vocabulary.from_ids(["a", "b", "c"])
    assert vocabulary.find_many(["c", "a", "b", "d"]).tolist() == [2, 0, 1, -1]


def test_text_column_gives_texts_back():
    column = TextColumn.from_texts(["", "ä\N{SNOWMAN}", "x"])
    assert column.all() == ["", "ä☃", "x"]
    assert column[1] == "ä☃"


@pytest.fixture
def small():
    return build_snapshot(
        [UserRow("u1", labels='{"age": 3}')],
        [ItemRow("a", categories=("x", "y"), comment="Title"), ItemRow("b", categories=("y",), time=5)],
        [("u1", "b", "like", 2.5, 9), ("nobody", "b", "like", 1, 9), ("u1", "nothing", "like", 1, 9)],
        version="v7",
        taken_at=10,
    )


def test_rows_of_unknown_users_and_items_are_left_out(small):
    assert small.feedback.items.tolist() == [1]


def test_category_filter_wants_all_of_them(small):
    assert small.items.in_categories(["x", "y"]).tolist() == [True, False]
    assert small.items.in_categories(["y"]).tolist() == [True, True]
    assert small.items.in_categories(["unheard of"]).tolist() == [False, False]


def test_title_is_the_comment_or_the_id(small):
    assert small.titles([0, 1]) == ["Title", "b"]


def test_a_saved_snapshot_comes_back_memory_mapped_and_equal(small, tmp_path):
    save(small, tmp_path / "s")
    back = load(tmp_path / "s")
    assert back.version == "v7"
    assert back.items.categories_of(0) == ["x", "y"]
    assert back.users.labels_of(0) == {"age": 3}
    assert back.feedback.values.tolist() == [2.5]
    assert back.feedback.type_names == ("like",)
    assert isinstance(back.items.times.base, np.memmap)


def test_an_empty_snapshot_survives_a_save(tmp_path):
    save(build_snapshot([], [], [], version="0", taken_at=0), tmp_path / "s")
    assert load(tmp_path / "s").n_items == 0


def test_half_a_save_is_no_snapshot(small, tmp_path):
    save(small, tmp_path / "s")
    (tmp_path / "s" / "meta.json").unlink()
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "s")


def test_only_the_views_used_last_are_kept(small):
    mine = FeedbackRules(positive_ttl_days=1)
    first = small.view(mine)
    others = [FeedbackRules(item_ttl_days=days) for days in range(1, KEPT_VIEWS + 1)]
    oldest = small.view(others[0])
    for rules in others[1:]:
        small.view(rules)
        assert small.view(mine) is first
    assert len(small._views) == KEPT_VIEWS
    assert small.view(others[0]) is not oldest
