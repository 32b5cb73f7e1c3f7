import pytest

from recflow.expressions import completions, help_tables
from recflow.expressions.functions import FUNCTION_BODIES, METHOD_BODIES
from recflow.expressions.vocabulary import FIELDS, FUNCTIONS, METHODS


def labels(scope, text, cursor=None, **kwargs):
    return [
        entry["label"]
        for entry in completions(scope, text, len(text) if cursor is None else cursor, **kwargs)
    ]


def test_item_and_a_dot_offer_the_fields_of_an_item():
    assert labels("score", "1 + item.") == [
        "ItemId",
        "IsHidden",
        "Categories",
        "Timestamp",
        "Labels",
        "Comment",
    ]


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("(now() - item.Timestamp).", "Hours"),
        ("item.Timestamp.", "Unix"),
        ("feedback[0].", "FeedbackType"),
        ("feedback[0]?.", "FeedbackType"),
        ("count(feedback, .", "FeedbackType"),
        ("count(feedback, {#.", "FeedbackType"),
        ("count(feedback, .Value > 1 and .", "FeedbackType"),
        ("feedback | filter(.", "FeedbackType"),
        ("1 + (feedback | count(.", "FeedbackType"),
        ("count(feedback, .Timestamp.", "Unix"),
        ("count(feedback, #.FeedbackKey.", "ItemId"),
    ],
)
def test_a_dot_offers_what_the_value_before_it_has(text, offered):
    assert offered in labels("score", text)


def test_dot_behind_an_untyped_value_offers_nothing():
    assert labels("score", "item.Labels.stats.") == []


def test_known_label_names_are_offered_below_labels():
    assert labels("item", "item.Labels.y", label_names=["year", "genres"]) == ["year"]


def test_only_words_that_begin_as_typed_are_offered():
    assert labels("score", "co") == ["count", "contains"]


def test_cursor_in_the_middle_completes_the_word_before_it():
    assert labels("score", "item.Ti > now()", cursor=7) == ["Timestamp"]


def test_names_of_another_scope_are_not_offered():
    assert "user" not in labels("score", "")
    assert "feedback" not in labels("item", "")
    assert labels("user", "user.C") == ["Comment"]


def test_detail_is_one_line_of_help():
    (entry,) = completions("score", "dura", 4)
    assert entry == {
        "label": "duration",
        "detail": "duration('1h30m'): a duration in h, m, s, ms, us, ns; a day is 24h",
    }


def test_every_function_and_method_that_has_help_can_be_called():
    assert FUNCTIONS.keys() == FUNCTION_BODIES.keys()
    described = [methods.keys() for methods in METHODS.values()]
    assert described == [bodies.keys() for bodies in METHOD_BODIES.values()]
    for methods, bodies in zip(METHODS.values(), METHOD_BODIES.values(), strict=True):
        for name, (_, n_arguments) in bodies.items():
            assert len(methods[name].parameters) == n_arguments


def test_tables_for_the_help_has_every_field():
    shown = help_tables()
    for kind, fields in FIELDS.items():
        if str(kind) in shown:
            assert {entry["label"] for entry in shown[str(kind)]} == set(fields)
    assert {"item", "user", "feedback", "time", "duration", "functions", "keywords"} == set(shown)
