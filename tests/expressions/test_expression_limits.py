"""Nothing that can be written hangs, exhausts memory or ends in a Python error."""

import time

import pytest

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.errors import ExpressionError
from recflow.expressions import check_expression, compile_expression

DOUBLED = "; ".join(f"let v{i + 1} = v{i} + v{i}" for i in range(60))


def evaluate(text, expects="any"):
    return compile_expression(text, expects=expects, scope="score").evaluate_one({}, [], None, 0)


def view(n_items=3, labels="null"):
    items = [ItemRow(f"i{i}", labels=labels) for i in range(n_items)]
    rows = [("u", f"i{i}", "like", 1.0, 0) for i in range(n_items)]
    return build_snapshot([UserRow("u")], items, rows, version="1", taken_at=0).view(
        FeedbackRules(positive=(FeedbackRule("like"),))
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" + " " * 10_000, "10,000 characters"),
        ("-" * 200 + "1", "150 levels"),
        ("[" * 4_900 + "]" * 4_900, "150 levels"),
        ("+".join("1" * 400), "150 levels"),
        ("(" * 9_000, "ends too early"),
        ("1 < (" * 40 + "1 < 1 < 1" + ") < 1" * 40, "10,000 parts"),
        ("(" * 60 + "nil" + " ?: nil)" * 60, "10,000 parts"),
    ],
)
def test_expression_beyond_a_limit_is_refused(text, reason):
    (error,) = check_expression(text, expects="any", scope="score")
    assert reason in error.message


def test_brackets_alone_cost_no_depth():
    assert evaluate("(" * 2_000 + "1" + ")" * 2_000) == 1


@pytest.mark.parametrize(
    "text",
    [
        "1..9223372036854775807",
        "reduce(1..1000, reduce(1..1000, reduce(1..1000, #acc + #)))",
        "count(1..300, any(1..300, any(1..300, # > 1000)))",
        "reduce(1..60, [#acc, #acc], 1) == reduce(1..60, [#acc, #acc], 1)",
        "string(reduce(1..60, [#acc, #acc], 1))",
        "mean(reduce(1..60, [#acc, #acc], 1))",
        "reduce(1..60, #acc + #acc, 'x')",
        "reduce(1..60, replace(#acc, 'x', 'xxxx'), 'x')",
        "reduce(1..60, join([#acc, #acc]), 'x')",
        "reduce(1..30000, #acc + 'x', '')",
        "let t = reduce(1..16, #acc + #acc, 'x'); count(1..20000, t matches '(x+x+)+y')",
        "count(1..20000, 'x' matches string(#) + '(a{100}){9}')",
        "string(reduce(1..5000, [#acc], 1))",
        "reduce(1..5000, [#acc], 1) == reduce(1..5000, [#acc], 1)",
    ],
)
def test_work_without_end_is_stopped_with_a_reason(text):
    began = time.monotonic()
    with pytest.raises(ExpressionError, match=r"too many steps|characters|too deeply|pattern") as caught:
        evaluate(text)
    assert caught.value.position is not None
    assert time.monotonic() - began < 20  # without the limit: hours


def test_pattern_that_is_exponential_elsewhere_is_answered_at_once():
    began = time.monotonic()
    assert evaluate(f"'{'a' * 5_000}!' matches '^(a+)+$'") is False
    assert time.monotonic() - began < 10  # otherwise: longer than anybody waits


def test_variables_used_twice_are_computed_once_over_arrays():
    expression = compile_expression(
        f"let v0 = len(feedback); {DOUBLED}; v60", expects="number", scope="score"
    )
    assert expression.is_vectorized
    began = time.monotonic()
    assert expression.evaluate_items(view(), 0).values.tolist() == [2.0**60] * 3
    assert time.monotonic() - began < 10  # otherwise: longer than anybody waits


def test_maps_upon_maps_are_computed_once_over_arrays():
    text = "feedback | map(.Value) " + "| map(# + #) " * 60 + "| sum()"
    expression = compile_expression(text, expects="number", scope="score")
    assert expression.is_vectorized
    assert expression.evaluate_items(view(), 0).values.tolist() == [2.0**60] * 3


def test_costly_expression_is_stopped_for_all_items_together():
    # 25,000 steps to make the list, 3 for each addition: 99,997 of the 100,200 an item with one feedback has.
    costly = "float(reduce(1..25000, #acc + #))"
    expression = compile_expression(costly, expects="number", scope="score")
    assert expression.evaluate_items(view(3), 0).n_errors == 0
    many = expression.evaluate_items(view(200), 0)
    assert many.n_errors == 149  # the pool of 5,000,000 + 200 * (500 + 200) steps is enough for 51
    assert len(many.errors) == 5
    assert "too many steps" in many.errors[0][1]


@pytest.mark.parametrize("labels", ["{not json", "[" * 3_000 + "]" * 3_000, '{"a": NaN}', ""])
def test_labels_that_cannot_be_read_skip_the_item(labels):
    expression = compile_expression("item.Labels.a == 1", expects="bool", scope="item")
    evaluation = expression.evaluate_items(view(1, labels), 0)
    assert evaluation.values.tolist() == [False]


@pytest.mark.parametrize("text", ["1 / 0", "-1 / 0", "0 / 0", "10 ^ 400", "(-8) ^ 0.5", "float('inf')"])
def test_score_that_is_not_finite_skips_the_item(text):
    expression = compile_expression(text, expects="number", scope="score")
    evaluation = expression.evaluate_items(view(2), 0)
    assert evaluation.n_errors == 2
    assert "finite" in evaluation.errors[0][1]
    with pytest.raises(ExpressionError, match="finite"):
        expression.evaluate_one({}, [], None, 0)
