"""The expressions of the reference with the results that Gorse's own engine gives (gorse-compat, 7.3)."""

import math

import pytest

from recflow.errors import ExpressionError
from recflow.expressions import check_expression, compile_expression

PUBLISHED = 1_709_294_400_000_000  # 2024-03-01T12:00:00Z in microseconds
HOUR = 3_600_000_000
NOW = PUBLISHED + 24 * HOUR

ITEM = {
    "ItemId": "m1",
    "IsHidden": False,
    "Categories": ["movie", "scifi"],
    "Timestamp": "2024-03-01T12:00:00Z",
    "Comment": "The Matrix",
    "Labels": {
        "embedding": [0.1, 0.2, 0.3],
        "genres": ["Action", "Drama"],
        "year": 1999,
        "director": "Nolan",
        "stats": {"views": 1200, "likes": 300},
        "empty": [],
    },
}
FEEDBACK = [
    {
        "FeedbackType": kind,
        "UserId": user,
        "ItemId": "m1",
        "Value": value,
        "Timestamp": PUBLISHED + hours * HOUR,
    }
    for kind, user, value, hours in [
        ("like", "u1", 1, 1),
        ("star", "u2", 2, 2),
        ("like", "u3", 4.5, 30),
        ("read", "u4", 3, 48),
    ]
]
USER = {"UserId": "u1", "Labels": {"age": 24, "tags": ["go"]}}

HACKER_NEWS = "(count(feedback, .FeedbackType == 'like')-1)/((now() - item.Timestamp).Seconds()+2)^0.5"

TABLE = [
    ("item.Timestamp.Unix()", 1709294400, "int"),
    ("-item.Timestamp.Unix()", -1709294400, "int"),
    ("len(feedback)", 4, "int"),
    ("count(feedback, .FeedbackType == 'like')", 2, "int"),
    ("count(feedback, {#.FeedbackType == 'like'})", 2, "int"),
    (
        "count(feedback, .FeedbackType == 'like') + count(feedback, .FeedbackType == 'star') * 2",
        4,  # 2 likes + 1 star counted twice
        "int",
    ),
    ("(now() - item.Timestamp).Hours() < 168", True, "bool"),
    ("(now() - item.Timestamp).Hours() < 24", False, "bool"),
    (HACKER_NEWS, 0.003402029712, "float"),  # (2 - 1) / sqrt(86,400 + 2)
    ("(now() - item.Timestamp).Nanoseconds() < 3600000000000", False, "bool"),
    ("!item.IsHidden", True, "bool"),
    ("sum(feedback, .Value)", 10.5, "float"),  # 1 + 2 + 4.5 + 3
    ("sum(feedback, .Value) / len(feedback)", 2.625, "float"),
    ("len(filter(feedback, .FeedbackType in ['like', 'star']))", 3, "int"),
    ("count(feedback, .Value >= 2)", 3, "int"),
    ("count(feedback, .Timestamp > item.Timestamp + duration('24h'))", 2, "int"),
    ("feedback[0].FeedbackKey.FeedbackType == 'like' ? 1 : 0", 1, "int"),
    ("feedback[-1].Value", 3.0, "float"),
    ("len(uniq(map(feedback, .UserId)))", 4, "int"),
    ("'movie' in item.Categories and not ('adult' in item.Categories)", True, "bool"),
    ("any(item.Categories, # startsWith 'mov')", True, "bool"),
    ("'Action' in item.Labels.genres", True, "bool"),
    ("'Action' in item.Labels.missing", False, "bool"),
    ("item.Labels.year >= 1990", True, "bool"),
    ("item.Labels.year == '1999'", False, "bool"),
    ("float(item.Labels.year) + len(feedback)", 2003.0, "float"),
    ("item.Labels.stats.likes / item.Labels.stats.views", 0.25, "float"),
    ("(item.Labels.missing ?? 0) > 3", False, "bool"),
    ("item.Labels.missing?.deep", None, "untyped"),
    ("lower(item.Comment) contains 'matrix'", True, "bool"),
    ("item.Comment matches '(?i)matrix$'", True, "bool"),
    ("item.Timestamp.Year() >= 2024", True, "bool"),
    ("item.Timestamp > date('2024-01-01')", True, "bool"),
    ("7 / 2", 3.5, "float"),
    ("7 % 3", 1, "int"),
    ("-7 % 3", -1, "int"),
    ("2 ** 3", 8.0, "float"),
    ("-2 ^ 2", -4.0, "float"),
    ("let n = len(feedback); n * 2", 8, "int"),
    ("feedback | filter(.FeedbackType == 'like') | len()", 2, "int"),
    ("item.Labels.embedding", [0.1, 0.2, 0.3], "untyped"),
]


