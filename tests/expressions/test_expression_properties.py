"""Whatever is written, there is a value or a described error; and arrays say what the interpreter says."""

import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.data.types import NO_TIME
from recflow.errors import ExpressionError
from recflow.expressions import check_expression, compile_expression

NOW = 1_709_380_800_000_000
DAY = 86_400_000_000
RULES = FeedbackRules(positive=(FeedbackRule("like"), FeedbackRule("star")))

# Values that sit on edges: no time, far past, ties, zero, numbers that 64 bits cannot multiply.
TIMES = st.sampled_from([NO_TIME, 0, NOW, NOW - DAY, NOW - DAY + 1, NOW - 300 * 365 * DAY]) | st.integers(
    NOW - 400 * DAY, NOW
)
LABELS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2000)
    | st.floats(-10, 10)
    | st.sampled_from(["go", "Action", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["year", "tags", "a"]), inner)
    ),
    max_leaves=4,
)
ITEMS = st.lists(
    st.tuples(st.booleans(), st.sets(st.sampled_from(["movie", "book"])), TIMES, LABELS, st.text(max_size=5)),
    min_size=1,
    max_size=5,
)
FEEDBACK = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from(["like", "star", "read"]),
        st.sampled_from([0.0, 1.0, 0.1, -3.7, 2.5, 1e20]) | st.floats(-100, 100, width=32),
        TIMES,
    ),
    max_size=14,
)


@st.composite
def views(draw):
    """A small catalogue with feedback of three users."""
    items = [
        ItemRow(f"i{i}", hidden, tuple(sorted(categories)), time, json.dumps(labels), comment)
        for i, (hidden, categories, time, labels, comment) in enumerate(draw(ITEMS))
    ]
    rows = [
        (f"u{user}", f"i{item}", kind, value, min(time, NOW))
        for user, item, kind, value, time in draw(FEEDBACK)
        if item < len(items)
    ]
    users = [UserRow(f"u{i}") for i in range(3)]
    return build_snapshot(users, items, rows, version="1", taken_at=NOW).view(RULES)


def _joined(template, *parts):
    return st.tuples(*parts).map(lambda drawn: template.format(*drawn))


def _language(inside_closure):
    """Strategies for numbers, bools, times and durations; inside a closure the element has fields too."""
    ints = st.deferred(lambda: int_leaves | int_nodes)
    floats = st.deferred(lambda: float_leaves | float_nodes)
    numbers = ints | floats
    bools = st.deferred(lambda: bool_leaves | bool_nodes)
    moments = st.deferred(lambda: time_leaves | time_nodes)
    spans = st.deferred(lambda: span_leaves | span_nodes)

    int_leaves = st.sampled_from(["0", "1", "3", "-2", "7", "9223372036854775807", "item.Timestamp.Unix()"])
    float_leaves = st.sampled_from(["0.5", "2.5", "1e3", "-0.0", "0.1"])
    bool_leaves = st.sampled_from(
        [
            "true",
            "false",
            "item.IsHidden",
            "('movie' in item.Categories)",
            "('x' in item.Categories)",
            "(item.ItemId == 'i1')",
        ]
    )
    time_leaves = st.sampled_from(["item.Timestamp", "now()", "date('2024-02-29')"])
    span_leaves = st.sampled_from(["duration('1h30m')", "duration('-1.5s')", "duration('1ns')"])
    if inside_closure:
        float_leaves |= st.sampled_from([".Value", "#.Value"])
        bool_leaves |= st.sampled_from(
            [
                "(.FeedbackType == 'like')",
                "(#.FeedbackType in ['star', 'none'])",
                "(.UserId != 'u1')",
                "(.ItemId == item.ItemId)",
            ]
        )
        time_leaves |= st.sampled_from([".Timestamp", "#.Updated"])

    int_nodes = st.one_of(
        _joined("({} {} {})", ints, st.sampled_from("+-*"), ints),
        _joined("({} % +{})", ints, ints),  # the sign keeps a 0 from being refused as written
        _joined("int({})", numbers),
        _joined("abs({})", ints),
        _joined("-({})", ints),
        _joined("({} ? {} : {})", bools, ints, ints),
        _joined("{}.UnixMilli()", moments),
        _joined("({}).{}()", spans, st.sampled_from(["Milliseconds", "Nanoseconds"])),
        _joined("({}).{}()", moments, st.sampled_from(["Year", "Hour", "YearDay"])),
    )
    float_nodes = st.one_of(
        _joined("({} {} {})", numbers, st.sampled_from(["/", "^"]), numbers),
        _joined("({} {} {})", floats, st.sampled_from("+-*"), numbers),
        _joined("float({})", numbers),
        _joined("{}({})", st.sampled_from(["round", "ceil", "floor"]), numbers),
        _joined("abs({})", floats),
        _joined("({}).{}()", spans, st.sampled_from(["Hours", "Minutes", "Seconds"])),
        _joined("(let n = {}; n * n)", floats),
    )
    bool_nodes = st.one_of(
        _joined("({} {} {})", numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers),
        _joined("({} {} {})", moments, st.sampled_from(["<", ">=", "==", "!="]), moments),
        _joined("({} {} {})", spans, st.sampled_from(["<=", ">", "=="]), spans),
        _joined("({} {} {})", bools, st.sampled_from(["and", "or", "==", "!="]), bools),
        _joined("(not {})", bools),
        _joined("({} ? {} : {})", bools, bools, bools),
        _joined("{}.Before({})", moments, moments),
        _joined("{}.IsZero()", moments),
    )
    time_nodes = _joined("({} {} {})", moments, st.sampled_from("+-"), spans)
    span_nodes = st.one_of(
        _joined("({} - {})", moments, moments), _joined("({} {} {})", spans, st.sampled_from("+-"), spans)
    )
    if not inside_closure:
        row = _language(inside_closure=True)
        rows = st.sampled_from(["feedback"]) | _joined("filter(feedback, {})", row["bool"])
        mapped = _joined("map({}, {})", rows, row["number"])
        aggregates = st.sampled_from(["min", "max", "mean", "median"])
        int_nodes |= st.one_of(
            _joined("len({})", rows),
            _joined("count({}, {})", rows, row["bool"]),
            _joined("sum({}, {})", rows, row["int"]),
            _joined("len(uniq({}))", mapped),
            _joined("len(filter({}, # > 1))", mapped),
        )
        float_nodes |= st.one_of(
            _joined("sum({}, {})", rows, row["float"]),
            _joined("float({}({}))", aggregates, mapped),
            _joined("float(reduce({}, #acc + #, 0))", mapped),
            st.sampled_from(["float(item.Labels.year)", "float(item.Labels.tags[0])", "feedback[0].Value"]),
        )
        bool_nodes |= st.one_of(
            _joined("{}({}, {})", st.sampled_from(["any", "all", "none", "one"]), rows, row["bool"]),
            st.sampled_from(
                ["('go' in item.Labels.tags)", "(item.Comment contains 'a')", "(item.Labels.a?.b == nil)"]
            ),
        )
    return {"int": ints, "float": floats, "number": numbers, "bool": bools}


