from math import isnan, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx
from scipy import sparse

from recflow.evaluation.metrics import (
    coverage,
    hit_rate_at_k,
    intra_list_diversity,
    ndcg_at_k,
    novelty,
    overlap_at_k,
    rank_biased_overlap,
    recall_at_k,
    reciprocal_rank,
)

lists = st.lists(st.integers(0, 30), unique=True, max_size=12).map(
    lambda items: np.array(items, dtype=np.int32)
)


def ranked(*items):
    return np.array(items, dtype=np.int32)


def test_ndcg_of_one_hit_at_rank_two():
    assert ndcg_at_k(ranked(7, 3, 9), {3}, k=3) == approx(1 / log2(3))  # one hit at rank 2, best is 1


def test_ndcg_divides_by_the_best_that_k_ranks_could_hold():
    # hits at ranks 2 and 3 of two relevant: (1/log2(3) + 1/2) / (1 + 1/log2(3))
    assert ndcg_at_k(ranked(2, 1, 0), {0, 1}, k=10) == approx((1 / log2(3) + 1 / 2) / (1 + 1 / log2(3)))
    # three relevant but k = 1: the best sum is 1
    assert ndcg_at_k(ranked(2, 1, 0), {0, 1, 2}, k=1) == 1.0


def test_ndcg_gives_a_short_list_nothing_for_the_gap():
    # one of two relevant at rank 1, and no rank 2: 1 / (1 + 1/log2(3))
    assert ndcg_at_k(ranked(0), {0, 1}, k=10) == approx(1 / (1 + 1 / log2(3)))


def test_ndcg_does_not_see_beyond_rank_k():
    assert ndcg_at_k(ranked(5, 6, 3), {3}, k=2) == 0.0


@pytest.mark.parametrize("metric", [ndcg_at_k, hit_rate_at_k, recall_at_k, reciprocal_rank])
def test_a_user_with_nothing_to_find_has_no_value(metric):
    assert isnan(metric(ranked(1, 2), set()))


@pytest.mark.parametrize("metric", [ndcg_at_k, hit_rate_at_k, recall_at_k])
def test_an_empty_list_finds_nothing(metric):
    assert metric(ranked(), {1}) == 0.0


@pytest.mark.parametrize("metric", [ndcg_at_k, hit_rate_at_k, recall_at_k])
@pytest.mark.parametrize("relevant", [set(), {1}])
def test_k_below_one_is_a_mistake_of_the_caller(metric, relevant):
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        metric(ranked(1), relevant, k=0)


def test_hit_rate_and_recall_count_inside_k():
    assert hit_rate_at_k(ranked(4, 5, 6), {6}, k=2) == 0.0
    assert hit_rate_at_k(ranked(4, 5, 6), {5, 6}, k=2) == 1.0
    assert recall_at_k(ranked(4, 5, 6), {5, 6, 7}, k=2) == approx(1 / 3)  # 5 of 5, 6, 7


def test_reciprocal_rank_reads_the_first_hit_at_any_depth():
    assert reciprocal_rank(ranked(*range(20)), {14, 17}) == approx(1 / 15)
    assert reciprocal_rank(ranked(1, 2), {3}) == 0.0
    assert reciprocal_rank(ranked(), {3}) == 0.0


def test_coverage_counts_each_item_once():
    assert coverage([ranked(0, 1), ranked(1, 2), ranked()], n_items=4) == approx(3 / 4)
    assert coverage([], n_items=4) == 0.0
    assert isnan(coverage([], n_items=0))


def test_novelty_is_the_mean_surprise_in_bits():
    # liked by 4 of 8 users: 1 bit; by 1 of 8: 3 bits; by nobody: as by one, 3 bits
    assert novelty(ranked(0, 1, 2), np.array([4, 1, 0]), n_users=8) == approx((1 + 3 + 3) / 3)
    assert novelty(ranked(0), np.array([8]), n_users=8) == 0.0
    assert isnan(novelty(ranked(), np.array([1]), n_users=8))


