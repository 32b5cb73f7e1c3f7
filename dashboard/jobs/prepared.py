"""Prepared lists as rows: written by jobs, read by whoever answers requests.

They live beside the catalogue, but are none of its data: writing them does not make any snapshot old.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from dashboard.models import PreparedList, WantedList
from dashboard.store import now_us

#: Lists written in one transaction: others wait for it some ten milliseconds.
_BATCH = 1_000

_PUT = """
INSERT INTO catalogue_prepared_list (version, user_id, item_ids, scores, made_at_us, digest)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (version, user_id) DO UPDATE SET item_ids = excluded.item_ids, scores = excluded.scores,
    made_at_us = excluded.made_at_us, digest = excluded.digest
"""


@dataclass(frozen=True)
class MadeList:
    """One user's list.

    Args:
        user_id: whose.
        item_ids: best first.
        scores: one an item; NaN for none.
        digest: of what it was made of.
    """

    user_id: str
    item_ids: Sequence[str]
    scores: Sequence[float]
    digest: str


def put(version: str, lists: Iterable[MadeList], made_at_us: int) -> None:
    """Keep the lists of a version; those that were there are replaced."""
    rows = [
        (version, made.user_id, _json(made.item_ids), _json(_finite(made.scores)), made_at_us, made.digest)
        for made in lists
    ]
    for start in range(0, len(rows), _BATCH):
        with transaction.atomic(using=settings.CATALOGUE_DATABASE), _cursor() as cursor:
            batch = sorted(rows[start : start + _BATCH])
            cursor.executemany(_PUT, batch)
            cursor.executemany(
                "DELETE FROM catalogue_wanted_list WHERE user_id = %s", [(row[1],) for row in batch]
            )


def find(version: str, user_id: str) -> MadeList | None:
    """The list of a user, None while there is none."""
    row = PreparedList.objects.filter(version=version, user_id=user_id).first()
    if row is None:
        return None
    scores = [float("nan") if score is None else score for score in json.loads(row.scores)]
    return MadeList(user_id, json.loads(row.item_ids), scores, row.digest)


def digests(version: str, user_ids: Sequence[str], since_us: int) -> dict[str, str]:
    """User id -> what the list was made of, for lists made since then."""
    rows = PreparedList.objects.filter(version=version, user_id__in=user_ids, made_at_us__gte=since_us)
    return dict(rows.values_list("user_id", "digest"))


def count(version: str) -> int:
    return PreparedList.objects.filter(version=version).count()


def forget_others(version: str, before_us: int) -> None:
    """Delete the lists of other versions, and those of this one that were made before that moment."""
    PreparedList.objects.exclude(version=version).delete()
    PreparedList.objects.filter(version=version, made_at_us__lt=before_us).delete()


def want(user_id: str) -> None:
    """Note that a user should have a list soon; asking twice changes nothing."""
    WantedList.objects.bulk_create([WantedList(user_id=user_id, asked_at_us=now_us())], ignore_conflicts=True)


def fell_behind(user_ids: Sequence[str]) -> None:
    """Note that the lists of these users are older than their taste."""
    WantedList.objects.bulk_create(
        [WantedList(user_id=user_id, asked_at_us=now_us()) for user_id in user_ids],
        update_conflicts=True,
        unique_fields=["user_id"],
        update_fields=["asked_at_us"],
    )


def wanted(n: int) -> list[str]:
    """Users who wait for a list, who was active last first."""
    return list(WantedList.objects.order_by("-asked_at_us", "user_id").values_list("user_id", flat=True)[:n])


def no_longer_wanted(user_ids: Sequence[str], before_us: int) -> None:
    """Take users off the waiting list, but for those who gave feedback since that moment."""
    WantedList.objects.filter(user_id__in=user_ids, asked_at_us__lt=before_us).delete()


def _finite(scores: Iterable[float]) -> list[float | None]:
    """JSON knows no NaN."""
    return [float(score) if score == score else None for score in scores]


def _json(value: Any) -> str:
    return json.dumps(list(value), separators=(",", ":"), ensure_ascii=False)


def _cursor() -> Any:
    return connections[settings.CATALOGUE_DATABASE].cursor()
