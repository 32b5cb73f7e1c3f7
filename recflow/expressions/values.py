"""Values at run time, and what the operators do with them.

Numbers, texts, lists and maps are Python's own; integers stay within 64 bits. Times, durations, months and
weekdays are integers of their own classes, so that adding one to a plain number can be refused. Items,
users and feedback are records: maps with a fixed set of fields, which may be read only when they are asked
for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from recflow.errors import ExpressionError
from recflow.expressions.tree import Node

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
MAX_TEXT = 100_000
NANOSECONDS_PER_MICROSECOND = 1_000


class Fault(Exception):
    """Something cannot be evaluated; where it stands is added by whoever knows the node."""

    def at(self, node: Node) -> ExpressionError:
        return ExpressionError(str(self), position=node.start, length=node.end - node.start)


def quoted(text: str) -> str:
    """A text as a message says it: in quotes, and not much of a long one."""
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


class Time(int):
    """Microseconds since 1970, always UTC."""

    __slots__ = ()


class Duration(int):
    """Nanoseconds."""

    __slots__ = ()


class Month(int):
    """1 to 12."""

    __slots__ = ()


class Weekday(int):
    """Sunday is 0."""

    __slots__ = ()


class Record(dict):
    """An item, user or feedback: field name -> value."""

    kind = "record"
    key_fields: tuple[str, ...] = ()

    def key(self) -> tuple:
        """What tells it from others of its kind."""
        return (self.kind, *(self[name] for name in self.key_fields))


class ItemRecord(Record):
    """`item`."""

    kind = "item"
    key_fields = ("ItemId",)


class UserRecord(Record):
    """`user`."""

    kind = "user"
    key_fields = ("UserId",)


class FeedbackKeyRecord(Record):
    """What tells one feedback from another, `.FeedbackKey`."""

    kind = "feedback key"
    key_fields = ("FeedbackType", "UserId", "ItemId")


class FeedbackRecord(Record):
    """An element of `feedback`; its key's fields stand in it and under `.FeedbackKey`."""

    kind = "feedback"
    key_fields = FeedbackKeyRecord.key_fields

    def __missing__(self, name: str) -> object:
        if name != "FeedbackKey":
            raise KeyError(name)
        return FeedbackKeyRecord({part: self[part] for part in self.key_fields})


class Groups(dict):
    """What groupBy makes: key as ``map_key`` makes it -> elements."""


_KIND_NAMES = {
    type(None): "nil",
    bool: "a bool",
    int: "an int",
    float: "a float",
    str: "a string",
    list: "a list",
    dict: "a map",
    Groups: "a map",
    Time: "a time",
    Duration: "a duration",
    Month: "a month",
    Weekday: "a weekday",
}


def kind_of(value: object) -> str:
    """What an error message calls a value."""
    if isinstance(value, Record):
        return f"{'an' if value.kind == 'item' else 'a'} {value.kind}"
    return _KIND_NAMES[type(value)]


