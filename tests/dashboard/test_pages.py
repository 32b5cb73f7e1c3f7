"""Overview, Users, Items and Data as a browser gets them, without a script."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import re
import time
from datetime import UTC, datetime
from html import unescape

import pytest
from django.contrib.auth.models import User as Account
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client

from dashboard import (
    accounts,
    activation,
    drafts,
    importing,
    item_feedback,
    kept_rates,
    overview,
    rate_chart,
    runs,
    uploads,
)
from dashboard.catalogue import browsing, reading, writing
from dashboard.jobs import ledger, runner, taking_in
from dashboard.jobs.work import Work
from dashboard.models import Feedback, Item, Job, PreparedList, User
from dashboard.views.labels import labels_text
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord

pytestmark = [pytest.mark.django_db(databases="__all__", transaction=True), pytest.mark.usefixtures("models")]

DAY = 86_400_000_000
EVIL = "<script>alert(1)</script>"
NODES = [
    {"id": "s", "type": "data-source", "settings": {"positive": ["like"], "read": ["read"]}},
    {"id": "l", "type": "latest", "name": "new ones"},
    {"id": "p", "type": "non-personalized", "name": "popular", "settings": {"score": "len(feedback)"}},
    {
        "id": "i",
        "type": "item-to-item",
        "name": "by tags",
        "settings": {"similarity": "tags", "column": "item.Labels.tags"},
    },
    {"id": "u", "type": "user-to-user", "name": "taste", "settings": {"similarity": "items"}},
    {"id": "r", "type": "recommend"},
]
EDGES = [("s", "l"), ("s", "p"), ("s", "i"), ("s", "u"), ("l", "r")]
RULES = FeedbackRules(positive=(FeedbackRule("like"),), read=(FeedbackRule("read"),))


def drawing(nodes=NODES, edges=EDGES):
    return {
        "nodes": nodes,
        "edges": [{"id": f"{a}-{b}", "source": a, "target": b} for a, b in edges],
    }


def activate(document, note=""):
    flow = drafts.create("Shop window", document, "ada")
    activation.activate(flow.pk, None, note, "ada")
    return flow


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "var"
    return settings.DATA_DIR


@pytest.fixture
def browser(db):
    client = Client()
    client.force_login(Account.objects.create_superuser("ada"))
    runs.store.snapshot(fresh=True)
    return client


def person(role):
    """The browser of somebody else, with this role."""
    accounts.add("eve", "a long password", role)
    client = Client()
    client.force_login(Account.objects.get(username="eve"))
    return client


@pytest.fixture
def shop(browser):
    """a and b share the tag x; ann and bob like both, nobody has met c."""
    writing.put_items(
        [
            ItemRecord(
                "a", time_us=DAY, categories=("kitchen",), labels={"tags": ["x"]}, comment="Apple corer"
            ),
            ItemRecord("b", time_us=2 * DAY, labels={"tags": ["x"]}, comment=EVIL),
            ItemRecord("c", time_us=3 * DAY, labels={"tags": ["z"]}),
        ]
    )
    writing.put_users([UserRecord("ann", {"city": EVIL}, "Ann"), UserRecord("bob"), UserRecord("new")])
    writing.put_feedback(
        [
            FeedbackRecord("like", "ann", "a", value=1, time_us=4 * DAY),
            FeedbackRecord("read", "ann", "a", value=3, time_us=3 * DAY),
            FeedbackRecord("like", "ann", "b", time_us=5 * DAY),
            FeedbackRecord("like", "bob", "a", time_us=6 * DAY),
            FeedbackRecord("like", "bob", "b", time_us=7 * DAY),
        ],
        overwrite=True,
    )
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()
    return browser


def get(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def words(html):
    """What a person reads, with blanks made one."""
    body = html.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


# The way in


@pytest.mark.parametrize("path", ["/", "/users", "/user?id=a", "/items", "/item?id=a", "/data"])
def test_a_stranger_is_sent_to_the_login(client, path):
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login?next=")


def test_a_stranger_gets_no_export(client):
    assert client.get("/data/export/users.jsonl").status_code == 302


def test_the_navigation_says_where_one_is(shop):
    assert '<a href="/items" aria-current="page">Items</a>' in get(shop, "/item?id=a")
    refused = shop.post("/data/purge", {"what": "users", "typed": "Delete  usres"}).content.decode()
    assert '<a href="/data" aria-current="page">Data</a>' in refused
    assert 'value="Delete  usres"' in refused  # and nothing that was typed is lost


# Overview


def test_an_empty_installation_teaches_the_first_steps(browser):
    html = get(browser, "/")
    assert 'data-testid="first-steps"' in html
    assert "No version is active" in html


def test_the_overview_counts_and_leads_to_the_live_flow(shop):
    flow = activate(drawing(), "for spring")
    text = words(html := get(shop, "/"))
    assert "Users 3 Items 3 Feedback 5 like 4 read 1" in text
    assert f'href="/flows/{flow.pk}" data-testid="open-active"' in html
    assert "By ada Note for spring" in text
    assert "first-steps" not in html


def test_the_overview_lists_what_most_people_like_and_what_came_last(shop):
    activate(drawing())
    text = words(get(shop, "/"))
    assert "Liked most Apple corer a 2" in text  # as many like b; ties keep the order of the catalogue
    assert "Newest items c 4 Jan 1970" in text


def test_a_missing_model_and_a_failed_job_need_attention(shop):
    activate(drawing())
    Job.objects.create(kind="fit", key="k", title="Train something", state="failed", error="It broke.")
    html = get(shop, "/")
    assert "Item neighbors is not trained yet: by tags may stay empty." in html
    assert "Train something failed: It broke." in html


def test_a_job_that_failed_and_then_was_done_needs_no_attention(shop):
    activate(drawing())
    Job.objects.create(kind="fit", key="k", title="Train something", state="failed", error="It broke.")
    Job.objects.create(kind="fit", key="k", title="Train something", state="done")
    assert "Train something" not in get(shop, "/")


def test_models_tell_their_age_and_quality_now_and_before(shop, monkeypatch):
    flow = activate(drawing())
    old = {"fitted_at": 0, "n_positive": 4, "metrics": {"ndcg_at_10": 0.25}}
    new = {"fitted_at": 86_400, "n_positive": 5, "metrics": {"ndcg_at_10": 0.5, "n_rows": 3}}
    monkeypatch.setattr(overview.models, "history", lambda spec: [new, old])
    (state,) = overview.model_states(overview.live().flow)
    assert state.nodes == ["by tags"]
    assert state.metrics == [("NDCG@10", 0.5)]
    assert state.before == [0.25]
    assert state.fitted_at == datetime(1970, 1, 2, tzinfo=UTC)
    assert flow.name in get(shop, "/")


@pytest.fixture
def frozen_snapshot(monkeypatch):
    """Nothing is refreshed any more, as in the seconds after a large import."""
    monkeypatch.setattr(runs.store, "_not_before", float("inf"))


def test_numbers_say_when_they_are_behind(shop, frozen_snapshot):
    assert not overview.counts().is_behind
    writing.put_users([UserRecord("later")])
    assert overview.counts().is_behind
    assert "New data are being taken into account" in get(shop, "/")


def test_with_much_feedback_the_page_does_not_wait_for_the_rate(shop, monkeypatch):
    monkeypatch.setattr(kept_rates, "_kept", None)
    monkeypatch.setattr(kept_rates, "WAITED_FOR", 4)  # there are five rows
    started = []
    monkeypatch.setattr(kept_rates.threading, "Thread", lambda **thread: started.append(thread) or Idle())
    monkeypatch.setattr(kept_rates, "_working", kept_rates.threading.Lock())
    assert "It is being worked out from all feedback" in get(shop, "/")
    get(shop, "/")
    assert len(started) == 1  # one at a time
    started[0]["target"](*started[0]["args"])
    assert "It is being worked out" not in get(shop, "/")
    assert kept_rates.rates()["days"][-1]["seen"] == 0


class Idle:
    """A thread that is never run."""

    def start(self):
        pass


def test_a_rate_of_a_moment_ago_stands_for_more_feedback_but_not_for_less(shop, monkeypatch):
    monkeypatch.setattr(kept_rates, "_kept", None)
    first = kept_rates.rates()
    monkeypatch.setattr(kept_rates, "_kept", dataclasses.replace(kept_rates._kept, good_until=float("inf")))
    writing.put_feedback([FeedbackRecord("like", "new", "c", time_us=8 * DAY)], overwrite=True)
    runs.store.snapshot(fresh=True)
    assert kept_rates.rates() is first
    purge(shop, "feedback", "delete feedback")
    runs.store.snapshot(fresh=True)
    assert kept_rates.rates() is not first


def test_the_rate_of_a_day_is_a_point_and_a_day_without_one_a_gap():
    days = [
        {"date": "2026-01-01", "seen": 10, "positive": 5, "rate": 0.5, "low": 0.2, "high": 0.8},
        {"date": "2026-01-02", "seen": 0, "positive": 0, "rate": None, "low": None, "high": None},
        {"date": "2026-01-03", "seen": 4, "positive": 1, "rate": 0.25, "low": 0.0, "high": 0.8},
    ]
    versions = [
        {"version": 7, "flow_name": "Home", "since": datetime(2026, 1, 2, 12, tzinfo=UTC)},
        {"version": 1, "flow_name": "Home", "since": datetime(2025, 1, 1, tzinfo=UTC)},
    ]
    chart = rate_chart.draw(days, versions)
    assert len(chart.points) == 2
    assert len(chart.lines) == 2  # one on each side of the gap
    assert chart.points[0]["title"] == "2026-01-01: 50.0 % of 10 seen items, 95 % interval 20.0 % to 80.0 %"
    # ticks go from 0 to 0.8; 0.5 of 0.8 stands 0.625 of the way up
    assert chart.points[0]["y"] == pytest.approx(chart.bottom - 0.625 * (chart.bottom - chart.top), abs=0.1)
    # noon of the second of three days is the middle; the version of a year before is not drawn
    assert [mark["x"] for mark in chart.marks] == [pytest.approx((chart.left + chart.right) / 2)]


def test_texts_of_activations_on_one_day_stand_below_each_other_and_name_their_flow():
    days = [
        {"date": f"2026-01-{day:02}", "seen": 0, "positive": 0, "rate": None, "low": None, "high": None}
        for day in range(1, 29)
    ]

    def went_live(number, name, day, hour=12):
        return {"version": number, "flow_name": name, "since": datetime(2026, 1, day, hour, tzinfo=UTC)}

    versions = [went_live(1, "Home", 3), went_live(1, "Shop", 3, 13), went_live(2, "Home", 28)]
    chart = rate_chart.draw(days, [*versions, went_live(3, "A" * 40, 14)])
    assert [(mark["text"], mark["text_y"] - chart.top, mark["anchor"]) for mark in chart.marks] == [
        ("Home v1", 10, "start"),
        ("Shop v1", 24, "start"),
        ("A" * 23 + "… v3", 10, "start"),
        ("Home v2", 10, "end"),
    ]
    crowd = rate_chart.draw(days, [went_live(number, "Home", 3) for number in range(1, 20)])
    shown = [mark["text"] for mark in crowd.marks if mark["text"]]
    assert shown == [f"Home v{number}" for number in range(1, 7)]  # half of 182 pixels, 14 for each
    assert len(crowd.marks) == 19


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (0, [0, 0.5, 1]),
        (0.8, [0, 0.2, 0.4, 0.6, 0.8]),
        (0.011, [0, 0.005, 0.01, 0.015]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_ticks_are_round_and_reach_the_top(top, ticks):
    assert rate_chart.ticks_to(top) == pytest.approx(ticks)


# Users


def test_users_are_found_by_the_beginning_of_their_id(shop):
    text = words(get(shop, "/users?q=a"))
    assert "ann Ann 3" in text
    assert "bob" not in text


@pytest.mark.parametrize("sign", ["%", "_", "'"])
def test_signs_of_the_database_find_nothing(shop, sign):
    assert browsing.users_beginning_with(sign).rows == []
    assert browsing.items_matching(sign).rows == []


def test_pages_of_users_follow_each_other_without_a_gap(browser, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    writing.put_users([UserRecord(f"u{n}") for n in range(5)])
    pages = [browsing.users_beginning_with("u", number) for number in (1, 2, 3)]
    assert [[row.user_id for row in page.rows] for page in pages] == [["u0", "u1"], ["u2", "u3"], ["u4"]]
    assert [page.has_next for page in pages] == [True, True, False]
    monkeypatch.setattr(browsing, "MAX_PAGE", 2)
    last = browsing.users_beginning_with("u", 2)
    assert (last.has_next, last.is_cut) == (False, True)


def test_the_search_stays_when_a_page_is_turned(browser, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 1)
    writing.put_users([UserRecord("u&1"), UserRecord("u&2")])
    assert 'href="?q=u%26&amp;page=2"' in get(browser, "/users?q=u%26")


@pytest.mark.parametrize("number", ["-1", "0", "x", "²", "99999999999"])
def test_a_page_that_is_no_number_shows_one_all_the_same(shop, number):
    get(shop, f"/users?page={number}")


def test_a_user_shows_feedback_recommendations_and_similar_users(shop):
    activate(drawing())
    text = words(html := get(shop, "/user?id=ann"))
    assert "Similar users By taste bob" in text
    assert "1 c new ones" in text  # the only item ann has not met, and who proposed it
    assert "3 in all, newest first." in text
    assert "Apple corer a read 3 4 Jan 1970, 00:00" in text
    assert EVIL not in html


def test_a_recommender_is_asked_by_itself(shop):
    activate(drawing())
    shown = words(get(shop, "/user?id=new&list=p"))
    # two likes each for a and b, none for c: a and b first, in the order of the catalogue
    assert re.search(r"1 Apple corer a 2 .*2 &lt;script&gt;.* b 2", shown)


def test_a_list_that_asks_other_machines_is_only_made_on_request(shop, monkeypatch):
    activate(drawing())
    monkeypatch.setattr("dashboard.flow_lists.nodes_that_wait", lambda flow: ["shop API"])
    assert "“shop API” asks other machines" in (unasked := words(get(shop, "/user?id=ann")))
    assert "Made this moment" not in unasked
    assert "Made this moment" in words(shop.post("/user?id=ann").content.decode())


def test_without_a_node_that_compares_users_they_are_compared_by_what_they_like(shop):
    activate(drawing(NODES[:2] + NODES[-1:], [("s", "l"), ("l", "r")]))
    assert "By items liked bob" in words(get(shop, "/user?id=ann"))


def test_an_unknown_user_is_a_404_with_a_sentence(shop):
    assert "There is no user &#x27;zoe&#x27;" in get(shop, "/user?id=zoe", 404)


# Items


def test_items_are_found_by_title_in_any_case_and_by_category(shop):
    assert "Apple corer a kitchen 2 Jan 1970 3" in words(get(shop, "/items?q=CORER"))
    assert [item.item_id for item in browsing.items_matching("", "kitchen").rows] == ["a"]
    assert browsing.items_matching("", "kit").rows == []


def test_what_is_longer_than_a_database_looks_for_is_found_by_its_beginning(browser):
    title = "long " * 4_000
    writing.put_items([ItemRecord("long", comment=title), ItemRecord("other", comment="l")])
    for text in (title, title[:1_000] + "x" * 60_000):
        assert [item.item_id for item in browsing.items_matching(text).rows] == ["long"]
        assert [item.item_id for item in reading.items_like(text, 5)] == ["long"]
        assert reading.users_like(text, 5) == []


def test_an_item_whose_id_begins_with_the_text_comes_before_one_that_holds_it(browser):
    writing.put_items([ItemRecord("1", comment="tea pot"), ItemRecord("tea")])
    assert [item.item_id for item in browsing.items_matching("tea").rows] == ["tea", "1"]


def test_an_item_shows_counts_neighbors_and_who_liked_it_lately(shop):
    activate(drawing())
    text = words(html := get(shop, "/item?id=a"))
    assert "like 2 read 1" in text
    assert "Neighbors: by tags &lt;script&gt;alert(1)&lt;/script&gt; b" in text
    assert "Liked lately by bob like 7 Jan 1970 ann like 1 5 Jan 1970" in text
    assert EVIL not in html


def test_an_item_newer_than_the_snapshot_is_shown(shop, frozen_snapshot):
    writing.put_items([ItemRecord("fresh", comment="Fresh")])
    assert "This item just came" in get(shop, "/item?id=fresh")


def test_whoever_likes_an_item_in_two_ways_is_named_once(shop):
    writing.put_feedback([FeedbackRecord("star", "ann", "a", time_us=9 * DAY)], overwrite=True)
    snapshot = runs.store.snapshot(fresh=True)
    rules = FeedbackRules(positive=(FeedbackRule("like"), FeedbackRule("star")))
    likers = item_feedback.liked_lately(snapshot, rules, snapshot.items.ids.find("a"), 5)
    assert [(liker.user_id, liker.type) for liker in likers] == [("ann", "star"), ("bob", "like")]
    assert item_feedback.popular(snapshot, rules, 1) == [(snapshot.items.ids.find("a"), 2)]


def test_a_vector_among_the_labels_stands_on_one_line():
    shown = labels_text({"tags": ["[\n 1, 2"], "vector": [0.5, -1, 2e-7]})
    assert '"vector": [0.5, -1, 2e-07]' in shown
    assert '"[\\n 1, 2"' in shown


# Data: in


def upload(client, name, content, **fields):
    return client.post("/data/import", {"file": SimpleUploadedFile(name, content), **fields})


def do_jobs():
    """Do what waits, as the process beside the server does."""
    with runner.embedded() as executor:
        while (job := ledger.claim("w1")) is not None:
            runner.do(job, "w1", executor)
    return Job.objects.order_by("-pk").first()


def test_a_file_is_taken_in_by_a_job_and_rows_that_cannot_be_read_are_shown(browser, data_dir):
    lines = b'{"UserId": "eve"}\n{"UserId": ""}\n{"UserId": "dan"}\n'
    answer = upload(browser, "users.jsonl", lines)
    job = Job.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/data?import={job.pk}#import")
    assert User.objects.count() == 0
    assert "users.jsonl Queued" in words(browser.get("/data").content.decode())
    assert do_jobs().text == "2 users, 0 items, 0 feedback; 1 row could not be read"
    text = words(browser.get("/data").content.decode())
    assert "users.jsonl Done 2 users, 0 items, 0 feedback by ada" in text
    assert "1 row could not be read. Download them with the reasons." in text
    assert set(User.objects.values_list("user_id", flat=True)) == {"eve", "dan"}
    assert list((data_dir / "uploads").iterdir()) == []


def test_rows_that_could_not_be_read_are_downloaded_with_the_reasons(browser):
    upload(browser, "users.jsonl", b'{"UserId": "eve"}\n{"UserId": "\\u0000"}\n')
    address = f"/data/rejects/{do_jobs().pk}.jsonl"
    answer = browser.get(address)
    (row,) = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert (row["line"], row["reason"]) == (1, "UserId may not hold a null character, got '\\x00'")  # from 0
    assert person("viewer").get(address).status_code == 403
    assert browser.get("/data/rejects/999.jsonl").status_code == 404


def test_a_packed_table_says_by_its_header_what_it_holds(browser):
    upload(browser, "export.csv.gz", gzip.compress(b"item_id,comment\n1,One\n"))
    assert do_jobs().state == "done"
    assert reading.get_item("1").comment == "One"


def test_what_a_file_holds_can_be_chosen(browser):
    upload(browser, "x.jsonl", b'{"ItemId": "1"}\n', kind="items")
    assert do_jobs().text == "0 users, 1 items, 0 feedback"
    assert Item.objects.count() == 1


def test_a_paused_import_goes_on_behind_the_last_whole_batch(browser, monkeypatch):
    lines = b"".join(b'{"UserId": "u%d"}\n' % number for number in range(6))
    monkeypatch.setitem(importing.take_in.__kwdefaults__, "batch", 2)
    monkeypatch.setattr("dashboard.jobs.work.LOOK_EVERY_S", 0.0)
    upload(browser, "users.jsonl", lines)
    job = Job.objects.get()
    remember = Work.remember

    def pause_after_the_second_batch(work, **values):
        remember(work, **values)
        if values.get("rows") == 4:
            ledger.pause(job.pk)
            work.check()

    monkeypatch.setattr(Work, "remember", pause_after_the_second_batch)
    paused = do_jobs()
    assert (paused.state, paused.made, User.objects.count()) == ("paused", 4, 4)
    ledger.resume(job.pk)
    assert do_jobs().text == "6 users, 0 items, 0 feedback"
    assert (Job.objects.get().state, User.objects.count()) == ("done", 6)
    assert "went on behind byte" in Job.objects.get().log


def test_uploads_that_nobody_needs_any_more_are_swept_away(browser, data_dir):
    for name in ("users.jsonl", "users2.jsonl"):
        upload(browser, name, b"{}")
    live, ended = (uploads.place() / job.parameters["folder"] for job in Job.objects.order_by("pk"))
    ledger.cancel(Job.objects.order_by("pk").last().pk)
    lost, fresh, cut_off = (uploads.place() / name for name in ("lost", "fresh", "x.upload.jsonl"))
    lost.mkdir()
    fresh.mkdir()
    cut_off.touch()

    def swept_after(seconds):
        for entry in (live, ended, lost, cut_off):
            if entry.exists():
                os.utime(entry, (time.time() - seconds,) * 2)
        return taking_in.sweep()

    assert swept_after(60) == 0
    assert swept_after(2 * 3600) == 2  # lost and cut_off belong to nobody
    assert swept_after(25 * 3600) == 1  # the cancelled import may be tried again for a day
    assert sorted(uploads.place().iterdir()) == sorted([live, fresh])
    again = ledger.retry(Job.objects.order_by("pk").last().pk)
    ledger.cancel(Job.objects.order_by("pk").first().pk)
    assert do_jobs().pk == again.pk
    again.refresh_from_db()
    assert again.error == "The file users2.jsonl is no longer here: send it again"


def test_a_file_without_a_usable_header_fails_as_a_job_with_the_reason(browser):
    upload(browser, "empty.csv", b"\n")
    job = do_jobs()
    assert job.state == "failed"
    assert "empty.csv" in job.error
    assert job.error in unescape(browser.get("/data").content.decode())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("x.jsonl", "x.jsonl does not say what it holds: choose users, items or feedback"),
        ("users.pdf", "users.pdf is neither JSONL nor CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(browser, name, sentence):
    answer = upload(browser, name, b"\n")
    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_a_file_of_a_name_too_long_for_a_folder_is_taken_in_and_its_bad_rows_told(browser):
    upload(browser, f"{'é' * 240}users.csv", b"user_id,labels\nann,x\n,y\n")
    job = do_jobs()
    assert (job.state, User.objects.get().user_id) == ("done", "ann")
    assert job.parameters["name"] == "é" * 95 + "users.csv"  # 190 + 9 bytes; half an é is left out
    assert b"UserId is missing" in b"".join(browser.get(f"/data/rejects/{job.pk}.jsonl").streaming_content)


def test_an_import_without_a_file_says_so(browser):
    assert "Choose a file first" in browser.post("/data/import").content.decode()


def test_a_viewer_may_not_import(browser):
    assert upload(person("viewer"), "users.jsonl", b'{"UserId": "eve"}').status_code == 403
    assert User.objects.count() == 0


# Data: out


def test_the_backup_is_offered_to_whoever_may_take_it(browser):
    assert 'href="/api/dump"' in browser.get("/data").content.decode()
    viewer = person("viewer")
    assert 'href="/api/dump"' not in viewer.get("/data").content.decode()
    assert viewer.get("/api/dump").status_code == 403


async def test_an_export_is_read_again_line_by_line(shop):
    client = AsyncClient()
    await client.aforce_login(await Account.objects.aget(username="ada"))
    answer = await client.get("/data/export/feedback.jsonl")
    text = b"".join([block async for block in answer.streaming_content]).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["UserId"], row["ItemId"], row["FeedbackType"]) for row in rows] == [
        ("ann", "a", "like"),
        ("ann", "a", "read"),
        ("ann", "b", "like"),
        ("bob", "a", "like"),
        ("bob", "b", "like"),
    ]
    assert answer["Content-Disposition"] == 'attachment; filename="feedback.jsonl"'


async def test_a_download_that_is_broken_off_ends_the_read(shop, monkeypatch):
    from dashboard import exporting

    monkeypatch.setattr(exporting, "_BLOCK_BYTES", 1)
    ended = []
    real = exporting.one_moment
    monkeypatch.setattr(exporting, "one_moment", lambda: _told(real(), ended))
    blocks = exporting.jsonl("users")
    assert json.loads(await anext(blocks))["UserId"] == "ann"
    assert ended == []
    await blocks.aclose()
    assert ended == ["over"]


class _told:
    """A context that writes down when it ends."""

    def __init__(self, context, ended):
        self._context, self._ended = context, ended

    def __enter__(self):
        return self._context.__enter__()

    def __exit__(self, *error):
        self._ended.append("over")
        return self._context.__exit__(*error)


def test_there_is_no_export_of_anything_else(browser):
    get(browser, "/data/export/secrets.jsonl", 404)


# Data: away


def purge(client, what, typed):
    return client.post("/data/purge", {"what": what, "typed": typed})


@pytest.mark.parametrize(
    ("what", "left"),
    [("feedback", (3, 3, 0)), ("users", (0, 3, 0)), ("items", (3, 0, 0)), ("everything", (0, 0, 0))],
)
def test_what_was_chosen_and_typed_is_deleted(shop, what, left):
    PreparedList.objects.create(
        version="1@1", user_id="ann", item_ids="[]", scores="[]", made_at_us=0, digest=""
    )
    answer = purge(shop, what, f" Delete {what} ")
    assert answer["Location"] == f"/data?purged={what}"
    assert (User.objects.count(), Item.objects.count(), Feedback.objects.count()) == left
    assert PreparedList.objects.count() == 0
    snapshot = runs.store.snapshot(fresh=True)
    assert (snapshot.n_users, snapshot.n_items, len(snapshot.feedback)) == left


@pytest.mark.parametrize("typed", ["", "delete", "delete users", "everything"])
def test_nothing_is_deleted_unless_the_words_are_typed(shop, typed):
    answer = purge(shop, "everything", typed)
    assert answer.status_code == 400
    assert "Nothing was deleted" in answer.content.decode()
    assert User.objects.count() == 3


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_deleting_takes_a_publisher(shop, role):
    eve = person(role)
    assert purge(eve, "everything", "delete everything").status_code == 403
    assert User.objects.count() == 3
    assert "Delete for good" not in get(eve, "/data")


@pytest.mark.parametrize("path", ["/data/import", "/data/purge"])
def test_a_change_needs_the_token_of_the_form_and_a_post(shop, path):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(Account.objects.get())
    assert strict.post(path, {"what": "everything", "typed": "delete everything"}).status_code == 403
    assert shop.delete(path).status_code == 405
    assert shop.get(path)["Location"] == "/data"  # where a login leads that was due in between
    assert User.objects.count() == 3
