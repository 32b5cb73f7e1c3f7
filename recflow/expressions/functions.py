"""What the functions and methods do at run time; vocabulary.py has their types and help.

Every implementation gets the frame of the evaluation first: it counts the work, and knows what time it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from recflow.expressions import times
from recflow.expressions.values import (
    INT_MAX,
    INT_MIN,
    Duration,
    Fault,
    Groups,
    Month,
    Record,
    Time,
    Weekday,
    between,
    equal,
    is_number,
    kind_of,
    later,
    limited_text,
    map_key,
    ordered,
    quoted,
    wrapped,
)

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE
)
_LARGEST_PLAIN_POWER = 5
_INT_DIGITS = 20  # more than any 64-bit number has; longer ones are not even converted


class Frame(Protocol):
    """What a function may ask of the evaluation it runs in."""

    now: Time

    def spend(self, steps: int) -> None: ...


def _text(value: object, name: str) -> str:
    if type(value) is not str:
        raise Fault(f"{name} takes a string, this is {kind_of(value)}.")
    return value


def _list(value: object, name: str) -> list:
    if type(value) is not list:
        raise Fault(f"{name} takes a list, this is {kind_of(value)}.")
    return value


def _number(value: object, name: str) -> int | float:
    if not is_number(value):
        raise Fault(f"{name} takes a number, this is {kind_of(value)}.")
    return value


def _int(value: object, name: str) -> int:
    if type(value) is not int:
        raise Fault(f"{name} takes a whole number, this is {kind_of(value)}.")
    return value


def length(frame: Frame, value: object) -> int:
    if isinstance(value, Record) or not isinstance(value, str | list | dict):
        raise Fault(f"len takes a list, a map or a string, this is {kind_of(value)}.")
    return len(value)


def absolute(frame: Frame, value: object) -> int | float:
    number = _number(value, "abs")
    return wrapped(abs(number)) if type(number) is int else abs(number)


def to_ceil(frame: Frame, value: object) -> float:
    number = float(_number(value, "ceil"))
    return math.copysign(math.ceil(number), number) if math.isfinite(number) else number


def to_floor(frame: Frame, value: object) -> float:
    number = float(_number(value, "floor"))
    return math.copysign(math.floor(number), number) if math.isfinite(number) else number


def to_round(frame: Frame, value: object) -> float:
    """To the nearest whole number, halves away from zero; Python's own rounds halves to even."""
    number = float(_number(value, "round"))
    if not math.isfinite(number):
        return number
    whole = math.trunc(number)
    step = 1 if abs(number - whole) >= 0.5 else 0
    return math.copysign(abs(whole) + step, number)


def to_int(frame: Frame, value: object) -> int:
    kind = type(value)
    if kind is float:
        if not math.isfinite(value) or not INT_MIN <= int(value) <= INT_MAX:
            raise Fault(f"int({value!r}) is beyond the whole numbers.")
        return int(value)
    if kind in (int, Duration, Month, Weekday):
        return int(value)
    if kind is str:
        if not _WHOLE.fullmatch(value) or len(value) > _INT_DIGITS or not INT_MIN <= int(value) <= INT_MAX:
            raise Fault(f"int({quoted(value)}) is not a whole number.")
        return int(value)
    raise Fault(f"int takes a number or a string, this is {kind_of(value)}.")


def to_float(frame: Frame, value: object) -> float:
    if is_number(value):
        return float(value)
    if type(value) is str:
        number = float(value) if _DECIMAL.fullmatch(value) else None
        if number is None or (math.isinf(number) and "inf" not in value.lower()):
            raise Fault(f"float({quoted(value)}) is not a number.")
        return number
    hint = "; write .Hours() or .Seconds()" if type(value) is Duration else ""
    raise Fault(f"float takes a number or a string, this is {kind_of(value)}{hint}.")


