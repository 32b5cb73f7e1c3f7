import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.algorithms.topk import top_n, top_n_rows


def test_best_come_first_and_ties_go_to_the_lower_index():
    scores = np.array([1, 5, 3, 5, 2], dtype=np.float32)
    assert top_n(scores, 3).tolist() == [1, 3, 2]  # 5 at 1, 5 at 3, 3 at 2


def test_tie_at_the_cut_keeps_the_lower_index():
    assert top_n(np.array([7.0, 7.0, 9.0, 7.0]), 2).tolist() == [2, 0]


def test_all_ties_give_the_first_indices():
    assert top_n(np.zeros(6, np.float32), 4).tolist() == [0, 1, 2, 3]


def test_nan_and_minus_infinity_are_never_returned():
    scores = np.array([np.nan, 1.0, -np.inf, 2.0])
    assert top_n(scores, 4).tolist() == [3, 1]


def test_excluded_items_do_not_come_back_and_the_scores_stay_as_they_are():
    scores = np.array([4.0, 3.0, 2.0, 1.0], dtype=np.float32)
    assert top_n(scores, 2, exclude=np.array([0, 2], dtype=np.int32)).tolist() == [1, 3]
    assert top_n(scores, 2, exclude=np.array([True, False, True, False])).tolist() == [1, 3]
    assert top_n(scores, 1, exclude=np.array([], dtype=np.int32)).tolist() == [0]
    assert scores.tolist() == [4, 3, 2, 1]


def test_seconds_since_1970_keep_their_order():
    # float32 cannot tell these apart: its neighbors lie 128 s from each other at this size
    assert top_n(np.array([1_700_000_001, 1_700_000_002, 1_700_000_000]), 3).tolist() == [1, 0, 2]


def test_no_scores_and_none_wanted_give_an_empty_list():
    assert top_n(np.array([]), 5).tolist() == []
    assert top_n(np.array([1.0]), 0).tolist() == []


def test_negative_n_is_refused():
    with pytest.raises(ValueError, match="got -1"):
        top_n(np.array([1.0]), -1)
    with pytest.raises(ValueError, match="got -1"):
        top_n_rows(np.ones((1, 1), np.float32), -1)


def test_rows_are_padded_where_candidates_are_missing():
    items, best = top_n_rows(np.array([[1, -np.inf, 3], [np.nan] * 3], dtype=np.float32), 2)
    assert items.tolist() == [[2, 0], [-1, -1]]
    assert best.tolist() == [[3, 1], [-np.inf, -np.inf]]


def test_negative_zero_ties_with_zero():
    items, _ = top_n_rows(np.array([[-0.0, 0.0, -1.0]], dtype=np.float32), 2)
    assert items.tolist() == [[0, 1]]


def test_no_rows_and_no_columns():
    assert top_n_rows(np.empty((0, 4), np.float32), 2)[0].shape == (0, 2)
    assert top_n_rows(np.empty((2, 0), np.float32), 1)[0].tolist() == [[-1], [-1]]


def rows_of_every_kind(rng, n_columns):
    """Rows that take every path: distinct, many ties, all ties, hardly any candidate, NaN among them."""
    distinct = rng.standard_normal((4, n_columns))
    few_values = rng.integers(-2, 3, (4, n_columns)).astype(float)
    few_candidates = np.full((2, n_columns), -np.inf)
    few_candidates[:, rng.integers(0, n_columns, 3)] = rng.integers(0, 2, 3)
    with_nan = rng.standard_normal((2, n_columns))
    with_nan[rng.random(with_nan.shape) < 0.3] = np.nan
    rows = [distinct, few_values, np.zeros((1, n_columns)), few_candidates, with_nan]
    return np.concatenate(rows).astype(np.float32)


@pytest.mark.parametrize("with_nan", [False, True])
@pytest.mark.parametrize("n_columns", [5, 64, 333, 1001, 4096])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_a_block_of_rows_agrees_with_each_row_alone(n_columns, n, with_nan):
    scores = rows_of_every_kind(np.random.default_rng(n_columns + n), n_columns)
    if not with_nan:
        scores = scores[:-2]
    items, best = top_n_rows(scores, n)
    for row in range(len(scores)):
        alone = top_n(scores[row], n)
        assert items[row, : len(alone)].tolist() == alone.tolist()
        assert (items[row, len(alone) :] == -1).all()
        assert best[row, : len(alone)].tolist() == scores[row, alone].tolist()


@given(
    st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 1.0, 2.0, np.nan, np.inf]), max_size=200),
    st.integers(0, 12),
)
def test_the_rule_holds_for_any_scores(values, n):
    scores = np.array(values, dtype=np.float32)
    candidates = [(-score, index) for index, score in enumerate(values) if score > -np.inf]
    expected = [index for _, index in sorted(candidates)][:n]
    assert top_n(scores, n).tolist() == expected
    rows, _ = top_n_rows(scores[None, :], n)
    assert [index for index in rows[0].tolist() if index >= 0] == expected
