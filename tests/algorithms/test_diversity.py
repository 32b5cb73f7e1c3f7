import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recflow.algorithms.diversity import cap_per_category, maximal_marginal_relevance

# items 0-4; categories drama, comedy
CATEGORIES = csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.int8))


def test_third_item_of_a_full_category_is_dropped():
    # places 0, 1, 2 hold items 1, 0, 3: two dramas fill drama, so item 3 (drama and comedy) goes
    items = np.array([1, 0, 3, 2, 4], dtype=np.int32)
    assert cap_per_category(items, CATEGORIES, 2).tolist() == [0, 1, 3, 4]


def test_a_dropped_item_does_not_fill_its_other_category():
    items = np.array([0, 3, 2], dtype=np.int32)
    assert cap_per_category(items, CATEGORIES, 1).tolist() == [0, 2]  # 3 dropped for drama, so comedy is open


def test_item_without_category_always_stays():
    assert cap_per_category(np.array([4, 4, 4], dtype=np.int32), CATEGORIES, 1).tolist() == [0, 1, 2]


def test_cap_of_nothing_is_nothing_and_cap_below_one_is_refused():
    assert cap_per_category(np.array([], dtype=np.int32), CATEGORIES, 1).tolist() == []
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        cap_per_category(np.array([0], dtype=np.int32), CATEGORIES, 0)


SCORES = np.array([1.0, 0.9, 0.0], dtype=np.float32)
VECTORS = np.array([[1, 0], [2, 0], [0, 3]], dtype=np.float32)  # the second points where the first does


def test_unlike_item_passes_a_better_one_that_resembles_the_first():
    # turn 2, w = 0.5: place 1: 0.5 * 0.9 - 0.5 * 1 = -0.05; place 2: 0.5 * 0 - 0.5 * 0 = 0
    assert maximal_marginal_relevance(SCORES, VECTORS, 3, relevance_weight=0.5).tolist() == [0, 2, 1]


def test_full_relevance_leaves_the_order():
    assert maximal_marginal_relevance(SCORES, VECTORS, 3, relevance_weight=1).tolist() == [0, 1, 2]


def test_opposite_direction_is_preferred_to_unrelated():
    # turn 2, w = 0: cosine with the first is 0 at place 1 and -1 at place 2
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert maximal_marginal_relevance(SCORES, vectors, 2, relevance_weight=0).tolist() == [0, 2]


def test_item_without_vector_resembles_nothing():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [np.nan, np.nan]])
    assert maximal_marginal_relevance(SCORES, vectors, 2, relevance_weight=0.5).tolist() == [0, 2]


def test_equal_scores_and_vectors_keep_the_order():
    assert maximal_marginal_relevance(np.ones(3, np.float32), np.ones((3, 2)), 3).tolist() == [0, 1, 2]


def test_fewer_candidates_than_wanted_and_none():
    assert len(maximal_marginal_relevance(SCORES, VECTORS, 9)) == 3
    assert maximal_marginal_relevance(SCORES[:0], VECTORS[:0], 5).tolist() == []


def test_bad_weight_and_missing_vectors_are_refused():
    with pytest.raises(ValueError, match=r"got 1\.5"):
        maximal_marginal_relevance(SCORES, VECTORS, 3, relevance_weight=1.5)
    with pytest.raises(ValueError, match="3 scores need as many vectors, got 2"):
        maximal_marginal_relevance(SCORES, VECTORS[:2], 3)
