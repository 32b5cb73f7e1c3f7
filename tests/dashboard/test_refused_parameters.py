"""What an endpoint was seen to refuse: remembered, shown in Settings, and forgotten on request."""

import asyncio
import json
import time

import pytest
from django.conf import settings
from django.contrib.auth.models import User as Account
from django.test import Client

from dashboard.outside import directory
from recflow.llm.prompts import DEFAULT_TEMPLATE
from recflow.llm.ranking import rank_with_llm
from recflow.llm.settings import LlmSettings
from recflow.outbound.client import close_clients
from recflow.outbound.learned import Learned
from tests.scripted_server import ScriptedServer, json_reply, status

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

CHAT = "/v1/chat/completions"
REFUSAL = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
RANKING = {"choices": [{"message": {"content": "2\n1"}, "finish_reason": "stop"}]}


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server):
    made = Client()
    made.force_login(Account.objects.create_superuser("ada"))
    for path, body in (
        ("networks", {"networks": [f"127.0.0.1:{server.port}"]}),
        ("endpoints/gpt", {"base_url": server.url("/v1"), "model": "m"}),
    ):
        answer = made.put(f"/api/settings/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code == 200
    yield made
    directory.changed()


def ranked():
    endpoint = directory.current().endpoints["gpt"].endpoint

    async def rank():
        try:
            items = [{"ItemId": "a"}, {"ItemId": "b"}]
            return await rank_with_llm(endpoint, DEFAULT_TEMPLATE, {}, [], items, LlmSettings())
        finally:
            await close_clients()

    return asyncio.run(rank()).order


def refused(client):
    (endpoint,) = client.get("/api/settings").json()["endpoints"]
    return endpoint["refused"]


def known_to_another_process():
    endpoint = directory.current().endpoints["gpt"].endpoint
    process = Learned(settings.DATA_DIR / "learned.sqlite3")
    try:
        return process.refusals(endpoint.identity, time.time())
    finally:
        process.close()


def test_what_another_process_learned_is_shown_and_a_reset_reaches_it(client):
    endpoint = directory.current().endpoints["gpt"].endpoint
    process = Learned(settings.DATA_DIR / "learned.sqlite3")
    process.remember(endpoint.identity, "seed", None, time.time())
    before = process.starts(endpoint.call_policy.name)
    assert refused(client) == {"seed": None}
    assert client.post("/api/settings/endpoints/gpt/reset").status_code == 200
    assert process.refusals(endpoint.identity, time.time()) == {}
    assert process.starts(endpoint.call_policy.name) == before + 1
    process.close()


def test_a_refused_parameter_is_shown_and_sent_again_after_a_reset(client, server):
    server.script(CHAT, status(400, REFUSAL), json_reply(RANKING))
    assert ranked() == ranked() == (1, 0)
    assert ["temperature" in hit.json for hit in server.hits_of(CHAT)] == [True, False, False]
    assert refused(client) == known_to_another_process() == {"temperature": None}
    assert "It refused temperature" in client.get("/settings").content.decode()
    assert client.post("/api/settings/endpoints/gpt/reset").status_code == 200
    assert refused(client) == known_to_another_process() == {}
    assert ranked() == (1, 0)
    assert "temperature" in server.hits_of(CHAT)[-1].json
