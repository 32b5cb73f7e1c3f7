"""Named keys of the data API: made once, told once, kept as digests, taken back."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import Client
from pydantic import SecretStr

from dashboard import accounts, api_keys
from dashboard.api import serve
from dashboard.errors import BadRequest, Conflict, NotFound
from dashboard.models import ApiKey
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture(autouse=True)
def nothing_remembered():
    api_keys.changed()
    yield
    api_keys.changed()
    serve.forget()


@pytest.fixture
def publisher():
    accounts.add("boss", "a long password", "publisher")
    client = Client()
    client.force_login(User.objects.get())
    return client


@pytest.fixture
def configured(settings):
    server = settings.CONFIGURATION.server.model_copy(update={"api_key": SecretStr("s3cret")})
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": server})


def asked_with(key):
    """Statuses of a route of Ninja, and of the hot one that does without Django."""
    headers = {"X-API-Key": key} if key else {}
    return Client().get("/api/items", headers=headers).status_code, async_to_sync(_hot)(key)


async def _hot(key):
    sent = [(b"host", b"127.0.0.1")] + ([(b"x-api-key", key.encode())] if key else [])
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/recommend/ann",
        "query_string": b"",
        "headers": sent,
    }
    talk = ApplicationCommunicator(serve.recommend, scope | {"client": ("127.0.0.1", 1)})
    status = (await talk.receive_output(timeout=PATIENCE_S))["status"]
    await talk.receive_output(timeout=PATIENCE_S)
    await talk.wait(timeout=PATIENCE_S)
    return status


def test_without_any_key_the_api_is_open():
    assert asked_with("") == (200, 200)


def test_each_named_key_opens_and_nothing_else_does():
    shop, app = api_keys.make("shop", "boss"), api_keys.make("app", "boss")
    assert [asked_with(key) for key in (shop, app)] == [(200, 200)] * 2
    assert [asked_with(key) for key in ("", "rf-guess", shop[:-1])] == [(401, 401)] * 3


def test_a_named_key_opens_beside_the_configured_one(configured):
    shop = api_keys.make("shop", "boss")
    assert asked_with("s3cret") == asked_with(shop) == (200, 200)
    assert asked_with("") == (401, 401)


def test_a_key_that_was_taken_back_opens_nothing_and_keeps_the_api_closed():
    shop = api_keys.make("shop", "boss")
    assert asked_with(shop) == (200, 200)  # remembered at the front door
    api_keys.take_back("shop")
    assert asked_with(shop) == asked_with("") == (401, 401)
    with pytest.raises(NotFound, match="no key 'shop' that opens anything"):
        api_keys.take_back("shop")
    api_keys.forget("shop")
    assert asked_with("") == (200, 200)


def test_what_another_process_took_back_counts_here_when_it_is_read_again(monkeypatch):
    shop = api_keys.make("shop", "boss")
    assert asked_with(shop) == (200, 200)
    ApiKey.objects.update(taken_back_at="2026-01-01T00:00:00Z")  # as another process does
    assert asked_with(shop) == (200, 200)
    now = api_keys.time.monotonic()
    monkeypatch.setattr(api_keys.time, "monotonic", lambda: now + 2 * api_keys.FRESH_S + 1)
    assert asked_with(shop) == (401, 401)


def test_the_row_does_not_hold_the_key():
    shop = api_keys.make("shop", "boss")
    (row,) = ApiKey.objects.values()
    assert shop not in str(row)
    assert len(shop) == 46  # rf- and 32 random bytes in base64
    assert row["last4"] == shop[-4:]


def test_what_cannot_be_made_is_refused():
    with pytest.raises(BadRequest, match="1 to 64 letters"):
        api_keys.make("<shop>", "boss")
    api_keys.make("shop", "boss")
    with pytest.raises(Conflict, match="a key 'shop' already"):
        api_keys.make("shop", "boss")
    with pytest.raises(NotFound, match="was taken back"):
        api_keys.forget("shop")


def test_the_page_tells_a_new_key_once_and_lists_it(publisher, configured):
    page = publisher.post("/settings", {"action": "make-key", "name": "shop"}).content.decode()
    key = re.search(r"The key shop is <code>(\S+)</code>", page)[1]
    assert asked_with(key) == (200, 200)
    page = publisher.get("/settings").content.decode()
    assert key not in page
    assert f"ends in {key[-4:]} · made by boss" in page
    assert "s3cret" not in page
    assert publisher.post("/settings", {"action": "take-key", "name": "shop"}).status_code == 302
    assert asked_with(key) == (401, 401)
    assert "taken back" in publisher.get("/settings").content.decode()
    assert publisher.post("/settings", {"action": "forget-key", "name": "shop"}).status_code == 302
    assert "key-shop" not in publisher.get("/settings").content.decode()


def test_the_page_warns_of_an_open_api_and_viewers_see_no_keys(publisher):
    assert "There is no key: whoever reaches this server" in publisher.get("/settings").content.decode()
    accounts.add("ada", "a long password", "viewer")
    ada = Client()
    ada.force_login(User.objects.get(username="ada"))
    assert "API keys" not in ada.get("/settings").content.decode()
    assert ada.post("/settings", {"action": "make-key", "name": "x"}).status_code == 403
    assert not ApiKey.objects.exists()


class TestReadingThem:
    """What one process does with what it read; the database is a list of what each look finds."""

    OLD, NEW = (api_keys.Keys(frozenset({name}), any_kept=True) for name in ("old", "new"))

    @pytest.fixture
    def now(self, monkeypatch):
        found = SimpleNamespace(s=0.0)
        monkeypatch.setattr(api_keys, "time", SimpleNamespace(monotonic=lambda: found.s))
        return found

    def test_a_look_that_failed_a_while_ago_fails_no_request_of_now(self, now, monkeypatch):
        """Good for 2 s, then for 2 more while somebody reads; the look begun at 3.0 fails."""
        looks = iter([self.OLD, OSError("restarted"), self.NEW])

        def read():
            found = next(looks)
            if isinstance(found, OSError):
                raise found
            return found

        monkeypatch.setattr(api_keys, "_read", read)
        kept, found = api_keys._Kept(), []
        for now.s in (0.0, 3.0, 3.5, 4.5):
            found.append(kept.current())
            kept._thread.submit(int).result()  # what was begun is over
        assert found == [self.OLD, self.OLD, self.OLD, self.NEW]

    def test_nobody_goes_on_with_keys_that_cannot_be_read_any_more(self, now, monkeypatch):
        looks = iter([self.OLD])
        monkeypatch.setattr(api_keys, "_read", lambda: next(looks))
        kept = api_keys._Kept()
        kept.current()
        now.s = 4.5
        with pytest.raises(StopIteration):
            kept.current()

    def test_what_was_read_before_a_key_was_taken_back_does_not_count(self, monkeypatch):
        reading, taken_back = threading.Event(), threading.Event()

        def read():
            if reading.is_set():
                return self.NEW
            reading.set()
            assert taken_back.wait(PATIENCE_S)
            return self.OLD

        monkeypatch.setattr(api_keys, "_read", read)
        kept = api_keys._Kept()
        with ThreadPoolExecutor(1) as asking:
            asked = asking.submit(kept.current)
            assert reading.wait(PATIENCE_S)
            kept.forget()
            taken_back.set()
            assert asked.result(PATIENCE_S) == kept.current() == self.NEW
