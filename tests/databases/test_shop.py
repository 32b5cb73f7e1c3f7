"""Saving, activating, refreshing, answering and feedback on PostgreSQL and Redis, in two web processes.

tests/crash kills servers on PostgreSQL, and test_dashboard.py asks there for lists and flows; all other
tests run on SQLite.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import redis

from dashboard.list_bodies import PREFIX
from tests import private_servers

READERS = 8


def test_both_processes_answer_from_the_lists_that_one_of_them_made(shop):
    for web in (shop.first, shop.second):
        told = web.explained("u0")
        assert (told["Source"], [item["Id"] for item in told["Items"]]) == ("prepared", ["i1", "i2", "i3"])
        assert web.recommended("u3") == ["i4", "i5", "i6"]  # likes i0 to i3


def test_what_was_read_is_served_by_no_process_once_that_is_acknowledged(shop):
    """Each user reads what stands first, tells one process, and asks both, twenty times over."""

    def read_through(number):
        user, seen = f"u{20 + number}", set()
        webs = [shop.first, shop.second]
        for turn in range(20):
            here, there = webs[(number + turn) % 2], webs[(number + turn + 1) % 2]
            item = there.recommended(user)[0]
            row = {"FeedbackType": "read", "UserId": user, "ItemId": item, "Timestamp": "2024-03-01"}
            here.ask("POST", "/api/feedback", json=[row])
            seen.add(item)
            for web in (there, here):
                again = set(web.recommended(user, 10)) & seen
                assert not again, (user, turn, again)
        return len(seen)

    with ThreadPoolExecutor(READERS) as pool:
        assert list(pool.map(read_through, range(READERS))) == [20] * READERS


def test_a_like_is_in_the_very_next_answer_of_the_other_process(shop):
    shop.second.recommended("u50")
    row = {"FeedbackType": "like", "UserId": "u50", "ItemId": "i29", "Timestamp": "2024-03-01"}
    shop.first.ask("POST", "/api/feedback", json=[row])
    assert shop.second.explained("u50")["Source"] == "live"


def test_an_item_that_was_hidden_is_served_by_no_process(shop):
    assert shop.second.recommended("u51", 1) == ["i0"]
    shop.first.ask("PATCH", "/api/item/i0", json={"IsHidden": True})
    assert shop.second.recommended("u51", 1) == ["i1"]
    shop.first.ask("PATCH", "/api/item/i0", json={"IsHidden": False})
    assert shop.second.recommended("u51", 1) == ["i0"]


def test_another_version_answers_everywhere_at_once_and_the_old_lists_until_there_are_new_ones(shop):
    before = shop.second.ask("GET", "/api/recommend/u52").headers["X-Flow-Version"]
    label = shop.activate("another")
    assert before != label
    assert shop.second.ask("GET", "/api/recommend/stranger").headers["X-Flow-Version"] == label
    shop.make_lists()
    assert shop.second.ask("GET", "/api/recommend/u52").headers["X-Flow-Version"] == label
    assert shop.second.explained("u52")["Source"] == "prepared"


def test_connections_that_were_cut_are_made_anew(shop):
    shop.second.recommended("u53")
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert shop.second.recommended("u53", 1) == ["i0"]
    row = {"FeedbackType": "read", "UserId": "u53", "ItemId": "i0", "Timestamp": "2024-03-01"}
    shop.second.ask("POST", "/api/feedback", json=[row])
    assert shop.second.recommended("u53", 1) == ["i1"]


def test_lists_are_in_redis_and_losing_them_leaves_nobody_without_an_answer(shop):
    if not shop.redis_url:
        statement = "SELECT item_ids FROM catalogue_prepared_list WHERE user_id = 'u54'"
        ((item_ids,), *_) = private_servers.rows(shop.database_url, statement)
        assert item_ids.startswith('["i0"')
        return
    label = shop.second.ask("GET", "/api/recommend/u54").headers["X-Flow-Version"]
    with redis.Redis.from_url(shop.redis_url) as client:
        assert client.hexists(PREFIX + label, "u54")
        client.flushdb()
    told = shop.second.explained("u54")
    assert (told["Source"], [item["Id"] for item in told["Items"]]) == ("fallback", ["i29", "i28", "i27"])
    shop.make_lists()
    assert shop.second.explained("u54")["Source"] == "prepared"
