"""Whose pages may open a WebSocket."""

from __future__ import annotations

import pytest
from asgiref.testing import ApplicationCommunicator

from dashboard.origins import is_own
from recflow import asgi
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def hosts(settings):
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "rec.example.org"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://shop.example.org", "https://*.team.example.org:8443"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8088", "127.0.0.1:8088"),
        ("http://[::1]:8088", "[::1]:8088"),
        ("https://rec.example.org", "rec.example.org"),
        ("https://REC.example.org", "rec.example.ORG:443"),
        ("http://rec.example.org", "rec.example.org:80"),
        ("https://shop.example.org", "127.0.0.1:8088"),  # a proxy calls us by another name
        ("https://a.team.example.org:8443", "127.0.0.1:8088"),
    ],
)
def test_our_own_pages_and_trusted_ones_may(origin, host):
    assert is_own(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:3000", "127.0.0.1:8088"),
        ("http://localhost:8088", "127.0.0.1:8088"),
        ("https://rec.example.org:444", "rec.example.org"),
        ("https://rec.example.org:80", "rec.example.org"),
        ("https://evil.example", "rec.example.org"),
        ("http://evil.example:8088", "evil.example:8088"),  # a name of theirs for our address
        ("http://shop.example.org", "127.0.0.1:8088"),
        ("https://shop.example.org.evil.example", "127.0.0.1:8088"),
        ("https://a.team.example.org", "127.0.0.1:8088"),
        ("https://user@rec.example.org", "rec.example.org"),
        ("http://[::1", "[::1"),
        ("null", "rec.example.org"),
        ("", ""),
        ("file://", ""),
    ],
)
def test_nobody_else_may(origin, host):
    assert not is_own(origin, host)


@pytest.mark.django_db(databases="__all__", transaction=True)  # channels tidies its thread's connections
async def test_a_strangers_page_is_refused_before_anything_else_is_looked_at():
    headers = [(b"host", b"127.0.0.1:8088"), (b"origin", b"http://127.0.0.1:3000")]
    scope = {"type": "websocket", "path": "/ws/preview", "headers": headers}
    socket = ApplicationCommunicator(asgi.application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=PATIENCE_S))["type"] == "websocket.close"
    await socket.send_input({"type": "websocket.disconnect", "code": 1006})
    await socket.wait(PATIENCE_S)
