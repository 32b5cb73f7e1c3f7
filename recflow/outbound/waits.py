"""How long to wait before the next try: what the service asked for, else a jittered backoff."""

from __future__ import annotations

import math
import random
import re
from email.utils import parsedate_to_datetime

from .messages import Answer

LONGEST_ASKED_S = 120.0

_BASE_S, _CAP_S = 0.5, 8.0
_LOADING_S = (2.0, 5.0)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")
_EPOCH = 1_000_000_000  # a "reset" above this is a point in time, not a number of seconds


def backoff(tries: int, rng: random.Random) -> float:
    """Full jitter: anything from 0 to 0.5, 1, 2, 4, then 8 s after the first, second ... try.

    Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return rng.uniform(0.0, min(_CAP_S, _BASE_S * 2 ** (tries - 1)))


def loading_step(rng: random.Random) -> float:
    """Between two looks at a service that is still loading its model."""
    return rng.uniform(*_LOADING_S)


def asked_wait(answer: Answer, wall_now: float, *, is_throttled: bool) -> float | None:
    """Seconds the service asks us to wait; None when it does not say or says nonsense.

    Reads retry-after-ms, Retry-After (seconds or a date) and, of an answer that throttles,
    x-ratelimit-reset-* (other answers carry it too, without meaning us). Of the resets only those count
    whose budget is used up, where the service says so: the token budget may refill an hour later than the
    request budget that stopped us.
    """
    milliseconds = _number(answer.header("retry-after-ms"))
    if milliseconds is not None:
        return _positive(milliseconds / 1000)
    after = answer.header("retry-after")
    if after is not None:
        seconds = _number(after)
        return _positive(_until(after, wall_now) if seconds is None else seconds)
    return _longest_reset(answer, wall_now) if is_throttled else None


def _longest_reset(answer: Answer, wall_now: float) -> float | None:
    waits = []
    for scope in ("", "-requests", "-tokens"):
        reset = answer.header(f"x-ratelimit-reset{scope}")
        left = _number(answer.header(f"x-ratelimit-remaining{scope}"))
        seconds = _duration(reset, wall_now) if reset else None
        if seconds is not None:
            waits.append((left is not None and left <= 0, seconds))
    used_up = [seconds for empty, seconds in waits if empty]
    return _positive(max(used_up or [seconds for _, seconds in waits], default=None))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds > 0 else None


def _until(date: str, wall_now: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - wall_now
    except (ValueError, OverflowError):
        return None


def _duration(text: str, wall_now: float) -> float | None:
    """``20ms``, ``6m0s``, ``1.5`` or a Unix time, in seconds from now."""
    number = _number(text)
    if number is not None:
        return number - wall_now if number > _EPOCH else number
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds, milliseconds = (_number(part) or 0.0 for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
