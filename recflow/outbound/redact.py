"""Keeps credentials out of every text a person may see.

Services like to repeat the key they refused; whatever text of theirs is shown passes through here, and is cut
only afterwards: a key cut in half can no longer be found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

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


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Each secret as it is, as it stands in a URL, and as it stands inside JSON; longest first."""
    found = {
        spelling
        for secret in secrets
        if secret
        for spelling in (
            secret,
            quote(secret, safe=""),
            quote(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        )
    }
    return tuple(sorted(found, key=lambda spelling: (-len(spelling), spelling)))


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, however it was spelled on the way."""
    pattern = _pattern(tuple(secrets))
    return pattern.sub(HIDDEN, text) if pattern is not None else text


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of them; None without one."""
    found = spellings(secrets)
    return re.compile("|".join(map(re.escape, found))) if found else None


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret, and whatever else looks like a key, replaced."""
    return _LOOKS_LIKE_A_KEY.sub(HIDDEN, hide(text, secrets))


def shown(text: str, secrets: tuple[str, ...], limit: int = SHOWN_CHARACTERS) -> str:
    """Somebody else's text, redacted, on one line and cut to a length that can be shown."""
    line = " ".join(redact(text, secrets).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class PieceHider:
    """``hide`` for a text that comes in pieces: what may be the beginning of a secret waits for the rest.

    Args:
        secrets: what must not be read in the pieces put together.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = tuple(secrets)
        self._pattern = _pattern(known)
        self._spellings = spellings(known)
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """What can be shown by now."""
        if self._pattern is None:
            return piece
        text = self._waiting + piece
        end = self._begun_at(text)
        for match in self._pattern.finditer(text):
            if match.start() < end < match.end():  # it may yet turn out to be a longer one
                end = match.start()
        self._waiting = text[end:]
        return self._pattern.sub(HIDDEN, text[:end])

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        text, self._waiting = self._waiting, ""
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text

    def _begun_at(self, text: str) -> int:
        """Where the end of the text may be the beginning of a secret; the length when nowhere."""
        longest = len(self._spellings[0]) - 1
        for start in range(max(0, len(text) - longest), len(text)):
            if any(spelling.startswith(text[start:]) for spelling in self._spellings):
                return start
        return len(text)
