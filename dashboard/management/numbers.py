"""Numbers on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import inf


def not_negative(text: str) -> float:
    """The ``type`` of an argument that is a number from 0."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < inf:
        raise ArgumentTypeError(f"must be a number from 0, got {text!r}")
    return found


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number, and not a smaller one than this."""

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            raise ArgumentTypeError(f"must be a whole number, got {text!r}") from None
        if found < least:
            raise ArgumentTypeError(f"must be at least {least}, got {found}")
        return found

    return number
