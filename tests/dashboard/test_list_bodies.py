"""What prepared lists hold, kept in a real Redis: it counts only with the row that says so."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from dashboard.catalogue.purging import purge
from dashboard.jobs import prepared
from dashboard.jobs.prepared import MadeList
from dashboard.list_bodies import RedisBodies, bodies
from dashboard.models import PreparedList

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

ITEMS = ("[1]", "[0.5]")


@pytest.fixture
def in_redis(settings, redis_url):
    settings.REDIS_URL = redis_url
    yield bodies()
    bodies().forget_others(None)


def made(user, *items, digest="d"):
    return MadeList(user, list(items), [1.0] * len(items), digest)


def test_a_list_comes_back_and_its_row_holds_nothing(in_redis):
    prepared.put("1@1", [made("ann", "a", "ü\n"), made("bob", "b")], 5)
    assert prepared.find("1@1", "ann") == made("ann", "a", "ü\n")
    assert set(PreparedList.objects.values_list("item_ids", "scores")) == {("", "")}
    assert prepared.count("1@1") == 2
    assert prepared.find("1@2", "ann") is None


def test_a_row_without_its_body_is_no_list_and_is_made_again(in_redis):
    prepared.put("1@1", [made("ann", "a"), made("bob", "b", digest="e")], 5)
    in_redis.forget("1@1", ["ann"])
    assert prepared.find("1@1", "ann") is None
    assert prepared.digests("1@1", ["ann", "bob"], 0) == {"bob": "e"}


async def test_a_body_older_than_its_row_does_not_count_and_a_newer_one_does(settings, redis_url):
    """A newer one is that of a list whose row is about to be written."""
    there = RedisBodies(redis_url)
    await sync_to_async(there.put)("9@9", [("ann", 5, ITEMS)])
    assert [await there.read("9@9", "ann", moment) for moment in (4, 5, 6)] == [ITEMS, ITEMS, None]
    assert await there.read("9@9", "bob", 5) is None
    await sync_to_async(there.forget_others)(None)
    assert await there.read("9@9", "ann", 5) is None
    await there._for_answers.aclose()
    there._redis.close()  # left to the collector, its socket may go before it, and complain in a later test


def test_other_versions_and_old_lists_are_taken_away(in_redis):
    prepared.put("1@1", [made("ann", "a")], 5)
    prepared.put("1@2", [made("ann", "a"), made("gone", "g")], 6)
    prepared.put("1@2", [made("ann", "b")], 8)
    prepared.forget_others("1@2", 7)
    assert in_redis.find("1@1", {"ann": 5}) == {}
    assert in_redis.find("1@2", {"ann": 8, "gone": 6}) == {"ann": ('["b"]', "[1.0]")}


def test_a_purge_takes_all_away(in_redis):
    prepared.put("1@1", [made("ann", "a")], 5)
    purge("everything")
    assert in_redis.find("1@1", {"ann": 5}) == {}


async def test_a_redis_that_is_gone_has_no_lists_and_says_so_once(caplog):
    nowhere = RedisBodies("redis://127.0.0.1:1/0")
    assert [await nowhere.read("1@1", "ann", 5) for _ in range(3)] == [None] * 3
    assert caplog.text.count("Redis has no prepared lists for us") == 1
