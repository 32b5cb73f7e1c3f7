"""Records as Gorse's JSON objects: names, types and ids."""

import pytest

from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop.objects import check_ids, feedback_from, item_from, to_object, user_from
from recflow.interop.records import FeedbackRecord, ItemRecord, UserRecord

NOON = 1_709_294_400_000_000  # 2024-03-01T12:00:00Z


def test_names_match_in_any_case_and_unknown_ones_are_passed_over():
    fields = {
        "itemid": "m1",
        "ISHIDDEN": True,
        "categories": ["a"],
        "Extra": 1,
        "timestamp": "2024-03-01 12:00",
    }
    assert item_from(fields) == ItemRecord("m1", True, ("a",), NOON)


def test_null_counts_as_not_given():
    fields = dict.fromkeys(["IsHidden", "Categories", "Timestamp", "Labels", "Comment"])
    assert item_from({"ItemId": "m1", **fields}) == ItemRecord("m1", False, (), NO_TIME, None, "")
    assert feedback_from({"FeedbackType": "a", "Value": None}) == FeedbackRecord("a", "", "")


def test_feedback_was_updated_when_it_was_given():
    fields = {"FeedbackType": "like", "UserId": "u", "ItemId": "i", "Value": 2, "Updated": "2030-01-01"}
    record = feedback_from({**fields, "Timestamp": "2024-03-01T12:00:00Z"})
    assert record == FeedbackRecord("like", "u", "i", 2.0, NOON, NOON)
    assert isinstance(record.value, float)


def test_labels_are_kept_as_they_are():
    labels = {"mixed": [1, "a", True, None, {"deep": []}]}
    assert user_from({"UserId": "u", "Labels": labels}).labels == labels


@pytest.mark.parametrize(
    ("make", "fields", "reason"),
    [
        (user_from, {"UserId": 5}, "UserId must be a text, got '5'"),
        (user_from, {"UserId": "u", "Comment": []}, "Comment must be a text, got '[]'"),
        (item_from, {"ItemId": "i", "IsHidden": 0}, "IsHidden must be true or false, got '0'"),
        (item_from, {"ItemId": "i", "IsHidden": ""}, "IsHidden must be true or false, got ''"),
        (item_from, {"ItemId": "i", "Categories": "a"}, "Categories must be a list of texts, got 'a'"),
        (item_from, {"ItemId": "i", "Categories": [1]}, "Categories must be a list of texts, got '[1]'"),
        (item_from, {"ItemId": "i", "Timestamp": 1709294400}, "Timestamp must be a text, got '1709294400'"),
        (item_from, {"ItemId": "i", "Timestamp": "soon"}, "Timestamp: 'soon' is not a date or time"),
        (feedback_from, {"Value": "3"}, "Value must be a number, got '3'"),
        (feedback_from, {"Value": True}, "Value must be a number, got 'True'"),
        (feedback_from, {"Value": float("inf")}, "Value must be a finite number, got inf"),
        (feedback_from, {"Value": 10**400}, "Value must be a finite number, got 1000"),
    ],
)
def test_a_wrong_type_is_told_with_the_field_and_the_value(make, fields, reason):
    with pytest.raises(BadRecord) as caught:
        make(fields)
    assert caught.value.message.startswith(reason)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (UserRecord(""), "UserId is missing or blank"),
        (UserRecord(" \t"), "UserId is missing or blank"),
        (UserRecord("a/b"), "UserId may not hold a slash, got 'a/b'"),
        (ItemRecord("i", categories=("a", "b/c")), "a category may not hold a slash, got 'b/c'"),
        (ItemRecord("i", categories=("",)), "a category is missing or blank"),
        (ItemRecord("a\0b"), "ItemId may not hold a null character"),
        (FeedbackRecord("", "u", "i"), "FeedbackType is missing or blank"),
        (FeedbackRecord("like", "u", ""), "ItemId is missing or blank"),
        (UserRecord("a" * 257), "UserId may have 256 characters, got 257"),
    ],
)
def test_ids_keep_to_the_rules_of_the_bulk_import(record, reason):
    with pytest.raises(BadRecord) as caught:
        check_ids(record)
    assert caught.value.message.startswith(reason)


def test_ids_with_spaces_colons_and_any_script_are_fine():
    for text in ("owner:repo", "a b", "käse", "猫", "a" * 256):
        check_ids(FeedbackRecord(text, text, text))


def test_an_export_has_gorses_names_in_gorses_order():
    item = to_object(ItemRecord("m1", False, ("movie",), NOON, {"a": 1}, "The Film"))
    assert list(item.items()) == [
        ("ItemId", "m1"),
        ("IsHidden", False),
        ("Categories", ["movie"]),
        ("Timestamp", "2024-03-01T12:00:00Z"),
        ("Labels", {"a": 1}),
        ("Comment", "The Film"),
    ]
    feedback = to_object(FeedbackRecord("like", "u", "m1", 1.0, NOON))
    assert feedback["Updated"] == feedback["Timestamp"] == "2024-03-01T12:00:00Z"
    assert str(feedback["Value"]) == "1"
    assert to_object(FeedbackRecord("like", "u", "m1", 4.5))["Value"] == 4.5
