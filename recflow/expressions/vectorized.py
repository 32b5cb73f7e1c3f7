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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recflow.data.snapshot import TrainingView
from recflow.data.types import BoolVector, IndexVector
from recflow.expressions import records, times
from recflow.expressions.functions import NANOSECONDS_PER
from recflow.expressions.syntax import (
    INT_MAX,
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
from recflow.expressions.values import NANOSECONDS_PER_MICROSECOND, Fault, FeedbackRecord, float_power


class ItemArrays:
    """The items asked for and their feedback, as the arrays that steps compute with.

    Args:
        view: the data.
        now: microseconds since 1970.
        items: (n,) item indices; "place" means a position in it.
        with_feedback: the expression can see feedback.
    """

    def __init__(self, view: TrainingView, now: int, items: IndexVector, *, with_feedback: bool) -> None:
        self.snapshot = view.snapshot
        self.table = view.snapshot.items
        self.log = view.positive
        self.now = now
        self.items = items
        self._with_feedback = with_feedback

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """(n + 1,) the rows of place p are ``rows[starts[p]:starts[p + 1]]``."""
        starts = np.zeros(len(self.items) + 1, dtype=np.int64)
        if self._with_feedback:
            by_item = self.log.by_item[1]
            np.cumsum(by_item[self.items + 1] - by_item[self.items], out=starts[1:])
        return starts

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n_rows,) rows of the log, item by item and oldest first."""
        order, by_item = self.log.by_item
        within = np.arange(self.n_rows) - self._starts[self.owners]
        return order[by_item[self.items[self.owners]] + within]

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """(n_rows,) the place that each row belongs to."""
        return np.repeat(np.arange(len(self.items)), np.diff(self._starts))

    @property
    def n_rows(self) -> int:
        return int(self._starts[-1])

    def feedback_of(self, place: int) -> list[FeedbackRecord]:
        rows = (
            self.rows[self._starts[place] : self._starts[place + 1]]
            if self._with_feedback
            else self.items[:0]
        )
        return records.log_rows(self.snapshot, self.log, rows)


Values = NDArray[np.generic]
Unsure = BoolVector | None
Compute = Callable[[ItemArrays], tuple[Values, Unsure]]

ONE, PER_ITEM, PER_ROW = 0, 1, 2  # one value for all; one an item; one a row of feedback

_NUMBERS = ("int", "float")
_DTYPES = {"int": np.int64, "float": np.float64, "bool": np.bool_, "time": np.int64, "duration": np.int64}


@dataclass(frozen=True)
class _Step:
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
class _Rows:
    """A list made of feedback.

    Args:
        kept: which rows are in it, None for all.
        mapped: what each row was mapped to, None while they are still feedback.
    """

    kept: _Step | None = None
    mapped: _Step | None = None


class _Unsuited(Exception):
    """This node has no step."""


def vectorized(root: Node) -> Callable[[ItemArrays], tuple[Values, BoolVector]] | None:
    """The function that computes a checked tree for all items, None when it has to be done one by one.

    The function returns (n,) values and (n,) which of them the interpreter has to compute.
    """
    try:
        step = _Planner().step(root)
    except (_Unsuited, Fault):  # a Fault: a date or duration that cannot be read fails for every item alike
        return None
    if step.kind not in ("int", "float", "bool"):
        return None

    def evaluate(arrays: ItemArrays) -> tuple[Values, BoolVector]:
        with np.errstate(all="ignore"):  # infinities and NaN are values here; the caller refuses them
            values, unsure = _at(step, PER_ITEM).compute(arrays)
        n = len(arrays.items)
        return np.broadcast_to(values, n), np.zeros(n, bool) if unsure is None else np.broadcast_to(unsure, n)

    return evaluate


def _at(step: _Step, level: int) -> _Step:
    """The step with the values of items spread over their rows, where rows are what is computed."""
    if step.level != PER_ITEM or level != PER_ROW:
        return step

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        spread = None if unsure is None else np.broadcast_to(unsure, values.shape)[arrays.owners]
        return values[arrays.owners], spread

    return _Step(step.kind, PER_ROW, compute)


def _constant(kind: str, value: int | float | bool) -> _Step:
    values = np.array([value], dtype=_DTYPES[kind])
    return _Step(kind, ONE, lambda arrays: (values, None))


def _either(first: Unsure, second: Unsure) -> Unsure:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _combined(kind: str, operate: Callable[..., Values], *steps: _Step) -> _Step:
    """A step that works on the values of others, element by element."""
    level = max(step.level for step in steps)
    inputs = [_at(step, level) for step in steps]

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = [], None
        for step in inputs:
            computed, not_known = step.compute(arrays)
            values.append(computed)
            unsure = _either(unsure, not_known)
        return operate(*values), unsure

    return _Step(kind, level, compute)


def _doubtful(step: _Step, doubt: Callable[[Values], BoolVector]) -> _Step:
    """The step, unsure where the doubt says so."""

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        return values, _either(unsure, doubt(values))

    return _Step(step.kind, step.level, compute)


@dataclass
class _Planner:
    """Walks the tree; ``element`` is what # stands for, None outside closures."""

    variables: dict[str, _Step] = field(default_factory=dict)
    element: _Rows | None = None

    def step(self, node: Node) -> _Step:
        match node:
            case Literal(value=bool() | int() | float() as value):
                return _constant(type(value).__name__, value)
            case Name(name=name) if name in self.variables:
                return self.variables[name]
            case Pointer(name="") if self.element is not None and self.element.mapped is not None:
                return self.element.mapped
            case Member(base=Name(name="item"), name=name):
                return _item_field(name)
            case Member(base=Pointer(name=""), name=name) if self._is_feedback():
                return _feedback_field(name)
            case Unary(operator=operator, operand=operand):
                return _unary(operator, self.step(operand))
            case Binary(operator="in", left=left, right=right):
                return self._contains(left, right)
            case Binary(operator="==" | "!=" as operator, left=left, right=right):
                return self._equal(operator, left, right)
            case Binary(operator=operator, left=left, right=right):
                return _binary(operator, self.step(left), self.step(right))
            case Conditional(condition=condition, yes=yes, no=no):
                return _choice(self.step(condition), self.step(yes), self.step(no))
            case Let(name=name, value=value, body=body):
                return _Planner(self.variables | {name: self.step(value)}, self.element).step(body)
            case Method(base=base, name=name, arguments=arguments):
                return _method(self.step(base), name, [self.step(argument) for argument in arguments])
            case Call(name=name, arguments=arguments):
                return self._call(name, arguments)
            case Closure():
                return self._closure(node)
        raise _Unsuited

    def _is_feedback(self) -> bool:
        return self.element is not None and self.element.mapped is None

    def rows(self, node: Node) -> _Rows:
        """A list of feedback, filtered or mapped."""
        if self.element is not None:
            raise _Unsuited  # a loop inside a loop is for the interpreter
        match node:
            case Name(name="feedback"):
                return _Rows()
            case Closure(name="filter", collection=collection, predicate=Node() as predicate):
                rows = self.rows(collection)
                return _Rows(_kept(rows, self._body(rows, predicate, "bool")), rows.mapped)
            case Closure(name="map", collection=collection, predicate=Node() as body):
                rows = self.rows(collection)
                return _Rows(rows.kept, self._body(rows, body))
        raise _Unsuited

    def _body(self, rows: _Rows, body: Node, kind: str | None = None) -> _Step:
        step = _at(_Planner(self.variables, rows).step(body), PER_ROW)
        if kind is not None and step.kind != kind:
            raise _Unsuited
        return step

    def _closure(self, node: Closure) -> _Step:
        rows = self.rows(node.collection)
        if node.predicate is None:
            body = rows.mapped
        else:
            body = self._body(rows, node.predicate)
        if body is None:
            raise _Unsuited
        if node.name == "sum":
            return _sum(rows, body)
        if body.kind != "bool" or node.name not in {"count", "any", "all", "none", "one"}:
            raise _Unsuited
        hits = _count(_kept(rows, body))
        match node.name:
            case "any":
                return _combined("bool", lambda n: n > 0, hits)
            case "none":
                return _combined("bool", lambda n: n == 0, hits)
            case "one":
                return _combined("bool", lambda n: n == 1, hits)
            case "all":
                return _combined("bool", np.equal, hits, _count(rows.kept))
        return hits

    def _call(self, name: str, arguments: tuple[Node, ...]) -> _Step:
        match name, arguments:
            case "now", ():
                return _Step("time", ONE, lambda arrays: (np.array([arrays.now], np.int64), None))
            case "date", (Literal(value=str() as text),):
                return _constant("time", int(times.parse_date(text)))
            case "duration", (Literal(value=str() as text),):
                return _constant("duration", int(times.parse_duration(text)))
            case "len", (collection,):
                return _count(self.rows(collection).kept)
            case "min" | "max" | "mean", (collection,) if _is_list(collection):
                return _AGGREGATES[name](self._numbers(collection))
            case "int" | "float" | "abs" | "ceil" | "floor" | "round", (operand,):
                return _converted(name, self.step(operand))
        raise _Unsuited

    def _numbers(self, collection: Node) -> _Rows:
        rows = self.rows(collection)
        if rows.mapped is None or rows.mapped.kind not in _NUMBERS:
            raise _Unsuited
        return rows

    def _equal(self, operator: str, left: Node, right: Node) -> _Step:
        sides = [side for side in (left, right) if not _is_text(side)]
        if len(sides) == 1:
            text = left if sides[0] is right else right
            step = _one_of(self.step(sides[0]), [text.value])
        else:
            first, second = self.step(left), self.step(right)
            if first.kind != second.kind and not (first.kind in _NUMBERS and second.kind in _NUMBERS):
                raise _Unsuited
            step = _combined("bool", np.equal, first, second)
        return step if operator == "==" else _combined("bool", np.logical_not, step)

    def _contains(self, needle: Node, container: Node) -> _Step:
        match needle, container:
            case Literal(value=str() as name), Member(base=Name(name="item"), name="Categories"):
                return _Step("bool", PER_ITEM, lambda arrays: (_in_category(arrays, name), None))
            case _, ListLiteral(elements=elements) if elements and all(map(_is_text, elements)):
                return _one_of(self.step(needle), [element.value for element in elements])
        raise _Unsuited


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


