"""Which JavaScript files a page needs, told before it asks: without it they are found out import by import.

A browser learns what a module imports only when it has read it, so a tree five deep takes five trips.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache

from django.conf import settings

_IMPORT = re.compile(r"""^(?:import|export)\b(?:[^"';=(]*\bfrom)?\s*["'](\.[^"']+)["']""", re.MULTILINE)


@cache
def imported_by(entry: str) -> tuple[str, ...]:
    """Every file of static/ that a module needs to begin with, itself first; what it loads later is left out.

    Args:
        entry: path of the module in static/, such as ``js/editor/main.js``.
    """
    found = [entry]
    for path in found:
        text = (settings.STATIC_DIR / path).read_text()
        names = (
            posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            for name in _IMPORT.findall(text)
        )
        found += [name for name in dict.fromkeys(names) if name not in found]
    return tuple(found)
