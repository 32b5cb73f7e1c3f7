"""What a node's settings are made of: the base model, durations, and the hints for the form."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class NodeSettings(BaseModel):
    """Settings of one node: the form, the check and the JSON schema in one place."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def duration_seconds(text: str) -> float:
    """Seconds in "72h", "1h30m" or "500ms".

    Raises:
        ValueError: the text is no such duration.
    """
    matches = list(_PART.finditer(text))
    if not matches or "".join(match.group(0) for match in matches) != text:
        raise ValueError(f"{text!r} is not a duration: write 72h, 90m, 1h30m or 30s")
    return sum(float(match.group(1)) * _SECONDS[match.group(2)] for match in matches)


def _checked(text: str) -> str:
    duration_seconds(text)
    return text


#: A duration as people write it, kept as written.
Duration = Annotated[str, AfterValidator(_checked)]


def ui(widget: str | None = None, **hints: Any) -> dict[str, Any]:
    """Hints for the form, to be given as ``json_schema_extra``."""
    return {"ui": ({"widget": widget} if widget else {}) | hints}