@pytest.mark.parametrize("store", [np.array, sparse.csr_matrix])
def test_diversity_is_the_mean_of_one_minus_cosine(store):
    features = store([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
    # cosines: 0-1 is 1, 0-2 and 1-2 are 0
    assert intra_list_diversity(ranked(0, 1, 2), features) == approx(1 - 1 / 3)
    assert intra_list_diversity(ranked(0, 1), features) == approx(0.0)
    assert intra_list_diversity(ranked(0, 3), features) == approx(1.0)  # no features: unlike every other
    assert isnan(intra_list_diversity(ranked(0), features))


def test_overlap_ignores_the_order_inside_k():
    assert overlap_at_k(ranked(1, 2, 3), ranked(3, 9, 1), k=3) == approx(2 / 3)
    assert overlap_at_k(ranked(1, 2, 3), ranked(2, 1, 9), k=2) == 1.0
    assert overlap_at_k(ranked(1, 2), ranked(1, 2, 3, 4), k=10) == approx(2 / 4)  # as long as the longer
    assert overlap_at_k(ranked(), ranked()) == 1.0
    with pytest.raises(ValueError, match="got 0"):
        overlap_at_k(ranked(1), ranked(1), k=0)


def test_rank_biased_overlap_of_a_swapped_pair():
    # agreement 0 at depth 1, 1 at depth 2 and from there on: (1 - p)/p * (1 * p^2) + 1 * p^2 = p
    assert rank_biased_overlap(ranked(1, 2), ranked(2, 1), persistence=0.5) == approx(0.5)


def test_rank_biased_overlap_weighs_the_top_most():
    # [a b c] with [a x y]: agreements 1, 1/2, 1/3, p = 0.5:
    # (1-p)/p * (1*p + 1/2*p^2 + 1/3*p^3) + 1/3 * p^3 = 0.5 + 0.125 + 1/24 + 1/24
    assert rank_biased_overlap(ranked(0, 1, 2), ranked(0, 8, 9), persistence=0.5) == approx(0.625 + 2 / 24)


def test_rank_biased_overlap_takes_lists_of_different_length():
    # short [a], long [a b]: s = 1, l = 2, X = 1, 1. Equation 32 with p = 0.5:
    # (1-p)/p * (1*p + 1/2*p^2 + 1*(2-1)/(1*2)*p^2) + ((1-1)/2 + 1/1)*p^2 = 0.5 + 0.125 + 0.125 + 0.25 = 1
    assert rank_biased_overlap(ranked(0), ranked(0, 1), persistence=0.5) == approx(1.0)
    # short [b], long [a b]: X = 0, 1. Nothing was common at depth s:
    # (1-p)/p * (1/2*p^2) + ((1-0)/2)*p^2 = 0.125 + 0.125
    assert rank_biased_overlap(ranked(1), ranked(0, 1), persistence=0.5) == approx(0.25)


@given(lists, lists, st.floats(0.05, 0.98))
def test_rank_biased_overlap_is_a_share_and_symmetric(first, second, persistence):
    value = rank_biased_overlap(first, second, persistence)
    assert -1e-9 <= value <= 1 + 1e-9
    assert value == approx(rank_biased_overlap(second, first, persistence))
    assert rank_biased_overlap(first, first, persistence) == approx(1.0)
    if not set(first) & set(second) and len(first) + len(second):
        assert value == 0.0


def test_persistence_outside_its_range_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="got 1"):
        rank_biased_overlap(ranked(1), ranked(1), persistence=1)


@given(lists, st.sets(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 12))
def test_metrics_of_one_list_are_shares(items, relevant, k):
    for value in (
        ndcg_at_k(items, relevant, k),
        hit_rate_at_k(items, relevant, k),
        recall_at_k(items, relevant, k),
        reciprocal_rank(items, relevant),
    ):
        assert 0.0 <= value <= 1.0 + 1e-12
