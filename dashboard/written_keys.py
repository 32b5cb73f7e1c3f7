"""Keys that stand in a drawing itself, where whoever opens the flow, or is sent its file, can read them.

They belong under Secrets in Settings, whose names templates use. What is a key can only be told by what it is
called, so this warns and keeps nobody from anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from recflow.engine.check import Problem, label_of
from recflow.engine.flow import Flow

#: A header or a part of an address with one of these words in its name holds a key.
_WORDS = frozenset({"apikey", "auth", "authorization", "cookie", "key", "password", "secret", "token"})
_QUERY = re.compile(r"[?&]([^=&#{}]+)=([^&#]*)")
_PASSWORD = re.compile(r"^\s*\w+://[^/?#@:]*:([^/?#@]+)@")


def written_keys(flow: Flow) -> list[Problem]:
    """A warning for each key that is written out in the headers or the address of a request."""
    return [
        Problem(
            "warning",
            "written_key",
            f"{label_of(node)}: whoever opens or exports this flow can read the value of {name}; keep it "
            "under Secrets in Settings and write {{ secrets.NAME }} here",
            node.id,
            field,
        )
        for node in flow.nodes
        for field, name in _found(node.settings)
    ]


def _found(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, what the key is called); settings may be those of any node, and wrong."""
    headers, url = settings.get("headers"), settings.get("url")
    if isinstance(headers, str):
        for line in headers.splitlines():
            name, _, value = line.partition(":")
            if _is_key(name, value):
                yield "headers", name.strip()
    if isinstance(url, str):
        for name, value in _QUERY.findall(url):
            if _is_key(name, value):
                yield "url", name
        if (password := _PASSWORD.match(url)) is not None and _is_written(password[1]):
            yield "url", "the password"


def _is_key(name: str, value: str) -> bool:
    return _is_written(value) and not _WORDS.isdisjoint(re.split(r"[-_ ]+", name.strip().lower()))


def _is_written(value: str) -> bool:
    """A value that a template fills in says nothing by itself."""
    return bool(value.strip()) and "{{" not in value and "{%" not in value
