"""Values as templates see and print them: as Gorse's templates do, so that prompts move over unchanged.

Gorse renders Go values. Three habits of theirs show in prompts: numbers in labels are floats (``24`` prints
``24.0``), maps are sorted by key, and times have Go's methods and notation.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from math import isfinite

from recflow.sandbox.frames import TIME


class Number(float):
    """A float that prints in fixed notation: at most 11 decimals, no trailing zeros but one."""

    def __str__(self) -> str:
        return printed_float(self)

    __repr__ = __str__


class Time:
    """A moment in UTC with the methods of Go's time.Time that templates use, and two of Python's."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def __str__(self) -> str:
        return self.Format("2006-01-02 15:04:05.999999 -0700 MST")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self._moment == other._moment

    def __hash__(self) -> int:
        return hash(self._moment)

    def __lt__(self, other: Time) -> bool:
        return self._moment < other._moment

    def __gt__(self, other: Time) -> bool:
        return self._moment > other._moment

    def Unix(self) -> int:
        return int(self._moment.timestamp())

    def UnixMilli(self) -> int:
        return int(self._moment.timestamp() * 1000)

    def Year(self) -> int:
        return self._moment.year

    def Month(self) -> int:
        return self._moment.month

    def Day(self) -> int:
        return self._moment.day

    def Hour(self) -> int:
        return self._moment.hour

    def Minute(self) -> int:
        return self._moment.minute

    def Second(self) -> int:
        return self._moment.second

    def Weekday(self) -> int:
        """Sunday is 0."""
        return self._moment.isoweekday() % 7

    def YearDay(self) -> int:
        return self._moment.timetuple().tm_yday

    def IsZero(self) -> bool:
        return self._moment == datetime(1, 1, 1, tzinfo=UTC)

    def Before(self, other: Time) -> bool:
        return self < other

    def After(self, other: Time) -> bool:
        return self > other

    def Equal(self, other: Time) -> bool:
        return self == other

    def UTC(self) -> Time:
        return self

    def Format(self, layout: str) -> str:
        """The moment in a Go layout, which is the reference time 2006-01-02 15:04:05 spelled as wanted."""
        return _LAYOUT_PART.sub(self._part, layout)

    def isoformat(self) -> str:
        return self._moment.isoformat()

    def strftime(self, layout: str) -> str:
        return self._moment.strftime(layout)

    def _part(self, match: re.Match[str]) -> str:
        part, moment = match[0], self._moment
        if part[0] in ".,":
            digits = f"{moment.microsecond:06d}".ljust(len(part) - 1, "0")[: len(part) - 1]
            digits = digits.rstrip("0") if part[1] == "9" else digits
            return part[0] + digits if digits else ""
        return _LAYOUT[part](moment)


_LAYOUT = {
    "2006": lambda t: f"{t.year:04d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "January": lambda t: _MONTHS[t.month - 1],
    "Jan": lambda t: _MONTHS[t.month - 1][:3],
    "01": lambda t: f"{t.month:02d}",
    "1": lambda t: str(t.month),
    "Monday": lambda t: _DAYS[t.weekday()],
    "Mon": lambda t: _DAYS[t.weekday()][:3],
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "02": lambda t: f"{t.day:02d}",
    "_2": lambda t: f"{t.day:2d}",
    "2": lambda t: str(t.day),
    "15": lambda t: f"{t.hour:02d}",
    "03": lambda t: f"{t.hour % 12 or 12:02d}",
    "3": lambda t: str(t.hour % 12 or 12),
    "04": lambda t: f"{t.minute:02d}",
    "4": lambda t: str(t.minute),
    "05": lambda t: f"{t.second:02d}",
    "5": lambda t: str(t.second),
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: "UTC",
    "Z07:00": lambda t: "Z",
    "Z0700": lambda t: "Z",
    "-07:00": lambda t: "+00:00",
    "-0700": lambda t: "+0000",
    "-07": lambda t: "+00",
}
# Not from the locale: a prompt must not depend on the machine's language.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LAYOUT_PART = re.compile(
    r"[.,](?:0+|9+)(?!\d)|January|Jan(?![a-z])|Monday|Mon(?![a-z])|"
    + "|".join(
        sorted((part for part in _LAYOUT if not part.isalpha() or part.isupper()), key=len, reverse=True)
    )
    + "|pm"
)


def wrap(value: object, *, in_labels: bool = False) -> object:
    """A received value as a template sees it: sorted keys, floats in labels, times with Go's methods."""
    match value:
        case dict():
            if TIME in value:
                return Time(datetime.fromisoformat(str(value[TIME])))
            return {key: wrap(value[key], in_labels=in_labels or key == "Labels") for key in sorted(value)}
        case list():
            return [wrap(element, in_labels=in_labels) for element in value]
        case float():
            return Number(value)
        case int() if in_labels and not isinstance(value, bool):
            return Number(value)
        case _:
            return value


def printed(value: object) -> object:
    """What ``{{ value }}`` writes: None as nothing, containers without Python's escapes."""
    match value:
        case None:
            return ""
        case float():
            return printed_float(value)
        case list() | tuple():
            return "[" + ", ".join(map(_printed_inside, value)) + "]"
        case dict():
            pairs = (f"{_printed_inside(key)}: {_printed_inside(inner)}" for key, inner in value.items())
            return "{" + ", ".join(sorted(pairs)) + "}"
        case _:
            return value


def printed_float(value: float) -> str:
    """``0.30000000000000004`` as ``0.3``, ``24.0`` as ``24.0``."""
    if not isfinite(value):
        return float.__repr__(value)
    digits = f"{float(value):.11f}".rstrip("0")
    return digits + "0" if digits.endswith(".") else digits


def to_json(value: object, indent: int | None = None) -> str:
    """The ``tojson`` filter: compact, ``1999`` for 1999.0, no HTML escapes, which only confuse a model."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, indent=indent, separators=separators)


def _printed_inside(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(printed(value))


def _plain(value: object) -> object:
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(element) for element in value]
        case float():
            return (
                int(value) if isfinite(value) and value.is_integer() and abs(value) < 1e21 else float(value)
            )
        case Time():
            return value.Format("2006-01-02T15:04:05.999999Z07:00")
        case _:
            return value
