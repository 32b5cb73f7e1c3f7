import numpy as np
import pytest

from recflow.algorithms.neighbor_index import approximate_neighbors_by_embedding, has_index_library
from recflow.algorithms.neighbors import neighbors_by_embedding

pytestmark = pytest.mark.skipif(
    not has_index_library(), reason="the optional library usearch is not installed"
)

RNG = np.random.default_rng(3)
VECTORS = (RNG.standard_normal((8, 12))[RNG.integers(0, 8, 600)] + RNG.standard_normal((600, 12))).astype(
    np.float32
)


def search(vectors, n_neighbors, **kwargs):
    return approximate_neighbors_by_embedding(vectors, n_neighbors, rng=np.random.default_rng(0), **kwargs)


def test_nearly_all_true_neighbors_are_found_and_the_share_is_told():
    found, recall = search(VECTORS, 10, n_sampled=600)
    exact = neighbors_by_embedding(VECTORS, 10)
    share = np.mean([np.isin(exact.indices[row], found.indices[row]).mean() for row in range(600)])
    assert recall == pytest.approx(share)
    assert recall > 0.95


def test_a_small_graph_misses_nothing():
    vectors = np.array([[0, 0], [3, 4], [0, 1], [np.nan, 0], [0, 0]], dtype=np.float32)
    found, recall = search(vectors, 4)
    exact = neighbors_by_embedding(vectors, 4)
    assert recall == 1
    assert found.indices.tolist() == exact.indices.tolist()
    assert found.scores == pytest.approx(exact.scores)


def test_hidden_rows_are_nobody_s_neighbor_but_have_their_own():
    shown = np.arange(600) % 2 == 0
    found, recall = search(VECTORS, 5, candidates=shown)
    assert (found.indices % 2 == 0).all()
    assert recall > 0.95


def test_a_row_masked_out_takes_no_part():
    has_vector = np.arange(600) != 7
    found, _ = search(VECTORS, 5, has_vector=has_vector)
    assert (found.indices[7] == -1).all()
    assert 7 not in found.indices


def test_no_vectors_at_all():
    found, recall = search(np.full((3, 2), np.nan), 2)
    assert (found.indices == -1).all()
    assert recall == 1


def test_a_single_vector_has_no_neighbors():
    found, recall = search(np.ones((1, 3)), 2)
    assert found.indices.tolist() == [[-1, -1]]
    assert recall == 1


def test_the_search_stops_when_asked():
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search(VECTORS, 5, check=stop)
