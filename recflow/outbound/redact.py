"""Keeps credentials out of every text a person may see.

Services like to repeat the key they refused; whatever text of theirs is shown passes through here.
"""

from __future__ import annotations

import re

from .messages import Request

HIDDEN = "[hidden]"
SHOWN_CHARACTERS = 500

_CREDENTIAL_HEADER = re.compile(r"auth|cookie|token|secret|key|password|credential", re.IGNORECASE)
_SCHEME = re.compile(r"^(bearer|basic|token|apikey)\s+", re.IGNORECASE)
_LOOKS_LIKE_A_KEY = re.compile(r"\bbearer\s+[\w.~+/=-]{6,}|\bsk-[\w*.-]{6,}", re.IGNORECASE)


def secrets_of(request: Request) -> tuple[str, ...]:
    """Every text of a request that must stay hidden, longest first."""
    found = {secret for secret in request.secrets if secret}
    for name, value in request.headers:
        if _CREDENTIAL_HEADER.search(name):
            found.update((value, _SCHEME.sub("", value)))
    # A "secret" of one or two characters would blot out half of every message.
    return tuple(sorted((text for text in found if len(text) > 2), key=len, reverse=True))


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret, and whatever else looks like a key, replaced."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)


def shown(text: str, secrets: tuple[str, ...], limit: int = SHOWN_CHARACTERS) -> str:
    """Somebody else's text, redacted, on one line and cut to a length that can be shown."""
    line = " ".join(redact(text, secrets).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
