"""The search for keys: every address that can be read, every export, every log line and every static file.

What the server says while it asks other machines and is misused is searched in test_services.py.
"""

import json
import logging
import re

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth.models import User as Account
from django.core.management import call_command
from django.test import Client
from pydantic import SecretStr

from dashboard import activation, drafts, runs
from dashboard.catalogue import writing
from dashboard.outside import directory
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from tests.dashboard.url_conf import addresses

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

KEYS = {
    "of an endpoint": "sk-endpoint-key-1111",
    "of a secret": "shop/secret+2222",
    "of the configuration": "sk-configured-key-3333",
    "of the data": "data-key-4444",
    "of the administrator": "admin-key-5555",
}
FLOW = {
    "format": 1,
    "name": "Home",
    "nodes": [
        {"id": "s", "type": "data-source"},
        {"id": "l", "type": "latest"},
        {
            "id": "e",
            "type": "external",
            "settings": {
                "mode": "request",
                "url": "http://127.0.0.1:9/",
                "headers": "X-Key: {{ secrets.SHOP }}",
            },
        },
        {"id": "k", "type": "ranker", "settings": {"kind": "llm", "endpoint": "gpt"}},
        {"id": "f", "type": "fallback"},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": p, "source": p[0], "target": p[1]} for p in ("sl", "se", "lk", "ek", "kr", "lf", "fr")],
}


@pytest.fixture
def client(settings):
    """A superuser's, on a server on which every kind of key is set up and in use."""
    configuration = settings.CONFIGURATION
    sections = {
        "openai": {
            "base_url": "http://127.0.0.1:9/v1",
            "chat_completion_model": "qwen",
            "auth_token": SecretStr(KEYS["of the configuration"]),
        },
        "server": {"api_key": SecretStr(KEYS["of the data"])},
        "master": {"admin_api_key": SecretStr(KEYS["of the administrator"])},
    }
    settings.CONFIGURATION = configuration.model_copy(
        update={name: getattr(configuration, name).model_copy(update=keys) for name, keys in sections.items()}
    )
    writing.put_users([UserRecord("ann")])
    writing.put_items([ItemRecord(f"m{n}", time_us=n * 1_000_000, comment=f"Movie {n}") for n in range(1, 5)])
    writing.put_feedback([FeedbackRecord("like", "ann", "m4", 1.0, time_us=10)], overwrite=True)
    runs.store.snapshot(fresh=True)
    directory.changed()
    made = Client()
    made.force_login(Account.objects.create_superuser("ada"))
    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "key": KEYS["of an endpoint"]}
    for address, body in (
        ("/api/settings/endpoints/gpt", endpoint),
        ("/api/settings/secrets/SHOP", {"value": KEYS["of a secret"]}),
    ):
        assert made.put(address, json.dumps(body), content_type="application/json").status_code == 200
    yield made
    directory.changed()


@pytest.fixture
def flow():
    made = drafts.create("Home", FLOW, "ada")
    drafts.keep(made.pk, "", 1, "ada")
    activation.activate(made.pk, 1, "", "ada")
    return made


def body_of(answer):
    if not answer.streaming:
        return answer.content
    if not answer.is_async:
        return b"".join(answer.streaming_content)

    async def collected():
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(collected)()


def found_in(text):
    return [whose for whose, key in KEYS.items() if key in text]


def test_no_address_that_can_be_read_shows_a_key(client, flow, caplog):
    things = {
        "flow_id": flow.pk,
        "user_id": "ann",
        "item_id": "m1",
        "number": 1,
        "name": "gpt",
        "kind": "users",
    }
    shown, read = [], 0
    with caplog.at_level(logging.DEBUG):
        for address in addresses():
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(things.get(part[1], 1)), address)
            for headers in (
                {},
                {"X-API-Key": KEYS["of the data"]},
                {"X-API-Key": KEYS["of the administrator"]},
            ):
                answer = client.get(path, headers=headers)
                said = f"{dict(answer.headers)} {body_of(answer).decode('utf-8', 'replace')}"
                shown += [f"{path}: the key {whose}" for whose in found_in(said)]
                read += answer.status_code == 200
    assert shown == []
    assert read > 100  # so it did read something
    assert found_in(caplog.text) == []


def test_no_export_holds_a_key(client, flow, tmp_path, capsys):
    call_command("export", "jsonl", str(tmp_path / "export"))
    call_command("gorse", "export-config", str(tmp_path / "config.toml"))
    call_command("gorse", "export-config", "--flow", str(flow.pk))
    written = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"users.jsonl", "items.jsonl", "feedback.jsonl", "config.toml"} <= written.keys()
    assert "[recommend" in written["config.toml"]
    said = capsys.readouterr()
    assert {name: found_in(text) for name, text in written.items() if found_in(text)} == {}
    assert found_in(said.out + said.err) == []


def test_no_static_file_or_page_template_holds_a_key(client):
    folders = (django_settings.BASE_DIR / name for name in ("static", "templates"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path.name for path in files if found_in(path.read_bytes().decode("utf-8", "replace"))] == []
