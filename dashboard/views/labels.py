"""Labels as people read them."""

from __future__ import annotations

import json
import re

#: Characters shown: an embedding may be long, and nobody reads it to its end.
MAX_SHOWN = 20_000
#: A list of numbers that was spread over lines; inside a text JSON has no line breaks, so none is met there.
_NUMBERS = re.compile(r"\[\n\s+(-?\d[^\"\[\]{}]*?)\n\s*\]")


def labels_text(labels: object) -> str:
    """Labels as indented JSON, "" for none."""
    if labels in (None, {}, []):
        return ""
    text = json.dumps(labels, ensure_ascii=False, indent=2)
    text = _NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", text)
    return (
        text
        if len(text) <= MAX_SHOWN
        else f"{text[:MAX_SHOWN]}\n… and {len(text) - MAX_SHOWN:,} characters more"
    )
