"""Numbers that stand below each other: written alike, so that their points do too and the eye can compare."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

#: Digits of the largest number that are worth reading, and the most behind the point.
DIGITS, MAX_PLACES = 4, 10
#: Behind the point of numbers below ``LARGE``, whatever the largest is: 0.5 beside 12,345 must not become 0.
FEW_PLACES, LARGE = 2, 1e6


def column(values: Sequence[float | None]) -> list[str]:
    """Numbers with as many places as the largest has digits to tell, and no zeros that all of them end in.

    12345 is 12,345; what is no number is a dash.
    """
    numbers = [value for value in values if value is not None and isfinite(value)]
    places = _places(numbers)
    return [
        f"{value:z,.{places}f}".replace("-", "−") if value is not None and isfinite(value) else "–"
        for value in values
    ]


def _places(numbers: Sequence[float]) -> int:
    largest = max(map(abs, numbers), default=0.0)
    if not largest:
        return 0
    least = FEW_PLACES if largest < LARGE else 0
    places = min(max(least, DIGITS - 1 - floor(log10(largest))), MAX_PLACES)
    while places and all(f"{number:.{places}f}".endswith("0") for number in numbers):
        places -= 1
    return places
