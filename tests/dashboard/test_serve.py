"""GET /api/recommend as a shop calls it: through the server's front door, without Django's handlers."""

from __future__ import annotations

import asyncio
import gzip
import json
from urllib.parse import quote, unquote

import pytest
from asgiref.sync import sync_to_async
from pydantic import SecretStr

from dashboard import activation, drafts, runs
from dashboard.api.serve import LONGEST_KEPT, _parsed
from dashboard.catalogue import writing
from recflow.asgi import application
from recflow.data.records import FeedbackRecord, ItemRecord

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

LATEST = {
    "nodes": [
        {"id": "s", "type": "data-source"},
        {"id": "l", "type": "latest"},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": "1", "source": "s", "target": "l"}, {"id": "2", "source": "l", "target": "r"}],
}


@pytest.fixture
def shop():
    """Items m1 (oldest) to m5 (newest); the active flow recommends the latest."""
    writing.put_items(
        [
            ItemRecord(f"m{n}", time_us=n * 1_000_000, categories=("odd",) if n % 2 else ("even",))
            for n in range(1, 6)
        ]
    )
    flow = drafts.create("Latest", LATEST, "ada")
    activation.activate(flow.pk, None, "", "ada")
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()
    return flow


async def get(path, method="GET", **headers):
    """Status, and the JSON or the text of the answer."""
    address, _, query = path.partition("?")
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = {"Host": "localhost", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(address),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("10.0.0.9", 5),
    }
    await application(scope, receive, send)
    body = sent[1]["body"]
    is_json = dict(sent[0]["headers"])[b"content-type"] == b"application/json"
    return sent[0]["status"], json.loads(body) if is_json else body.decode()


async def test_the_active_version_answers(shop):
    assert await get("/api/recommend/ann?n=3") == (200, ["m5", "m4", "m3"])


async def test_a_trailing_slash_and_offset_and_category(shop):
    assert await get("/api/recommend/ann/?n=2&offset=1") == (200, ["m4", "m3"])
    assert await get("/api/recommend/ann/odd?n=9") == (200, ["m5", "m3", "m1"])
    assert await get("/api/recommend/ann?n=9&category=odd&category=even") == (200, [])


async def test_a_query_as_long_as_a_book_is_answered_and_not_kept(shop):
    _parsed.cache_clear()
    assert await get("/api/recommend/ann?n=1&page=" + "a" * LONGEST_KEPT) == (200, ["m5"])
    assert _parsed.cache_info().currsize == 0
    assert await get("/api/recommend/ann?n=1") == (200, ["m5"])
    assert _parsed.cache_info().currsize == 1


async def test_version_2_answers_with_scores(shop):
    status, rows = await get("/api/recommend/ann?n=1", **{"X-API-Version": "2"})
    assert (status, [row["Id"] for row in rows]) == (200, ["m5"])
    assert isinstance(rows[0]["Score"], float)


async def test_feedback_posted_now_counts_in_the_very_next_answer(shop):
    assert (await get("/api/recommend/ann?n=1"))[1] == ["m5"]
    await sync_to_async(writing.put_feedback)([FeedbackRecord("read", "ann", "m5")], overwrite=False)
    assert (await get("/api/recommend/ann?n=1"))[1] == ["m4"]


async def test_an_item_deleted_or_hidden_a_moment_ago_is_not_recommended(shop):
    await sync_to_async(writing.delete_item)("m5")
    await sync_to_async(writing.patch_item)("m4", is_hidden=True)
    assert (await get("/api/recommend/ann?n=5"))[1] == ["m3", "m2", "m1"]


async def test_another_version_answers_as_soon_as_it_is_active(shop):
    oldest = LATEST | {
        "nodes": [
            {"id": "s", "type": "data-source"},
            {
                "id": "l",
                "type": "non-personalized",
                "settings": {"score": "-item.Timestamp.Unix()"},
            },
            {"id": "r", "type": "recommend"},
        ]
    }
    assert (await get("/api/recommend/ann?n=1"))[1] == ["m5"]
    await sync_to_async(drafts.save)(shop.pk, 1, oldest, "ada")
    assert (await get("/api/recommend/ann?n=1"))[1] == ["m5"]  # saved is not active
    await sync_to_async(activation.activate)(shop.pk, None, "", "ada")
    assert (await get("/api/recommend/ann?n=1"))[1] == ["m1"]


async def test_with_nothing_activated_the_default_flow_answers():
    await sync_to_async(writing.put_items)([ItemRecord("m1", time_us=5)])
    await sync_to_async(runs.store.snapshot)(fresh=True)
    runs.services.memo.clear()
    assert await get("/api/recommend/ann") == (200, ["m1"])


async def test_an_empty_database_recommends_nothing():
    await sync_to_async(runs.store.snapshot)(fresh=True)
    runs.services.memo.clear()
    assert await get("/api/recommend/ann") == (200, [])


@pytest.mark.parametrize("user_id", ["Jörg Müller", "日本", "a b", "'; DROP TABLE x; --", "🎬", "%"])
async def test_a_user_id_may_be_any_text(shop, user_id):
    status, items = await get(f"/api/recommend/{quote(user_id)}?n=1")
    assert (status, items) == (200, ["m5"])


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/recommend/" + "x" * 10_000, 400, "A user ID has at most 256 characters, got 10,000"),
        ("/api/recommend/ann?n=x", 400, "n must be a whole number from 0, got 'x'"),
        ("/api/recommend/ann?offset=-1", 400, "offset must be a whole number from 0, got '-1'"),
        ("/api/recommend/a%00b", 400, "An address may not hold a null character (%00)"),
        ("/api/recommend/ann?category=%00", 400, "An address may not hold a null character (%00)"),
        ("/api/recommend/", 404, "no such route"),
        ("/api/recommend/a/b/c", 404, "no such route"),
    ],
)
async def test_a_bad_request_is_refused_in_a_sentence(shop, path, status, sentence):
    assert await get(path) == (status, sentence)