def _is_list(node: Node) -> bool:
    return node.type.is_list


# Fields


def _item_field(name: str) -> _Step:
    match name:
        case "IsHidden":
            return _Step("bool", PER_ITEM, lambda arrays: (arrays.table.hidden[arrays.items], None))
        case "Timestamp":
            return _Step("time", PER_ITEM, lambda arrays: (arrays.table.times[arrays.items], None))
        case "ItemId":
            return _Step("item", PER_ITEM, lambda arrays: (arrays.items, None))
    raise _Unsuited


def _feedback_field(name: str) -> _Step:
    def column(kind: str, take: Callable[[ItemArrays], Values]) -> _Step:
        return _Step(kind, PER_ROW, lambda arrays: (take(arrays)[arrays.rows], None))

    match name:
        case "Value":
            return _combined(
                "float",
                lambda values: values.astype(np.float64),
                column("float", lambda arrays: arrays.log.values),
            )
        case "Timestamp" | "Updated":
            return column("time", lambda arrays: arrays.log.times)
        case "FeedbackType":
            return column("type", lambda arrays: arrays.log.types)
        case "UserId":
            return column("user", lambda arrays: arrays.log.users)
        case "ItemId":
            return column("item", lambda arrays: arrays.log.items)
    raise _Unsuited


