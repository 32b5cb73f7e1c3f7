import asyncio
import dataclasses
import gzip
import logging
import socket
import sys
import threading
import time
import zlib
from types import SimpleNamespace

import httpcore
import pytest

from recflow.errors import AddressRefused, ServiceError, ServiceTimeout
from recflow.outbound import service_time
from recflow.outbound.client import Guard, send
from recflow.outbound.messages import Answer, Request, shown_url
from tests.patience import PATIENCE_S
from tests.scripted_server import (
    ScriptedServer,
    drip,
    endless_body,
    gzip_bomb,
    hang,
    hang_after_headers,
    json_reply,
    keep_alive_spaces,
    redirect,
    reset,
    reset_in_body,
    short_body,
    status,
)

DEADLINE_S = 0.4
SLACK_S = 10.0  # generous: the machine may be busy; the bug looked for costs 20 s and more


def short(guard: Guard, **changes) -> Guard:
    return dataclasses.replace(guard, total_s=DEADLINE_S, **changes)


async def test_request_arrives_as_sent_and_the_answer_comes_back_whole(server, guard):
    server.script("/v1/rank", json_reply({"ids": [1]}))
    request = Request.json(server.url("/v1/rank"), {"q": "é"}, {"Authorization": "Bearer sesame"})
    answer = await send(request, guard)
    hit = server.hits[0]
    assert (hit.method, hit.body) == ("POST", '{"q":"é"}'.encode())
    assert hit.headers["authorization"] == "Bearer sesame"
    assert hit.headers["content-type"] == "application/json"
    assert (answer.status, answer.body, answer.hops) == (200, b'{"ids": [1]}', 0)
    assert answer.header("Content-Type") == "application/json"


@pytest.mark.parametrize(
    "handler",
    [
        hang(),
        hang_after_headers(),
        drip(b'{"slow": "' + b"x" * 500 + b'"}', every_s=0.05),
        keep_alive_spaces(every_s=0.05),
    ],
    ids=["hang", "hang after headers", "drip", "keep-alive white space"],
)
async def test_deadline_ends_what_a_timeout_per_read_would_not(server, guard, handler):
    server.script("/slow", handler)
    started = time.perf_counter()
    with pytest.raises(ServiceTimeout, match=r"no complete answer within 0\.4 s") as caught:
        await send(Request(server.url("/slow")), short(guard))
    assert DEADLINE_S * 0.9 <= time.perf_counter() - started < DEADLINE_S + SLACK_S
    assert caught.value.kind == "timeout"
    assert server.count("/slow") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when the bytes came")
async def test_time_of_the_service_leaves_out_how_long_its_answer_lay_unread(server, guard):
    replied = threading.Event()

    def reply_after_a_tenth(exchange):
        exchange.pause(0.1)
        exchange.reply(200, "[]")
        replied.set()

    server.script("/", reply_after_a_tenth)
    began = time.perf_counter()
    task = asyncio.create_task(send(Request(server.url("/")), guard))
    assert await asyncio.to_thread(server.wait_for_hit, "/")
    replied.wait(PATIENCE_S)  # this loop has other things to do
    threading.Event().wait(0.5)
    answer = await task
    assert 90 <= answer.service_ms < (time.perf_counter() - began) * 1000 - 250


def test_where_the_connection_is_gone_the_kernel_tells_no_time():
    with socket.socket() as gone:
        pass
    stream = SimpleNamespace(get_extra_info=lambda name: gone)
    response = httpcore.Response(200, extensions={"network_stream": stream})
    assert service_time.service_ms(response) is None


async def test_silence_ends_before_the_deadline(server, guard):
    server.script("/slow", hang())
    with pytest.raises(ServiceTimeout, match=r"sent nothing for 0\.2 s"):
        await send(Request(server.url("/slow")), dataclasses.replace(guard, idle_s=0.2))


async def test_cancelling_closes_the_connection_upstream(server, guard):
    server.script("/slow", hang())
    task = asyncio.create_task(send(Request(server.url("/slow")), guard))
    assert await asyncio.to_thread(server.wait_for_hit, "/slow")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.wait_for_disconnect, "/slow")


