import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recflow.algorithms.retrieval import best_items_for_users, factor_scores
from recflow.algorithms.topk import top_n

RNG = np.random.default_rng(11)
USERS = RNG.standard_normal((37, 24)).astype(np.float32)
ITEMS = RNG.standard_normal((501, 24)).astype(np.float32)


def test_the_score_is_the_dot_product():
    items = np.array([[3, 4], [0, -1]], dtype=np.float32)
    assert factor_scores(np.array([1, 2], np.float32), items).tolist() == [11, -2]  # 3 + 8; 0 - 2


def test_some_items_score_as_among_all_to_the_last_bit():
    everything = factor_scores(USERS[0], ITEMS)
    some = np.array([7, 500, 7, 0])
    assert np.array_equal(factor_scores(USERS[0], ITEMS[some]), everything[some])


@pytest.mark.parametrize("block_users", [1, 2, 10, 100, None])
def test_a_refresh_gives_each_user_the_list_of_a_single_run(block_users):
    seen = csr_matrix((RNG.random((37, 501)) < 0.3).astype(np.float32))
    items, scores = best_items_for_users(USERS, ITEMS, 20, seen, block_users=block_users)
    for user in range(37):
        own = factor_scores(USERS[user], ITEMS)
        alone = top_n(own, 20, exclude=seen[user].indices)
        assert items[user].tolist() == alone.tolist()
        assert scores[user].tolist() == own[alone].tolist()


def test_items_with_equal_vectors_stay_in_the_order_of_their_indices():
    factors = np.tile(ITEMS[:40], (5, 1))  # item i, i + 40, i + 80 ... have one vector
    items, _ = best_items_for_users(USERS, factors, 10)
    firsts = items[:, ::5]
    assert np.array_equal(items.reshape(37, 2, 5), firsts[:, :, None] + np.arange(0, 200, 40))


def test_more_ties_at_the_cut_than_there_are_spare_places_are_still_in_order():
    # item 7 is best, items 1 to 6 and 8 to 899 all share second place
    factors = np.tile(ITEMS[0], (900, 1))
    factors[7] *= 2
    factors[0] *= 0
    sign = np.sign(USERS @ ITEMS[0])
    items, _ = best_items_for_users(USERS[sign > 0], factors, 4, csr_matrix((int((sign > 0).sum()), 900)))
    assert items.tolist() == [[7, 1, 2, 3]] * int((sign > 0).sum())


def test_the_number_of_threads_does_not_matter():
    alone = best_items_for_users(USERS, ITEMS, 9, block_users=3, n_threads=1)
    together = best_items_for_users(USERS, ITEMS, 9, block_users=3, n_threads=4)
    assert np.array_equal(alone[0], together[0])
    assert np.array_equal(alone[1], together[1])


def test_lists_are_padded_where_everything_was_seen():
    seen = csr_matrix(np.array([[1, 1, 0], [1, 1, 1]]))
    items, scores = best_items_for_users(np.ones((2, 1), np.float32), np.ones((3, 1), np.float32), 2, seen)
    assert items.tolist() == [[2, -1], [-1, -1]]
    assert scores.tolist() == [[1, -np.inf], [-np.inf, -np.inf]]


def test_an_item_without_a_vector_is_never_returned():
    factors = np.array([[1.0], [np.nan], [2.0]], dtype=np.float32)
    assert best_items_for_users(np.ones((1, 1), np.float32), factors, 3)[0].tolist() == [[2, 0, -1]]


def test_no_users_no_items_and_none_wanted():
    assert best_items_for_users(USERS[:0], ITEMS, 3)[0].shape == (0, 3)
    assert best_items_for_users(USERS[:2], ITEMS[:0], 1)[0].tolist() == [[-1], [-1]]
    assert best_items_for_users(USERS, ITEMS, 0)[0].shape == (37, 0)


def test_the_refresh_stops_when_asked_between_blocks():
    calls = []

    def stop_at_the_third_block():
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        best_items_for_users(USERS, ITEMS, 3, block_users=10, check=stop_at_the_third_block)


def test_a_block_without_users_is_refused():
    with pytest.raises(ValueError, match="block_users must be at least 1, got 0"):
        best_items_for_users(USERS, ITEMS, 3, block_users=0)
