"""Records as JSON objects with Gorse's field names, both ways.

As Gorse reads them: field names match in any case, unknown fields are passed over, null counts as not given,
a wrong type is an error. Labels may be any JSON value.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Literal

from recflow.data.nesting import MAX_LEVELS, is_too_deep
from recflow.data.records import MAX_ID
from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop.records import FeedbackRecord, ItemRecord, Record, UserRecord
from recflow.interop.times import format_time, parse_time

Kind = Literal["users", "items", "feedback"]


def user_from(fields: Mapping[str, object]) -> UserRecord:
    """
    Raises:
        BadRecord: a field has the wrong type.
    """
    given = _lower(fields)
    return UserRecord(_text(given, "UserId"), flat_labels(given.get("labels")), _text(given, "Comment"))


def item_from(fields: Mapping[str, object]) -> ItemRecord:
    """
    Raises:
        BadRecord: a field has the wrong type, or the timestamp is no date.
    """
    given = _lower(fields)
    hidden = given.get("ishidden", False)
    if not isinstance(hidden, bool):
        raise BadRecord(f"IsHidden must be true or false, got {str(hidden)[:64]!r}")
    categories = given.get("categories", [])
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        raise BadRecord(f"Categories must be a list of texts, got {str(categories)[:64]!r}")
    return ItemRecord(
        _text(given, "ItemId"),
        hidden,
        tuple(categories),
        _time(given, "Timestamp"),
        flat_labels(given.get("labels")),
        _text(given, "Comment"),
    )


def feedback_from(fields: Mapping[str, object]) -> FeedbackRecord:
    """The feedback; its ``updated_us`` is its own time, whatever was given, as in Gorse.

    Raises:
        BadRecord: a field has the wrong type, or the timestamp is no date.
    """
    given = _lower(fields)
    time_us = _time(given, "Timestamp")
    return FeedbackRecord(
        _text(given, "FeedbackType"),
        _text(given, "UserId"),
        _text(given, "ItemId"),
        _number(given, "Value"),
        time_us,
        time_us,
        _text(given, "Comment"),
    )


#: What reads the objects of each kind.
MAKERS: dict[Kind, Callable[[Mapping[str, object]], Record]] = {
    "users": user_from,
    "items": item_from,
    "feedback": feedback_from,
}


def to_object(record: Record) -> dict[str, object]:
    """The record with Gorse's field names, in Gorse's order."""
    match record:
        case UserRecord():
            return {"UserId": record.user_id, "Labels": record.labels, "Comment": record.comment}
        case ItemRecord():
            return {
                "ItemId": record.item_id,
                "IsHidden": record.is_hidden,
                "Categories": list(record.categories),
                "Timestamp": format_time(record.time_us),
                "Labels": record.labels,
                "Comment": record.comment,
            }
        case FeedbackRecord():
            updated_us = record.time_us if record.updated_us == NO_TIME else record.updated_us
            return {
                "FeedbackType": record.type,
                "UserId": record.user_id,
                "ItemId": record.item_id,
                "Value": _shortest(record.value),
                "Timestamp": format_time(record.time_us),
                "Updated": format_time(updated_us),
                "Comment": record.comment,
            }


def flat_labels(labels: object) -> object:
    """The labels as they are.

    Raises:
        BadRecord: they are nested too deeply to be written out again.
    """
    if is_too_deep(labels):
        raise BadRecord(f"Labels may have {MAX_LEVELS} lists and maps inside each other")
    return labels


def check_ids(record: Record) -> None:
    """The rules of Gorse's bulk import: ids, types and categories are not blank and hold no slash.

    Raises:
        BadRecord: one does not keep to them, or cannot be stored.
    """
    categories = record.categories if isinstance(record, ItemRecord) else ()
    for field, text in [*_ids(record), *(("a category", name) for name in categories)]:
        if not text.strip():
            raise BadRecord(f"{field} is missing or blank")
        if "/" in text:
            raise BadRecord(f"{field} may not hold a slash, got {text[:64]!r}")
    check_storable(record)


def check_storable(record: Record) -> None:
    """What no database of ours can keep: ids that are missing or too long, and null characters in texts.

    Raises:
        BadRecord: the record holds such a thing.
    """
    for field, text in _ids(record):
        if not text:
            raise BadRecord(f"{field} is missing")
        if len(text) > MAX_ID:
            raise BadRecord(f"{field} may have {MAX_ID} characters, got {len(text):,}")
    categories = record.categories if isinstance(record, ItemRecord) else ()
    texts = [*_ids(record), ("Comment", record.comment), *(("a category", name) for name in categories)]
    for field, text in texts:
        if "\0" in text:  # PostgreSQL keeps every character but this one
            raise BadRecord(f"{field} may not hold a null character, got {text[:64]!r}")


def _ids(record: Record) -> list[tuple[str, str]]:
    match record:
        case UserRecord():
            return [("UserId", record.user_id)]
        case ItemRecord():
            return [("ItemId", record.item_id)]
        case FeedbackRecord():
            return [
                ("FeedbackType", record.type),
                ("UserId", record.user_id),
                ("ItemId", record.item_id),
            ]


def _shortest(value: float) -> float:
    """A whole number without its point, as Go writes it, where a float tells whole numbers apart.

    JSON has no infinite number: one that sums became before they were bounded is the largest there is.
    """
    value = max(-sys.float_info.max, min(value, sys.float_info.max))
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _lower(fields: Mapping[str, object]) -> dict[str, object]:
    return {name.lower(): value for name, value in fields.items() if value is not None}


def _text(given: dict[str, object], field: str) -> str:
    value = given.get(field.lower(), "")
    if not isinstance(value, str):
        raise BadRecord(f"{field} must be a text, got {str(value)[:64]!r}")
    return value


def _number(given: dict[str, object], field: str) -> float:
    value = given.get(field.lower(), 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(f"{field} must be a number, got {str(value)[:64]!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRecord(f"{field} must be a finite number, got {str(value)[:64]}")
    return number


def _time(given: dict[str, object], field: str) -> int:
    text = _text(given, field)
    try:
        return parse_time(text)
    except BadRecord as error:
        raise BadRecord(f"{field}: {error.message}") from error