def _one_of(step: _Step, wanted: list[str]) -> _Step:
    """Whether a text is one of these; the texts are looked up once and numbers compared."""
    find = {"type": _find_type, "user": _find_user, "item": _find_item}.get(step.kind)
    if find is None:
        raise _Unsuited

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        matched = np.zeros(len(values), dtype=bool)
        for text in wanted:
            number = find(arrays, text)
            if number is not None:
                matched |= values == number
        return matched, unsure

    return _Step("bool", step.level, compute)


def _find_type(arrays: ItemArrays, text: str) -> int | None:
    return arrays.log.type_names.index(text) if text in arrays.log.type_names else None


def _find_user(arrays: ItemArrays, text: str) -> int | None:
    return arrays.snapshot.users.ids.find(text)


def _find_item(arrays: ItemArrays, text: str) -> int | None:
    return arrays.table.ids.find(text)


def _in_category(arrays: ItemArrays, name: str) -> BoolVector:
    return arrays.table.in_categories([name])[arrays.items]


# Operators


def _unary(operator: str, operand: _Step) -> _Step:
    if operator == "not" and operand.kind == "bool":
        return _combined("bool", np.logical_not, operand)
    if operator in "+-" and operand.kind in _NUMBERS:
        return operand if operator == "+" else _combined(operand.kind, np.negative, operand)
    raise _Unsuited


_COMPARISONS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply}


