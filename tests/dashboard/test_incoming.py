"""Feedback on its way in: many requests in one transaction, each answered when it is committed."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import threading
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import SecretStr

from dashboard import activation, drafts
from dashboard.api import feeding, serve
from dashboard.catalogue import reading, writing
from dashboard.catalogue.writing import FeedbackWrite
from dashboard.errors import Busy
from dashboard.management.serving import open_port
from dashboard.serving import incoming
from dashboard.serving.incoming import Incoming
from dashboard.store import now_us
from recflow.asgi import application
from recflow.data.records import FeedbackRecord
from recflow.nodes.starters import STARTERS
from tests.patience import PATIENCE_S

ROW = {"FeedbackType": "like", "UserId": "ann", "ItemId": "m1", "Timestamp": "2024-01-01T00:00:00Z"}


def write(*user_ids, value=1.0, overwrite=False):
    rows = [FeedbackRecord("like", user_id, "m1", value, time_us=5) for user_id in user_ids]
    return FeedbackWrite(rows, overwrite)


class Stored:
    """Stands in for the database: remembers the users of each transaction."""

    def __init__(self, refused=None, error=IntegrityError):
        self.transactions = []
        self.refused, self.error = refused, error

    def __call__(self, writes):
        users = [row.user_id for write in writes for row in write.feedback]
        if self.refused in users:
            raise self.error("no")
        self.transactions.append(users)


class TestTogether:
    async def test_what_comes_together_is_stored_together_in_its_order(self):
        stored = Stored()
        taking = Incoming(stored)
        await asyncio.gather(*(taking.put(write(name)) for name in "abc"))
        assert stored.transactions == [["a", "b", "c"]]
        await taking.put(write("d"))
        assert stored.transactions == [["a", "b", "c"], ["d"]]
        taking.close()

    async def test_many_rows_are_parted_but_never_those_of_one_request(self, monkeypatch):
        monkeypatch.setattr(incoming, "MOST_ROWS", 2)
        stored = Stored()
        taking = Incoming(stored)
        await asyncio.gather(*(taking.put(write(*names)) for names in ("abc", "d", "e", "f")))
        assert stored.transactions == [["a", "b", "c"], ["d", "e"], ["f"]]
        taking.close()

    async def test_a_row_that_is_refused_costs_the_others_nothing(self):
        stored = Stored(refused="b")
        taking = Incoming(stored)
        outcomes = await asyncio.gather(*(taking.put(write(name)) for name in "abc"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), IntegrityError, type(None)]
        assert stored.transactions == [["a"], ["c"]]
        taking.close()

    async def test_a_database_that_is_not_there_is_asked_once(self):
        """Each try may take as long as the database is waited for."""
        stored = Stored(refused="b", error=OperationalError)
        taking = Incoming(stored)
        outcomes = await asyncio.gather(*(taking.put(write(name)) for name in "abc"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [OperationalError] * 3
        assert stored.transactions == []
        taking.close()

    async def test_while_a_database_stands_still_no_more_rows_wait_than_memory_has_room_for(
        self, monkeypatch
    ):
        monkeypatch.setattr(incoming, "MOST_WAITING", 3)
        may_store = threading.Event()
        taking = Incoming(lambda writes: may_store.wait(PATIENCE_S))
        waiting = [asyncio.create_task(taking.put(write(*names))) for names in ("abcd", "e")]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refused:
            await waiting[1]
        assert refused.value.message == "4 rows wait for the database already: send these again in a while"
        assert not waiting[0].done()  # larger than that, but nothing waited before it
        may_store.set()
        await waiting[0]
        await taking.put(write("e"))  # there is room again
        taking.close()

    async def test_who_goes_away_does_not_take_the_others_along(self):
        stored = Stored()
        taking = Incoming(stored)
        first, second = (asyncio.create_task(taking.put(write(name))) for name in "ab")
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert stored.transactions == [["a", "b"]]
        taking.close()


@pytest.mark.django_db(databases="__all__", transaction=True)
class TestStored:
    @pytest.mark.parametrize("together", [True, False])
    def test_in_one_transaction_or_one_after_the_other_is_the_same(self, together):
        """2 + 3 are summed up; then 7 overwrites; then 1 is added. Twice in one request counts once."""
        writes = [
            write("ann", value=2.0),
            write("ann", "ann", value=3.0),
            write("ann", value=7.0, overwrite=True),
            write("ann", value=1.0),
            FeedbackWrite([FeedbackRecord("like", "nobody", "m1")], False, insert_users=False),
        ]
        for group in [writes] if together else [[one] for one in writes]:
            writing.put_feedback_together(group)
        assert [row.value for row in reading.feedback_of_pair("ann", "m1")] == [8.0]
        assert reading.get_user("nobody") is None

    @pytest.mark.parametrize(
        ("values", "total"),
        [
            ((1e308, 1e308), sys.float_info.max),
            ((-1e308, -1e308), -sys.float_info.max),
            ((1e308, -1e308), 0.0),
            ((8e307, 8e307), 1.6e308),
        ],
    )
    def test_a_sum_is_never_beyond_all_numbers(self, values, total):
        for value in values:
            writing.put_feedback_together([write("ann", value=value)])
        assert [row.value for row in reading.feedback_of_pair("ann", "m1")] == [total]

    def test_a_transaction_has_no_savepoint_and_reads_no_drawing(self):
        """Each statement is a round trip on PostgreSQL, and the text of a drawing may have a megabyte."""
        flow = drafts.create("Home", STARTERS["popular"].document, "ada")
        activation.activate(flow.pk, None, "", "ada")
        incoming.store_feedback([write("ann")])
        databases = [connections[name] for name in ("default", settings.CATALOGUE_DATABASE)]
        with CaptureQueriesContext(databases[0]) as flows, CaptureQueriesContext(databases[1]) as rows:
            incoming.store_feedback([write("ann")])
        said = [query["sql"] for query in (*flows.captured_queries, *rows.captured_queries)]
        assert any("INTO catalogue_feedback" in statement for statement in said)
        assert any('FROM "dashboard_activeversion"' in statement for statement in said)
        assert not [statement for statement in said if "SAVEPOINT" in statement]
        assert not [statement for statement in said if '"dashboard_flowversion"."text"' in statement]

    def test_sums_are_right_before_anything_overwrites(self):
        writing.put_feedback_together([write("ann", value=2.0), write("ann", "ann", value=3.0)])
        assert [row.value for row in reading.feedback_of_pair("ann", "m1")] == [5.0]

    def test_a_failure_leaves_nothing_behind(self, monkeypatch):
        def fail(rows):
            raise DatabaseError("full")

        monkeypatch.setattr(incoming, "note_new_taste", fail)
        with pytest.raises(DatabaseError):
            incoming.store_feedback([write("ann")])
        assert reading.feedback_of_pair("ann", "m1") == []


def locked(settings):
    """From now on the API asks for a key."""
    server = settings.CONFIGURATION.server.model_copy(update={"api_key": SecretStr("s3cret")})
    master = settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("adm1n")})
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": server, "master": master})


def request_head(key, length):
    return (
        f"POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@asynccontextmanager
async def served(app):
    """One connection to the server that users have, in this event loop."""
    listener = open_port("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    # The socket listens already: whoever comes before the server has begun waits there.
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await running


@pytest.mark.django_db(databases="__all__", transaction=True)
class TestRoute:
    @pytest.fixture
    async def send(self):
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

            async def request(method="POST", path="/api/feedback", **given):
                answer = await client.request(method, path, **given)
                return answer.status_code, answer.text

            yield request
        serve.forget()

    async def test_what_was_acknowledged_is_stored(self, send):
        assert await send(json=[ROW]) == (200, '{"RowAffected":1}')
        assert await send("PUT", "/api/feedback/", json=[{**ROW, "Value": 4}]) == (200, '{"RowAffected":1}')
        rows = await sync_to_async(reading.feedback_of_user)("ann", until_us=now_us())
        assert [(row.type, row.item_id, row.value) for row in rows] == [("like", "m1", 4.0)]

    async def test_the_short_way_says_what_the_long_one_says(self, send):
        """The same requests through Django alone, which has the same rules for them."""
        json_type = {"content-type": "application/json"}
        for body, headers in [
            (json.dumps([ROW]), json_type),
            (json.dumps([ROW]), {"content-type": "Application/JSON; charset=utf-8"}),
            (json.dumps([ROW]), {"content-type": "text/plain"}),
            (json.dumps([ROW]), {**json_type, "content-encoding": "br"}),
            (json.dumps([ROW]), {**json_type, "content-encoding": "gzip"}),
            (json.dumps(ROW), json_type),
            (json.dumps([ROW, {**ROW, "UserId": ""}]), json_type),
            (json.dumps([{**ROW, "Value": "five"}]), json_type),
            (json.dumps([{**ROW, "Timestamp": "yesterday"}]), json_type),
            ("[NaN]", json_type),
            ("[]", json_type),
        ]:
            status, text = await send(content=body, headers=headers)
            extra = {
                f"HTTP_{name.upper().replace('-', '_')}": value
                for name, value in headers.items()
                if name != "content-type"
            }
            other = await sync_to_async(Client().post)(
                "/api/feedback", body, content_type=headers["content-type"], **extra
            )
            assert (status, text) == (other.status_code, other.content.decode()), (body, headers)

    @pytest.mark.parametrize(
        ("n", "packed", "here"), [(1, False, True), (2_000, False, False), (1, True, False)]
    )
    async def test_others_do_not_wait_while_a_large_body_is_read(self, send, monkeypatch, n, packed, here):
        """Reading 9 MB took 1.3 s; a packed body may be as large inside."""
        readers, read = [], feeding._read

        def watched(*args):
            readers.append(threading.current_thread())
            return read(*args)

        monkeypatch.setattr(feeding, "_read", watched)
        body, headers = json.dumps([ROW] * n).encode(), {"content-type": "application/json"}
        if packed:
            body, headers = gzip.compress(body), {**headers, "content-encoding": "gzip"}
        assert await send(content=body, headers=headers) == (200, f'{{"RowAffected":{n}}}')
        assert [reader is threading.current_thread() for reader in readers] == [here]

    async def test_a_wrong_key_or_host_is_refused(self, send, settings):
        assert (await send(json=[ROW], headers={"host": "evil.example"}))[0] == 400
        locked(settings)
        assert await send(json=[ROW], headers={"X-API-Key": "adm1n"}) == (401, "unauthorized")
        assert (await send(json=[ROW], headers={"X-API-Key": "s3cret"}))[0] == 200

    async def test_who_is_refused_is_told_so_before_the_body_is_read(self, settings):
        locked(settings)
        answer = []

        async def receive():
            raise AssertionError("the body was asked for")

        async def keep(message):
            answer.append(message)

        headers = [(b"host", b"localhost"), (b"x-api-key", b"guessed"), (b"content-length", b"9000000")]
        scope = {"type": "http", "method": "POST", "path": "/api/feedback", "headers": headers}
        await application(scope, receive, keep)
        assert (answer[0]["status"], answer[1]["body"]) == (401, b"unauthorized")

    async def test_after_a_refusal_the_rest_of_the_body_is_thrown_away_and_the_connection_goes_on(
        self, settings
    ):
        locked(settings)
        body = json.dumps([ROW]).encode()
        async with served(application) as (reader, writer):
            writer.write(request_head("guessed", 300_000) + b"x" * 100_000)
            assert (await reader.readuntil(b"unauthorized")).startswith(b"HTTP/1.1 401 ")
            writer.write(b"x" * 200_000 + request_head("s3cret", len(body)) + body)
            assert (await reader.readuntil(b'{"RowAffected":1}')).startswith(b"HTTP/1.1 200 ")
        serve.forget()

    async def test_a_body_over_the_limit_is_refused(self, send, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
        status, text = await send(content=b" " * (2**20 + 1), headers={"content-type": "application/json"})
        assert (status, text) == (413, "A request may have 1 MB: send the rows in smaller batches")

    async def test_a_database_that_fails_is_the_servers_fault(self, send, monkeypatch, caplog):
        def fail(writes):
            raise OperationalError("disk is full")

        monkeypatch.setattr(serve, "_incoming", Incoming(fail))
        assert await send(json=[ROW]) == (500, "The server failed on this request; its log says why")
        assert "disk is full" in caplog.text
