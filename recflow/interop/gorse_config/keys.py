"""Which key of ``[recommend]`` is which setting of which node, and how values are written on each side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from recflow.engine.registry import NODE_TYPES
from recflow.engine.settings import duration_seconds

_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+\Z")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


@dataclass(frozen=True)
class Key:
    """One value of the configuration.

    Args:
        path: where it is, below its section; "early_stopping.patience" is in a section of its own.
        setting: what the node calls it.
        default: what Gorse takes where nothing is given. Its documentation often says otherwise.
        kind: "" for a value as it is, "duration", or "list".
    """

    path: str
    setting: str
    default: Any
    kind: str = ""

    def read(self, section: Mapping[str, Any]) -> Any:
        """The value as the setting of a node."""
        *parents, name = self.path.split(".")
        for parent in parents:
            below = section.get(parent)
            section = below if isinstance(below, Mapping) else {}
        value = section.get(name, self.default)
        if self.kind == "duration":
            return duration_text(value)
        if self.kind == "list":
            return list_of(value)
        return value


DATA_SOURCE = (
    Key("data_source.positive_feedback_types", "positive", [], "list"),
    Key("data_source.read_feedback_types", "read", [], "list"),
    Key("data_source.negative_feedback_types", "negative", [], "list"),
    Key("data_source.positive_feedback_ttl", "positive_ttl_days", 0),
    Key("data_source.item_ttl", "item_ttl_days", 0),
)
RECOMMEND = (
    Key("cache_size", "cache_size", 100),
    Key("cache_expire", "cache_expire", "72h", "duration"),
    Key("context_size", "context_size", 100),
    Key("active_user_ttl", "active_user_ttl_days", 0),
    Key("replacement.enable_replacement", "replace_seen", False),
    Key("replacement.positive_replacement_decay", "positive_decay", 0.8),
    Key("replacement.read_replacement_decay", "read_decay", 0.6),
)
_FITTING = (
    Key("fit_period", "fit_period", "60m", "duration"),
    Key("optimize_period", "optimize_period", "0s", "duration"),
    Key("optimize_trials", "optimize_trials", 10),
    Key("early_stopping.patience", "patience", 0),
)
COLLABORATIVE = _FITTING
#: By the kind of ranker node.
RANKER: dict[str, tuple[Key, ...]] = {
    "none": (),
    "fm": _FITTING,
    "llm": (Key("prompt", "prompt", ""),),
    "rerank": (
        Key("query_template", "query_template", ""),
        Key("document_template", "document_template", ""),
    ),
}
#: The four lists of recommenders, in the order their nodes are drawn.
ARRAYS: dict[str, tuple[Key, ...]] = {
    "non-personalized": (Key("score", "score", ""), Key("filter", "filter", "")),
    "user-to-user": (Key("type", "similarity", ""), Key("column", "column", "")),
    "item-to-item": (Key("type", "similarity", ""), Key("column", "column", "")),
    "external": (Key("script", "script", ""),),
}
#: What the types of similarity without a column look at.
OWN_SIMILARITY = {"item-to-item": "users", "user-to-user": "items"}


def lowered(value: Any) -> Any:
    """The value with all keys in lower case, as Gorse reads them."""
    if isinstance(value, Mapping):
        return {str(key).lower(): lowered(below) for key, below in value.items()}
    return [lowered(part) for part in value] if isinstance(value, list) else value


def section_of(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The section of that name, an empty one where there is none."""
    section = table.get(name)
    return section if isinstance(section, Mapping) else {}


def list_of(value: Any) -> list[Any]:
    """A list as Gorse reads it: a single text is a list of one."""
    return list(value) if isinstance(value, list) else [value]


def duration_text(value: Any) -> Any:
    """A duration of Gorse as a node writes it; what is none stays as it is.

    A bare whole number is nanoseconds, and microseconds may occur, which nodes do not know: both become
    seconds.
    """
    if isinstance(value, str) and _GO_DURATION.match(value):
        try:
            duration_seconds(value)
            return value
        except ValueError:
            parts = _GO_PART.findall(value)
            value = sum(float(number) * _NANOSECONDS[unit] for number, unit in parts)
    if value == "0":
        value = 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value / 10**9:f}".rstrip("0").rstrip(".") + "s"


def full_settings(node_type: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the defaults of this server; as they are where it cannot read them."""
    entry = NODE_TYPES.get(node_type)
    if entry is None:
        return dict(settings)
    try:
        return entry.read_settings(settings).model_dump(mode="json")
    except ValidationError:
        return {**(entry.defaults() if not entry.implied else {}), **settings}


def refused_settings(node_type: str, settings: Mapping[str, Any]) -> set[str]:
    """Names of settings that this server's node does not take, or not with these values."""
    entry = NODE_TYPES.get(node_type)
    if entry is None:
        return set()
    try:
        entry.read_settings(settings)
    except ValidationError as error:
        return {str(part) for fault in error.errors() for part in fault["loc"]} & set(settings) - {"kind"}
    return set()