async def test_other_methods_are_refused(shop):
    assert (await get("/api/recommend/ann", method="POST"))[0] == 405


async def test_the_key_is_asked_for_when_one_is_configured(shop, settings):
    server = settings.CONFIGURATION.server.model_copy(update={"api_key": SecretStr("s3cret")})
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": server})
    assert await get("/api/recommend/ann") == (401, "unauthorized")
    assert await get("/api/recommend/ann", **{"X-API-Key": "s3cre"}) == (401, "unauthorized")
    assert (await get("/api/recommend/ann", **{"X-API-Key": "s3cret"}))[0] == 200


async def test_a_host_that_is_not_ours_is_refused(shop):
    status, text = await get("/api/recommend/ann", Host="evil.example")
    assert (status, "allowed_hosts" in text) == (400, True)


class TestStaticFiles:
    async def test_files_are_kept_by_browsers_for_ever_under_an_address_with_their_version(self, settings):
        headers, body = await self.fetch(f"{settings.STATIC_URL}vendor/manifest.json")
        assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
        assert json.loads(body)

    async def test_a_file_sent_again_is_the_same_packed_or_not(self, settings):
        path = f"{settings.STATIC_URL}vendor/manifest.json"
        file = (settings.STATIC_DIR / "vendor/manifest.json").read_bytes()
        for _ in range(2):
            _, plain = await self.fetch(path)
            headers, packed = await self.fetch(path, (b"accept-encoding", b"gzip, br"))
            assert headers[b"content-encoding"] == b"gzip"
            assert gzip.decompress(packed) == plain == file

    async def test_a_part_of_a_file_and_a_file_that_is_still_the_same(self, settings):
        path = f"{settings.STATIC_URL}vendor/manifest.json"
        headers, whole = await self.fetch(path)
        _, part = await self.fetch(path, (b"range", b"bytes=2-5"))
        assert part == whole[2:6]
        _, nothing = await self.fetch(path, (b"if-none-match", headers[b"etag"]))
        assert nothing == b""

    @pytest.mark.parametrize("path", ["/static/0123/vendor/manifest.json", "/static/"])
    async def test_another_version_is_gone(self, path):
        assert (await get(path))[0] == 404

    async def test_nothing_outside_the_folder_is_served(self, settings):
        for path in ("../manage.py", "..%2fmanage.py", "%2e%2e/manage.py"):
            assert (await get(settings.STATIC_URL + path))[0] == 404

    async def fetch(self, path, *headers):
        sent = []

        async def send(message):
            sent.append(message)

        async def never():
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
        await application(scope, never, send)
        return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])
