import numpy as np

from recflow.data.labels import number_matrix


def test_numbers_are_found_by_their_path_and_lists_and_truths_are_none():
    matrix = number_matrix([{"year": 1999, "s": {"n": 2.5}, "v": [1, 2], "t": True}, None, {"s": {"n": 1}}])
    assert matrix.shape == (3, 2)
    columns = {tuple(column[~np.isnan(column)]) for column in matrix.T}
    assert columns == {(1999.0,), (2.5, 1.0)}


def test_a_number_beyond_all_measure_is_left_out():
    assert number_matrix([{"x": 10**400}]).size == 0
