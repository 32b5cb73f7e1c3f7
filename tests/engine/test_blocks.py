"""Lists of many users side by side: put together, thinned out, reordered, by hand."""

import numpy as np

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.engine.block_run import block_users
from recflow.engine.blocks import NO_ITEM, CandidateBlock, first_of, history_of


def block(*rows):
    """block("3:.5 1:.2", "") -> items 3 and 1 for the first user, none for the second."""
    pairs = [[part.split(":") for part in row.split()] for row in rows]
    return CandidateBlock.from_rows(
        [
            (np.array([int(item) for item, _ in row], np.int32), np.array([float(score) for _, score in row]))
            for row in pairs
        ]
    )


def lists(found):
    return [found.row(place)[0].tolist() for place in range(len(found))]


def test_rows_of_different_lengths_are_padded_and_come_back_without_the_padding():
    made = block("3:.5 1:.2", "", "7:1")
    assert made.items.tolist() == [[3, 1], [NO_ITEM, NO_ITEM], [7, NO_ITEM]]
    assert lists(made) == [[3, 1], [], [7]]
    assert np.isnan(made.scores[1]).all()


def test_items_that_are_left_out_make_room_for_those_behind():
    made = block("3:.5 1:.2 4:.1", "8:.9")
    kept = made.where(np.array([[False, True, True], [True, True, True]]))
    assert lists(kept) == [[1, 4], [8]]
    assert kept.row(0)[1].tolist() == [0.2, 0.1]
    assert kept.items.shape == (2, 2)


def test_of_several_lists_an_item_keeps_its_first_place_and_score():
    joined = first_of([block("3:.5 1:.2", ""), block("1:9 5:8", "2:7"), block("3:1", "2:1 6:1")])
    assert lists(joined) == [[3, 1, 5], [2, 6]]
    assert joined.row(0)[1].tolist() == [0.5, 0.2, 8]


def test_equal_scores_keep_their_order_and_items_without_a_score_go_last():
    made = block("3:0 1:0 4:0 5:0", "8:0 9:0")
    ordered = made.in_order_of(np.array([[1, np.nan, 2, 1], [0, 3, 99, 99]], float))
    assert lists(ordered) == [[4, 3, 5, 1], [9, 8]]


def test_a_block_without_users_or_items_is_no_special_case():
    assert lists(first_of([CandidateBlock.empty(2), block("1:1", "")])) == [[1], []]
    assert lists(CandidateBlock.from_rows([])) == []
    assert lists(CandidateBlock.empty(1).where(np.zeros((1, 0), bool)).cut(3)) == [[]]


def test_a_history_of_the_snapshot_is_newest_first_with_ties_by_item_and_type():
    snapshot = build_snapshot(
        [UserRow("u", labels='{"age": 7}', comment="hi")],
        [ItemRow("a"), ItemRow("b")],
        [
            ("u", "b", "read", 2.0, 5),
            ("u", "b", "like", 1.0, 5),
            ("u", "a", "like", 1.0, 5),
            ("u", "a", "read", 1.0, 9),
        ],
        version="1",
        taken_at=10,
    )
    history = history_of(snapshot, 0)
    assert list(zip(history.item_ids, history.types, history.times.tolist(), strict=True)) == [
        ("a", "read", 9),
        ("a", "like", 5),
        ("b", "like", 5),
        ("b", "read", 5),
    ]
    assert (history.labels, history.comment, history.is_known) == ({"age": 7}, "hi", True)


def test_the_larger_the_catalogue_the_fewer_users_a_block_holds():
    assert [block_users(n) for n in (0, 9_742, 1_000_000, 10**9)] == [512, 512, 20, 1]
