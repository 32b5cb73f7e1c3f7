"""A circuit breaker: after enough failures in a row, an endpoint is left alone for a while.

Closed, every call goes through. Open, every call is refused at once, so users get the fallback without
waiting for a dead service. When the time is over one probe goes through, and its outcome decides.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from recflow.errors import ServiceRefused

FAILURES_TO_OPEN = 5
OPEN_S = 60.0


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """What a page shows of a breaker."""

    state: Literal["closed", "open", "half-open"]
    reason: str = ""
    seconds_left: float = 0.0


class Breaker:
    """One endpoint's circuit, shared by every thread of the process.

    ``now`` is always a monotonic time in seconds, given by the caller.
    """

    def __init__(self, failures_to_open: int = FAILURES_TO_OPEN, open_s: float = OPEN_S) -> None:
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._reason = ""
        self._probe = 0  # the one under way, 0 for none
        self._probes = 0

    def admit(self, now: float) -> int:
        """Lets a call through, or refuses it. Whoever is let through owes one of the calls below.

        Returns:
            Which probe the call is, 0 for a call through a closed circuit; ``release`` wants to know.

        Raises:
            ServiceRefused: the circuit is open, or its one probe is under way.
        """
        with self._lock:
            if self._open_until is None:
                return 0
            left = self._open_until - now
            if left <= 0 and not self._probe:
                self._probes += 1
                self._probe = self._probes
                return self._probe
            when = f"the next try is in {left:.0f} s" if left > 0 else "one call is trying it again"
            raise ServiceRefused(
                f"It failed a moment ago ({self._reason}); {when}.",
                kind="circuit_open",
                retryable=True,
                retry_after_s=max(0.0, left),
                attempts=0,
            )

    def succeed(self) -> None:
        """The service is alive (even if it disliked the request)."""
        with self._lock:
            self._close()

    def fail(self, now: float, reason: str) -> None:
        """A failure that a later call may not meet."""
        with self._lock:
            self._failures += 1
            if self._probe or self._failures >= self._failures_to_open:
                self._open(now + self._open_s, reason)

    def open(self, now: float, reason: str, seconds: float | None = None) -> None:
        """Opens at once: the key is refused, the quota used up, or the service named a time to come back."""
        with self._lock:
            self._open(now + (self._open_s if seconds is None else seconds), reason)

    def release(self, probe: int) -> None:
        """The call that was admitted as this ended without telling anything about the service (cancelled, no
        budget). One that is no probe, or no longer the probe, leaves the probe of another call alone."""
        with self._lock:
            if probe == self._probe:
                self._probe = 0

    def reset(self) -> None:
        """Somebody changed the endpoint's settings: what was learned no longer counts."""
        with self._lock:
            self._close()

    def status(self, now: float) -> BreakerStatus:
        """The state as a page shows it."""
        with self._lock:
            if self._open_until is None:
                return BreakerStatus("closed")
            left = self._open_until - now
            return BreakerStatus("open" if left > 0 else "half-open", self._reason, max(0.0, left))

    def _open(self, until: float, reason: str) -> None:
        # A service that asked for two minutes is not tried after one because another call failed meanwhile.
        self._open_until = until if self._open_until is None else max(until, self._open_until)
        self._reason = reason
        self._probe = 0

    def _close(self) -> None:
        self._failures = 0
        self._open_until = None
        self._reason = ""
        self._probe = 0
