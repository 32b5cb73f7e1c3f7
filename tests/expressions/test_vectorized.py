"""Which expressions are computed over arrays, on a catalogue small enough to add up by hand."""

import json

import numpy as np
import pytest

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.expressions import compile_expression

HOUR = 3_600_000_000
START = 1_709_294_400_000_000  # 2024-03-01T12:00:00Z
NOW = START + 24 * HOUR


def view():
    """Item a with three feedback, b with one, c hidden and with none; the read does not count."""
    items = [
        ItemRow("a", False, ("movie", "scifi"), START, json.dumps({"year": 1999}), "The Matrix"),
        ItemRow("b", False, ("book",), START + 12 * HOUR, "null", "Dune"),
        ItemRow("c", True, (), START - 24 * HOUR, json.dumps({"year": "?"}), ""),
    ]
    rows = [
        ("u1", "a", "like", 1.0, START + HOUR),
        ("u2", "a", "star", 4.5, START + 2 * HOUR),
        ("u3", "a", "like", 2.0, START + 20 * HOUR),
        ("u1", "b", "star", 3.0, START + 13 * HOUR),
        ("u2", "b", "read", 9.0, START + 14 * HOUR),
    ]
    users = [UserRow("u1"), UserRow("u2"), UserRow("u3")]
    rules = FeedbackRules(positive=(FeedbackRule("like"), FeedbackRule("star")))
    return build_snapshot(users, items, rows, version="1", taken_at=NOW).view(rules)


NAN = float("nan")

OVER_ARRAYS = [
    ("len(feedback)", [3, 1, 0]),
    ("count(feedback, .FeedbackType == 'like')", [2, 0, 0]),
    ("count(feedback, .FeedbackType == 'unheard of')", [0, 0, 0]),
    ("count(feedback, .FeedbackType in ['star', 'read'])", [1, 1, 0]),
    ("count(feedback, .UserId != 'u1')", [2, 0, 0]),
    ("count(feedback, .ItemId == item.ItemId)", [3, 1, 0]),
    ("sum(feedback, .Value)", [7.5, 3, 0]),
    ("sum(feedback | filter(.Value > 1) | map(.Value * 2))", [13, 6, 0]),  # 2 * (4.5 + 2)
    ("sum(feedback, .Value) / len(feedback)", [2.5, 3, NAN]),
    ("float(mean(map(feedback, .Value)))", [2.5, 3, 0]),
    ("float(max(map(feedback, .Value)))", [4.5, 3, NAN]),
    ("float(min(map(filter(feedback, .Value < 3), .Value)))", [1, NAN, NAN]),
    ("count(feedback, .Timestamp < item.Timestamp + duration('90m'))", [1, 1, 0]),
    ("(now() - item.Timestamp).Hours()", [24, 12, 48]),
    ("item.Timestamp.Unix() - 1709294400", [0, 43200, -86400]),
    ("item.Timestamp.Sub(now()).Minutes()", [-1440, -720, -2880]),
    ("float(int(7.9) % 4) + round(-2.5) + ceil(0.2) + floor(-0.2)", [0, 0, 0]),  # 3 - 3 + 1 - 1
    ("1 % len(feedback)", [1, 0, NAN]),
    ("'movie' in item.Categories ? 1 : -1", [1, -1, -1]),
    ("let n = len(feedback); n * n", [9, 1, 0]),
    ("abs(len(feedback) - 2) ^ 2", [1, 1, 4]),
]


@pytest.mark.parametrize(("text", "expected"), OVER_ARRAYS, ids=[row[0] for row in OVER_ARRAYS])
def test_score_is_computed_over_arrays(text, expected):
    expression = compile_expression(text, expects="number", scope="score")
    assert expression.is_vectorized
    for one_by_one in (False, True):
        values = expression.evaluate_items(view(), NOW, one_by_one=one_by_one).values
        np.testing.assert_allclose(values, expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!item.IsHidden", [True, True, False]),
        ("any(feedback, .Value > 3)", [True, False, False]),
        ("all(feedback, .Value >= 3)", [False, True, True]),
        ("none(feedback, .FeedbackType == 'like')", [False, True, True]),
        ("one(feedback, .FeedbackType == 'star')", [True, True, False]),
        ("item.Timestamp.Before(now() - duration('20h')) or item.ItemId == 'b'", [True, True, True]),
        ("len(feedback) > 0 and item.Timestamp > date('2024-03-01T18:00:00Z')", [False, True, False]),
    ],
)
def test_filter_is_computed_over_arrays(text, expected):
    expression = compile_expression(text, expects="bool", scope="score")
    assert expression.is_vectorized
    for one_by_one in (False, True):
        evaluation = expression.evaluate_items(view(), NOW, one_by_one=one_by_one)
        assert evaluation.values.tolist() == expected
        assert evaluation.n_errors == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("float(item.Labels.year) + len(feedback)", [2002, NAN, NAN]),
        ("float(len(uniq(map(feedback, .UserId))))", [3, 1, 0]),
        ("feedback[-1].Value", [2, 3, NAN]),
        ("count(feedback, any(feedback, .Value > 4))", [3, 0, 0]),
    ],
)
def test_other_scores_are_computed_item_by_item(text, expected):
    expression = compile_expression(text, expects="number", scope="score")
    assert not expression.is_vectorized
    np.testing.assert_array_equal(expression.evaluate_items(view(), NOW).values, expected)


def test_skipped_items_are_counted_and_the_first_ones_explained():
    expression = compile_expression("float(item.Labels.year)", expects="number", scope="score")
    evaluation = expression.evaluate_items(view(), NOW)
    assert evaluation.n_errors == 2
    assert evaluation.errors == (
        (1, "The field year cannot be taken from nil."),
        (2, "float('?') is not a number."),
    )


def test_no_items_give_no_values():
    expression = compile_expression("len(feedback)", expects="number", scope="score")
    assert expression.evaluate_items(view(), NOW, np.zeros(0, np.int32)).values.tolist() == []


def test_items_may_be_chosen_in_any_order_and_twice():
    expression = compile_expression("sum(feedback, .Value)", expects="number", scope="score")
    values = expression.evaluate_items(view(), NOW, np.array([1, 0, 1], np.int32)).values
    assert values.tolist() == [3, 7.5, 3]


def test_catalogue_without_feedback_is_no_error():
    empty = build_snapshot([], [ItemRow("a")], [], version="1", taken_at=NOW).view(FeedbackRules())
    expression = compile_expression(
        "count(feedback, .FeedbackType == 'like' and .UserId == 'u')", expects="number", scope="score"
    )
    assert expression.evaluate_items(empty, NOW).values.tolist() == [0]


def test_time_that_was_never_given_counts_as_the_longest_age():
    nameless = build_snapshot([], [ItemRow("a")], [], version="1", taken_at=NOW).view(FeedbackRules())
    expression = compile_expression("(now() - item.Timestamp).Hours()", expects="number", scope="item")
    # Go's longest duration, 2^63 - 1 nanoseconds, is 2,562,047.788 hours.
    assert expression.evaluate_items(nameless, NOW).values[0] == pytest.approx(2_562_047.788, abs=0.001)


def test_column_has_no_score():
    expression = compile_expression("item.Labels", expects="any", scope="item")
    with pytest.raises(ValueError, match="score or a filter"):
        expression.evaluate_items(view(), NOW)