@pytest.mark.parametrize(
    "handler", [gzip_bomb(megabytes=64), endless_body(), status(200, b"x" * 200_001)], ids=str
)
async def test_body_over_the_cap_stops_the_reading(server, guard, handler):
    server.script("/big", handler)
    with pytest.raises(ServiceError, match="longer than 200,000 bytes") as caught:
        await send(Request(server.url("/big")), dataclasses.replace(guard, max_body=200_000))
    assert caught.value.kind == "too_large"


async def test_body_of_exactly_the_cap_passes(server, guard):
    body = b"x" * 1000
    server.script("/plain", status(200, body))
    server.script("/gzip", status(200, gzip.compress(body), Content_Encoding="gzip"))
    for path in ("/plain", "/gzip"):
        answer = await send(Request(server.url(path)), dataclasses.replace(guard, max_body=1000))
        assert answer.body == body


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),  # headerless, as old servers send it
    ],
)
async def test_compressed_bodies_are_decoded(server, guard, encoding, compress):
    server.script("/", status(200, compress(b"[1, 2, 3]" * 100), Content_Encoding=encoding))
    assert (await send(Request(server.url("/")), guard)).body == b"[1, 2, 3]" * 100


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (reset(), "reset"),
        (reset_in_body(), "reset"),
        (short_body(), "reset"),
        (status(200, gzip.compress(b"[1]" * 999)[:-20], Content_Encoding="gzip"), "cut_reply"),
        (status(200, b"not gzip at all", Content_Encoding="gzip"), "cut_reply"),
        (status(200, b"...", Content_Encoding="br"), "unreadable"),
    ],
)
async def test_broken_answers_are_errors_and_never_half_answers(server, guard, handler, kind):
    server.script("/broken", handler)
    with pytest.raises(ServiceError) as caught:
        await send(Request(server.url("/broken")), guard)
    assert caught.value.kind == kind


async def test_refused_connection_is_told_from_a_timeout(guard):
    with ScriptedServer() as gone:
        url = gone.url("/")
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        await send(Request(url), guard)
    assert (caught.value.kind, caught.value.retryable) == ("connect", True)


async def test_redirects_are_handed_back_unless_allowed(server, guard):
    server.script("/old", redirect("/new"))
    server.script("/new", json_reply([]))
    answer = await send(Request(server.url("/old")), guard)
    assert (answer.status, answer.header("location")) == (302, "/new")
    assert server.count("/new") == 0


async def test_a_redirect_to_a_name_that_is_none_is_handed_back(server, guard):
    server.script("/old", redirect("http://xn--/"))
    answer = await send(Request(server.url("/old")), dataclasses.replace(guard, max_hops=3))
    assert (answer.status, answer.hops) == (302, 0)


async def test_redirect_loop_costs_three_hops(server, guard):
    server.script("/loop", redirect("/loop"))
    answer = await send(Request(server.url("/loop")), dataclasses.replace(guard, max_hops=3))
    assert (answer.status, answer.hops) == (302, 3)
    assert server.count("/loop") == 4  # the request and 3 hops


@pytest.mark.parametrize(
    ("code", "method", "body"),
    [(302, "GET", b""), (303, "GET", b""), (307, "POST", b"x"), (308, "POST", b"x")],
)
async def test_redirected_post_keeps_or_loses_its_body_by_status(server, guard, code, method, body):
    server.script("/old", redirect("/new", code))
    server.script("/new", json_reply([]))
    request = Request(server.url("/old"), "POST", (("Authorization", "Bearer k"),), b"x")
    answer = await send(request, dataclasses.replace(guard, max_hops=1))
    (hit,) = server.hits_of("/new")
    assert (hit.method, hit.body, answer.hops, answer.url) == (method, body, 1, server.url("/new"))
    assert hit.headers["authorization"] == "Bearer k"  # same origin


