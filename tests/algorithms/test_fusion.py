import numpy as np
import pytest
from pytest import approx

from recflow.algorithms.fusion import concatenate, reciprocal_rank_fusion, round_robin, weighted_scores


def ranked(*pairs):
    return np.array([p[0] for p in pairs], np.int32), np.array([p[1] for p in pairs], np.float32)


A = ranked((10, 9.0), (11, 8.0), (12, 5.0))
B = ranked((11, 0.4), (13, 0.2))
NOTHING = ranked()


def test_concatenate_keeps_the_first_proposal_and_its_score():
    items, scores = concatenate([A, B])
    assert items.tolist() == [10, 11, 12, 13]
    assert scores.tolist() == approx([9, 8, 5, 0.2])


def test_concatenate_follows_the_order_of_the_inputs():
    assert concatenate([B, NOTHING, A])[0].tolist() == [11, 13, 10, 12]


def test_round_robin_takes_turns_and_skips_what_was_taken():
    # turn 1: A gives 10, B gives 11; turn 2: A skips 11 and gives 12, B gives 13
    items, scores = round_robin([A, B])
    assert items.tolist() == [10, 11, 12, 13]
    assert scores.tolist() == approx([9, 0.4, 5, 0.2])


def test_round_robin_goes_on_when_one_list_has_run_out():
    assert round_robin([ranked((1, 1.0)), A])[0].tolist() == [1, 10, 11, 12]


def test_reciprocal_rank_fusion_sums_one_over_sixty_plus_rank():
    items, scores = reciprocal_rank_fusion([A, B])
    # 11 is second in A and first in B: 1/62 + 1/61; 10: 1/61; 13: 1/62; 12: 1/63
    assert items.tolist() == [11, 10, 13, 12]
    assert scores.tolist() == approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])


def test_reciprocal_rank_fusion_weighs_the_inputs():
    items, scores = reciprocal_rank_fusion([A, B], [1.0, 3.0], k=0)
    # 10: 1/1; 11: 1/2 + 3/1; 12: 1/3; 13: 3/2
    assert items.tolist() == [11, 13, 10, 12]
    assert scores.tolist() == approx([3.5, 1.5, 1, 1 / 3])


def test_equal_ranks_in_two_lists_go_to_the_earlier_input():
    assert reciprocal_rank_fusion([ranked((5, 1.0)), ranked((2, 1.0))])[0].tolist() == [5, 2]


def test_weighted_scores_are_stretched_per_list_before_they_are_summed():
    items, scores = weighted_scores([A, B], [1.0, 0.5])
    # A: 10 -> 1, 11 -> (8 - 5)/(9 - 5) = 0.75, 12 -> 0; B: 11 -> 1, 13 -> 0, halved
    assert items.tolist() == [11, 10, 12, 13]
    assert scores.tolist() == approx([0.75 + 0.5, 1, 0, 0])


def test_list_without_an_order_gives_each_item_its_full_weight():
    items, scores = weighted_scores([ranked((7, 3.0), (8, 3.0))], [2.0])
    assert items.tolist() == [7, 8]
    assert scores.tolist() == [2, 2]


@pytest.mark.parametrize("fuse", [concatenate, round_robin, reciprocal_rank_fusion, weighted_scores])
def test_no_lists_and_empty_lists_give_nothing(fuse):
    for lists in ([], [NOTHING], [NOTHING, NOTHING]):
        items, scores = fuse(lists)
        assert items.tolist() == scores.tolist() == []
        assert (items.dtype, scores.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("fuse", [concatenate, round_robin, reciprocal_rank_fusion, weighted_scores])
def test_every_item_comes_out_once(fuse):
    items, scores = fuse([A, B, A, B])
    assert sorted(items.tolist()) == [10, 11, 12, 13]
    assert len(scores) == 4


def test_missing_weight_is_refused():
    with pytest.raises(ValueError, match="2 lists need as many weights, got 1"):
        weighted_scores([A, B], [1.0])
