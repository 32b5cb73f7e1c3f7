import numpy as np
from pytest import approx

from recflow.evaluation.list_changes import list_change


def test_entered_left_and_moved_are_told_apart():
    change = list_change(np.array([1, 2, 3, 4]), np.array([4, 2, 9, 1]), k=4)
    assert change.entered.tolist() == [9]
    assert change.left.tolist() == [3]
    # 4 went from rank 4 to 1, 1 from rank 1 to 4; of equal moves the one that is higher now comes first
    assert change.moved.tolist() == [[4, 4, 1], [1, 1, 4]]
    assert change.overlap == approx(3 / 4)
    assert not change.is_same


def test_ranks_below_k_are_not_compared():
    change = list_change(np.array([1, 2, 3]), np.array([1, 2, 9]), k=2)
    assert change.is_same
    assert change.overlap == 1.0
    assert change.rank_biased_overlap == approx(1.0)


def test_an_empty_list_after_a_full_one_has_everything_left():
    change = list_change(np.array([5, 6]), np.zeros(0, np.int32))
    assert change.left.tolist() == [5, 6]
    assert change.overlap == 0.0
    assert change.rank_biased_overlap == 0.0