def _binary(operator: str, left: _Step, right: _Step) -> _Step:
    kinds = left.kind, right.kind
    numbers = left.kind in _NUMBERS and right.kind in _NUMBERS
    if operator in ("and", "or") and kinds == ("bool", "bool"):
        return _combined("bool", np.logical_and if operator == "and" else np.logical_or, left, right)
    if operator in _COMPARISONS and (numbers or kinds in (("time", "time"), ("duration", "duration"))):
        return _combined("bool", _COMPARISONS[operator], left, right)
    if operator in _ARITHMETIC and numbers:
        return _combined("float" if "float" in kinds else "int", _ARITHMETIC[operator], left, right)
    if operator == "/" and numbers:
        return _combined("float", _divide, left, right)
    if operator == "^" and numbers:
        return _combined("float", _power, left, right)
    if operator == "%" and kinds == ("int", "int"):
        divisor = _doubtful(right, lambda values: values == 0)
        return _combined("int", lambda a, b: np.fmod(a, np.where(b == 0, 1, b)), left, divisor)
    match operator, *kinds:
        case "-", "time", "time":
            return _combined("duration", _between, left, right)
        case "-", "time", "duration":
            return _combined("time", _earlier, left, right)
        case "+", "time", "duration":
            return _combined("time", _later, left, right)
        case "+", "duration", "time":
            return _combined("time", _later, right, left)
        case "+" | "-", "duration", "duration":
            return _combined("duration", _ARITHMETIC[operator], left, right)
    raise _Unsuited


def _divide(left: Values, right: Values) -> Values:
    return left.astype(np.float64) / right.astype(np.float64)


def _power(base: Values, exponent: Values) -> Values:
    """Number by number through the interpreter's own power: numpy's may differ in the last bit."""
    bases, exponents = np.broadcast_arrays(base.astype(np.float64), exponent.astype(np.float64))
    pairs = zip(bases.tolist(), exponents.tolist(), strict=True)
    return np.fromiter((float_power(a, b) for a, b in pairs), np.float64, len(bases))


def _between(left: Values, right: Values) -> Values:
    micros = left - right
    longest = INT_MAX // NANOSECONDS_PER_MICROSECOND
    nanoseconds = np.clip(micros, -longest, longest) * NANOSECONDS_PER_MICROSECOND
    return np.where(micros > longest, INT_MAX, np.where(micros < -longest, -INT_MAX - 1, nanoseconds))


def _later(time: Values, span: Values) -> Values:
    return time + span // NANOSECONDS_PER_MICROSECOND


def _earlier(time: Values, span: Values) -> Values:
    """Rounded down like ``_later``, without negating the span: the longest negative one has no opposite."""
    micros, rest = np.divmod(span, NANOSECONDS_PER_MICROSECOND)
    return time - micros - (rest > 0)


def _choice(condition: _Step, yes: _Step, no: _Step) -> _Step:
    if condition.kind != "bool" or yes.kind != no.kind or yes.kind not in _DTYPES:
        raise _Unsuited
    return _combined(yes.kind, np.where, condition, yes, no)


# Methods and functions