def to_text(frame: Frame, value: object) -> str:
    """As Go prints a value."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return _float_text(value)
        case Time():
            return times.time_text(value)
        case Duration():
            return times.duration_text(value)
        case Month():
            return times.month_text(value)
        case Weekday():
            return times.weekday_text(value)
        case int():
            return str(value)
        case list():
            return f"[{_joined(frame, [to_text(frame, part) for part in _counted(frame, value)])}]"
        case Record() | Groups():
            raise Fault(f"string cannot show {kind_of(value)}; name one of its fields.")
        case dict():
            parts = [f"{key}:{to_text(frame, value[key])}" for key in sorted(_counted(frame, value))]
            return f"map[{_joined(frame, parts)}]"
    raise Fault(f"string cannot show {kind_of(value)}.")


def _counted(frame: Frame, values: list | dict) -> list | dict:
    frame.spend(len(values))
    return values


def _joined(frame: Frame, parts: Sequence[str], separator: str = " ") -> str:
    return limited_text(separator, sum(map(len, parts)) + len(separator) * max(0, len(parts) - 1)).join(parts)


def _float_text(value: float) -> str:
    """The shortest digits that give the number back; an exponent below 1e-4 and from 1e6, as Go has it."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    shown = "".join(map(str, digits))
    power = len(shown) - 1 + int(exponent)
    if value and not -4 <= power <= _LARGEST_PLAIN_POWER:
        fraction = f".{shown[1:]}" if len(shown) > 1 else ""
        return f"{sign}{shown[0]}{fraction}e{power:+03d}"
    return sign + f"{Decimal(repr(abs(value))):f}".removesuffix(".0")


def _aggregated(name: str, keep: Callable[[object, object], bool]) -> Callable[..., object]:
    def aggregate(frame: Frame, *arguments: object) -> object:
        best: int | float | None = None
        for number in _numbers(frame, arguments, name):
            if best is None or keep(best, number):
                best = number
        return best

    return aggregate


def _numbers(frame: Frame, values: Sequence[object], name: str) -> list[int | float]:
    """All numbers in the arguments, lists in lists included."""
    found: list[int | float] = []
    frame.spend(len(values))
    for value in values:
        if type(value) is list:
            found.extend(_numbers(frame, value, name))
        else:
            found.append(_number(value, name))
    return found


def mean(frame: Frame, *arguments: object) -> float:
    numbers = _numbers(frame, arguments, "mean")
    return running_sum(numbers) / len(numbers) if numbers else 0.0


