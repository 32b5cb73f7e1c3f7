"""Prepared lists as rows: written by jobs, read by whoever answers requests.

They live beside the catalogue, but are none of its data: writing them does not make any snapshot old. With
Redis the rows say who has a list, and what it holds is kept there (dashboard/list_bodies.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from dashboard.list_bodies import Body, bodies
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
_COUNT_UP = (
    "INSERT INTO catalogue_list_version (id, number) VALUES (1, 1) "
    "ON CONFLICT (id) DO UPDATE SET number = catalogue_list_version.number + 1"
)


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
    rows = sorted(
        (version, made.user_id, _json(made.item_ids), _json(_finite(made.scores)), made_at_us, made.digest)
        for made in lists
    )
    elsewhere = bodies()
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        if elsewhere is not None:
            elsewhere.put(version, ((row[1], made_at_us, row[2:4]) for row in batch))
            batch = [(*row[:2], "", "", *row[4:]) for row in batch]
        with lists_change() as cursor:
            cursor.executemany(_PUT, batch)
            cursor.executemany(
                "DELETE FROM catalogue_wanted_list WHERE user_id = %s", [(row[1],) for row in batch]
            )


def find(version: str, user_id: str) -> MadeList | None:
    """The list of a user, None while there is none."""
    row = PreparedList.objects.filter(version=version, user_id=user_id).first()
    if row is None:
        return None
    body: Body | None = (row.item_ids, row.scores)
    if (elsewhere := bodies()) is not None:
        body = elsewhere.find(version, {user_id: row.made_at_us}).get(user_id)
    if body is None:
        return None
    scores = [float("nan") if score is None else score for score in json.loads(body[1])]
    return MadeList(user_id, json.loads(body[0]), scores, row.digest)


def digests(version: str, user_ids: Sequence[str], since_us: int) -> dict[str, str]:
    """User id -> what the list was made of, for lists made since then that are still there."""
    rows = PreparedList.objects.filter(version=version, user_id__in=user_ids, made_at_us__gte=since_us)
    found = {row.user_id: row for row in rows.only("version", "user_id", "digest", "made_at_us")}
    if (elsewhere := bodies()) is not None:
        there = elsewhere.find(version, {user_id: row.made_at_us for user_id, row in found.items()})
        found = {user_id: row for user_id, row in found.items() if user_id in there}
    return {user_id: row.digest for user_id, row in found.items()}


def count(version: str) -> int:
    return PreparedList.objects.filter(version=version).count()


def forget_others(version: str, before_us: int) -> None:
    """Delete the lists of other versions, and those of this one that were made before that moment."""
    old = PreparedList.objects.filter(version=version, made_at_us__lt=before_us)
    gone = list(old.values_list("user_id", flat=True)) if bodies() else []
    with lists_change():
        PreparedList.objects.exclude(version=version).delete()
        old.delete()
    if (elsewhere := bodies()) is not None:
        elsewhere.forget_others(version)
        elsewhere.forget(version, gone)


def want(user_ids: Sequence[str]) -> None:
    """Note that users should have a list soon; asking twice changes nothing."""
    asked_at_us = now_us()
    WantedList.objects.bulk_create(
        [WantedList(user_id=user_id, asked_at_us=asked_at_us) for user_id in sorted(user_ids)],
        ignore_conflicts=True,
    )


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
    with (
        transaction.atomic(using=settings.CATALOGUE_DATABASE),
        connections[settings.CATALOGUE_DATABASE].cursor() as cursor,
    ):
        # In the order in which feedback puts them there: in another one, PostgreSQL lets each of the two wait
        # for a row of the other, and ends one of them.
        cursor.executemany(
            "DELETE FROM catalogue_wanted_list WHERE user_id = %s AND asked_at_us < %s",
            [(user_id, before_us) for user_id in sorted(user_ids)],
        )


def _finite(scores: Iterable[float]) -> list[float | None]:
    """JSON knows no NaN."""
    return [float(score) if score == score else None for score in scores]


def _json(value: Any) -> str:
    return json.dumps(list(value), separators=(",", ":"), ensure_ascii=False)


@contextmanager
def lists_change() -> Iterator[Any]:
    """A transaction after which no process answers from what it remembers; gives its cursor."""
    with (
        transaction.atomic(using=settings.CATALOGUE_DATABASE),
        connections[settings.CATALOGUE_DATABASE].cursor() as cursor,
    ):
        cursor.execute(_COUNT_UP)
        yield cursor
