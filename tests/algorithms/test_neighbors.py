from math import log, sqrt

import numpy as np
import pytest
from pytest import approx
from scipy.sparse import csr_matrix

from recflow.algorithms import neighbors as neighbors_module
from recflow.algorithms.neighbors import (
    Neighbors,
    member_weights,
    neighbors_by_embedding,
    neighbors_by_sets,
    rows_like_set,
    rows_like_vector,
    score_from_neighbors,
    score_from_similar_users,
)

A, B, C, D, E, F = range(6)
X, Y, Z, W = range(4)
#: A={x,y} B={x,y,z} C={x} D={w} E={x,y} F={}
TAGS = csr_matrix(
    np.array(
        [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=np.float32
    )
)
WX, WY, WZ = log(6 / 4), log(6 / 3), log(6)
a_to_b = 1 / (1 + 1 - (WX + WY) * 2 / (sqrt(WX + WY) * sqrt(WX + WY + WZ) * 102))
a_to_c = 1 / (1 + 1 - WX * 1 / (sqrt(WX + WY) * sqrt(WX) * 101))


def test_the_hand_formula_gives_the_reference_figures():
    assert a_to_b == approx(0.503041, abs=1e-6)
    assert a_to_c == approx(0.501508, abs=1e-6)


def test_rare_members_weigh_more_and_common_ones_never_nothing():
    assert member_weights(TAGS).tolist() == approx([WX, WY, WZ, WZ])
    assert member_weights(csr_matrix(np.ones((3, 1)))).tolist() == [0.001]  # ln(3 / 3) = 0


def test_equal_sets_are_neighbors_and_unrelated_ones_are_not():
    found, scores = neighbors_by_sets(TAGS, 5).of(A)
    assert found.tolist() == [E, B, C]
    assert scores.tolist() == approx([1, a_to_b, a_to_c])


def test_a_set_with_nothing_in_common_and_an_empty_one_have_no_neighbors():
    neighbors = neighbors_by_sets(TAGS, 5)
    assert neighbors.indices[[D, F]].tolist() == [[-1] * 5] * 2
    assert neighbors.scores[[D, F]].tolist() == [[0] * 5] * 2


def test_compatible_drops_equal_sets_and_fills_with_unrelated_ones_at_a_half():
    neighbors = neighbors_by_sets(TAGS, 5, compatible=True)
    found, scores = neighbors.of(A)
    assert found.tolist() == [B, C, D, F]  # E is equal, so its distance is 0
    assert scores.tolist() == approx([a_to_b, a_to_c, 0.5, 0.5])
    assert neighbors.of(F)[0].tolist() == [A, B, C, D, E]
    assert neighbors.of(F)[1].tolist() == [0.5] * 5


def test_compatible_takes_two_empty_sets_for_equal():
    empty = csr_matrix((3, 2), dtype=np.float32)
    assert (neighbors_by_sets(empty, 2, compatible=True).indices == -1).all()


def test_only_the_best_k_are_kept():
    assert neighbors_by_sets(TAGS, 1).indices[:, 0].tolist() == [E, A, A, -1, A, -1]
    # B ties between A and E, and so does C; both have the lower A


def test_hidden_rows_are_nobody_s_neighbor_but_have_their_own():
    shown = np.array([True, True, True, True, False, True])
    for compatible in (False, True):
        neighbors = neighbors_by_sets(TAGS, 5, candidates=shown, compatible=compatible)
        assert E not in neighbors.indices
        assert B in neighbors.of(E)[0]


def test_values_and_repeated_entries_do_not_matter_only_membership():
    doubled = csr_matrix(([5.0, 0.5, 1.0, 1.0], [0, 0, 1, 1], [0, 3, 4]), shape=(2, 2))
    found, scores = neighbors_by_sets(doubled, 2).of(0)
    once = neighbors_by_sets(csr_matrix(np.array([[1, 1], [0, 1]])), 2).of(0)
    assert (found.tolist(), scores.tolist()) == (once[0].tolist(), once[1].tolist())


def test_small_blocks_give_the_same_neighbors(monkeypatch):
    members = csr_matrix((np.random.default_rng(3).random((60, 20)) < 0.2).astype(np.float32))
    whole = neighbors_by_sets(members, 7)
    monkeypatch.setattr(neighbors_module, "_SET_PAIRS", 50)
    pieces = neighbors_by_sets(members, 7)
    assert pieces.indices.tolist() == whole.indices.tolist()
    assert pieces.scores.tolist() == whole.scores.tolist()


def test_no_rows_and_no_members():
    assert neighbors_by_sets(csr_matrix((0, 3)), 4).indices.shape == (0, 4)
    assert neighbors_by_sets(csr_matrix((2, 0)), 1).indices.tolist() == [[-1], [-1]]


@pytest.mark.parametrize("search", [neighbors_by_sets, neighbors_by_embedding])
def test_the_search_stops_when_asked(search):
    def stop():
        raise InterruptedError

    rows = TAGS if search is neighbors_by_sets else TAGS.toarray()
    with pytest.raises(InterruptedError):
        search(rows, 2, check=stop)


def test_a_new_set_finds_the_rows_it_resembles():
    found, scores = rows_like_set(np.array([Y, X, X, 99], dtype=np.int32), TAGS, 3)
    assert found.tolist() == [A, E, B]  # equal to A and E; 99 is no member that the matrix knows
    assert scores.tolist() == approx([1, 1, a_to_b])


def test_a_new_set_without_known_members_resembles_nothing():
    assert rows_like_set(np.array([], dtype=np.int32), TAGS, 3)[0].tolist() == []


def test_a_new_set_does_not_find_hidden_rows():
    shown = np.array([False, True, True, True, True, True])
    assert rows_like_set(np.array([X, Y], dtype=np.int32), TAGS, 1, candidates=shown)[0].tolist() == [E]


VECTORS = np.array([[0, 0], [3, 4], [0, 1], [np.nan, 0], [0, 0]], dtype=np.float32)


def test_near_vectors_come_first_and_equal_ones_score_one():
    found, scores = neighbors_by_embedding(VECTORS, 4).of(0)
    assert found.tolist() == [4, 2, 1]
    assert scores.tolist() == approx([1, 1 / 2, 1 / 6])  # distances 0, 1 and 5


def test_a_row_without_vector_takes_no_part():
    neighbors = neighbors_by_embedding(VECTORS, 4)
    assert neighbors.indices[3].tolist() == [-1] * 4
    assert 3 not in neighbors.indices


def test_a_row_masked_out_takes_no_part_though_it_holds_numbers():
    neighbors = neighbors_by_embedding(VECTORS, 4, has_vector=np.array([True, True, False, True, True]))
    assert neighbors.indices[2].tolist() == [-1] * 4
    assert 2 not in neighbors.indices


def test_a_new_vector_finds_the_nearest_rows_and_may_find_its_equal():
    found, scores = rows_like_vector(np.array([0.0, 1.0]), VECTORS, 3)
    assert found.tolist() == [2, 0, 4]
    assert scores.tolist() == approx([1, 1 / 2, 1 / 2])  # distances 0, 1, 1
    shown = np.array([False, True, True, True, True])
    has_vector = np.array([True, True, False, True, True])
    found, _ = rows_like_vector(np.array([0.0, 1.0]), VECTORS, 3, has_vector=has_vector, candidates=shown)
    assert found.tolist() == [4, 1]


def test_nothing_is_near_a_vector_with_gaps():
    assert rows_like_vector(np.array([0.0, np.nan]), VECTORS, 3)[0].tolist() == []


def test_compatible_drops_equal_vectors():
    assert neighbors_by_embedding(VECTORS, 4, compatible=True).of(0)[0].tolist() == [2, 1]


def test_hidden_vectors_are_nobody_s_neighbor():
    shown = np.array([True, True, False, True, True])
    neighbors = neighbors_by_embedding(VECTORS, 4, candidates=shown)
    assert 2 not in neighbors.indices
    assert neighbors.of(2)[0].tolist() == [0, 4, 1]  # 1, 1 and sqrt(18) away


def test_vectors_far_from_the_origin_keep_their_distances():
    # in float32 the squares of 10,000 leave no digit for a distance of 0.01
    vectors = np.array([[10_000.0], [10_000.01], [10_000.03]], dtype=np.float32)
    _, scores = neighbors_by_embedding(vectors, 2).of(0)
    step = vectors[1, 0] - vectors[0, 0]
    assert scores[0] == approx(1 / (1 + step))


def test_embedding_search_in_blocks_is_the_search_over_all_pairs(monkeypatch):
    vectors = np.random.default_rng(5).standard_normal((80, 6))
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    monkeypatch.setattr(neighbors_module, "_VECTOR_FLOATS", 400)
    neighbors = neighbors_by_embedding(vectors, 5)
    assert neighbors.indices.tolist() == np.argsort(distance, axis=1)[:, :5].tolist()
    assert neighbors.scores == approx(1 / (1 + np.sort(distance, axis=1)[:, :5]), rel=1e-5)


def test_no_vectors_at_all():
    assert neighbors_by_embedding(np.empty((0, 3)), 2).indices.shape == (0, 2)
    assert (neighbors_by_embedding(np.full((2, 3), np.nan), 2).indices == -1).all()


#: item 0 is near 1 and 2; item 1 near 0; item 2 knows nobody
ITEMS = Neighbors(
    np.array([[1, 2], [0, -1], [-1, -1]], dtype=np.int32),
    np.array([[0.9, 0.6], [0.8, 0], [0, 0]], np.float32),
)


def test_a_history_sums_the_scores_of_its_neighbors():
    scores = score_from_neighbors(ITEMS, np.array([0, 1, 0], dtype=np.int32), 4)
    assert scores.tolist() == approx([0.8, 1.8, 1.2, -np.inf])  # item 0 stands twice in the history


def test_excluded_items_and_items_unknown_to_the_neighbors_are_not_proposed():
    history = np.array([0, 3], dtype=np.int32)  # item 3 came after the neighbors were found
    scores = score_from_neighbors(ITEMS, history, 4, exclude=np.array([1], dtype=np.int32))
    assert scores.tolist() == approx([-np.inf, -np.inf, 0.6, -np.inf])


def test_no_history_proposes_nothing():
    assert np.isneginf(score_from_neighbors(ITEMS, np.array([], dtype=np.int32), 3)).all()


def test_neighbors_as_a_matrix_sum_to_the_same_scores():
    history = csr_matrix(np.array([[1.0, 1.0, 0.0]]))
    assert (history @ ITEMS.as_matrix()).toarray()[0].tolist() == approx([0.8, 0.9, 0.6])


def test_similar_users_propose_what_they_liked():
    positives = csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], dtype=np.float32))
    similar, likeness = np.array([0, 1], dtype=np.int32), np.array([0.7, 0.6], dtype=np.float32)
    scores = score_from_similar_users(similar, likeness, positives)
    assert scores.tolist() == approx([0.7, 1.3, -np.inf, -np.inf])
    scores = score_from_similar_users(similar, likeness, positives, exclude=np.array([1], dtype=np.int32))
    assert scores.tolist() == approx([0.7, -np.inf, -np.inf, -np.inf])


def test_no_similar_users_propose_nothing():
    nobody = np.array([], dtype=np.int32)
    assert np.isneginf(score_from_similar_users(nobody, nobody.astype(np.float32), TAGS)).all()


def test_rows_like_a_vector_come_nearest_first_and_rows_without_one_never():
    vectors = np.array([[0, 0], [3, 4], [np.nan, 0], [0, 1]], dtype=np.float32)
    rows, scores = rows_like_vector(
        np.array([0, 0]), vectors, 5, candidates=np.array([False, True, True, True])
    )
    assert rows.tolist() == [3, 1]  # distances 1 and 5; row 0 may not be proposed, row 2 has no vector
    assert scores == approx([1 / 2, 1 / 6])