async def test_credentials_do_not_follow_to_another_origin(server, guard):
    with ScriptedServer() as other:
        other.script("/new", json_reply([]))
        server.script("/old", redirect(other.url("/new"), 307))
        headers = (
            ("Authorization", "Bearer k"),
            ("Cookie", "session=1"),
            ("X-Api-Key", "k"),
            ("Accept", "text/x"),
        )
        await send(Request(server.url("/old"), "POST", headers, b"x"), dataclasses.replace(guard, max_hops=1))
        arrived = other.hits[0].headers
    assert arrived["accept"] == "text/x"
    assert not {"authorization", "cookie", "x-api-key"} & arrived.keys()


async def test_cookies_set_for_one_call_do_not_travel_with_the_next(server, guard):
    server.script("/", status(200, b"[]", Set_Cookie="session=1; Path=/"))
    await send(Request(server.url("/")), guard)
    await send(Request(server.url("/")), guard)
    assert "cookie" not in server.hits[1].headers


async def test_proxies_of_the_environment_are_ignored(server, guard, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.script("/", json_reply([]))
    assert (await send(Request(server.url("/")), guard)).status == 200


async def test_connection_is_kept_open_between_calls(server, guard):
    server.script("/", json_reply([]))
    for _ in range(3):
        await send(Request(server.url("/")), guard)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        (Request("ftp://host/x"), AddressRefused, "Only http and https can be called, not 'ftp'"),
        (Request("/relative"), AddressRefused, "a URL without scheme"),
        (Request("http://"), ServiceError, "names no host"),
        (Request("http://user:pw@host/"), ServiceError, "carries a user name or password"),
        (Request("http://[::1/"), ServiceError, "cannot be read"),
        (Request("http://xn--/"), ServiceError, "cannot be read"),
        (Request("http://host/", "GET /x"), ServiceError, "not an HTTP method"),
        (Request("http://host/", headers=(("A b", "x"),)), ServiceError, "not the name of a header"),
        (
            Request("http://host/", headers=(("X", "a\r\nB: c"),)),
            ServiceError,
            "The header X holds a line break",
        ),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_plain_words(guard, request_, error, text):
    with pytest.raises(error, match=text) as caught:
        await send(request_, guard)
    assert "pw" not in str(caught.value)


async def test_headers_that_frame_the_message_cannot_be_forged(server, guard):
    server.script("/", json_reply([]))
    headers = (("Host", "evil"), ("Content-Length", "99"), ("Transfer-Encoding", "chunked"))
    await send(Request(server.url("/"), "POST", headers, b"abc"), guard)
    hit = server.hits[0]
    assert hit.headers["host"] == f"127.0.0.1:{server.port}"
    assert (hit.headers["content-length"], hit.body) == ("3", b"abc")


async def test_header_beyond_ascii_is_sent_in_utf_8(server, guard):
    server.script("/", json_reply([]))
    await send(Request(server.url("/"), headers=(("X-Name", "Zoë"),)), guard)
    assert server.hits[0].headers["x-name"].encode("latin-1") == "Zoë".encode()


async def test_keys_stay_out_of_logs_reprs_and_errors(server, guard, caplog):
    caplog.set_level(logging.DEBUG)
    server.script("/slow", hang())
    request = Request(server.url("/slow?key=sesame"), headers=(("Authorization", "Bearer sesame"),))
    with pytest.raises(ServiceTimeout) as caught:
        await send(request, short(guard))
    server.script("/ok", json_reply([]))
    await send(dataclasses.replace(request, url=server.url("/ok?key=sesame")), guard)
    assert "sesame" not in f"{caught.value} {caplog.text}"
    assert "Authorization" not in repr(request)


def test_shown_url_has_no_query_and_no_user():
    assert shown_url("https://u:p@api.example:8443/v1/x?key=1#f") == "https://api.example:8443/v1/x?…"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json", "é".encode(), "é"),
        ("text/plain; charset=latin-1", b"\xe9", "é"),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain", b"\xff", "\ufffd"),
    ],
)
def test_text_is_decoded_by_its_charset_and_never_fails(content_type, body, text):
    assert Answer(200, (("content-type", content_type),), body).text == text