def map_key(value: object) -> object:
    """A key under which equal values meet and 1 and true do not."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is int or kind is float:
        return ("number", float(value)) if kind is float or abs(value) <= 2**53 else ("number", value)
    if isinstance(value, Record):
        return value.key()
    if kind in (list, dict, Groups):
        raise Fault(f"Elements cannot be grouped by {kind_of(value)}.")
    return (kind.__name__, int(value))


def wrapped(number: int) -> int:
    """The number as 64 bits hold it, as Go and numpy have it."""
    if INT_MIN <= number <= INT_MAX:
        return number
    return (number - INT_MIN) % 2**64 + INT_MIN


def is_number(value: object) -> bool:
    kind = type(value)
    return kind is int or kind is float


def equal(left: object, right: object, spend: Callable[[int], None]) -> bool:
    """Whether two values are the same; numbers by value, values of different kinds never.

    Args:
        left: one value.
        right: the other.
        spend: told how many parts were compared.
    """
    kind, other = type(left), type(right)
    if is_number(left) and is_number(right):
        return left == right if kind is other else float(left) == float(right)
    if kind is not other and not (isinstance(left, dict) and isinstance(right, dict)):
        return False
    if isinstance(left, Record) or isinstance(right, Record):
        return isinstance(left, Record) and isinstance(right, Record) and left.key() == right.key()
    if kind is list:
        spend(len(left))
        return len(left) == len(right) and all(equal(a, b, spend) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        spend(len(left))
        return left.keys() == right.keys() and all(equal(left[name], right[name], spend) for name in left)
    return left == right


def ordered(operator: str, left: object, right: object) -> bool:
    """``<``, ``<=``, ``>`` and ``>=`` of two numbers, texts, times or durations."""
    kind, other = type(left), type(right)
    if is_number(left) and is_number(right):
        if kind is not other:
            left, right = float(left), float(right)
    elif kind is not other or kind not in (str, Time, Duration):
        raise _misfit(operator, left, right)
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
    return left >= right


def add(left: object, right: object) -> object:
    kind, other = type(left), type(right)
    if is_number(left) and is_number(right):
        return wrapped(left + right) if kind is int and other is int else float(left) + float(right)
    if kind is str and other is str:
        return limited_text(left, len(left) + len(right)) + right
    if kind is Time and other is Duration:
        return later(left, right)
    if kind is Duration and other is Time:
        return later(right, left)
    if kind is Duration and other is Duration:
        return Duration(wrapped(left + right))
    raise _misfit("+", left, right)


def subtract(left: object, right: object) -> object:
    kind, other = type(left), type(right)
    if is_number(left) and is_number(right):
        return wrapped(left - right) if kind is int and other is int else float(left) - float(right)
    if kind is Time and other is Time:
        return between(left, right)
    if kind is Time and other is Duration:
        return later(left, Duration(-int(right)))
    if kind is Duration and other is Duration:
        return Duration(wrapped(left - right))
    raise _misfit("-", left, right)


def multiply(left: object, right: object) -> object:
    kind, other = type(left), type(right)
    if is_number(left) and is_number(right):
        return wrapped(left * right) if kind is int and other is int else float(left) * float(right)
    if Duration in (kind, other) and {kind, other} <= {Duration, int}:
        return Duration(wrapped(left * right))
    if Duration in (kind, other) and {kind, other} <= {Duration, float}:
        return float(left) * float(right)
    raise _misfit("*", left, right)


def divide(left: object, right: object) -> float:
    """Always a float; by zero an infinity or NaN, as IEEE has it."""
    if not (is_number(left) and is_number(right)):
        raise _misfit("/", left, right)
    dividend, divisor = float(left), float(right)
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def remainder(left: object, right: object) -> int:
    """What is left over, with the sign of the dividend."""
    if type(left) is not int or type(right) is not int:
        hint = "; wrap it in int(...)" if float in (type(left), type(right)) else ""
        raise Fault(f"% needs two whole numbers, these are {kind_of(left)} and {kind_of(right)}{hint}.")
    if right == 0:
        raise Fault("% by zero has no result.")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def power(left: object, right: object) -> float:
    if not (is_number(left) and is_number(right)):
        raise _misfit("^", left, right)
    return float_power(float(left), float(right))


def float_power(base: float, exponent: float) -> float:
    """The power of IEEE: infinities and NaN instead of errors."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        is_odd = exponent == math.floor(exponent) and exponent % 2 == 1
        return -math.inf if base < 0 and is_odd else math.inf
    except ValueError:
        if base:
            return math.nan  # a root of a negative number
        is_odd = exponent % 2 == 1
        return math.copysign(math.inf, base) if is_odd else math.inf  # 0 to a negative power


def later(time: Time, duration: Duration) -> Time:
    """Times have microseconds: what a duration has beyond them is rounded down."""
    return Time(int(time) + int(duration) // NANOSECONDS_PER_MICROSECOND)


def between(left: Time, right: Time) -> Duration:
    """The duration from right to left; beyond 292 years the longest there is, as in Go."""
    nanoseconds = (int(left) - int(right)) * NANOSECONDS_PER_MICROSECOND
    return Duration(min(max(nanoseconds, INT_MIN), INT_MAX))


def limited_text(text: str, length: int) -> str:
    """The text as it is, unless what is to be made of it would be too long."""
    if length > MAX_TEXT:
        raise Fault(f"A text may have {MAX_TEXT:,} characters, this would have {length:,}.")
    return text


def _misfit(operator: str, left: object, right: object) -> Fault:
    return Fault(f"{operator} does not fit {kind_of(left)} and {kind_of(right)}.")
