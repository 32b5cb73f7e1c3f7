"""How long tests wait for what has to come about, and how they hold a promise of speed on a busy machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Seconds until something that has to come about counts as missing. Only a failing test waits so long, so it
#: is far beyond what a busy machine takes for anything.
PATIENCE_S = 180.0


def wait_until(
    holds: Callable[[], object], complaint: str | Callable[[], str], *, every_s: float = 0.02
) -> None:
    """Look again and again until it holds; fail with the complaint when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() >= end:
            raise AssertionError(complaint() if callable(complaint) else complaint)
        threading.Event().wait(every_s)


def is_within(limit: float, measure: Callable[..., float], *given: object) -> bool:
    """Does one of five tries keep the limit? Other work on a machine makes a try slower, never faster.

    Where others have the cores as well, it is stretched by how much longer than its own work anything takes.
    """
    for _ in range(5):
        taken = measure(*given)
        if taken < limit or taken < limit * _crowding():
            return True
    return False


def _crowding(own_s: float = 0.1) -> float:
    """How long that much work takes now, for each second of it; 1 where nobody else wants the core."""
    began, end = time.perf_counter(), time.thread_time() + own_s
    while time.thread_time() < end:
        """Work."""
    return (time.perf_counter() - began) / own_s