@pytest.mark.parametrize(("text", "expected", "static_type"), TABLE, ids=[row[0] for row in TABLE])
def test_expression_has_the_value_and_type_of_the_reference(text, expected, static_type):
    expression = compile_expression(text, expects="any", scope="score")
    value = expression.evaluate_one(ITEM, FEEDBACK, None, NOW)
    assert str(expression.type) == static_type
    assert type(value) is type(expected)
    assert value == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected)


def test_column_of_a_user_gives_the_tags_of_the_reference():
    expression = compile_expression("user.Labels.tags", expects="any", scope="user")
    assert expression.evaluate_one(None, None, USER, NOW) == ["go"]


def test_sum_of_no_feedback_is_zero():
    expression = compile_expression("sum(feedback, .Value)", expects="number", scope="score")
    assert expression.evaluate_one(ITEM, [], None, NOW) == 0.0


def test_mean_value_of_no_feedback_is_no_number():
    expression = compile_expression("sum(feedback, .Value) / len(feedback)", expects="any", scope="score")
    assert math.isnan(expression.evaluate_one(ITEM, [], None, NOW))  # 0 / 0


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("item.labels", 0, "did you mean Labels"),
        ("Labels", 0, "write item.Labels"),
        ("log(10)", 0, "no function log"),
        ("item.Timestamp.Month() == 3", 0, "int(...)"),
        ("'a' in 'abc'", 0, "contains"),
        ("", 0, "empty"),
        ("7 % 0", 0, "by zero"),
    ],
)
def test_expression_outside_the_language_is_refused_with_place_and_reason(text, position, reason):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, expects="any", scope="score")
    assert caught.value.position == position
    assert reason in caught.value.message
    assert check_expression(text, expects="any", scope="score")[0].message == caught.value.message


@pytest.mark.parametrize(
    ("text", "at_fault"),
    [
        ("item.Labels.missing > 3", "item.Labels.missing > 3"),
        ("item.Labels.missing.deep", "item.Labels.missing.deep"),
        ("1 + duration('7d').Hours()", "duration('7d')"),
        ("1 + float(now() - item.Timestamp)", "float(now() - item.Timestamp)"),
        ("count(feedback)", "count(feedback)"),
        ("float(item.Labels.genres[5])", "item.Labels.genres[5]"),
    ],
)
def test_expression_that_fails_for_an_item_says_where(text, at_fault):
    expression = compile_expression(text, expects="any", scope="score")
    with pytest.raises(ExpressionError) as caught:
        expression.evaluate_one(ITEM, FEEDBACK, None, NOW)
    error = caught.value
    assert text[error.position : error.position + error.length] == at_fault


def test_first_feedback_of_an_item_without_feedback_fails_for_that_item():
    expression = compile_expression(
        "feedback[0].FeedbackKey.FeedbackType == 'like' ? 1 : 0", expects="number", scope="score"
    )
    with pytest.raises(ExpressionError, match="There is no element 0"):
        expression.evaluate_one(ITEM, [], None, NOW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("item.Labels.year", "untyped"),
        ("item.Labels.year + 1", "untyped"),
        ("mean(map(feedback, .Value))", "untyped"),
        ("reduce(feedback, #acc + .Value, 0)", "untyped"),
        ("item.IsHidden ? 10 : 1.5", "untyped"),
        ("item.Labels.year ?? 0", "untyped"),
        ("'x'", "of type string"),
        ("true", "of type bool"),
        ("now() - item.Timestamp", ".Hours()"),
    ],
)
def test_score_without_the_static_type_of_a_number_is_refused(text, reason):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, expects="number", scope="score")
    assert reason in caught.value.message
    assert (caught.value.position, caught.value.length) == (0, len(text))


@pytest.mark.parametrize(("text", "reason"), [("item.Labels.flag", "untyped"), ("1", "of type int")])
def test_filter_without_the_static_type_of_a_bool_is_refused(text, reason):
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, expects="bool", scope="item")
    assert reason in caught.value.message
