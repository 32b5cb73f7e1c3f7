"""Keys of programs that use the data API: named, made here, kept as digests, taken back one by one.

The key of the configuration goes on working beside them. As long as neither it nor any named key exists the
API is open; a key that was taken back still counts as one until it is forgotten, so that taking back the last
key never opens the API.

Keys are asked for at every request, also on the event loop, so each process keeps what it read for
``FRESH_S`` seconds and reads again in a thread while it goes on with what it has. After a quiet time of
twice that it is too old to go on with, for a key may have been taken back: the next request waits for a read.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from dashboard.errors import BadRequest, Conflict, NotFound
from dashboard.models import ApiKey

FRESH_S = 2.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,63}")


@dataclass(frozen=True)
class Keys:
    """All of them at one moment.

    Args:
        digests: of keys that open the API.
        any_kept: some key was made and not forgotten, be it taken back or not.
    """

    digests: frozenset[str]
    any_kept: bool

    def fit(self, key: str) -> bool:
        return digest_of(key) in self.digests


def digest_of(key: str) -> str:
    """SHA-256 will do: the keys are random, and cannot be guessed from a list of words."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make(name: str, by: str) -> str:
    """A new key, which is nowhere kept in readable form.

    Raises:
        BadRequest: the name cannot be used.
        Conflict: there is a key of that name.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "The name of a key has 1 to 64 letters, digits, spaces, dots, dashes and underscores, "
            f"got {name[:80]!r}"
        )
    key = f"rf-{secrets.token_urlsafe(32)}"
    try:
        with transaction.atomic():
            ApiKey.objects.create(name=name, digest=digest_of(key), last4=key[-4:], made_by=by)
    except IntegrityError:
        raise Conflict(f"There is a key {name!r} already") from None
    changed()
    return key


def take_back(name: str) -> None:
    """From now on the key opens nothing; in other processes within ``FRESH_S`` seconds."""
    if not ApiKey.objects.filter(name=name, taken_back_at=None).update(taken_back_at=timezone.now()):
        raise NotFound(f"There is no key {name!r} that opens anything")
    changed()


def forget(name: str) -> None:
    """Removes a key that was taken back."""
    if not ApiKey.objects.filter(name=name, taken_back_at__isnull=False).delete()[0]:
        raise NotFound(f"There is no key {name!r} that was taken back")
    changed()


def named() -> list[dict[str, Any]]:
    """All keys as they may be listed, by name."""
    columns = ("name", "last4", "made_by", "made_at", "taken_back_at")
    return list(ApiKey.objects.order_by("name").values(*columns))


class _Kept:
    """The keys as this process knows them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[Keys, float] | None = None  # until when they are good enough; one look takes both
        self._reading: Future[Keys] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="api-keys")

    def current(self) -> Keys:
        known, now = self._known, time.monotonic()
        if known is not None and now < known[1]:
            return known[0]
        with self._lock:
            is_mine = self._reading is None
            reading = self._reading = self._reading or self._thread.submit(_read)
        is_too_old = known is None or now > known[1] + FRESH_S  # nobody has asked for a while
        if known is not None and not is_too_old and (is_mine or not reading.done()):
            return known[0]
        try:
            found = reading.result()
        except Exception:
            with self._lock:
                if self._reading is reading:
                    self._reading = None
            if is_mine:
                raise
            return self.current()  # it failed for somebody else, maybe long ago: that tells nothing of now
        with self._lock:
            if self._reading is reading:
                self._reading = None
                # The same object as long as nothing has changed.
                same = known[0] if known is not None and known[0] == found else found
                self._known = (same, time.monotonic() + FRESH_S)
                return same
        return self.current()  # somebody else took it already, or a key was changed since it was begun

    def forget(self) -> None:
        with self._lock:
            self._known = self._reading = None


def _read() -> Keys:
    try:
        rows = list(ApiKey.objects.values_list("digest", "taken_back_at"))
    finally:
        connections.close_all()
    return Keys(frozenset(digest for digest, taken_back in rows if taken_back is None), bool(rows))


_kept = _Kept()


def current() -> Keys:
    """The keys of now.

    Waits for a read where there was none yet, this process has changed a key, or nobody has asked for twice
    ``FRESH_S`` seconds.
    """
    return _kept.current()


def changed() -> None:
    """A key was made or taken back: the next look reads."""
    _kept.forget()
