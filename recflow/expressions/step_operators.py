"""Steps for fields, operators, methods and conversions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recflow.data.types import BoolVector
from recflow.expressions.arrays import ItemArrays, Unsure, Values
from recflow.expressions.functions import NANOSECONDS_PER
from recflow.expressions.steps import DTYPES, NUMBERS, PER_ITEM, PER_ROW, Step, Unsuited, combined, doubtful
from recflow.expressions.values import INT_MAX, NANOSECONDS_PER_MICROSECOND, float_power

# Fields


def item_field(name: str) -> Step:
    match name:
        case "IsHidden":
            return Step("bool", PER_ITEM, lambda arrays: (arrays.table.hidden[arrays.items], None))
        case "Timestamp":
            return Step("time", PER_ITEM, lambda arrays: (arrays.table.times[arrays.items], None))
        case "ItemId":
            return Step("item", PER_ITEM, lambda arrays: (arrays.items, None))
    raise Unsuited


def feedback_field(name: str) -> Step:
    def column(kind: str, take: Callable[[ItemArrays], Values]) -> Step:
        return Step(kind, PER_ROW, lambda arrays: (take(arrays)[arrays.rows], None))

    match name:
        case "Value":
            return combined(
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
    raise Unsuited


def one_of(step: Step, wanted: list[str]) -> Step:
    """Whether a text is one of these; the texts are looked up once and numbers compared."""
    find = {"type": _find_type, "user": _find_user, "item": _find_item}.get(step.kind)
    if find is None:
        raise Unsuited

    def compute(arrays: ItemArrays) -> tuple[Values, Unsure]:
        values, unsure = step.compute(arrays)
        matched = np.zeros(len(values), dtype=bool)
        for text in wanted:
            number = find(arrays, text)
            if number is not None:
                matched |= values == number
        return matched, unsure

    return Step("bool", step.level, compute)


def _find_type(arrays: ItemArrays, text: str) -> int | None:
    return arrays.log.type_names.index(text) if text in arrays.log.type_names else None


def _find_user(arrays: ItemArrays, text: str) -> int | None:
    return arrays.snapshot.users.ids.find(text)


def _find_item(arrays: ItemArrays, text: str) -> int | None:
    return arrays.table.ids.find(text)


def in_category(arrays: ItemArrays, name: str) -> BoolVector:
    return arrays.table.in_categories([name])[arrays.items]


# Operators


def unary(operator: str, operand: Step) -> Step:
    if operator == "not" and operand.kind == "bool":
        return combined("bool", np.logical_not, operand)
    if operator in "+-" and operand.kind in NUMBERS:
        return operand if operator == "+" else combined(operand.kind, np.negative, operand)
    raise Unsuited


_COMPARISONS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply}


def binary(operator: str, left: Step, right: Step) -> Step:
    kinds = left.kind, right.kind
    numbers = left.kind in NUMBERS and right.kind in NUMBERS
    if operator in ("and", "or") and kinds == ("bool", "bool"):
        return combined("bool", np.logical_and if operator == "and" else np.logical_or, left, right)
    if operator in _COMPARISONS and (numbers or kinds in (("time", "time"), ("duration", "duration"))):
        return combined("bool", _COMPARISONS[operator], left, right)
    if operator in _ARITHMETIC and numbers:
        return combined("float" if "float" in kinds else "int", _ARITHMETIC[operator], left, right)
    if operator == "/" and numbers:
        return combined("float", _divide, left, right)
    if operator == "^" and numbers:
        return combined("float", _power, left, right)
    if operator == "%" and kinds == ("int", "int"):
        divisor = doubtful(right, lambda values: values == 0)
        return combined("int", lambda a, b: np.fmod(a, np.where(b == 0, 1, b)), left, divisor)
    match operator, *kinds:
        case "-", "time", "time":
            return combined("duration", _between, left, right)
        case "-", "time", "duration":
            return combined("time", _earlier, left, right)
        case "+", "time", "duration":
            return combined("time", _later, left, right)
        case "+", "duration", "time":
            return combined("time", _later, right, left)
        case "+" | "-", "duration", "duration":
            return combined("duration", _ARITHMETIC[operator], left, right)
    raise Unsuited


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


def choice(condition: Step, yes: Step, no: Step) -> Step:
    if condition.kind != "bool" or yes.kind != no.kind or yes.kind not in DTYPES:
        raise Unsuited
    return combined(yes.kind, np.where, condition, yes, no)


# Methods and functions


def method(base: Step, name: str, arguments: list[Step]) -> Step:
    kinds = (base.kind, name, *(argument.kind for argument in arguments))
    match kinds:
        case "time", "Unix":
            return combined("int", lambda time: time // 1_000_000, base)
        case "time", "UnixMilli":
            return combined("int", lambda time: time // 1_000, base)
        case "time", "Before" | "After", "time":
            return binary("<" if name == "Before" else ">", base, *arguments)
        case "time", "Sub", "time":
            return binary("-", base, *arguments)
        case "time", "Add", "duration":
            return binary("+", base, *arguments)
        case "duration", "Hours" | "Minutes" | "Seconds":
            return combined("float", lambda span: _in_units(span, NANOSECONDS_PER[name]), base)
        case "duration", "Milliseconds":
            return combined("int", lambda span: _whole_units(span, NANOSECONDS_PER[name])[0], base)
        case "duration", "Nanoseconds":
            return combined("int", lambda span: span, base)
    raise Unsuited


def _whole_units(span: Values, unit: int) -> tuple[Values, Values]:
    rest = np.fmod(span, unit)  # fmod cuts towards zero, % would round down
    return (span - rest) // unit, rest


def _in_units(span: Values, unit: int) -> Values:
    whole, rest = _whole_units(span, unit)
    return whole.astype(np.float64) + rest.astype(np.float64) / unit


def converted(name: str, operand: Step) -> Step:
    if operand.kind not in NUMBERS:
        raise Unsuited
    if name == "abs":
        return combined(operand.kind, np.abs, operand)
    if name == "int":
        if operand.kind == "int":
            return operand
        inside = doubtful(operand, lambda values: ~(np.abs(values) < 2.0**63))
        return combined(
            "int", lambda values: np.where(np.abs(values) < 2.0**63, values, 0).astype(np.int64), inside
        )
    as_float = combined("float", lambda values: values.astype(np.float64), operand)
    rounding = {"ceil": np.ceil, "floor": np.floor, "round": _round}.get(name)
    return as_float if rounding is None else combined("float", rounding, as_float)


def _round(values: Values) -> Values:
    """Halves away from zero; numpy's own rounds them to even."""
    whole = np.trunc(values)
    step = np.where(np.abs(values - whole) >= 0.5, 1.0, 0.0)
    return np.where(np.isfinite(values), np.copysign(np.abs(whole) + step, values), values)
