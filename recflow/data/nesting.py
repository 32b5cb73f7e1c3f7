"""How deep a JSON value is nested: what can be read is not always what can be written again."""

from __future__ import annotations

#: Lists and maps inside each other. Some writers end at 250 of them, and those that recurse not far beyond.
MAX_LEVELS = 100


def is_too_deep(value: object) -> bool:
    """Whether more than ``MAX_LEVELS`` lists and maps stand inside each other."""
    layer = _containers([value])
    for _ in range(MAX_LEVELS):
        if not layer:
            return False
        inner: list[object] = []
        for part in layer:
            inner += part.values() if isinstance(part, dict) else part
        layer = _containers(inner)
    return bool(layer)


def _containers(values: list[object]) -> list[dict | list]:
    return [value for value in values if isinstance(value, dict | list)]
