"""Steps of an evaluation over arrays: what one node computes for all items, or for all rows of feedback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recflow.data.types import BoolVector
from recflow.expressions.arrays import ItemArrays, Unsure, Values

Compute = Callable[[ItemArrays], tuple[Values, Unsure]]

ONE, PER_ITEM, PER_ROW = 0, 1, 2  # one value for all; one an item; one a row of feedback

NUMBERS = ("int", "float")
DTYPES = {"int": np.int64, "float": np.float64, "bool": np.bool_, "time": np.int64, "duration": np.int64}


@dataclass(frozen=True)
class Step:
    """How to compute a node.

    Args:
        kind: int, float, bool, time or duration; "type", "user" and "item" are numbers that stand for texts.
        level: ONE, PER_ITEM or PER_ROW: the length of the values is 1, places or rows.
        compute: values, and which of them only the interpreter can tell (None for none).
    """

    kind: str
    level: int
    compute: Compute


@dataclass(frozen=True)
class Rows:
    """A list made of feedback.

    Args:
        kept: which rows are in it, None for all.
        mapped: what each row was mapped to, None while they are still feedback.
    """

    kept: Step | None = None
    mapped: Step | None = None

    @property
    def body(self) -> Step:
        """What the rows were mapped to; feedback itself has no number."""
        if self.mapped is None:
            raise Unsuited
        return self.mapped


class Unsuited(Exception):
    """This node has no step."""


def at_level(step: Step, level: int) -> Step:
    """The step with the values of items spread over their rows, where rows are what is computed."""
    if step.level != PER_ITEM or level != PER_ROW:
        return step

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        spread = None if unsure is None else np.broadcast_to(unsure, values.shape)[arrays.owners]
        return values[arrays.owners], spread

    return Step(step.kind, PER_ROW, compute)


def constant(kind: str, value: int | float | bool) -> Step:
    values = np.array([value], dtype=DTYPES[kind])
    return Step(kind, ONE, lambda arrays: (values, None))


def either(first: Unsure, second: Unsure) -> Unsure:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def combined(kind: str, operate: Callable[..., Values], *steps: Step) -> Step:
    """A step that works on the values of others, element by element."""
    level = max(step.level for step in steps)
    inputs = [at_level(step, level) for step in steps]

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = [], None
        for step in inputs:
            computed, not_known = step.compute(arrays)
            values.append(computed)
            unsure = either(unsure, not_known)
        return operate(*values), unsure

    return Step(kind, level, compute)


def remembered(step: Step) -> Step:
    """The step, computed once an evaluation however often ``let n = ...`` or ``map(...)`` has it used.

    Without it ``let b = a + a; let c = b + b; ...`` would double the work with every line.
    """

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        if step not in arrays.remembered:
            arrays.remembered[step] = step.compute(arrays)
        return arrays.remembered[step]

    return Step(step.kind, step.level, compute)


def doubtful(step: Step, doubt: Callable[[Values], BoolVector]) -> Step:
    """The step, unsure where the doubt says so."""

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        return values, either(unsure, doubt(values))

    return Step(step.kind, step.level, compute)
