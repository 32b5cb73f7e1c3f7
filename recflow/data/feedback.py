"""Feedback as arrays: rules such as "read>=3", the log of all feedback, the history of one user."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.data.types import BoolVector, IndexVector, ScoreVector, TimeVector
from recflow.errors import DataError

_RULE = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:(<=|>=|<|>|=)([0-9]*\.?[0-9]*))?\Z")


@dataclass(frozen=True)
class FeedbackRule:
    """One feedback-type expression: a type, and optionally a bound on its value.

    Source: Gorse's grammar. Without an operator every value matches; a lone "read>=" compares with 0, and
    "=" matches every value, as there.
    """

    type: str
    operator: str = ""
    bound: float = 0.0

    @classmethod
    def parse(cls, text: str) -> FeedbackRule:
        """Read "like" or "read>=3".

        Raises:
            DataError: the text is not of that form.
        """
        match = _RULE.match(text)
        number = match.group(3) if match else None
        if match is None or number == "." or (number and number.endswith(".")):
            raise DataError(
                f"{text!r} is not a feedback type: write a name such as like, or a name, <, <=, > or >= and "
                "a number without spaces, such as read>=3"
            )
        return cls(match.group(1), match.group(2) or "", float(number) if number else 0.0)

    def __str__(self) -> str:
        return f"{self.type}{self.operator}{self.bound:g}" if self.operator else self.type

    @property
    def passing_value(self) -> float:
        """A value that passes: the bound itself or, where it is shut out, one beside it."""
        return self.bound + {">": 1.0, "<": -1.0}.get(self.operator, 0.0)

    def matches(self, values: NDArray[np.floating]) -> BoolVector:
        """(n,) which values pass, for rows that already are of this type."""
        match self.operator:
            case ">=":
                return values >= self.bound
            case "<=":
                return values <= self.bound
            case ">":
                return values > self.bound
            case "<":
                return values < self.bound
        return np.ones(len(values), dtype=bool)


@dataclass(frozen=True)
class FeedbackRules:
    """Which feedback is positive, read and negative, and how long feedback and items count.

    Args:
        positive: types that say "more of this"; the only ones that train models.
        read: types that say "seen".
        negative: types that say "never again".
        positive_ttl_days: age at which feedback stops counting, 0 for never.
        item_ttl_days: age at which an item stops counting, 0 for never.
    """

    positive: tuple[FeedbackRule, ...] = ()
    read: tuple[FeedbackRule, ...] = ()
    negative: tuple[FeedbackRule, ...] = ()
    positive_ttl_days: int = 0
    item_ttl_days: int = 0

    def key(self) -> tuple:
        """What tells two sets of rules apart, as plain values that JSON can hold."""
        texts = [[str(rule) for rule in rules] for rules in (self.positive, self.read, self.negative)]
        return (*texts, self.positive_ttl_days, self.item_ttl_days)


def matching(
    rules: Sequence[FeedbackRule], type_names: Sequence[str], types: NDArray[np.integer], values: ScoreVector
) -> BoolVector:
    """(n,) which rows match any of the rules.

    Args:
        rules: the rules.
        type_names: name of each type number.
        types: (n,) type number of each row.
        values: (n,) value of each row.
    """
    matched = np.zeros(len(types), dtype=bool)
    for rule in rules:
        if rule.type in type_names:
            matched |= (types == type_names.index(rule.type)) & rule.matches(values)
    return matched


@dataclass(frozen=True)
class FeedbackLog:
    """All feedback, sorted by user, then by time; ties by item and type.

    Args:
        users: (n,) user index of each row, ascending.
        items: (n,) item index.
        types: (n,) position in ``type_names``.
        values: (n,) what was given: stars, seconds, a count.
        times: (n,) microseconds since 1970.
        type_names: name of each type number.
        n_users: rows of the matrices made of it.
        n_items: columns of the matrices made of it.
    """

    users: IndexVector
    items: IndexVector
    types: NDArray[np.int16]
    values: ScoreVector
    times: TimeVector
    type_names: tuple[str, ...]
    n_users: int
    n_items: int

    @classmethod
    def from_rows(
        cls,
        users: IndexVector,
        items: IndexVector,
        types: NDArray[np.int16],
        values: ScoreVector,
        times: TimeVector,
        *,
        type_names: tuple[str, ...],
        n_users: int,
        n_items: int,
    ) -> FeedbackLog:
        """A log of rows that come in any order."""
        order = np.lexsort((types, items, times, users))
        return cls(
            users[order],
            items[order],
            types[order],
            values[order],
            times[order],
            type_names,
            n_users,
            n_items,
        )

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def user_starts(self) -> NDArray[np.int64]:
        """(n_users + 1,) the rows of user u are ``user_starts[u]:user_starts[u + 1]``, oldest first."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1)).astype(np.int64)

    def rows_of(self, user_index: int) -> slice:
        return slice(int(self.user_starts[user_index]), int(self.user_starts[user_index + 1]))

    def select(self, mask: BoolVector) -> FeedbackLog:
        """The rows where the mask is true, in the same order."""
        return FeedbackLog(
            self.users[mask],
            self.items[mask],
            self.types[mask],
            self.values[mask],
            self.times[mask],
            self.type_names,
            self.n_users,
            self.n_items,
        )

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """(n_users, n_items) float32, 1 where there is at least one row."""
        ones = np.ones(len(self), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, (self.users, self.items)), shape=(self.n_users, self.n_items))
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        return matrix

    @cached_property
    def by_item(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row numbers sorted by item, then time; and (n_items + 1,) where each item's rows start."""
        order = np.lexsort((self.times, self.items))
        return order, np.searchsorted(self.items[order], np.arange(self.n_items + 1)).astype(np.int64)


@dataclass(frozen=True)
class UserHistory:
    """The feedback of one user as it is this moment, newest first; fresher than any snapshot.

    Args:
        user_id: the outside id.
        items: (n,) item index in the snapshot, -1 for an item the snapshot does not know yet.
        item_ids: the outside ids, in the same order.
        types: feedback types by name.
        values: (n,) values.
        times: (n,) microseconds since 1970.
        is_known: the user exists; False is a cold start and no error.
        labels: the user's labels as they were given, any JSON value.
        comment: the user's comment.
    """

    user_id: str
    items: IndexVector = field(default_factory=lambda: np.zeros(0, np.int32))
    item_ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    values: ScoreVector = field(default_factory=lambda: np.zeros(0, np.float32))
    times: TimeVector = field(default_factory=lambda: np.zeros(0, np.int64))
    is_known: bool = False
    labels: object = None
    comment: str = ""

    def __len__(self) -> int:
        return len(self.items)

    def matching(self, rules: Sequence[FeedbackRule]) -> BoolVector:
        """(n,) which rows match any of the rules."""
        names = sorted(set(self.types))
        numbers = np.array([names.index(name) for name in self.types], dtype=np.int16)
        return matching(rules, names, numbers, self.values)

    def amended(
        self, *, without: Collection[tuple[str, str]], added: Sequence[tuple[int, str, str, float, int]]
    ) -> UserHistory:
        """The history as it would be with other feedback, newest first again.

        Args:
            without: type and item id of rows that do not count.
            added: item index, item id, type, value and time of rows that count too; one of a type and item
                that are there already takes its place.
        """
        kept = {
            (kind, item_id): (index, item_id, kind, value, time)
            for index, item_id, kind, value, time in zip(
                self.items.tolist(),
                self.item_ids,
                self.types,
                self.values.tolist(),
                self.times.tolist(),
                strict=True,
            )
            if (kind, item_id) not in without
        }
        kept |= {(row[2], row[1]): row for row in added}
        rows = sorted(kept.values(), key=lambda row: (-row[4], row[1], row[2]))
        return replace(
            self,
            items=np.array([row[0] for row in rows], dtype=np.int32),
            item_ids=tuple(row[1] for row in rows),
            types=tuple(row[2] for row in rows),
            values=np.array([row[3] for row in rows], dtype=np.float32),
            times=np.array([row[4] for row in rows], dtype=np.int64),
        )
