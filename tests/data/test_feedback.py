import numpy as np
import pytest

from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import FeedbackRule, FeedbackRules, UserHistory
from recflow.errors import DataError

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "value", "passes"),
    [
        ("read", -5, True),
        ("read>=3", 3, True),
        ("read>=3", 2.9, False),
        ("read<3.5", 3.4, True),
        ("read<3.5", 3.5, False),
        ("read>.5", 0.6, True),
        ("read<=2", 2, True),
        ("read>=", 0, True),
        ("read>=", -1, False),
        ("read=3", 99, True),  # Gorse accepts "=" and ignores it
    ],
)
def test_rule_compares_the_value_as_gorse_does(text, value, passes):
    assert FeedbackRule.parse(text).matches(np.array([value], np.float32)).tolist() == [passes]


@pytest.mark.parametrize(
    "text", ["read==3", "read >= 3", "read>=-1", "read!=3", "re-ad", "_read", "1read", "", "read.", "read>=."]
)
def test_rule_outside_the_grammar_is_refused_with_its_text(text):
    with pytest.raises(DataError, match="is not a feedback type"):
        FeedbackRule.parse(text)


def test_a_digit_after_the_name_belongs_to_the_name():
    assert FeedbackRule.parse("read3") == FeedbackRule("read3")


def rules(positive="like", read="", negative="", **ttl):
    def parsed(text):
        return tuple(FeedbackRule.parse(part) for part in text.split())

    return FeedbackRules(parsed(positive), parsed(read), parsed(negative), **ttl)


def snapshot(feedback, items=None, taken_at=100 * DAY):
    items = items or [ItemRow("a", time=50 * DAY), ItemRow("b", time=99 * DAY), ItemRow("c", hidden=True)]
    return build_snapshot([UserRow("u1"), UserRow("u2")], items, feedback, version="1", taken_at=taken_at)


def test_negative_feedback_overrules_positive_on_the_same_pair_only():
    data = snapshot([("u1", "a", "like", 1, 1), ("u1", "a", "hate", 1, 2), ("u2", "a", "like", 1, 3)])
    view = data.view(rules(negative="hate"))
    assert view.positive.matrix.toarray().tolist() == [[0, 0, 0], [1, 0, 0]]
    assert len(view.negative) == 1


def test_read_feedback_on_a_liked_item_is_not_read_feedback():
    data = snapshot([("u1", "a", "like", 1, 1), ("u1", "a", "read", 1, 2), ("u1", "b", "read", 1, 3)])
    assert data.view(rules(read="read")).read.items.tolist() == [1]


def test_feedback_older_than_its_time_to_live_does_not_train():
    data = snapshot([("u1", "a", "like", 1, 89 * DAY), ("u1", "b", "like", 1, 90 * DAY)])
    assert data.view(rules(positive_ttl_days=10)).positive.items.tolist() == [1]


def test_feedback_of_tomorrow_does_not_count_yet():
    data = snapshot([("u1", "a", "like", 1, 101 * DAY)])
    assert len(data.view(rules()).positive) == 0


def test_items_older_than_their_time_to_live_are_neither_alive_nor_trained_on():
    data = snapshot([("u1", "a", "like", 1, 60 * DAY), ("u1", "b", "like", 1, 60 * DAY)])
    view = data.view(rules(item_ttl_days=10))
    assert view.alive.tolist() == [False, True, False]
    assert view.positive.items.tolist() == [1]


def test_the_same_rules_share_one_view():
    data = snapshot([])
    assert data.view(rules()) is data.view(rules())


def test_log_is_sorted_by_user_then_time_and_grouped_both_ways():
    log = snapshot([("u2", "a", "like", 1, 9), ("u1", "b", "like", 1, 8), ("u1", "a", "like", 1, 7)]).feedback
    assert log.users.tolist() == [0, 0, 1]
    assert log.items.tolist() == [0, 1, 0]
    assert log.items[log.rows_of(0)].tolist() == [0, 1]
    order, starts = log.by_item
    assert log.users[order[starts[0] : starts[1]]].tolist() == [0, 1]  # item a: u1 at 7, u2 at 9


def test_history_finds_its_own_positive_rows():
    history = UserHistory(
        "u1", np.array([0, 1], np.int32), ("a", "b"), ("read", "like"), np.ones(2, np.float32), np.ones(2)
    )
    assert history.matching([FeedbackRule.parse("like")]).tolist() == [False, True]


def test_an_amended_history_is_newest_first_and_leaves_the_true_one_alone():
    history = UserHistory(
        "ann",
        np.array([1, 2], np.int32),
        ("b", "c"),
        ("like", "read"),
        np.array([1.0, 3.0], np.float32),
        np.array([50, 20], np.int64),
        True,
    )
    other = history.amended(without={("like", "b")}, added=[(0, "a", "like", 2.0, 30)])
    assert (other.item_ids, other.types, other.items.tolist()) == (("a", "c"), ("like", "read"), [0, 2])
    assert (other.values.tolist(), other.times.tolist()) == ([2.0, 3.0], [30, 20])
    assert (other.user_id, other.is_known) == ("ann", True)
    assert history.item_ids == ("b", "c")


def test_feedback_added_to_a_history_replaces_the_same_type_on_the_same_item():
    history = UserHistory("ann").amended(
        without=(), added=[(1, "b", "like", 1.0, 10), (1, "b", "read", 1.0, 10)]
    )
    other = history.amended(without=(), added=[(1, "b", "like", 5.0, 20)])
    assert list(zip(other.types, other.values.tolist(), strict=True)) == [("like", 5.0), ("read", 1.0)]


@pytest.mark.parametrize("text", ["like", "read>=3", "rating>3", "rating<2", "rating<=2", "rating="])
def test_the_passing_value_of_a_rule_passes_it(text):
    rule = FeedbackRule.parse(text)
    assert rule.matches(np.array([rule.passing_value])).all()
