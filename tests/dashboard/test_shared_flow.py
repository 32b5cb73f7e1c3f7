"""Who has a flow open, told from window to window: in one process, and over Redis between several."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import channel_layers
from django.contrib.auth.models import AnonymousUser, User

from dashboard import activation, drafts, shared_flow
from dashboard.consumers import PreviewConsumer
from dashboard.presence import FORGET_S, Roster, Window
from recflow.nodes.starters import STARTERS
from tests.patience import PATIENCE_S
from tests.websocket_scope import websocket_scope

POPULAR = STARTERS["popular"].document
needs_rows = pytest.mark.django_db(databases="__all__", transaction=True)


def test_tabs_of_one_account_are_one_person_and_tabs_of_nobody_stand_for_themselves():
    roster, mine = Roster(), Window("w1", "ada", "Ada")
    roster.hear(Window("w2", "grace", "Grace", node_id="n1"), 0)
    roster.hear(Window("w3", "", ""), 0)
    roster.hear(Window("w4", "grace", "Grace", is_editing=True, node_id="n2"), 0)
    roster.hear(Window("w5", "ada", "Ada"), 0)
    roster.hear(Window("w6", "", ""), 0)
    people = roster.people(mine)
    assert [(person["name"], person["windows"], person["is_you"]) for person in people] == [
        ("Grace", 2, False),
        ("", 1, False),
        ("Ada", 1, True),
        ("", 1, False),
    ]
    assert (people[0]["is_editing"], people[0]["node_ids"]) == (True, ["n1", "n2"])


def test_nobody_is_you_where_nobody_logs_in():
    roster = Roster()
    roster.hear(Window("w2", "", ""), 0)
    assert [person["is_you"] for person in roster.people(Window("w1", "", ""))] == [False]


def test_a_window_that_says_nothing_is_forgotten_and_one_that_speaks_is_not():
    roster = Roster()
    roster.hear(Window("w1", "ada", "Ada"), 0)
    roster.hear(Window("w2", "grace", "Grace"), 0)
    roster.hear(Window("w2", "grace", "Grace"), FORGET_S)
    roster.forget_silent(FORGET_S + 1)
    assert [person["name"] for person in roster.people(Window("w0", "", ""))] == ["Grace"]


def test_everybody_is_gone_within_thirty_seconds_whatever_happened_to_them():
    """A browser that is cut off is noticed at the beat after its silence; so is a server that died."""
    assert shared_flow.SILENT_S + shared_flow.BEAT_S < 30
    assert FORGET_S + shared_flow.BEAT_S < 30


class Tab:
    """One browser tab's end of the socket, which answers pings unless it is told not to."""

    def __init__(self, scope, consumer=PreviewConsumer):
        self.socket = ApplicationCommunicator(consumer.as_asgi(), scope)
        self.people = []

    async def say(self, **message):
        await self.socket.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def hear(self, event, *, answer=True):
        """The next event of that name."""
        while True:
            message = await self.socket.receive_output(timeout=PATIENCE_S)
            if message["type"] == "websocket.close":
                return message
            for heard in json.loads(message["text"]):
                if heard["event"] == "ping" and answer:
                    await self.say(type="look")
                if heard["event"] == event:
                    return heard

    async def sees(self, *names, answer=True):
        """Wait until exactly these are there."""
        while sorted(self.people) != sorted(names):
            heard = await self.hear("presence", answer=answer)
            self.people = [person["name"] for person in heard["people"]]


@asynccontextmanager
async def tab(user, flow_id, consumer=PreviewConsumer):
    opened = Tab(await websocket_scope("/ws/preview", user), consumer)
    await opened.socket.send_input({"type": "websocket.connect"})
    assert (await opened.socket.receive_output(timeout=PATIENCE_S))["type"] == "websocket.accept"
    await opened.say(type="open", flow_id=flow_id)
    assert (await opened.hear("presence"))["people"] == []
    try:
        yield opened
    finally:
        await opened.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await opened.socket.wait(PATIENCE_S)


@pytest.fixture
def people(settings, transactional_db):
    settings.OPEN_ON_LOOPBACK = True
    ada = User.objects.create_superuser("ada", first_name="Ada", last_name="Lovelace")
    return {"ada": ada, "grace": User.objects.create_superuser("grace"), "nobody": AnonymousUser()}


@needs_rows
async def test_windows_of_a_flow_see_each_other_come_and_go_and_those_of_another_flow_do_not(people):
    async with tab(people["ada"], 1) as ada, tab(people["nobody"], 2) as elsewhere:
        async with tab(people["grace"], 1) as grace:
            await ada.sees("grace")
            await grace.sees("Ada Lovelace")
            await grace.say(type="look", is_editing=True, node_id="n7")
            (seen,) = (await ada.hear("presence"))["people"]
            assert (seen["is_editing"], seen["node_ids"]) == (True, ["n7"])
        await ada.sees()
        assert elsewhere.people == []


