import json

import numpy as np

from recflow.data.building import ItemRow, UserRow, item_table, user_table
from recflow.expressions import compile_expression, embedding_matrix, tag_matrix


def column(text, labels):
    table = item_table([ItemRow(f"i{i}", labels=json.dumps(value)) for i, value in enumerate(labels)])
    return compile_expression(text, expects="any", scope="item").evaluate_column(table)


def test_column_gives_the_labels_as_json_values():
    labels = [{"embedding": [0.5, 1], "genres": ["Action"]}, {"genres": []}, None]
    assert column("item.Labels.embedding", labels) == [[0.5, 1.0], None, None]
    assert column("item.Labels.genres", labels) == [["Action"], [], None]


def test_column_of_users_reads_the_users():
    table = user_table([UserRow("u1", '{"tags": ["go"]}'), UserRow("u2")])
    expression = compile_expression("user.Labels.tags", expects="any", scope="user")
    assert expression.evaluate_column(table) == [["go"], None]


def test_first_vector_sets_the_length_and_others_are_dropped():
    values = [None, [], [1.0, 2.0], [3.0], [0.0, -1.0], "text", [1.0, "x"], [1.0, float("inf")], [1e300, 0.0]]
    matrix, has_vector, n_dropped = embedding_matrix(values)
    assert matrix.dtype == np.float32
    assert has_vector.tolist() == [False, False, True, False, True, False, False, False, False]
    assert matrix[has_vector].tolist() == [[1.0, 2.0], [0.0, -1.0]]
    assert not matrix[~has_vector].any()
    assert n_dropped == 5  # too short, a text, a text inside, infinite, beyond float32


def test_column_without_vectors_gives_a_matrix_without_columns():
    matrix, has_vector, n_dropped = embedding_matrix([None, "a", 10**400, [10**400]])
    assert matrix.shape == (4, 0)
    assert not has_vector.any()
    assert n_dropped == 3


def test_same_text_under_two_keys_is_two_tags():
    matrix = tag_matrix([{"actor": "Lee", "director": "Lee"}, {"director": "Lee"}])
    assert matrix.toarray().tolist() == [[1, 1], [0, 1]]


def test_tags_are_collected_through_maps_and_lists_and_numbers_are_none():
    values = [
        {
            "genres": ["Action", "Drama", "Action"],
            "embedding": [0.1, 0.2],
            "year": 1999.0,
            "deep": {"x": "y"},
        },
        ["Action"],
        None,
        {"genres": ["Drama"], "flag": True},
    ]
    matrix = tag_matrix(values)
    # Columns as they are first met: genres/Action, genres/Drama, deep/x/y; then Action without a path.
    assert matrix.toarray().tolist() == [[1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert matrix.dtype == np.float32


def test_no_tags_give_a_matrix_without_columns():
    assert tag_matrix([None, 3.0, []]).shape == (3, 0)


def test_labels_nested_without_end_are_still_searched():
    nested: object = "tag"
    for _ in range(5_000):
        nested = {"a": nested}
    assert tag_matrix([nested]).shape == (1, 1)
