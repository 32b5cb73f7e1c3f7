"""Gorse's endpoints for dashboard, files and figures, and the page of metrics."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from pydantic import SecretStr

from dashboard import activation, drafts, runs
from dashboard import bulk as bulk_import
from dashboard.accounts import grant
from dashboard.api import bulk
from dashboard.catalogue import reading, writing
from dashboard.catalogue.purging import purge
from dashboard.models import Job, JobState, PreparedList
from dashboard.store import now_us
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.errors import BadRecord
from recflow.interop import gorse_dump
from recflow.interop.times import format_time

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

KEY = {"X-API-Key": "adm1n"}
DAY = 86_400_000_000
#: Noon of a day a while ago: feedback stands around it.
NOON = (now_us() // DAY - 10) * DAY + DAY // 2
FLOW = {
    "nodes": [
        {"id": "s", "type": "data-source", "settings": {"positive": ["like"], "read": ["read"]}},
        {"id": "l", "type": "latest"},
        {"id": "p", "type": "non-personalized", "name": "popular", "settings": {"score": "len(feedback)"}},
        {"id": "u", "type": "user-to-user", "name": "taste", "settings": {"similarity": "items"}},
        {"id": "c", "type": "collaborative", "settings": {"n_factors": 2, "n_epochs": 3}},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": a + b, "source": a, "target": b} for a, b in ("sl", "lr", "sp", "su", "sc")],
}


@pytest.fixture
def shop(settings):
    """ann likes a and b, bob likes a and read b a day later; c is new and nobody's."""
    section = settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("adm1n")})
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"master": section})
    writing.put_items(
        [
            ItemRecord(name, time_us=place * DAY, categories=(f"c{place}",), comment=f"title {name}")
            for place, name in enumerate("abc", start=1)
        ]
    )
    writing.put_users([UserRecord("ann", labels={"age": 3}), UserRecord("bob")])
    writing.put_feedback(
        [
            FeedbackRecord("like", "ann", "a", time_us=NOON),
            FeedbackRecord("like", "ann", "b", time_us=NOON),
            FeedbackRecord("like", "bob", "a", time_us=NOON),
            FeedbackRecord("read", "bob", "b", time_us=NOON + DAY),
        ],
        overwrite=True,
    )
    flow = drafts.create("Flow", FLOW, "ada")
    activation.activate(flow.pk, None, "", "ada")
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


