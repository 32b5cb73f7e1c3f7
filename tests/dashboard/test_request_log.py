"""Names, counts and log lines of requests, and the page that Prometheus reads."""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from dashboard import metrics, request_log
from dashboard.request_log import JsonLines, WithRequestId, observed, part_of


async def call(app, path="/x", **headers):
    transport = httpx.ASGITransport(observed(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        return await client.get(path, headers=headers)


def answering(status=200):
    async def app(scope, receive, send):
        app.seen = request_log.request_id.get()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def test_a_request_has_one_name_inside_and_outside():
    app = answering()
    answer = await call(app)
    assert len(app.seen) == 36
    assert answer.headers.get_list("X-Request-ID") == [app.seen]
    assert request_log.request_id.get() == ""


async def test_a_proxy_may_choose_the_name_but_not_forge_lines():
    assert (await call(answering(), **{"X-Request-ID": "req-0123456789"})).headers[
        "X-Request-ID"
    ] == "req-0123456789"
    assert len((await call(answering(), **{"X-Request-ID": "a b"})).headers["X-Request-ID"]) == 36


async def test_requests_are_counted_by_part_method_and_status():
    before = metrics.requests.counts.get(("GET", "page", "418"), 0)
    await call(answering(418))
    assert metrics.requests.counts[("GET", "page", "418")] == before + 1


async def test_failures_are_logged_and_others_only_when_asked_for(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("dashboard"), "propagate", True)
    await call(answering(200))
    assert caplog.text == ""
    await call(answering(503))
    assert "GET '/x' 503" in caplog.text
    caplog.set_level(logging.INFO, logger="dashboard.requests")
    await call(answering(200), path="/a%0Ab")
    assert r"GET '/a\nb' 200" in caplog.text


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/recommend/ann", "recommend"),
        ("/api/users", "api"),
        ("/api/bulk/users", "admin"),
        ("/static/1/x.js", "static"),
        ("/flows/3", "page"),
    ],
)
def test_paths_belong_to_few_parts(path, part):
    assert part_of(path) == part


def test_a_log_line_as_json_holds_the_name_of_its_request():
    record = logging.LogRecord("dashboard.x", logging.INFO, "f.py", 1, "so %s", ("it is",), None)
    record.fields = {"status": 200}
    token = request_log.request_id.set("req-1")
    try:
        WithRequestId().filter(record)
    finally:
        request_log.request_id.reset(token)
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "so it is"
    assert (line["request_id"], line["status"], line["level"]) == ("req-1", 200, "INFO")


def test_durations_are_counted_in_buckets_that_add_up():
    timing = metrics.Durations("t_seconds", "Test.", ("kind",))
    for seconds in (0.0005, 0.003, 0.003, 99.0):
        timing.add("a", seconds=seconds)
    lines = list(timing.lines())
    assert lines[:2] == ["# HELP t_seconds Test.", "# TYPE t_seconds histogram"]
    assert 't_seconds_bucket{kind="a",le="0.001"} 1' in lines
    assert 't_seconds_bucket{kind="a",le="0.005"} 3' in lines  # one below a millisecond, two of three
    assert 't_seconds_bucket{kind="a",le="10.0"} 3' in lines
    assert 't_seconds_bucket{kind="a",le="+Inf"} 4' in lines
    assert 't_seconds_count{kind="a"} 4' in lines


def test_a_label_cannot_break_out_of_its_quotes():
    assert metrics.sample("m", {"k": 'a"\n\\'}, 1) == r'm{k="a\"\n\\"} 1'
