"""How much memory this process has taken at most."""

from __future__ import annotations

import resource
import sys


def peak_mb() -> float:
    """Megabytes of resident memory at its peak since the process began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
