import numpy as np
import pytest
from pytest import approx
from scipy.sparse import csr_matrix

from recflow.algorithms.ridge import solve_rows


def solved_one_by_one(entries, vectors, shared_weight, regularization, prior):
    """The formula as it stands, row by row, in double precision."""
    vectors = vectors.astype(np.float64)
    rows = []
    for row in range(entries.shape[0]):
        weights = np.zeros(len(vectors))
        weights[entries[row].indices] = entries[row].data
        system = (vectors.T * weights) @ vectors + shared_weight * vectors.T @ vectors
        system += regularization[row] * np.eye(vectors.shape[1])
        rows.append(np.linalg.solve(system, vectors.T @ weights + regularization[row] * prior))
    return np.array(rows)


def test_one_entry_one_factor():
    # least: 1 (1 - 2x)^2 + 0.5 (2x)^2 + 0.5 (1x)^2 + 3 x^2, so x (4 + 0.5 * (4 + 1) + 3) = 2
    vectors = np.array([[2.0], [1.0]], dtype=np.float32)
    solved = solve_rows(
        csr_matrix(np.array([[1.0, 0.0]], dtype=np.float32)),
        vectors,
        vectors.T @ vectors,
        shared_weight=0.5,
        regularization=np.array([3.0], np.float32),
    )
    assert solved.tolist() == [[approx(2 / 9.5)]]


def test_a_row_without_entries_lies_between_nothing_and_the_prior():
    # least: 0.5 * 4 x^2 + 3 (x - 1)^2, so x = 3 / 5
    vectors = np.array([[2.0]], dtype=np.float32)
    solved = solve_rows(
        csr_matrix((1, 1), dtype=np.float32),
        vectors,
        vectors.T @ vectors,
        shared_weight=0.5,
        regularization=np.array([3.0], np.float32),
        prior=np.array([1.0], np.float32),
    )
    assert solved.tolist() == [[approx(0.6)]]


@pytest.fixture
def problem():
    """Rows with 0 to 150 entries of different weights, over 8 factors: every kind of row there is."""
    rng = np.random.default_rng(2)
    share = np.linspace(0, 0.99, 40)[:, None]
    weights = np.where(rng.random((40, 150)) < share, rng.uniform(0.5, 2, (40, 150)), 0)
    vectors = rng.standard_normal((150, 8)).astype(np.float32)
    return {
        "entries": csr_matrix(weights.astype(np.float32)),
        "vectors": vectors,
        "shared_weight": 0.1,
        "regularization": rng.uniform(0.5, 2, 40).astype(np.float32),
        "prior": rng.standard_normal(8).astype(np.float32),
    }


def test_rows_of_all_lengths_agree_with_the_formula(problem):
    solved = solve_rows(**problem, gram=problem["vectors"].T @ problem["vectors"])
    assert solved == approx(solved_one_by_one(**problem), rel=1e-4, abs=1e-5)


def test_going_a_little_way_again_and_again_comes_to_the_exact_solution(problem):
    gram = problem["vectors"].T @ problem["vectors"]
    exact = solved_one_by_one(**problem)
    solved, gaps = np.zeros((40, 8), dtype=np.float32), []
    for _ in range(10):
        solved = solve_rows(**problem, gram=gram, start=solved)
        gaps.append(np.abs(solved - exact).max())
    assert gaps[0] > gaps[2] > gaps[4]
    assert solved == approx(exact, rel=1e-3, abs=1e-4)


def test_the_number_of_threads_does_not_change_a_bit(problem):
    gram = problem["vectors"].T @ problem["vectors"]
    alone = solve_rows(**problem, gram=gram, n_threads=1)
    assert np.array_equal(alone, solve_rows(**problem, gram=gram, n_threads=4))


def test_rows_that_have_all_but_come_to_nothing_do_not_divide_nothing_by_nothing():
    # Without entries and prior a row shrinks from epoch to epoch until its squares are too small for
    # float32. One in a thousand of these starts leaves, after the first step, a residual that is not 0 but
    # whose square is.
    rng = np.random.default_rng(0)
    vectors = np.diag(rng.uniform(0.5, 16, 16)).astype(np.float32)
    start = rng.standard_normal((5000, 16)) * 10.0 ** rng.uniform(-18, -14, (5000, 1))
    solved = solve_rows(
        csr_matrix((5000, 16), dtype=np.float32),
        vectors,
        vectors.T @ vectors,
        shared_weight=1e-6,
        regularization=np.full(5000, 17.515146, np.float32),
        start=start.astype(np.float32),
    )
    assert np.abs(solved).max() < 1e-12


def test_no_rows():
    vectors = np.ones((3, 2), np.float32)
    solved = solve_rows(
        csr_matrix((0, 3), dtype=np.float32),
        vectors,
        vectors.T @ vectors,
        shared_weight=1.0,
        regularization=np.empty(0, np.float32),
    )
    assert solved.shape == (0, 2)