@needs_rows
async def test_a_browser_that_does_not_answer_is_gone_and_one_that_does_stays(people, monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(shared_flow, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    monkeypatch.setattr(shared_flow, "BEAT_S", 0.02)
    async with tab(people["ada"], 1) as ada, tab(people["grace"], 1) as grace:
        await ada.sees("grace")
        clock.now_s += 0.6 * shared_flow.SILENT_S
        await ada.say(type="look", node_id="n7")
        while (await grace.hear("presence", answer=False))["people"][0]["node_ids"] != ["n7"]:
            """Until it is sure that ada was heard."""
        clock.now_s += 0.6 * shared_flow.SILENT_S  # 1.2 of it since grace was heard, 0.6 since ada was
        closed = asyncio.create_task(grace.hear("nothing", answer=False))
        await ada.sees()
        assert (await closed)["code"] == shared_flow.NO_ANSWER


@needs_rows
@pytest.mark.parametrize("flow_id", [None, "1", -1, 0, 2**63])
async def test_what_is_no_flow_is_not_opened(people, flow_id):
    opened = Tab(await websocket_scope("/ws/preview", people["ada"]))
    await opened.socket.send_input({"type": "websocket.connect"})
    await opened.socket.receive_output(timeout=PATIENCE_S)
    await opened.say(type="open", flow_id=flow_id)
    await opened.say(type="look", is_editing=True)
    await opened.say(type="open", flow_id=1)
    assert (await opened.hear("presence"))["people"] == []
    await opened.socket.send_input({"type": "websocket.disconnect", "code": 1001})
    await opened.socket.wait(PATIENCE_S)


@needs_rows
async def test_saves_versions_and_activations_are_heard_once_they_are_committed(people):
    flow = await sync_to_async(drafts.create)("Home", POPULAR, "grace")
    other = await sync_to_async(drafts.create)("Other", POPULAR, "grace")
    async with tab(people["ada"], flow.pk) as ada:
        changed = POPULAR | {"name": "Changed"}
        await sync_to_async(drafts.save)(flow.pk, 1, changed, "grace")
        assert await ada.hear("flow.changed") == {
            "event": "flow.changed",
            "what": "saved",
            "by": "grace",
            "revision": 2,
        }
        await sync_to_async(activation.activate)(flow.pk, None, "", "grace")
        assert [(await ada.hear("flow.changed"))["what"] for _ in range(2)] == ["kept", "activated"]
        await sync_to_async(activation.activate)(other.pk, None, "", "grace")  # so this one is live no more
        assert (await ada.hear("flow.changed"))["what"] == "activated"


@needs_rows
async def test_a_channel_layer_that_is_away_keeps_nobody_from_saving(people, settings, caplog):
    flow = await sync_to_async(drafts.create)("Home", POPULAR, "grace")
    nowhere = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}
    settings.CHANNEL_LAYERS = {"default": nowhere | {"CONFIG": {"hosts": ["redis://127.0.0.1:1"]}}}
    channel_layers.backends.clear()
    try:
        saved = await sync_to_async(drafts.save)(flow.pk, 1, POPULAR | {"name": "Changed"}, "grace")
    finally:
        channel_layers.backends.clear()
    assert saved.revision == 2
    assert "Error calling" in caplog.text


class InAnotherProcess(PreviewConsumer):
    channel_layer_alias = "other"


@needs_rows
async def test_windows_served_by_different_processes_see_each_other_over_redis(people, settings, redis_url):
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    layer = {"BACKEND": backend, "CONFIG": {"hosts": [redis_url]}}
    settings.CHANNEL_LAYERS = {"default": layer, "other": layer}  # two clients, as of two processes
    channel_layers.backends.clear()
    flow = await sync_to_async(drafts.create)("Home", POPULAR, "grace")
    try:
        async with tab(people["ada"], flow.pk) as ada:
            async with tab(people["grace"], flow.pk, InAnotherProcess) as grace:
                await ada.sees("grace")
                await grace.sees("Ada Lovelace")
                await sync_to_async(drafts.save)(flow.pk, 1, POPULAR | {"name": "Changed"}, "ada")
                assert (await grace.hear("flow.changed"))["revision"] == 2
            await ada.sees()
        for alias in ("default", "other"):
            await channel_layers[alias].flush()
    finally:
        channel_layers.backends.clear()
