"""Items, users and feedback as an expression sees them: rows of arrays, or dicts as the API writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from recflow.data.feedback import FeedbackLog
from recflow.data.snapshot import ItemTable, Snapshot, UserTable
from recflow.data.types import NO_TIME, IndexVector
from recflow.expressions import times
from recflow.expressions.values import Fault, FeedbackRecord, ItemRecord, Time, UserRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _TableItem(ItemRecord):
    """A row of the catalogue; each field is read when it is asked for, since labels are dear to decode."""

    __slots__ = ("index", "table")

    def __init__(self, table: ItemTable, index: int) -> None:
        super().__init__()
        self.table = table
        self.index = index

    def __missing__(self, name: str) -> object:
        table, index = self.table, self.index
        match name:
            case "ItemId":
                value: object = table.ids[index]
            case "IsHidden":
                value = bool(table.hidden[index])
            case "Categories":
                value = table.categories_of(index)
            case "Timestamp":
                value = Time(table.times[index])
            case "Labels":
                value = _labels(table.labels.raw(index))
            case "Comment":
                value = table.comments[index]
            case _:
                raise KeyError(name)
        self[name] = value
        return value


class _TableUser(UserRecord):
    """A row of the users, read like an item."""

    __slots__ = ("index", "table")

    def __init__(self, table: UserTable, index: int) -> None:
        super().__init__()
        self.table = table
        self.index = index

    def __missing__(self, name: str) -> object:
        match name:
            case "UserId":
                value: object = self.table.ids[self.index]
            case "Labels":
                value = _labels(self.table.labels.raw(self.index))
            case "Comment":
                value = self.table.comments[self.index]
            case _:
                raise KeyError(name)
        self[name] = value
        return value


class _LogRow(FeedbackRecord):
    """A row of the feedback. The arrays keep no comment and no time of change."""

    __slots__ = ("log", "row", "snapshot")

    def __init__(self, snapshot: Snapshot, log: FeedbackLog, row: int) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.log = log
        self.row = row

    def __missing__(self, name: str) -> object:
        log, row = self.log, self.row
        match name:
            case "FeedbackType":
                value: object = log.type_names[log.types[row]]
            case "UserId":
                value = self.snapshot.users.ids[log.users[row]]
            case "ItemId":
                value = self.snapshot.items.ids[log.items[row]]
            case "Value":
                value = float(log.values[row])
            case "Timestamp" | "Updated":
                value = Time(log.times[row])
            case "Comment":
                value = ""
            case _:
                value = super().__missing__(name)
        self[name] = value
        return value


def table_item(table: ItemTable, index: int) -> ItemRecord:
    return _TableItem(table, index)


def table_user(table: UserTable, index: int) -> UserRecord:
    return _TableUser(table, index)


def log_rows(snapshot: Snapshot, log: FeedbackLog, rows: IndexVector) -> list[FeedbackRecord]:
    return [_LogRow(snapshot, log, row) for row in rows.tolist()]


def given_item(fields: Mapping) -> ItemRecord:
    """An item of a dict with the names of the API; what is missing is empty."""
    return ItemRecord(
        ItemId=str(fields.get("ItemId", "")),
        IsHidden=bool(fields.get("IsHidden", False)),
        Categories=[str(name) for name in fields.get("Categories") or ()],
        Timestamp=_given_time(fields.get("Timestamp")),
        Labels=_with_float_numbers(fields.get("Labels")),
        Comment=str(fields.get("Comment") or ""),
    )


def given_user(fields: Mapping) -> UserRecord:
    """A user of a dict with the names of the API."""
    return UserRecord(
        UserId=str(fields.get("UserId", "")),
        Labels=_with_float_numbers(fields.get("Labels")),
        Comment=str(fields.get("Comment") or ""),
    )


def given_feedback(rows: Sequence[Mapping]) -> list[FeedbackRecord]:
    """Feedback of dicts with the names of the API."""
    return [_given_row(row) for row in rows]


def _given_row(fields: Mapping) -> FeedbackRecord:
    time = _given_time(fields.get("Timestamp"))
    return FeedbackRecord(
        FeedbackType=str(fields.get("FeedbackType", "")),
        UserId=str(fields.get("UserId", "")),
        ItemId=str(fields.get("ItemId", "")),
        Value=float(fields.get("Value") or 0.0),
        Timestamp=time,
        Updated=_given_time(fields["Updated"]) if fields.get("Updated") else time,
        Comment=str(fields.get("Comment") or ""),
    )


def _given_time(value: object) -> Time:
    """A time of microseconds since 1970, a datetime or a text such as 2024-03-01T12:00:00Z."""
    if value is None or value == "":
        return Time(NO_TIME)
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        return Time((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
    if isinstance(value, str):
        return times.parse_date(value)
    return Time(value)


def _labels(text: bytes) -> object:
    """Labels as Gorse has them: every number is a float."""
    try:
        return json.loads(text, parse_int=_float)
    except (ValueError, RecursionError):
        raise Fault("The labels are no JSON that can be read.") from None


def _float(digits: str) -> float:
    return float(digits) if len(digits) < 400 else float("inf")


def _with_float_numbers(value: object) -> object:
    if type(value) is int or isinstance(value, np.integer | np.floating):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _with_float_numbers(part) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_with_float_numbers(part) for part in value]
    return value
