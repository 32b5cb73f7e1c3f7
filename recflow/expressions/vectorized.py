"""Evaluation over all items at once, for the expressions that allow it.

Scores are mostly sums, counts and times, and those are array operations: ``count(feedback, ...)`` is one
pass over all feedback and a count by item. Each node becomes a *step*: its kind of value, whether it has
one value, one an item or one a row of feedback, and a function that computes them. A node that has no step
makes the whole expression fall back to the interpreter, and so does any single item that a step is unsure
of (an empty maximum, a remainder by zero): what is right is decided in one place only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from recflow.data.types import BoolVector
from recflow.expressions import times
from recflow.expressions.arrays import ItemArrays, Values
from recflow.expressions.step_operators import (
    binary,
    choice,
    converted,
    feedback_field,
    in_category,
    item_field,
    method,
    one_of,
    unary,
)
from recflow.expressions.step_totals import AGGREGATES, count, kept_rows, total
from recflow.expressions.steps import (
    NUMBERS,
    ONE,
    PER_ITEM,
    PER_ROW,
    Rows,
    Step,
    Unsuited,
    at_level,
    combined,
    constant,
    remembered,
)
from recflow.expressions.tree import (
    Binary,
    Call,
    Closure,
    Conditional,
    Let,
    ListLiteral,
    Literal,
    Member,
    Method,
    Name,
    Node,
    Pointer,
    Unary,
)
from recflow.expressions.values import Fault


def vectorized(root: Node) -> Callable[[ItemArrays], tuple[Values, BoolVector]] | None:
    """The function that computes a checked tree for all items, None when it has to be done one by one.

    The function returns (n,) values and (n,) which of them the interpreter has to compute.
    """
    try:
        step = _Planner().step(root)
    except (Unsuited, Fault):  # a Fault: a date or duration that cannot be read fails for every item alike
        return None
    if step.kind not in ("int", "float", "bool"):
        return None

    def evaluate(arrays: ItemArrays) -> tuple[Values, BoolVector]:
        with np.errstate(all="ignore"):  # infinities and NaN are values here; the caller refuses them
            values, unsure = at_level(step, PER_ITEM).compute(arrays)
        n = len(arrays.items)
        return np.broadcast_to(values, n), np.zeros(n, bool) if unsure is None else np.broadcast_to(unsure, n)

    return evaluate


@dataclass
class _Planner:
    """Walks the tree; ``element`` is what # stands for, None outside closures."""

    variables: dict[str, Step] = field(default_factory=dict)
    element: Rows | None = None

    def step(self, node: Node) -> Step:
        match node:
            case Literal(value=bool() | int() | float() as value):
                return constant(type(value).__name__, value)
            case Name(name=name) if name in self.variables:
                return self.variables[name]
            case Pointer(name="") if self.element is not None and self.element.mapped is not None:
                return self.element.mapped
            case Member(base=Name(name="item"), name=name):
                return item_field(name)
            case Member(base=Pointer(name=""), name=name) if self._is_feedback():
                return feedback_field(name)
            case Unary(operator=operator, operand=operand):
                return unary(operator, self.step(operand))
            case Binary(operator="in", left=left, right=right):
                return self._contains(left, right)
            case Binary(operator="==" | "!=" as operator, left=left, right=right):
                return self._equal(operator, left, right)
            case Binary(operator=operator, left=left, right=right):
                return binary(operator, self.step(left), self.step(right))
            case Conditional(condition=condition, yes=yes, no=no):
                return choice(self.step(condition), self.step(yes), self.step(no))
            case Let(name=name, value=value, body=body):
                return _Planner(self.variables | {name: remembered(self.step(value))}, self.element).step(
                    body
                )
            case Method(base=base, name=name, arguments=arguments):
                return method(self.step(base), name, [self.step(argument) for argument in arguments])
            case Call(name=name, arguments=arguments):
                return self._call(name, arguments)
            case Closure():
                return self._closure(node)
        raise Unsuited

    def _is_feedback(self) -> bool:
        return self.element is not None and self.element.mapped is None

    def rows(self, node: Node) -> Rows:
        """A list of feedback, filtered or mapped."""
        if self.element is not None:
            raise Unsuited  # a loop inside a loop is for the interpreter
        match node:
            case Name(name="feedback"):
                return Rows()
            case Closure(name="filter", collection=collection, predicate=Node() as predicate):
                rows = self.rows(collection)
                return Rows(kept_rows(rows, self._body(rows, predicate, "bool")), rows.mapped)
            case Closure(name="map", collection=collection, predicate=Node() as body):
                rows = self.rows(collection)
                return Rows(rows.kept, remembered(self._body(rows, body)))
        raise Unsuited

    def _body(self, rows: Rows, body: Node, kind: str | None = None) -> Step:
        step = at_level(_Planner(self.variables, rows).step(body), PER_ROW)
        if kind is not None and step.kind != kind:
            raise Unsuited
        return step

    def _closure(self, node: Closure) -> Step:
        rows = self.rows(node.collection)
        body = rows.body if node.predicate is None else self._body(rows, node.predicate)
        if node.name == "sum":
            return total(rows, body)
        if body.kind != "bool" or node.name not in {"count", "any", "all", "none", "one"}:
            raise Unsuited
        hits = count(kept_rows(rows, body))
        match node.name:
            case "any":
                return combined("bool", lambda n: n > 0, hits)
            case "none":
                return combined("bool", lambda n: n == 0, hits)
            case "one":
                return combined("bool", lambda n: n == 1, hits)
            case "all":
                return combined("bool", np.equal, hits, count(rows.kept))
        return hits

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Step:
        match name, arguments:
            case "now", ():
                return Step("time", ONE, lambda arrays: (np.array([arrays.now], np.int64), None))
            case "date", (Literal(value=str() as text),):
                return constant("time", int(times.parse_date(text)))
            case "duration", (Literal(value=str() as text),):
                return constant("duration", int(times.parse_duration(text)))
            case "len", (collection,):
                return count(self.rows(collection).kept)
            case "min" | "max" | "mean", (collection,) if _is_list(collection):
                return AGGREGATES[name](self._numbers(collection))
            case "int" | "float" | "abs" | "ceil" | "floor" | "round", (operand,):
                return converted(name, self.step(operand))
        raise Unsuited

    def _numbers(self, collection: Node) -> Rows:
        rows = self.rows(collection)
        if rows.body.kind not in NUMBERS:
            raise Unsuited
        return rows

    def _equal(self, operator: str, left: Node, right: Node) -> Step:
        sides = [side for side in (left, right) if not _is_text(side)]
        if len(sides) == 1:
            text = left if sides[0] is right else right
            step = one_of(self.step(sides[0]), [text.value])
        else:
            first, second = self.step(left), self.step(right)
            if first.kind != second.kind and not (first.kind in NUMBERS and second.kind in NUMBERS):
                raise Unsuited
            step = combined("bool", np.equal, first, second)
        return step if operator == "==" else combined("bool", np.logical_not, step)

    def _contains(self, needle: Node, container: Node) -> Step:
        match needle, container:
            case Literal(value=str() as name), Member(base=Name(name="item"), name="Categories"):
                return Step("bool", PER_ITEM, lambda arrays: (in_category(arrays, name), None))
            case _, ListLiteral(elements=elements) if elements and all(map(_is_text, elements)):
                return one_of(self.step(needle), [element.value for element in elements])
        raise Unsuited


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


def _is_list(node: Node) -> bool:
    return node.type.is_list
