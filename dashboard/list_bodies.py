"""Where the items of prepared lists are kept when REDIS_URL is set: in Redis, out of the database's way.

The row of a list (dashboard/models/prepared.py) stays in the database and says who has one, of which version
and made when; only what it holds is here. A body is written before its row and counts only with one, so
switching versions, purging and refreshing are as atomic as the database is. A body that is missing or older
than its row, because Redis was emptied or went back in time, is a list that is missing: the fallback
answers, and the user is queued for a new one.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable, Sequence

import redis
import redis.asyncio
from django.conf import settings

logger = logging.getLogger(__name__)

#: JSON lists of item ids and of scores, as the columns of a row hold them.
Body = tuple[str, str]

#: One Redis hash a version: user id -> when the list was made, its items, its scores, one a line.
PREFIX = "recflow:lists:"
#: Bodies sent or asked for in one round trip.
BATCH = 1_000
#: Somebody waits for an answer: rather none from the list than one later than this.
READ_PATIENCE_S = 0.5
#: Seconds in which trouble is told once; there may be thousands of requests a second.
_QUIET_S = 10.0


class RedisBodies:
    """The bodies in one Redis; written by jobs, read in the event loop by whoever answers."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=20)
        self._for_answers = redis.asyncio.Redis.from_url(
            url, socket_timeout=READ_PATIENCE_S, socket_connect_timeout=READ_PATIENCE_S
        )
        self._silent_until = 0.0

    def put(self, version: str, lists: Iterable[tuple[str, int, Body]]) -> None:
        """Keep the body of each user's list, with the moment it was made."""
        packed = {user_id: _packed(made_at_us, body) for user_id, made_at_us, body in lists}
        if packed:
            self._redis.hset(PREFIX + version, mapping=packed)

    def find(self, version: str, made: dict[str, int]) -> dict[str, Body]:
        """The bodies that are there of lists made at these moments."""
        found: dict[str, Body] = {}
        user_ids = list(made)
        for start in range(0, len(user_ids), BATCH):
            block = user_ids[start : start + BATCH]
            for user_id, packed in zip(block, self._redis.hmget(PREFIX + version, block), strict=True):
                body = _unpacked(packed, made[user_id])
                if body is not None:
                    found[user_id] = body
        return found

    def forget(self, version: str, user_ids: Sequence[str]) -> None:
        """Take away the bodies of these users."""
        for start in range(0, len(user_ids), BATCH):
            self._redis.hdel(PREFIX + version, *user_ids[start : start + BATCH])

    def forget_others(self, version: str | None) -> None:
        """Take away what belongs to another version, or all there is."""
        kept = None if version is None else (PREFIX + version).encode()
        names = [name for name in self._redis.scan_iter(match=f"{PREFIX}*", count=BATCH) if name != kept]
        if names:
            self._redis.unlink(*names)

    async def read(self, version: str, user_id: str, made_at_us: int) -> Body | None:
        """What the list made at that moment holds, None when that cannot be told."""
        try:
            return _unpacked(await self._for_answers.hget(PREFIX + version, user_id), made_at_us)
        except redis.RedisError as error:
            if time.monotonic() > self._silent_until:
                self._silent_until = time.monotonic() + _QUIET_S
                logger.warning("Redis has no prepared lists for us, so the fallback answers: %s", error)
            return None


def bodies() -> RedisBodies | None:
    """Where bodies are kept; None where the rows hold them themselves."""
    return _bodies(settings.REDIS_URL) if settings.REDIS_URL else None


@functools.cache
def _bodies(url: str) -> RedisBodies:
    return RedisBodies(url)


def _packed(made_at_us: int, body: Body) -> bytes:
    return "\n".join((str(made_at_us), *body)).encode()


def _unpacked(packed: bytes | None, made_at_us: int) -> Body | None:
    if packed is None:
        return None
    moment, item_ids, scores = packed.decode().split("\n")  # JSON of ours holds no line breaks
    # A later one is what the row is about to say: bodies are written first, so that no reader finds none.
    return (item_ids, scores) if int(moment) >= made_at_us else None
