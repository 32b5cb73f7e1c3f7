"""The preview's WebSocket: what a browser says, what it hears, what outlives its socket."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser

from dashboard import consumers, runs
from dashboard.catalogue import writing
from dashboard.consumers import PreviewConsumer
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.engine.registry import NODE_TYPES
from recflow.errors import FlowError
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

FLOW = {
    "nodes": [
        {"id": "s", "type": "data-source"},
        {"id": "l", "type": "latest"},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": "1", "source": "s", "target": "l"}, {"id": "2", "source": "l", "target": "r"}],
}


@pytest.fixture
def rows():
    writing.put_users([UserRecord("ann")])
    writing.put_items([ItemRecord(f"m{n}", time_us=n * 1_000_000, comment=f"Movie {n}") for n in range(1, 6)])
    writing.put_feedback([FeedbackRecord("like", "ann", "m5", 1.0, time_us=10)], overwrite=True)
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


class Browser:
    """One tab's end of the socket; Channels' own communicator needs another server to be imported."""

    def __init__(self, address):
        scope = {
            "type": "websocket",
            "path": "/ws/preview",
            "headers": [],
            "user": AnonymousUser(),
            "client": (address, 1),
        }
        self.socket = ApplicationCommunicator(PreviewConsumer.as_asgi(), scope)

    async def say(self, **message):
        await self.send(json.dumps(message))

    async def send(self, text):
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, *last):
        """Events up to the first whose name is one of ``last``."""
        heard = []
        while not heard or heard[-1]["event"] not in last:
            message = await self.socket.receive_output(timeout=PATIENCE_S)
            heard += json.loads(message["text"])
        return heard


@asynccontextmanager
async def browser(address="127.0.0.1"):
    tab = Browser(address)
    await tab.socket.send_input({"type": "websocket.connect"})
    answer = await tab.socket.receive_output(timeout=PATIENCE_S)
    try:
        yield tab if answer["type"] == "websocket.accept" else None
    finally:
        await tab.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await tab.socket.wait(PATIENCE_S)


@pytest.fixture(autouse=True)
def open_playground(settings):
    settings.OPEN_ON_LOOPBACK = True


async def test_a_run_tells_each_node_and_ends_with_the_items(rows):
    async with browser() as socket:
        await socket.say(type="run", request_id="q", flow=FLOW, user_id="ann", n=2)
        heard = await socket.hear("run.finished")
    assert [event["seq"] for event in heard] == list(range(1, len(heard) + 1))
    assert heard[0]["event"] == "run.accepted"
    assert heard[0]["request_id"] == "q"
    assert {e["node_id"]: e["count"] for e in heard if e["event"] == "node.finished"} == {
        "s": 1,
        "l": 4,
        "r": 2,
    }
    assert [item["item_id"] for item in heard[-1]["items"]] == ["m4", "m3"]
    assert heard[-1]["items"][0]["title"] == "Movie 4"
    assert heard[-1]["items"][0]["steps"][0]["node_ids"] == ["l"]


async def test_what_runs_is_the_drawing_that_was_sent(rows):
    changed = json.loads(json.dumps(FLOW))
    changed["nodes"][1] = {
        "id": "l",
        "type": "non-personalized",
        "settings": {"score": "float(item.ItemId[1:])"},
    }
    changed["nodes"][1]["settings"]["score"] = "-item.Timestamp.Unix()"
    async with browser() as socket:
        await socket.say(type="run", flow=changed, user_id="ann", n=2)
        heard = await socket.hear("run.finished")
    assert [item["item_id"] for item in heard[-1]["items"]] == ["m1", "m2"]


async def test_feedback_posted_a_moment_ago_is_in_the_next_run(rows):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann")
        await socket.hear("run.finished")
        read = FeedbackRecord("read", "ann", "m4", 1.0, time_us=11)
        await sync_to_async(writing.put_feedback)([read], overwrite=True)
        await socket.say(type="run", flow=FLOW, user_id="ann")
        heard = await socket.hear("run.finished")
    assert [item["item_id"] for item in heard[-1]["items"]] == ["m3", "m2", "m1"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"flow": {"nodes": []}}, "The flow needs a Data Source node"),
        ({"flow": None}, "A flow document is a JSON object, got null"),
        ({"flow": {**FLOW, "format": 99}}, "has format 99"),
        ({"flow": FLOW, "user_id": "x" * 10_000}, "at most 256 characters, got 10,000"),
        ({"flow": FLOW, "user_id": "a\0b"}, "A user ID may not hold a null character, got 'a\\x00b'"),
        ({"flow": FLOW, "categories": 5}, "categories must be a list, got '5'"),
        ({"flow": FLOW, "until": "nowhere"}, "no node 'nowhere'"),
    ],
)
async def test_what_cannot_run_is_rejected_with_its_problems(rows, message, text):
    async with browser() as socket:
        await socket.say(type="run", request_id=text, **({"user_id": "ann"} | message))
        heard = await socket.hear("run.rejected")
    assert heard[-1]["request_id"] == text
    assert text in " ".join(problem["message"] for problem in heard[-1]["problems"])


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"type": "dance"}', '{"type": ["run"]}', "1"])
async def test_nonsense_is_answered_and_the_socket_lives_on(rows, text):
    async with browser() as socket:
        await socket.send(text)
        await socket.hear("run.rejected")
        await socket.say(type="run", flow=FLOW, user_id="ann")
        await socket.hear("run.finished")


async def test_all_that_came_out_of_a_node_is_told_on_demand(rows):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann", n=1)
        run_id = (await socket.hear("run.finished"))[0]["run_id"]
        await socket.say(type="output", run_id=run_id, node_id="l")
        (answer,) = await socket.hear("node.output")
        assert [item["item_id"] for item in answer["items"]] == ["m4", "m3", "m2", "m1"]
        assert answer["items"][0]["title"] == "Movie 4"
        for node_id, said_of_run, items in (("nowhere", run_id, []), ("l", "forgotten", None)):
            await socket.say(type="output", run_id=said_of_run, node_id=node_id)
            (answer,) = await socket.hear("node.output")
            assert (answer["node_id"], answer["items"]) == (node_id, items)


async def test_what_finished_before_a_cancel_can_still_be_asked_for(rows, slow_node):
    flow = json.loads(json.dumps(FLOW))
    flow["nodes"] += [{"id": "p", "type": "non-personalized", "settings": {"score": "item.Timestamp.Unix()"}}]
    flow["nodes"] += [{"id": "m", "type": "merge"}]
    pairs = ("s", "p"), ("s", "l"), ("p", "m"), ("l", "m"), ("m", "r")
    flow["edges"] = [{"id": a + b, "source": a, "target": b} for a, b in pairs]
    async with browser() as socket:
        await socket.say(type="run", flow=flow, user_id="ann")
        heard = []
        while not any(event["event"] == "node.finished" and event["node_id"] == "p" for event in heard):
            heard += await socket.hear("node.finished", "node.progress")
        await socket.say(type="cancel", run_id=heard[0]["run_id"])
        await socket.hear("run.cancelled")
        await socket.say(type="output", run_id=heard[0]["run_id"], node_id="p")
        (answer,) = await socket.hear("node.output")
    assert [item["item_id"] for item in answer["items"]] == ["m4", "m3", "m2", "m1"]


@pytest.mark.parametrize("user_id", ["two words", "söğüt 🦉", "<img src=x onerror=alert(1)>", "a/b?c#d"])
async def test_a_stranger_of_any_name_gets_items_and_a_note(rows, user_id):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id=user_id)
        heard = await socket.hear("run.finished")
    assert len(heard[-1]["items"]) == 5
    assert f"No user is called {user_id!r}" in heard[-1]["note"]


async def test_an_empty_database_gives_an_empty_result_and_says_so():
    await sync_to_async(runs.store.snapshot)(fresh=True)
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann")
        heard = await socket.hear("run.finished")
    assert heard[-1]["items"] == []
    assert "Nothing came out" in heard[-1]["note"]


@pytest.fixture
def slow_node(monkeypatch):
    """Latest, but it takes for ever; its clean-up is heard."""
    stopped = asyncio.Event()

    async def run(ctx, user, settings):
        ctx.progress(0.5, "half")
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()

    entry = NODE_TYPES["latest"]
    slow = type(entry)(**{**entry.__dict__, "run": run, "is_async": True})
    monkeypatch.setitem(NODE_TYPES, "latest", slow)
    return stopped


async def test_cancel_ends_the_work_on_the_server(rows, slow_node):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann")
        heard = await socket.hear("node.progress")
        await socket.say(type="cancel", run_id=heard[0]["run_id"])
        heard = await socket.hear("run.cancelled")
        await asyncio.wait_for(slow_node.wait(), PATIENCE_S)


async def test_a_dropped_socket_loses_nothing_and_no_second_run_starts(rows, slow_node):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann")
        first = await socket.hear("node.progress")
        run_id = first[0]["run_id"]
    assert not slow_node.is_set()
    async with browser() as socket:
        await socket.say(type="resume", run_id=run_id, after_seq=2)
        await socket.say(type="cancel", run_id=run_id)
        rest = await socket.hear("run.cancelled")
    assert [event["seq"] for event in rest] == list(range(3, 3 + len(rest)))
    assert {event["run_id"] for event in rest} == {run_id}


async def test_asking_again_under_the_same_request_id_gets_the_run_that_was_begun(rows, slow_node):
    async with browser() as socket:
        await socket.say(type="run", request_id="r-once", flow=FLOW, user_id="ann")
        first = await socket.hear("node.progress")
    async with browser() as socket:
        await socket.say(type="run", request_id="r-once", flow=FLOW, user_id="ann")
        again = await socket.hear("node.progress")
        await socket.say(type="cancel", run_id=first[0]["run_id"])
        await socket.hear("run.cancelled")
    assert again[0]["run_id"] == first[0]["run_id"]


async def test_an_account_may_only_have_so_many_runs_under_way(rows, slow_node, monkeypatch):
    """However many of its sockets ask at the same moment; another account may go on."""
    monkeypatch.setattr(runs, "MAX_AT_ONCE", 2)

    async def begin(asked_by):
        what = {"n": 9, "categories": [], "until": None, "request_id": ""}
        return await runs.start(FLOW, "ann", **what, asked_by=asked_by)

    outcomes = await asyncio.gather(*(begin("grace") for _ in range(4)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, FlowError)]
    begun = [outcome for outcome in outcomes if isinstance(outcome, runs.LiveRun)]
    try:
        assert [error.message for error in refused] == [
            "2 previews of yours are under way: wait for one to end, or cancel one"
        ] * 2
        begun.append(await begin("ada"))
        await runs.cancel(begun[0])
        begun.append(await begin("grace"))
    finally:
        for live in begun:
            await runs.cancel(live)
    assert len(begun) == 4


async def test_the_refusal_of_one_more_run_reaches_the_browser(rows, monkeypatch):
    monkeypatch.setattr(runs, "MAX_AT_ONCE", 0)
    async with browser() as socket:
        await socket.say(type="run", request_id="r-more", flow=FLOW, user_id="ann")
        (refused,) = await socket.hear("run.rejected")
    assert refused["request_id"] == "r-more"
    assert "previews of yours are under way" in refused["problems"][0]["message"]


async def test_the_request_id_of_another_account_leads_to_no_run_of_theirs(rows):
    what = {"n": 9, "categories": [], "until": None, "request_id": "r-same"}
    hers = await runs.start(FLOW, "ann", **what, asked_by="ada")
    mine = await runs.start(FLOW, "ann", **what, asked_by="grace")
    again = await asyncio.gather(*(runs.start(FLOW, "ann", **what, asked_by="grace") for _ in range(2)))
    await asyncio.gather(*(runs.cancel(live) for live in (hers, mine)))
    assert mine is not hers
    assert again == [mine, mine]


async def test_a_run_asked_for_twice_at_the_same_moment_is_one(rows):
    what = {"n": 9, "categories": [], "until": None, "request_id": "r-twice"}
    first, second = await asyncio.gather(*(runs.start(FLOW, "ann", **what) for _ in range(2)))
    await runs.cancel(first)
    assert first is second


async def test_resuming_a_run_nobody_knows_says_it_is_gone():
    async with browser() as socket:
        await socket.say(type="resume", run_id="no such run", after_seq=0)
        heard = await socket.hear("run.rejected")
    assert heard[-1]["problems"][0]["code"] == "gone"


async def test_two_browsers_hear_only_their_own_run(rows):
    async with browser() as one, browser() as two:
        await one.say(type="run", flow=FLOW, user_id="ann")
        await two.say(type="run", flow=FLOW, user_id="stranger")
        heard_one, heard_two = await one.hear("run.finished"), await two.hear("run.finished")
    assert len({event["run_id"] for event in heard_one}) == 1
    assert {e["run_id"] for e in heard_one}.isdisjoint(e["run_id"] for e in heard_two)
    assert "stranger" in heard_two[-1]["note"]


@pytest.mark.parametrize(
    ("item_id", "verdict"),
    [
        ("m5", "the user has feedback on it already"),
        ("m4", "It is in the result"),
        ("m1", "the list was full"),
        ("nothing", "No item has the id 'nothing'"),
    ],
)
async def test_why_an_item_is_missing_is_answered_from_the_record_of_the_run(rows, item_id, verdict):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann", n=2)
        heard = await socket.hear("run.finished")
        await socket.say(type="explain", run_id=heard[0]["run_id"], item_id=item_id)
        (explained,) = await socket.hear("run.explained")
    assert verdict in explained["verdict"]


async def test_a_stranger_on_the_network_may_not_open_the_socket():
    async with browser("203.0.113.9") as socket:
        assert socket is None


@pytest.mark.parametrize("after_seq", ["x", -3, None, [1]])
async def test_a_run_that_is_resumed_from_nowhere_is_told_from_its_beginning(rows, after_seq):
    async with browser() as socket:
        await socket.say(type="run", flow=FLOW, user_id="ann")
        told = await socket.hear("run.finished")
        await socket.say(type="resume", run_id=told[0]["run_id"], after_seq=after_seq)
        again = await socket.hear("run.finished")
    assert [event["seq"] for event in again] == [event["seq"] for event in told]


async def test_a_channel_layer_that_is_away_lets_no_run_go_on_for_nobody(rows, monkeypatch):
    watched = []
    monkeypatch.setattr(consumers.runs, "cancel_unless_watched", lambda live, after_s: watched.append(live))
    live = SimpleNamespace(is_over=False)
    monkeypatch.setattr(consumers.runs, "find", lambda run_id: live)

    async def away(self):
        raise ConnectionError("Redis is away")

    monkeypatch.setattr(consumers.PreviewConsumer, "leave_flow", away)
    tab, pump = consumers.PreviewConsumer(), asyncio.create_task(asyncio.sleep(60))
    tab.pumps = {"r1": pump}
    with pytest.raises(ConnectionError):
        await tab.disconnect(1001)
    await asyncio.wait([pump], timeout=PATIENCE_S)
    assert (watched, pump.cancelled()) == ([live], True)