def running_sum(numbers: Sequence[int | float]) -> float:
    """The sum as floats from first to last, without the compensation of newer Pythons' ``sum``."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def median(frame: Frame, *arguments: object) -> float:
    numbers = sorted(float(number) for number in _numbers(frame, arguments, "median"))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def lower(frame: Frame, value: object) -> str:
    return _text(value, "lower").lower()


def upper(frame: Frame, value: object) -> str:
    """Letter by letter as in Go, so ß, which has no single capital, stays."""
    text = _text(value, "upper")
    return "".join(big if len(big := letter.upper()) == 1 else letter for letter in text)


def trim(frame: Frame, value: object, characters: object = None) -> str:
    return _text(value, "trim").strip(None if characters is None else _text(characters, "trim"))


def split(frame: Frame, value: object, separator: object, most: object = -1) -> list[str]:
    text, between_parts, limit = _text(value, "split"), _text(separator, "split"), _int(most, "split")
    if limit == 0:
        return []
    if between_parts:
        parts = text.split(between_parts, limit - 1 if limit > 0 else -1)
    else:
        parts = list(text) if limit < 0 else [*text[: limit - 1], text[limit - 1 :]][: len(text)]
    frame.spend(len(parts))
    return parts


def join(frame: Frame, values: object, separator: object = "") -> str:
    parts = [_text(part, "join") for part in _counted(frame, _list(values, "join"))]
    return _joined(frame, parts, _text(separator, "join"))


def replace(frame: Frame, value: object, old: object, new: object, most: object = -1) -> str:
    text, what, by = _text(value, "replace"), _text(old, "replace"), _text(new, "replace")
    limit = _int(most, "replace")
    times_found = text.count(what)
    if limit >= 0:
        times_found = min(times_found, limit)
    limited_text(text, len(text) + times_found * (len(by) - len(what)))
    return text.replace(what, by, times_found)


def has_prefix(frame: Frame, value: object, start: object) -> bool:
    return _text(value, "hasPrefix").startswith(_text(start, "hasPrefix"))


def has_suffix(frame: Frame, value: object, end: object) -> bool:
    return _text(value, "hasSuffix").endswith(_text(end, "hasSuffix"))


def first(frame: Frame, values: object) -> object:
    elements = _list(values, "first")
    return elements[0] if elements else None


def last(frame: Frame, values: object) -> object:
    elements = _list(values, "last")
    return elements[-1] if elements else None


def uniq(frame: Frame, values: object) -> list:
    elements = _counted(frame, _list(values, "uniq"))
    seen: set[object] = set()
    composite: list[object] = []
    found = []
    for element in elements:
        if isinstance(element, list | dict) and not isinstance(element, Record):
            if any(equal(element, other, frame.spend) for other in composite):
                continue
            composite.append(element)
        else:
            key = map_key(element)
            if key in seen and element == element:  # NaN is equal to nothing, itself included
                continue
            seen.add(key)
        found.append(element)
    return found


def now(frame: Frame) -> Time:
    return frame.now


def date(frame: Frame, value: object) -> Time:
    return times.parse_date(_text(value, "date"))


def duration(frame: Frame, value: object) -> Duration:
    return times.parse_duration(_text(value, "duration"))


FUNCTION_BODIES: dict[str, Callable[..., object]] = {
    "len": length,
    "abs": absolute,
    "ceil": to_ceil,
    "floor": to_floor,
    "round": to_round,
    "min": _aggregated("min", lambda best, number: ordered(">", best, number)),
    "max": _aggregated("max", lambda best, number: ordered("<", best, number)),
    "mean": mean,
    "median": median,
    "int": to_int,
    "float": to_float,
    "string": to_text,
    "lower": lower,
    "upper": upper,
    "trim": trim,
    "split": split,
    "join": join,
    "replace": replace,
    "hasPrefix": has_prefix,
    "hasSuffix": has_suffix,
    "first": first,
    "last": last,
    "uniq": uniq,
    "now": now,
    "date": date,
    "duration": duration,
}


def _time(value: object, name: str) -> Time:
    if type(value) is not Time:
        raise Fault(f"{name} takes a time, this is {kind_of(value)}.")
    return value


def _duration(value: object, name: str) -> Duration:
    if type(value) is not Duration:
        raise Fault(f"{name} takes a duration, this is {kind_of(value)}.")
    return value


_MICROSECONDS_PER_SECOND = 1_000_000
NANOSECONDS_PER = {"Hours": 3_600 * 10**9, "Minutes": 60 * 10**9, "Seconds": 10**9, "Milliseconds": 10**6}

#: Class of the value -> name -> the method, and how many arguments it takes.
METHOD_BODIES: dict[type, dict[str, tuple[Callable[..., object], int]]] = {
    Time: {
        "Unix": (lambda time: int(time) // _MICROSECONDS_PER_SECOND, 0),
        "UnixMilli": (lambda time: int(time) // 1_000, 0),
        "Year": (times.year, 0),
        "Month": (times.month, 0),
        "Day": (times.day, 0),
        "Hour": (times.hour, 0),
        "Weekday": (times.weekday, 0),
        "YearDay": (times.year_day, 0),
        "IsZero": (times.is_zero, 0),
        "Before": (lambda time, other: time < _time(other, "Before"), 1),
        "After": (lambda time, other: time > _time(other, "After"), 1),
        "Sub": (lambda time, other: between(time, _time(other, "Sub")), 1),
        "Add": (lambda time, other: later(time, _duration(other, "Add")), 1),
        "Format": (lambda time, layout: times.formatted(time, _text(layout, "Format")), 1),
    },
    Duration: {
        "Hours": (lambda value: times.in_units(value, NANOSECONDS_PER["Hours"]), 0),
        "Minutes": (lambda value: times.in_units(value, NANOSECONDS_PER["Minutes"]), 0),
        "Seconds": (lambda value: times.in_units(value, NANOSECONDS_PER["Seconds"]), 0),
        "Milliseconds": (lambda value: times.whole_units(value, NANOSECONDS_PER["Milliseconds"]), 0),
        "Nanoseconds": (int, 0),
    },
}
