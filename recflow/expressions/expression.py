"""Compile an expression once, evaluate it over many items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recflow.data.snapshot import ItemTable, TrainingView, UserTable
from recflow.data.types import IndexVector
from recflow.errors import ExpressionError
from recflow.expressions import records
from recflow.expressions.arrays import ItemArrays
from recflow.expressions.checker import check
from recflow.expressions.frame import STEPS_PER_FEEDBACK, Frame
from recflow.expressions.interpreter import compiled
from recflow.expressions.static_types import ANY, BOOL, DURATION, MONTH, WEEKDAY, Type
from recflow.expressions.syntax import parse
from recflow.expressions.tree import Node
from recflow.expressions.values import Fault, is_number, kind_of
from recflow.expressions.vectorized import vectorized

Expects = Literal["number", "bool", "any"]
Scope = Literal["score", "item", "user"]

MAX_SHOWN_ERRORS = 5

#: Work of one evaluation over all items: a fixed part, and so much for each item and row of feedback.
_POOL = 5_000_000
_POOL_PER_ITEM = 500


@dataclass(frozen=True)
class Evaluation:
    """What an expression gave for many items.

    Args:
        values: (n_items,) float64 scores, NaN where an item was skipped; or a bool mask, False there.
        n_errors: items that were skipped.
        errors: index of the item and the reason, for the first few of them.
    """

    values: NDArray[np.float64] | NDArray[np.bool_]
    n_errors: int
    errors: tuple[tuple[int, str], ...]


class Expression:
    """A checked expression. It holds no data and may be shared by threads."""

    def __init__(self, text: str, root: Node, expects: Expects, scope: Scope) -> None:
        self.text = text
        self.expects = expects
        self.scope = scope
        self.type = root.type
        self._root = root
        self._run = compiled(root)
        self._arrays = vectorized(root) if expects != "any" else None

    @property
    def is_vectorized(self) -> bool:
        """It is computed over all items at once, not item by item."""
        return self._arrays is not None

    def evaluate_items(
        self, view: TrainingView, now: int, items: IndexVector | None = None, *, one_by_one: bool = False
    ) -> Evaluation:
        """The value for each item.

        Args:
            view: the data; its positive feedback is what ``feedback`` sees.
            now: microseconds since 1970, what now() gives.
            items: (n,) the item indices wanted; all of them when left out.
            one_by_one: do not compute over arrays even where that is possible.

        Returns:
            Values in the order of the items asked for. An item whose evaluation fails is skipped and
            counted; so is one whose score is no finite number.

        Raises:
            ValueError: the expression is a column or about users, so it has no value of this kind.
        """
        if self.expects == "any" or self.scope == "user":
            raise ValueError("only a score or a filter of items has values for all of them")
        indices = np.arange(view.snapshot.n_items, dtype=np.int32) if items is None else np.asarray(items)
        arrays = ItemArrays(view, now, indices, with_feedback=self.scope == "score")
        is_score = self.expects == "number"
        values = np.full(len(indices), np.nan) if is_score else np.zeros(len(indices), dtype=bool)
        left = np.ones(len(indices), dtype=bool)
        if self._arrays is not None and not one_by_one:
            computed, unsure = self._arrays(arrays)
            values[:] = computed
            left = unsure | ~np.isfinite(values) if is_score else unsure
        n_errors, errors = self._interpret(arrays, np.flatnonzero(left), values)
        return Evaluation(values, n_errors, tuple(errors))

    def _interpret(
        self, arrays: ItemArrays, places: IndexVector, values: NDArray
    ) -> tuple[int, list[tuple[int, str]]]:
        """Fill in the values at these places one by one."""
        errors: list[tuple[int, str]] = []
        n_errors = 0
        pool = _POOL + _POOL_PER_ITEM * len(arrays.items) + STEPS_PER_FEEDBACK * arrays.n_rows
        for place in places.tolist():
            item_index = int(arrays.items[place])
            frame = Frame(arrays.now, records.table_item(arrays.table, item_index), arrays.feedback_of(place))
            granted = frame.steps = min(frame.steps, pool)
            try:
                values[place] = self._checked(self._run(frame))
            except ExpressionError as error:
                values[place] = np.nan if self.expects == "number" else False
                n_errors += 1
                if len(errors) < MAX_SHOWN_ERRORS:
                    errors.append((item_index, error.message))
            pool -= granted - max(0, frame.steps)
        return n_errors, errors

    def evaluate_one(
        self, item: Mapping | None, feedback: Sequence[Mapping] | None, user: Mapping | None, now: int
    ) -> object:
        """The value for one item or user given as dicts with the field names of the API.

        Args:
            item: ItemId, IsHidden, Categories, Timestamp, Labels, Comment; times as microseconds since
                1970, datetimes or RFC 3339 texts.
            feedback: its positive feedback, oldest first: FeedbackType, UserId, ItemId, Value, Timestamp.
            user: UserId, Labels, Comment.
            now: microseconds since 1970.

        Raises:
            ExpressionError: it has no value; with the position of the part that failed.
        """
        try:
            frame = Frame(
                now,
                records.given_item(item or {}),
                records.given_feedback(feedback or ()),
                records.given_user(user or {}),
            )
        except Fault as fault:
            raise fault.at(self._root) from None
        return self._checked(self._run(frame))

    def evaluate_column(self, table: ItemTable | UserTable, now: int = 0) -> list[object]:
        """The value for each row of a table: labels as JSON values, None where there is none.

        Args:
            table: the items or the users, as the scope says.
            now: microseconds since 1970.
        """
        values: list[object] = []
        for index in range(len(table)):
            if isinstance(table, ItemTable):
                frame = Frame(now, item=records.table_item(table, index), feedback=[])
            else:
                frame = Frame(now, user=records.table_user(table, index))
            try:
                values.append(self._run(frame))
            except ExpressionError:  # a row without the label simply has no vector and no tags
                values.append(None)
        return values

    def _checked(self, value: object) -> object:
        """The value, if it is what was expected."""
        reason = ""
        if self.expects == "number":
            if not is_number(value):
                reason = f"The score must be a number, this is {kind_of(value)}."
            elif not math.isfinite(value):
                reason = f"The score must be a finite number, this is {value}."
        elif self.expects == "bool" and type(value) is not bool:
            reason = f"The filter must be true or false, this is {kind_of(value)}."
        if reason:
            raise Fault(reason).at(self._root)
        return value


def compile_expression(text: str, *, expects: Expects, scope: Scope) -> Expression:
    """A checked expression.

    Args:
        text: the expression.
        expects: "number" for a score, "bool" for a filter, "any" for a column.
        scope: "score" sees item and feedback, "item" only item, "user" only user.

    Raises:
        ExpressionError: the first thing that is wrong with it, with position and length.
    """
    root, errors = _analysed(text, expects, scope)
    if root is None or errors:
        raise errors[0]
    return Expression(text, root, expects, scope)


def check_expression(text: str, *, expects: Expects, scope: Scope) -> list[ExpressionError]:
    """Everything that is wrong with an expression, in the order it is met; empty when it is right."""
    return _analysed(text, expects, scope)[1]


def static_type(text: str, scope: Scope) -> Type | None:
    """The static type of an expression, None when it is wrong."""
    root, errors = _analysed(text, "any", scope)
    return None if root is None or errors else root.type


def _analysed(text: str, expects: Expects, scope: Scope) -> tuple[Node | None, list[ExpressionError]]:
    try:
        root = parse(text)
    except ExpressionError as error:
        return None, [error]
    errors = check(root, scope)
    if not errors:
        reason = _misses(root.type, expects)
        if reason:
            errors = [ExpressionError(reason, position=root.start, length=root.end - root.start)]
    return root, errors


def _misses(found: Type, expects: Expects) -> str | None:
    """Why a value of this type is not what was expected."""
    if expects == "number" and not found.is_number:
        if found == ANY:
            return "The score is untyped, it could be anything; wrap it in float(...) or int(...)."
        if found == DURATION:
            return "The score is a duration, not a number; write .Hours() or .Seconds() behind it."
        if found in (MONTH, WEEKDAY):
            return f"The score is a {found}, not a number; wrap it in int(...)."
        return f"The score must be a number, this is of type {found}."
    if expects == "bool" and found != BOOL:
        if found == ANY:
            return "The filter is untyped, it could be anything; compare it, for example with == true."
        return f"The filter must be true or false, this is of type {found}."
    return None
