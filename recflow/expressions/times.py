"""The calendar: reading dates and durations, parts of a time, Go's layouts. All times are UTC."""

from __future__ import annotations

import re
from collections.abc import Callable

from recflow.data.types import MICROSECONDS_PER_DAY, NO_TIME
from recflow.expressions.values import INT_MAX, Duration, Fault, Month, Time, Weekday, quoted

_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?"
_SHORT_MONTH = r"(?P<name>[A-Za-z]{3})"
_ZONE = r"(?:UTC|GMT)"
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) " + _CLOCK,
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T"
        + _CLOCK
        + r"(?:Z|(?P<sign>[+-])(?P<zone_hour>\d\d):(?P<zone_minute>\d\d))",
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) {_SHORT_MONTH} (?P<year>\d{{4}}) {_CLOCK} {_ZONE}",
        rf"[A-Z][a-z]+day, (?P<day>\d\d)-{_SHORT_MONTH}-(?P<short_year>\d\d) {_CLOCK} {_ZONE}",
        rf"(?P<day>\d\d) {_SHORT_MONTH} (?P<short_year>\d\d) (?P<hour>\d\d):(?P<minute>\d\d) {_ZONE}",
    )
)


def parse_date(text: str) -> Time:
    """A time of "2024-01-31", "2024-01-31 12:00:00", RFC 3339, RFC 1123, RFC 850 or RFC 822."""
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match:
            return _time_of(match.groupdict(), text)
    raise Fault(f"date({quoted(text)}) is not a date; write it as '2024-01-31' or '2024-01-31T12:00:00Z'.")


def _time_of(parts: dict[str, str | None], text: str) -> Time:
    def number(name: str) -> int:
        return int(parts.get(name) or 0)

    year = number("year")
    if parts.get("short_year"):
        year = number("short_year") + (1900 if number("short_year") >= 69 else 2000)
    month = number("month")
    if parts.get("name"):
        names = [name[:3] for name in _MONTHS]
        month = names.index(parts["name"]) + 1 if parts["name"] in names else 0
    day = number("day")
    exists = 1 <= month <= 12 and 1 <= day <= _days_in(year, month)
    if not exists or number("hour") > 23 or number("minute") > 59 or number("second") > 59:
        raise Fault(f"date({quoted(text)}) is not in the calendar.")
    seconds = number("hour") * 3_600 + number("minute") * 60 + number("second")
    zone = (number("zone_hour") * 60 + number("zone_minute")) * 60
    seconds += zone if parts.get("sign") == "-" else -zone
    micros = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    return Time(_days_since_1970(year, month, day) * MICROSECONDS_PER_DAY + seconds * _SECOND + micros)


def parse_duration(text: str) -> Duration:
    """A duration of "1h30m": numbers with ns, us, ms, s, m or h."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return Duration(0)
    total, position = 0, 0
    while position < len(body):
        match = _DURATION_PART.match(body, position)
        if match is None:
            break
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole[-20:] or 0) * unit if len(whole) <= 20 else INT_MAX + 1
        total += int(fraction[:18] or 0) * unit // 10 ** min(len(fraction), 18)
        position = match.end()
    if not body or position < len(body):
        days = re.fullmatch(r"(\d{1,6})(d|w)", body)
        hint = f"; write '{int(days[1]) * (24 if days[2] == 'd' else 168)}h'" if days else ""
        raise Fault(
            f"duration({quoted(text)}) is not a duration: its units are h, m, s, ms, us and ns{hint}."
        )
    if total > INT_MAX:
        raise Fault(f"duration({quoted(text)}) is longer than 292 years.")
    return Duration(-total if text[0] == "-" else total)


def year(time: Time) -> int:
    return _civil(time)[0]


def month(time: Time) -> Month:
    return Month(_civil(time)[1])


def day(time: Time) -> int:
    return _civil(time)[2]


def hour(time: Time) -> int:
    return int(time) % MICROSECONDS_PER_DAY // _HOUR


def weekday(time: Time) -> Weekday:
    return Weekday((int(time) // MICROSECONDS_PER_DAY + 4) % 7)  # 1970 began on a Thursday


def year_day(time: Time) -> int:
    return int(time) // MICROSECONDS_PER_DAY - _days_since_1970(year(time), 1, 1) + 1


def is_zero(time: Time) -> bool:
    return int(time) == NO_TIME


def in_units(duration: Duration, unit: int) -> float:
    """A duration in units of so many nanoseconds, whole units and rest apart, as Go rounds it."""
    whole, rest = _split(int(duration), unit)
    return float(whole) + float(rest) / unit


def whole_units(duration: Duration, unit: int) -> int:
    """A duration in whole units of so many nanoseconds, cut towards zero."""
    return _split(int(duration), unit)[0]


def _split(nanoseconds: int, unit: int) -> tuple[int, int]:
    whole, rest = divmod(abs(nanoseconds), unit)
    return (-whole, -rest) if nanoseconds < 0 else (whole, rest)


def time_text(time: Time) -> str:
    """As Go prints a time: 2024-03-01 12:00:00 +0000 UTC."""
    micros = int(time) % _SECOND
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return formatted(time, "2006-01-02 15:04:05") + fraction + " +0000 UTC"


def duration_text(duration: Duration) -> str:
    """As Go prints a duration: 1h30m0s, 1.5ms."""
    nanoseconds = abs(int(duration))
    sign = "-" if duration < 0 else ""
    if nanoseconds == 0:
        return "0s"
    for name, unit in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanoseconds < min(unit * 1_000, 10**9):
            return f"{sign}{_decimal(nanoseconds, unit)}{name}"
    hours, rest = divmod(nanoseconds, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    text = f"{_decimal(rest, 10**9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def month_text(value: Month) -> str:
    return _MONTHS[value - 1]


def weekday_text(value: Weekday) -> str:
    return _WEEKDAYS[value]


def formatted(time: Time, layout: str) -> str:
    """A time as text in Go's layouts, which show how Monday 2 January 2006, 15:04:05, would be written."""
    return _LAYOUT.sub(lambda match: _LAYOUT_PARTS[match[0]](time), layout)


