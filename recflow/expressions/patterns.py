"""Regular expressions of ``matches``: RE2, whose time is linear in the text whatever the pattern is."""

from __future__ import annotations

from functools import lru_cache

import re2

from recflow.expressions.values import Fault

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, None when it can."""
    try:
        _compiled(pattern)
    except Fault as fault:
        return str(fault)
    return None


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return _compiled(pattern).search(_encodable(text)) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str):
    try:
        return re2.compile(_encodable(pattern), _OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        raise Fault(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
