"""A body over the limit is answered with 413 before Django sees it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from dashboard.access import Person
from dashboard.limits import for_import, limit_body
from recflow import asgi


async def ask(app, chunks, length=None, headers=()):
    """Status and text of one request whose body comes in these chunks."""
    left = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    left[-1]["more_body"] = False
    sent = []

    async def receive():
        return left.pop(0)

    async def send(message):
        sent.append(message)

    sizes = [] if length is None else [(b"content-length", str(length).encode())]
    await app({"type": "http", "headers": [*sizes, *headers]}, receive, send)
    return sent[0]["status"], sent[1]["body"], left


@pytest.fixture
def app(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20

    async def counts(scope, receive, send):
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})

    limited = limit_body(counts)
    limited.__wrapped__ = counts
    return limited


async def test_a_body_of_just_the_limit_passes(app):
    status, body, _ = await ask(app, [b"x" * 2**20, b"x" * 2**20], length=2 * 2**20)
    assert (status, body) == (200, b"2097152")


async def test_an_announced_body_over_the_limit_is_read_to_its_end_and_refused(app):
    status, body, left = await ask(app, [b"x" * 2**20] * 3, length=3 * 2**20)
    assert (status, body) == (413, b"A request may have 2 MB: send the rows in smaller batches")
    assert left == []  # a client that writes first and reads later sees the answer


async def test_a_body_that_hides_its_length_is_counted(app):
    status, _, left = await ask(app, [b"x" * 2**20] * 4)
    assert status == 413
    assert left == []


async def test_a_client_that_never_stops_is_not_read_for_ever(app, monkeypatch):
    monkeypatch.setattr("dashboard.limits.READ_ANYWAY", 4 * 2**20)
    status, _, left = await ask(app, [b"x" * 2**20] * 50)
    assert status == 413
    assert len(left) == 46


@pytest.mark.parametrize(("role", "status"), [(None, 413), ("viewer", 413), ("editor", 200)])
async def test_only_who_may_import_may_send_large_files(app, monkeypatch, role, status):
    person = role and Person("eve", role)
    monkeypatch.setattr("dashboard.limits.person_of_scope", lambda scope: person)
    assert (await ask(limit_body(app.__wrapped__, for_import), [b"x" * 2**20] * 3))[0] == status


async def test_whoever_has_the_key_of_the_administrator_may_send_large_files_too(app, monkeypatch):
    monkeypatch.setattr("dashboard.limits.is_admin_key", lambda given: given == "adm1n")
    monkeypatch.setattr("dashboard.limits.person_of_scope", lambda scope: None)
    whole = limit_body(app.__wrapped__, for_import)
    assert (await ask(whole, [b"x" * 2**20] * 3, headers=[(b"x-api-key", b"adm1n")]))[0] == 200
    assert (await ask(whole, [b"x" * 2**20] * 3, headers=[(b"x-api-key", b"other")]))[0] == 413


async def test_an_imported_file_has_a_limit_too(app, monkeypatch):
    monkeypatch.setattr("dashboard.limits.person_of_scope", lambda scope: Person("eve", "editor"))
    monkeypatch.setattr("dashboard.limits.MAX_IMPORT", 2**21)
    assert (await ask(limit_body(app.__wrapped__, for_import), [b"x"], length=2**21 + 1))[0] == 413


def test_the_import_form_is_sent_to_where_large_files_may_go():
    assert reverse("import") in asgi.IMPORTS