def _method(base: _Step, name: str, arguments: list[_Step]) -> _Step:
    kinds = (base.kind, name, *(argument.kind for argument in arguments))
    match kinds:
        case "time", "Unix":
            return _combined("int", lambda time: time // 1_000_000, base)
        case "time", "UnixMilli":
            return _combined("int", lambda time: time // 1_000, base)
        case "time", "Before" | "After", "time":
            return _binary("<" if name == "Before" else ">", base, *arguments)
        case "time", "Sub", "time":
            return _binary("-", base, *arguments)
        case "time", "Add", "duration":
            return _binary("+", base, *arguments)
        case "duration", "Hours" | "Minutes" | "Seconds":
            return _combined("float", lambda span: _in_units(span, NANOSECONDS_PER[name]), base)
        case "duration", "Milliseconds":
            return _combined("int", lambda span: _whole_units(span, NANOSECONDS_PER[name])[0], base)
        case "duration", "Nanoseconds":
            return _combined("int", lambda span: span, base)
    raise _Unsuited


def _whole_units(span: Values, unit: int) -> tuple[Values, Values]:
    rest = np.fmod(span, unit)  # fmod cuts towards zero, % would round down
    return (span - rest) // unit, rest


def _in_units(span: Values, unit: int) -> Values:
    whole, rest = _whole_units(span, unit)
    return whole.astype(np.float64) + rest.astype(np.float64) / unit


def _converted(name: str, operand: _Step) -> _Step:
    if operand.kind not in _NUMBERS:
        raise _Unsuited
    if name == "abs":
        return _combined(operand.kind, np.abs, operand)
    if name == "int":
        if operand.kind == "int":
            return operand
        inside = _doubtful(operand, lambda values: ~(np.abs(values) < 2.0**63))
        return _combined(
            "int", lambda values: np.where(np.abs(values) < 2.0**63, values, 0).astype(np.int64), inside
        )
    as_float = _combined("float", lambda values: values.astype(np.float64), operand)
    rounding = {"ceil": np.ceil, "floor": np.floor, "round": _round}.get(name)
    return as_float if rounding is None else _combined("float", rounding, as_float)


def _round(values: Values) -> Values:
    """Halves away from zero; numpy's own rounds them to even."""
    whole = np.trunc(values)
    step = np.where(np.abs(values - whole) >= 0.5, 1.0, 0.0)
    return np.where(np.isfinite(values), np.copysign(np.abs(whole) + step, values), values)


# Sums over the rows of each item


def _kept(rows: _Rows, condition: _Step) -> _Step:
    return condition if rows.kept is None else _combined("bool", np.logical_and, rows.kept, condition)


def _selected(arrays: ItemArrays, kept: _Step | None) -> tuple[NDArray[np.int64], Unsure, Values | slice]:
    """The owner of each kept row, which items are unsure, and what picks the kept rows."""
    if kept is None:
        return arrays.owners, None, slice(None)
    mask, unsure = kept.compute(arrays)
    mask = np.broadcast_to(mask, arrays.n_rows)
    return arrays.owners[mask], _of_items(arrays, unsure), mask


def _of_items(arrays: ItemArrays, unsure: Unsure) -> Unsure:
    if unsure is None:
        return None
    doubted = arrays.owners[np.broadcast_to(unsure, arrays.n_rows)]
    return np.bincount(doubted, minlength=len(arrays.items)) > 0


def _count(kept: _Step | None) -> _Step:
    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        owners, unsure, _ = _selected(arrays, kept)
        return np.bincount(owners, minlength=len(arrays.items)).astype(np.int64), unsure

    return _Step("int", PER_ITEM, compute)


def _sum(rows: _Rows, body: _Step) -> _Step:
    if body.kind not in _NUMBERS:
        raise _Unsuited

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        owners, unsure, picked = _selected(arrays, rows.kept)
        values, body_unsure = body.compute(arrays)
        chosen = np.broadcast_to(values, arrays.n_rows)[picked]
        unsure = _either(unsure, _of_items(arrays, body_unsure))
        n_items = len(arrays.items)
        if body.kind == "float":  # bincount adds row after row, as the interpreter does
            return np.bincount(owners, chosen, minlength=n_items).astype(np.float64), unsure
        totals = np.zeros(n_items, dtype=np.int64)
        np.add.at(totals, owners, chosen)
        return totals, unsure

    return _Step(body.kind, PER_ITEM, compute)


def _mean(rows: _Rows) -> _Step:
    assert rows.mapped is not None
    as_float = _combined("float", lambda values: values.astype(np.float64), rows.mapped)
    total, count = _sum(rows, as_float), _count(rows.kept)
    return _combined("float", lambda s, n: np.where(n == 0, 0.0, s / n), total, count)


def _extreme(reduce: np.ufunc) -> Callable[[_Rows], _Step]:
    def aggregate(rows: _Rows) -> _Step:
        body = rows.mapped
        assert body is not None

        def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
            owners, unsure, picked = _selected(arrays, rows.kept)
            values, body_unsure = body.compute(arrays)
            chosen = np.broadcast_to(values, arrays.n_rows)[picked]
            found, firsts = np.unique(owners, return_index=True)
            best = np.zeros(len(arrays.items), dtype=chosen.dtype)
            doubt = np.ones(len(arrays.items), dtype=bool)  # of nothing there is no extreme
            if len(found):
                best[found] = reduce.reduceat(chosen, firsts)
                doubt[found] = np.isnan(best[found])  # NaN counts or not, depending on where it stands
            return best, _either(doubt, _either(unsure, _of_items(arrays, body_unsure)))

        return _Step(body.kind, PER_ITEM, compute)

    return aggregate


_AGGREGATES: dict[str, Callable[[_Rows], _Step]] = {
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
    "mean": _mean,
}
