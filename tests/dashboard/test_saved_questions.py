"""Viewers run previews, but what other machines are asked in them somebody else has saved."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User

from dashboard import accounts, drafts, runs
from dashboard.consumers import PreviewConsumer
from dashboard.saved_questions import refuse_unsaved
from recflow.engine.flow import load_flow
from recflow.errors import FlowError
from tests.patience import PATIENCE_S
from tests.websocket_scope import websocket_scope

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

SAVED = {"mode": "script", "script": '["m1"]'}
TYPED = {"mode": "script", "script": '["m2"]'}
REFUSAL = "External asks other machines with settings that nobody has saved: running that takes an editor"


def drawing(*nodes):
    """The nodes between a Data Source and Recommend."""
    ends = [{"id": "s", "type": "data-source"}, {"id": "r", "type": "recommend"}]
    edges = [(a, b["id"]) for b in nodes for a in ("s",)] + [(node["id"], "r") for node in nodes[:1]]
    return {
        "name": "Drawn",
        "nodes": [*ends, *nodes],
        "edges": [{"id": f"{a}-{b}", "source": a, "target": b} for a, b in edges],
    }


def external(settings, **more):
    return {"id": "x", "type": "external", "settings": settings, **more}


def is_let_through(document) -> bool:
    try:
        refuse_unsaved(load_flow(document))
    except FlowError as error:
        assert (error.message, error.node_id) == (REFUSAL, "x")
        return False
    return True


def test_a_node_may_ask_what_it_asks_in_some_draft():
    assert not is_let_through(drawing(external(SAVED)))
    drafts.create("Of an editor", drawing(external(SAVED)), "ed")
    assert is_let_through(drawing(external(SAVED, name="By another name", position={"x": 5, "y": 5})))
    assert not is_let_through(drawing(external(TYPED)))
    assert not is_let_through(drawing(external(SAVED | {"timeout": "6s"})))


def test_what_was_saved_before_counts_as_long_as_a_version_keeps_it():
    flow = drafts.create("Of an editor", drawing(external(TYPED)), "ed")
    drafts.keep(flow.pk, "", 1, "ed")
    drafts.save(flow.pk, 1, drawing(external(SAVED)), "ed")
    drafts.save(flow.pk, 2, drawing(), "ed")
    assert is_let_through(drawing(external(TYPED)))
    assert not is_let_through(drawing(external(SAVED)))
    drafts.delete(flow.pk, "ed")
    assert not is_let_through(drawing(external(TYPED)))


def test_settings_belong_to_a_type():
    drafts.create("Of an editor", drawing({"id": "x", "type": "latest", "settings": SAVED}), "ed")
    assert not is_let_through(drawing(external(SAVED)))


@pytest.mark.parametrize(
    "node",
    [
        {"id": "x", "type": "non-personalized", "settings": {"score": "item.Timestamp.Unix()"}},
        {"id": "x", "type": "ranker", "settings": {"kind": "mf"}},
        {"id": "x", "type": "from-the-future", "settings": {"script": "1"}},
        external(TYPED, disabled=True),
    ],
)
def test_what_asks_nobody_may_be_anything(node):
    assert is_let_through(drawing(node))


def test_settings_that_cannot_be_read_are_not_let_through():
    assert not is_let_through(drawing(external({"mode": "script", "script": ""})))


@asynccontextmanager
async def socket_of(role):
    """The preview of somebody with this role: sends a run and gives the first event that ends it."""
    await sync_to_async(accounts.add)(role, "a long password", role)
    scope = await websocket_scope("/ws/preview", await User.objects.aget(username=role))
    socket = ApplicationCommunicator(PreviewConsumer.as_asgi(), scope)

    async def ended(document):
        flow = document if isinstance(document, str) else json.dumps(document)
        message = f'{{"type": "run", "user_id": "ann", "flow": {flow}}}'
        await socket.send_input({"type": "websocket.receive", "text": message})
        while True:
            frame = await socket.receive_output(timeout=PATIENCE_S)
            for event in json.loads(frame["text"]):
                if event["event"] in {"run.finished", "run.rejected"}:
                    return event

    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=PATIENCE_S))["type"] == "websocket.accept"
    try:
        yield ended
    finally:
        await socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await socket.wait(PATIENCE_S)


@pytest.fixture
def saved():
    runs.services.memo.clear()
    return drafts.create("Of an editor", drawing(external(SAVED)), "ed")


@pytest.mark.parametrize("role", ["editor", "publisher"])
async def test_whoever_may_save_runs_what_they_have_typed(saved, role):
    async with socket_of(role) as ended:
        assert (await ended(drawing(external(TYPED))))["event"] == "run.finished"


async def test_a_viewer_runs_what_was_saved_and_nothing_typed(saved):
    async with socket_of("viewer") as ended:
        assert (await ended(drawing(external(SAVED))))["event"] == "run.finished"
        refused = await ended(drawing(external(TYPED)))
        (problem,) = refused["problems"]
        assert (refused["event"], problem["message"], problem["node_id"]) == ("run.rejected", REFUSAL, "x")


async def test_an_editor_who_became_a_viewer_is_one_at_the_next_run(saved):
    async with socket_of("editor") as ended:
        await sync_to_async(accounts.add)("boss", "a long password", "publisher")
        await sync_to_async(accounts.grant)("editor", "viewer")
        assert (await ended(drawing(external(TYPED))))["event"] == "run.rejected"


async def test_a_message_nested_beyond_reading_is_refused_and_the_socket_goes_on(saved):
    async with socket_of("viewer") as ended:
        refused = await ended(100_000 * "[" + 100_000 * "]")
        assert refused["problems"][0]["message"].startswith("A message is a JSON object whose type is run,")
        assert (await ended(drawing(external(SAVED))))["event"] == "run.finished"


async def test_a_server_runs_only_so_many_previews_at_once(saved, monkeypatch):
    monkeypatch.setattr(runs, "MAX_RUNS", 0)
    async with socket_of("viewer") as ended:
        problem = (await ended(drawing(external(SAVED))))["problems"][0]
    assert problem["message"] == "0 previews are under way on this server: try again when some are done"
