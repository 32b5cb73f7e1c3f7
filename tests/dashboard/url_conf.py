"""Every address of the URL conf, for tests that have to hold for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver, get_resolver


def addresses() -> list[str]:
    """Each once, as it is written there: ``/api/flows/<int:flow_id>``."""
    return sorted(set(_below(get_resolver().url_patterns, "/")))


def _below(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _below(pattern.url_patterns, address)
        else:
            yield address
