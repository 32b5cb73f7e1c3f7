"""Server-sent events in a body that is here: is it such a stream, and what do its events hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

#: Data of the event with which a stream of completions ends.
DONE = "[DONE]"
#: Any field of the standard, or a comment, which some gateways send first to keep the connection open.
_FIRST_LINE = re.compile(r"\s*(?:data|event|id|retry)?:")


def is_event_stream(text: str, content_type: str = "") -> bool:
    """Whether it says that it is one, or begins as only a stream does; an object is none whatever it says."""
    text = text.lstrip("\ufeff \t\r\n")
    is_said = "event-stream" in content_type.lower() and text != "" and not text.startswith("{")
    return is_said or _FIRST_LINE.match(text) is not None


def documents_of_events(text: str) -> Iterator[object]:
    """What the events hold, up to the one that says it is done; what is no JSON is left out."""
    for data in _data_of_events(text):
        if data == DONE:
            return
        try:
            yield json.loads(data)
        except (ValueError, RecursionError):
            continue  # the last event of a cut stream is half an object


def is_done(text: str) -> bool:
    return any(data == DONE for data in _data_of_events(text))


def _data_of_events(text: str) -> Iterator[str]:
    """The data of each event; lines of one event are joined, as the standard has it."""
    lines: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines).strip()
            lines = []