def _twelve(time: Time) -> int:
    return hour(time) % 12 or 12


def _minute(time: Time) -> int:
    return int(time) % _HOUR // (60 * _SECOND)


def _second(time: Time) -> int:
    return int(time) % (60 * _SECOND) // _SECOND


_LAYOUT_PARTS: dict[str, Callable[[Time], str]] = {
    "January": lambda time: month_text(month(time)),
    "Monday": lambda time: weekday_text(weekday(time)),
    "2006": lambda time: f"{year(time):04}",
    "Jan": lambda time: month_text(month(time))[:3],
    "Mon": lambda time: weekday_text(weekday(time))[:3],
    "MST": lambda time: "UTC",
    "Z07:00": lambda time: "Z",
    "-07:00": lambda time: "+00:00",
    "-0700": lambda time: "+0000",
    "01": lambda time: f"{month(time):02d}",
    "002": lambda time: f"{year_day(time):03}",
    "02": lambda time: f"{day(time):02}",
    "03": lambda time: f"{_twelve(time):02}",
    "04": lambda time: f"{_minute(time):02}",
    "05": lambda time: f"{_second(time):02}",
    "06": lambda time: f"{year(time) % 100:02}",
    "15": lambda time: f"{hour(time):02}",
    "PM": lambda time: "AM" if hour(time) < 12 else "PM",
    "pm": lambda time: "am" if hour(time) < 12 else "pm",
    ".000000": lambda time: f".{int(time) % _SECOND:06}",
    ".000": lambda time: f".{int(time) % _SECOND // 1_000:03}",
    "_2": lambda time: f"{day(time):2}",
    "1": lambda time: f"{int(month(time))}",
    "2": lambda time: f"{day(time)}",
    "3": lambda time: f"{_twelve(time)}",
    "4": lambda time: f"{_minute(time)}",
    "5": lambda time: f"{_second(time)}",
}
_LAYOUT = re.compile("|".join(re.escape(part) for part in sorted(_LAYOUT_PARTS, key=len, reverse=True)))


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}}".rstrip("0") if rest else str(whole)


def _civil(time: Time) -> tuple[int, int, int]:
    """Year, month and day of the proleptic Gregorian calendar, for years before 1 and after 9999 too.

    Source: Howard Hinnant, "chrono-compatible low-level date algorithms": years that begin in March put the
    leap day last, and 400 of them have 146,097 days.
    """
    era, day_of_era = divmod(int(time) // MICROSECONDS_PER_DAY + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # months since March
    civil_month = shifted + 3 if shifted < 10 else shifted - 9
    civil_year = era * 400 + year_of_era + (civil_month <= 2)
    return civil_year, civil_month, day_of_year - (153 * shifted + 2) // 5 + 1


def _days_since_1970(civil_year: int, civil_month: int, civil_day: int) -> int:
    shifted_year = civil_year - (civil_month <= 2)
    era, year_of_era = divmod(shifted_year, 400)
    shifted = civil_month - 3 if civil_month > 2 else civil_month + 9
    day_of_year = (153 * shifted + 2) // 5 + civil_day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _days_in(civil_year: int, civil_month: int) -> int:
    if civil_month == 12:
        return 31
    return _days_since_1970(civil_year, civil_month + 1, 1) - _days_since_1970(civil_year, civil_month, 1)