SCORES = _language(inside_closure=False)["number"]
FILTERS = _language(inside_closure=False)["bool"]


def _assert_same_both_ways(text, expects, view):
    expression = compile_expression(text, expects=expects, scope="score")
    over_arrays = expression.evaluate_items(view, NOW)
    one_by_one = expression.evaluate_items(view, NOW, one_by_one=True)
    np.testing.assert_array_equal(over_arrays.values, one_by_one.values)
    assert (over_arrays.n_errors, over_arrays.errors) == (one_by_one.n_errors, one_by_one.errors)
    return one_by_one


@settings(max_examples=150, deadline=None)
@given(SCORES, views())
def test_scores_over_arrays_are_those_of_the_interpreter(text, view):
    evaluation = _assert_same_both_ways(text, "number", view)
    skipped = np.isnan(evaluation.values)
    assert skipped.sum() == evaluation.n_errors  # a skipped item is counted, a counted one skipped
    assert np.isfinite(evaluation.values[~skipped]).all()


@settings(max_examples=100, deadline=None)
@given(FILTERS, views())
def test_filters_over_arrays_are_those_of_the_interpreter(text, view):
    _assert_same_both_ways(text, "bool", view)


@settings(max_examples=40, deadline=None)
@given(SCORES, views(), st.data())
def test_chosen_items_have_the_score_they_have_among_all(text, view, data):
    n_items = view.snapshot.n_items
    chosen = np.array(data.draw(st.lists(st.integers(0, n_items - 1), max_size=6)), dtype=np.int32)
    expression = compile_expression(text, expects="number", scope="score")
    of_all = expression.evaluate_items(view, NOW).values
    np.testing.assert_array_equal(expression.evaluate_items(view, NOW, chosen).values, of_all[chosen])


WORDS = """
    item feedback user .Value # #acc #index .FeedbackType Labels Timestamp len count filter map sum reduce
    groupBy sortBy find uniq any all now date duration string int float let if else in not and or matches
    contains startsWith nil true false 1 2.5 0x1f 1e3 'a' "b" `c` '(' ( ) [ ] { } , : ; . ?. ?? ? | .. + - * /
    % ^ ** == != < > <= >= && || ! // /* */ \\ é n = $
"""
SOUP = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)
ITEM = {
    "ItemId": "m",
    "Categories": ["a"],
    "Timestamp": NOW,
    "Labels": {"year": 1, "tags": ["a"]},
    "Comment": "c",
}
ROWS = [{"FeedbackType": "like", "UserId": "u", "ItemId": "m", "Value": 2.0, "Timestamp": NOW}]


@settings(max_examples=600, deadline=None)
@given(
    SOUP | st.text(max_size=40),
    st.sampled_from(["number", "bool", "any"]),
    st.sampled_from(["score", "item", "user"]),
)
def test_any_text_is_compiled_or_refused_with_a_sentence_and_a_place(text, expects, scope):
    problems = check_expression(text, expects=expects, scope=scope)
    for problem in problems:
        assert 0 <= problem.position <= len(text)
        assert problem.position + problem.length <= len(text) + 1
        assert problem.message[-1] in ".?"
    if problems:
        return
    try:
        value = compile_expression(text, expects=expects, scope=scope).evaluate_one(ITEM, ROWS, ITEM, NOW)
    except ExpressionError as error:
        assert error.position is not None
    else:
        assert expects != "number" or math.isfinite(value)
