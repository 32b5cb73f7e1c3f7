"""The positive feedback rate by day, kept between looks: working it out goes through all feedback.

With little data a page waits for it; with much a thread works it out, and until it is done the page shows
the one before. Under a stream of writes the thread rests between two turns.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.db import connections

from dashboard.evaluation.online import online_rates
from dashboard.models import Activation
from dashboard.store import store
from recflow.data.snapshot import Snapshot

logger = logging.getLogger(__name__)

#: Days that are shown.
DAYS = 28
#: Rows of feedback up to which a page waits: about half a second.
WAITED_FOR = 200_000
#: A rate is good for this many times as long as it took to work out.
_REST = 20

_working = threading.Lock()


@dataclass(frozen=True)
class _Kept:
    """Rates that were worked out: of which database and how many activations, of which snapshot."""

    about: tuple[str, int]
    version: str
    n_feedback: int
    good_until: float
    found: dict[str, Any]

    def may_stand_for(self, snapshot: Snapshot, about: tuple[str, int]) -> bool:
        """Data that went must not be shown any more; data that came can wait a moment."""
        return self.about == about and self.n_feedback <= len(snapshot.feedback)

    def is_good_for(self, snapshot: Snapshot, about: tuple[str, int]) -> bool:
        is_over = self.version != snapshot.version and time.monotonic() >= self.good_until
        return self.may_stand_for(snapshot, about) and not is_over


_kept: _Kept | None = None


def rates() -> dict[str, Any] | None:
    """What ``online_rates`` finds, as of a moment ago; None while it is worked out for the first time."""
    snapshot = store.snapshot()
    about = (snapshot.version.partition("-")[0], Activation.objects.count())
    if _kept is not None and _kept.is_good_for(snapshot, about):
        return _kept.found
    if len(snapshot.feedback) <= WAITED_FOR:
        return _work_out(snapshot, about)
    if _working.acquire(blocking=False):
        threading.Thread(target=_in_background, args=(snapshot, about), name="rates", daemon=True).start()
    return _kept.found if _kept is not None and _kept.may_stand_for(snapshot, about) else None


def _work_out(snapshot: Snapshot, about: tuple[str, int]) -> dict[str, Any]:
    global _kept
    began = time.monotonic()
    found = online_rates(snapshot, days=DAYS)
    ended = time.monotonic()
    until = ended + _REST * (ended - began)
    _kept = _Kept(about, snapshot.version, len(snapshot.feedback), until, found)
    return found


def _in_background(snapshot: Snapshot, about: tuple[str, int]) -> None:
    try:
        _work_out(snapshot, about)
    except Exception:
        logger.exception("The positive feedback rate could not be worked out")
    finally:
        _working.release()
        connections.close_all()