@pytest.fixture
def get(client, shop):
    def request(path, status=200, headers=KEY):
        answer = client.get(f"/api{path}", headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json() if status == 200 else answer.content.decode()

    return request


PATHS = [
    "/dashboard/stats",
    "/dashboard/tasks",
    "/dashboard/cluster",
    "/dashboard/categories",
    "/dashboard/userinfo",
    "/dashboard/users",
    "/dashboard/user/ann",
    "/dashboard/user/ann/feedback",
    "/dashboard/latest",
    "/dashboard/non-personalized/popular",
    "/dashboard/recommend/ann",
    "/dashboard/timeseries/num_feedback",
    "/bulk/users",
]


@pytest.mark.parametrize("path", PATHS)
def test_strangers_are_refused(get, path):
    assert get(path, status=401, headers={}) == "unauthorized"
    assert get(path, status=401, headers={"X-API-Key": "x"}) == "unauthorized"


class TestLooking:
    def test_users_come_with_their_times(self, get):
        made = now_us()
        PreparedList.objects.create(
            version="1@1", user_id="ann", item_ids="[]", scores="[]", made_at_us=made, digest=""
        )
        first = get("/dashboard/users?n=1")
        assert first["Users"] == [
            {
                "UserId": "ann",
                "Labels": {"age": 3},
                "Comment": "",
                "LastActiveTime": format_time(NOON),
                "LastUpdateTime": format_time(made),
            }
        ]
        assert [user["UserId"] for user in get(f"/dashboard/users?cursor={first['Cursor']}")["Users"]] == [
            "bob"
        ]
        assert get("/dashboard/user/bob")["LastActiveTime"] == format_time(NOON + DAY)
        assert get("/dashboard/user/bob")["LastUpdateTime"] == "0001-01-01T00:00:00Z"
        assert get("/dashboard/user/nobody", status=404) == "nobody: user not found"

    def test_feedback_carries_its_item(self, get):
        rows = get("/dashboard/user/bob/feedback/")
        assert [(row["FeedbackType"], row["Item"]["Comment"]) for row in rows] == [
            ("read", "title b"),
            ("like", "title a"),
        ]
        assert len(get("/dashboard/user/bob/feedback/like")) == 1

    def test_lists_hold_whole_items_with_their_score(self, get):
        (first, *_) = get("/dashboard/non-personalized/popular?n=1")
        assert (first["ItemId"], first["Comment"], first["Score"]) == ("a", "title a", 2.0)
        assert [row["ItemId"] for row in get("/dashboard/latest")] == ["c", "b", "a"]
        assert [row["UserId"] for row in get("/dashboard/user-to-user/taste/ann")] == ["bob"]
        assert get("/dashboard/item-to-item/nothing/a") == []

    def test_the_whole_flow_or_one_recommender_is_run_for_a_user(self, get):
        assert [row["ItemId"] for row in get("/dashboard/recommend/ann")] == ["c"]
        assert [row["ItemId"] for row in get("/dashboard/recommend/stranger?n=2")] == ["c", "b"]
        assert [
            row["ItemId"] for row in get("/dashboard/recommend/stranger/non-personalized/popular?n=1")
        ] == ["a"]
        assert [row["ItemId"] for row in get("/dashboard/recommend/stranger/latest?category=c1")] == ["a"]
        assert "no recommender 'item-to-item/x'" in get("/dashboard/recommend/ann/item-to-item/x", status=404)


class TestFigures:
    def test_counts(self, get):
        stats = get("/dashboard/stats")
        assert (stats["NumUsers"], stats["NumItems"], stats["NumUserLabels"]) == (2, 3, 1)
        assert (stats["NumTotalPosFeedback"], stats["NumValidPosFeedback"]) == (3, 3)
        assert stats["NumValidNegFeedback"] == 1
        assert stats["MatchingModelFitTime"] == "0001-01-01T00:00:00Z"

    def test_tasks_in_gorses_words(self, get):
        Job.objects.create(kind="fit", key="k", title="Fit it", state=JobState.RUNNING, share=0.25)
        (task,) = get("/dashboard/tasks")
        assert (task["Name"], task["Status"], task["Count"], task["Total"]) == ("Fit it", "Running", 25, 100)

    def test_one_process_and_one_administrator(self, get):
        (node,) = get("/dashboard/cluster")
        assert (node["Type"], node["Version"]) == ("master", "0.1.0")
        assert get("/dashboard/userinfo") == {"name": "API key", "role": "publisher"}
        assert get("/dashboard/categories") == ["c1", "c2", "c3"]

    def ask(self, get, name, **more):
        query = {"begin": format_time(NOON - DAY), "end": format_time(NOON + DAY), **more}
        rows = get(f"/dashboard/timeseries/{name}?" + "&".join(f"{k}={v}" for k, v in query.items()))
        return [row["Value"] for row in rows]

    def test_feedback_adds_up_over_time(self, get):
        # Ends of the days before, of and after the three likes at noon; the read came a day later.
        assert self.ask(get, "num_feedback") == [0, 3, 4]
        assert self.ask(get, "num_pos_feedbacks") == [0, 3, 3]
        assert self.ask(get, "num_neg_feedbacks") == [0, 0, 1]
        assert self.ask(get, "num_feedback", duration="12h", end=format_time(NOON))[-2:] == [0, 3]

    def test_the_ratio_is_of_each_period_with_anything_seen(self, get):
        # On the first day three items were met and all of them liked, on the next one was read only.
        assert self.ask(get, "positive_feedback_ratio") == [1.0, 0.0]
        assert self.ask(get, "positive_feedback_ratio_like") == [1.0, 0.0]

    def test_numbers_of_now_and_figures_that_are_none(self, get):
        assert self.ask(get, "num_users") == [0, 2, 2]  # both came with their first likes
        assert self.ask(get, "num_items") == [3, 3, 3]
        assert self.ask(get, "cf_ndcg") == []
        assert "no figure called 'nonsense'" in get("/dashboard/timeseries/nonsense", status=404)
        assert "duration" in get("/dashboard/timeseries/num_users?duration=0s", status=400)
        assert "points" in get("/dashboard/timeseries/num_users?duration=1ms", status=400)


class TestBulk:
    def send(self, client, kind, text, status=200, headers=KEY):
        file = SimpleUploadedFile(f"{kind}.jsonl", text.encode())
        answer = client.post(f"/api/bulk/{kind}", {"file": file}, headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json() if status == 200 else answer.content.decode()

    async def export(self, async_client, kind):
        answer = await async_client.get(f"/api/bulk/{kind}", headers=KEY)
        assert answer["Content-Type"] == "application/jsonl"
        assert answer["Content-Disposition"] == f'attachment; filename="{kind}.jsonl"'
        return b"".join([block async for block in answer.streaming_content]).decode()

    async def test_what_is_exported_has_gorses_form(self, shop, async_client):
        assert (await self.export(async_client, "users")).splitlines() == [
            '{"UserId":"ann","Labels":{"age":3},"Comment":""}',
            '{"UserId":"bob","Labels":null,"Comment":""}',
        ]
        lines = (await self.export(async_client, "feedback")).splitlines()
        assert [json.loads(line)["ItemId"] for line in lines] == ["a", "b", "a", "b"]

    def test_objects_are_written_whatever_stands_between_them(self, shop, client):
        text = '{"UserId":"x"}{"UserId":"y","Labels":[true]}\n\n{"UserId":"ann","Comment":"new"}'
        assert self.send(client, "users", text) == {"RowAffected": 3}
        assert reading.get_user("y").labels == [True]  # not checked here, as in Gorse
        assert reading.get_user("ann").labels is None

    def test_feedback_overwrites(self, shop, client):
        row = '{"FeedbackType":"like","UserId":"ann","ItemId":"a","Value":5}'
        self.send(client, "feedback", row)
        self.send(client, "feedback", row)
        assert reading.feedback_of_pair("ann", "a")[0].value == 5

    def test_the_first_object_that_is_none_is_named_and_batches_before_it_stay(self, shop, monkeypatch):
        monkeypatch.setattr(bulk_import, "BATCH", 2)
        lines = [f'{{"ItemId":"i{n}"}}' for n in range(4)] + ['{"ItemId":"x/y"}', '{"ItemId":"i5"}']
        with pytest.raises(BadRecord, match="record 4: ItemId may not hold a slash, got 'x/y'"):
            bulk_import.take_in("items", io.BytesIO("\n".join(lines).encode()))
        assert [bool(reading.get_item(f"i{n}")) for n in (0, 3, 5)] == [True, True, False]

    def test_a_form_without_a_file_and_an_unknown_kind_are_refused(self, shop, client):
        answer = client.post("/api/bulk/users", {}, headers=KEY)
        assert (answer.status_code, answer.content) == (400, b"The form has no field file")
        assert "There are no cats" in self.send(client, "cats", "{}", status=404)

    def test_whoever_may_only_look_may_not_import(self, shop, client, django_user_model):
        client.force_login(django_user_model.objects.create_user("vera"))
        grant("vera", "viewer")
        assert "may not publish" in self.send(client, "users", "{}", status=403, headers={})


class TestBackup:
    async def dumped(self, async_client):
        answer = await async_client.get("/api/dump", headers=KEY)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
        return b"".join([block async for block in answer.streaming_content])

    def restored(self, client, raw, status=200, **headers):
        answer = client.post(
            "/api/restore", raw, content_type="application/octet-stream", headers=headers or KEY
        )
        assert answer.status_code == status, answer.content
        return answer.json() if status == 200 else answer.content.decode()

    async def test_what_was_dumped_is_restored_after_everything_was_deleted(self, shop, async_client, client):
        raw = await self.dumped(async_client)
        stats = json.loads(raw[raw.rindex(b"{") :])
        assert stats.pop("Duration") > 0
        assert stats == {"Users": 2, "Items": 3, "Feedback": 4}
        await sync_to_async(purge)("everything")
        await sync_to_async(writing.put_users)([UserRecord("ann", comment="somebody else")])
        again = await sync_to_async(self.restored)(client, raw)
        assert again.pop("Duration") > 0
        assert again == stats
        ann, item = await sync_to_async(lambda: (reading.get_user("ann"), reading.get_item("b")))()
        assert (ann.labels, ann.comment) == ({"age": 3}, "")
        assert (item.time_us, item.categories, item.comment) == (2 * DAY, ("c2",), "title b")
        rows = await sync_to_async(reading.feedback_of_user)("bob", until_us=now_us())
        assert [(row.type, row.item_id, row.time_us) for row in rows] == [
            ("read", "b", NOON + DAY),
            ("like", "a", NOON),
        ]

    def test_feedback_of_users_that_are_not_in_the_backup_is_left_out(self, shop, client):
        feedback = [FeedbackRecord("like", name, "c", 2.0, NOON) for name in ("nobody", "ann")]
        raw = b"".join(gorse_dump.dump([("feedback", feedback)]))
        assert self.restored(client, raw)["Feedback"] == 2
        assert reading.get_user("nobody") is None
        assert reading.feedback_of_pair("ann", "c")[0].value == 2.0

    def test_the_first_record_that_cannot_be_stored_is_named_and_batches_before_it_stay(
        self, shop, client, monkeypatch
    ):
        monkeypatch.setattr(bulk_import, "BATCH", 2)
        users = [UserRecord("u0"), UserRecord("u1"), UserRecord("u2"), UserRecord("a\0b")]
        said = self.restored(client, b"".join(gorse_dump.dump([("users", users)])), 400)
        assert said == "record 3: UserId may not hold a null character, got 'a\\x00b'"
        assert [bool(reading.get_user(name)) for name in ("u0", "u1", "u2")] == [True, True, False]

    def test_what_is_no_backup_is_refused(self, shop, client):
        assert self.restored(client, b"hello", 400).startswith("record 0: the backup is cut off")
        assert self.restored(client, b"", 401, **{"X-API-Key": "x"}) == "unauthorized"


def packed(text):
    return base64.b64encode(text.encode()).decode()


class TestTrying:
    """A script, a template and a model, tried out before they stand in a configuration."""

    def test_a_script_gives_its_ids(self, shop, client):
        query = {"script": packed("['a', user_id, 'x']"), "user-id": "bob"}
        answer = client.get("/api/dashboard/external", query, headers=KEY)
        assert (answer.status_code, answer.json()) == (200, ["a", "bob", "x"])

    @pytest.mark.parametrize(
        ("script", "sentence"), [("1 +", "SyntaxError"), ("null", "is nothing; it must be an array of ids")]
    )
    def test_why_a_script_fails_is_told_with_status_500(self, shop, client, script, sentence):
        query = {"script": packed(script), "user-id": "bob"}
        answer = client.get("/api/dashboard/external", query, headers=KEY)
        assert answer.status_code == 500
        assert sentence in answer.content.decode()

    def test_a_prompt_is_rendered_as_in_gorse(self, shop, client):
        template = "{{ user.UserId }}:{% for f in feedback %} {{ f.ItemId }}{% endfor %}|"
        template += "{% for item in items %}{{ item.ItemId }}{{ item.missing }}{% endfor %}"
        query = {"prompt": packed(template), "user-id": "ann"}
        answer = client.get("/api/dashboard/ranker/prompt", query, headers=KEY)
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.content.decode() in ("ann: a b|cba", "ann: b a|cba")  # both likes are of one moment

    def test_query_and_documents_are_rendered_since_gorse_0_5_5(self, shop, client):
        query = {
            "query-template": packed("{{ user.UserId }} likes {{ feedback|length }}"),
            "document-template": packed("{{ item.Comment }}"),
            "user-id": "ann",
        }
        answer = client.get("/api/dashboard/ranker/prompt", query, headers=KEY)
        assert answer.json() == {"query": "ann likes 2", "documents": ["title c", "title b", "title a"]}

    @pytest.mark.parametrize(
        ("path", "query", "sentence"),
        [
            ("external", {"script": "ü", "user-id": "ann"}, "script must be a text in base64, got 'ü'"),
            ("external", {"script": packed("[]")}, "user-id is missing"),
            ("external", {"user-id": "ann"}, "script is missing"),
            ("ranker/prompt", {"prompt": packed("{{ "), "user-id": "ann"}, "unexpected"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, shop, client, path, query, sentence):
        answer = client.get(f"/api/dashboard/{path}", query, headers=KEY)
        assert answer.status_code == 400
        assert sentence in answer.content.decode()

    @pytest.mark.parametrize("path", ["external", "recommend/bob", "recommend/bob/latest"])
    def test_another_site_may_not_make_a_browser_ask_others(self, shop, client, django_user_model, path):
        client.force_login(django_user_model.objects.create_superuser("ada"))
        query = {"script": packed("['a']"), "user-id": "bob"}
        for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
            headers = {"Sec-Fetch-Site": site}
            assert client.get(f"/api/dashboard/{path}", query, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/api/user/a%00b", "/api/items?q=a%00b", "/users?q=%00", "/api/latest/%00"])
def test_an_address_with_a_null_character_is_refused_in_a_sentence(shop, client, path):
    answer = client.get(path, headers=KEY)
    assert (answer.status_code, answer.content.decode()) == (
        400,
        "An address may not hold a null character (%00)",
    )


class TestPurge:
    def test_nothing_goes_unless_all_four_are_checked(self, shop, client):
        some = ",".join(bulk.CHECK_LIST[:3])
        answer = client.post("/api/purge", {"check_list": some}, headers=KEY)
        assert (answer.status_code, b"delete_cache" in answer.content) == (400, True)
        assert reading.get_user("ann") is not None

    def test_everything_goes(self, shop, client):
        answer = client.post("/api/purge", {"check_list": ",".join(bulk.CHECK_LIST)}, headers=KEY)
        assert answer.status_code == 200
        assert (reading.get_user("ann"), reading.get_item("a")) == (None, None)
        assert reading.feedback_of_user("ann", until_us=now_us()) == []


class TestMetrics:
    def test_counters_of_process_and_databases(self, client, shop):
        Job.objects.create(kind="fit", key="k", title="Fit it")
        client.get("/api/non-personalized/popular")  # runs a node
        answer = client.get("/metrics", headers={"Authorization": "Bearer adm1n"})
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = answer.content.decode().splitlines()
        assert 'recflow_jobs{kind="fit",state="queued"} 1' in lines
        assert "recflow_lists_wanted 0" in lines
        assert any(line.startswith('recflow_node_seconds_count{type="non-personalized"} ') for line in lines)
        names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
        assert len(names) == len(set(names))
        samples = {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
        assert {re.sub("_(bucket|sum|count)$", "", name) for name in samples} <= set(names)

    def test_strangers_are_refused(self, client, shop):
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"X-API-Key": "x"}).status_code == 401


class TestMemoryOfImports:
    """Records of up to 16 MB each, ten thousand at a time, would be 160 GB."""

    USERS = tuple(UserRecord(f"u{n}", comment="x" * 100) for n in range(5))

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(bulk_import, "BATCH_BYTES", 200)

    def test_a_backup_of_large_records_is_restored_in_smaller_batches(self, monkeypatch):
        """Some 114 bytes each, so that two are more than 200; the first is read to see of what kind it is."""
        sizes = []
        monkeypatch.setattr(writing, "put_users", lambda batch: sizes.append(len(batch)))
        raw = b"".join(gorse_dump.dump([("users", self.USERS)]))
        assert bulk_import.restore(io.BytesIO(raw)) == {"Users": 5, "Items": 0, "Feedback": 0}
        assert sizes == [3, 2]

    def test_so_are_objects_of_a_stream(self, monkeypatch):
        sizes = []
        monkeypatch.setattr(bulk_import, "write_records", lambda batch: sizes.append(len(batch)))
        lines = "".join(
            f'{{"UserId": "{user.user_id}", "Comment": "{user.comment}"}}\n' for user in self.USERS
        )
        assert bulk_import.take_in("users", io.BytesIO(lines.encode())) == 5
        assert sizes == [2, 2, 1]
