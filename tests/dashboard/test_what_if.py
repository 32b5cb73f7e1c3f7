"""Previews for a user who did something else, and for nobody: what runs, what is refused, what stays."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from dashboard import runs
from dashboard.catalogue import reading, writing
from dashboard.what_if import WhatIf
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.errors import FlowError

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

RULES = {"positive": ["like", "rating>=4"], "read": ["read>=3"], "negative": []}
FLOW = {
    "nodes": [
        {"id": "s", "type": "data-source", "settings": RULES},
        {"id": "l", "type": "latest"},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": "1", "source": "s", "target": "l"}, {"id": "2", "source": "l", "target": "r"}],
}
#: Items like those somebody liked: ann's like of m5 leads nowhere, one of m1 leads to m2.
ALIKE = {
    "nodes": [
        {"id": "s", "type": "data-source", "settings": RULES},
        {"id": "i", "type": "item-to-item", "settings": {"similarity": "tags", "column": "item.Labels"}},
        {"id": "r", "type": "recommend"},
    ],
    "edges": [{"id": "1", "source": "s", "target": "i"}, {"id": "2", "source": "i", "target": "r"}],
}
LABELS = {"m1": ["space"], "m2": ["space"], "m3": ["tea"], "m4": ["tea"], "m5": ["none"]}


@pytest.fixture
def rows():
    writing.put_users([UserRecord("ann")])
    writing.put_items(
        [ItemRecord(f"m{n}", time_us=n * 1_000_000, labels=LABELS[f"m{n}"]) for n in range(1, 6)]
    )
    writing.put_feedback([FeedbackRecord("like", "ann", "m5", 1.0, time_us=10)], overwrite=True)
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


async def run(what_if=None, *, flow=FLOW, user_id="ann"):
    changes = WhatIf.read(what_if)
    live = await runs.start(flow, user_id, n=9, categories=[], until=None, request_id="", what_if=changes)
    await asyncio.wait_for(live.task, 10)
    return live.messages


def ids_of(messages):
    assert messages[-1]["event"] == "run.finished", messages[-1]
    return [item["item_id"] for item in messages[-1]["items"]]


async def test_feedback_left_out_brings_its_item_back(rows):
    assert ids_of(await run()) == ["m4", "m3", "m2", "m1"]
    left_out = {"remove": [{"item_id": "m5", "type": "like"}]}
    assert ids_of(await run(left_out)) == ["m5", "m4", "m3", "m2", "m1"]


async def test_feedback_added_is_taste_and_hides_its_item(rows):
    assert ids_of(await run(flow=ALIKE)) == []
    assert ids_of(await run({"add": [{"item_id": "m1"}]}, flow=ALIKE)) == ["m2"]


async def test_a_session_of_nobody_has_no_history_but_what_is_added(rows):
    session = {"anonymous": True, "add": [{"item_id": "m4"}]}
    messages = await run(session, user_id="ann", flow=ALIKE)
    assert ids_of(messages) == ["m3"]
    assert messages[0]["user_id"] == ""
    assert messages[-1]["note"] == "An anonymous session: only what was done in it is known."


async def test_reading_it_is_told_from_liking_it(rows):
    messages = await run({"add": [{"item_id": "m1", "sense": "read"}]}, flow=ALIKE)
    assert ids_of(messages) == []
    assert ids_of(await run({"add": [{"item_id": "m4", "sense": "read"}]})) == ["m3", "m2", "m1"]


async def test_nothing_is_written_and_later_runs_know_nothing_of_it(rows):
    def stored():
        return reading.feedback_of_user("ann", until_us=10**18)

    before = await sync_to_async(stored)()
    await run({"add": [{"item_id": "m1"}], "remove": [{"item_id": "m5", "type": "like"}]})
    assert await sync_to_async(stored)() == before
    assert ids_of(await run()) == ["m4", "m3", "m2", "m1"]


async def test_a_change_is_part_of_the_signature_and_the_same_change_is_cached(rows):
    def cached(messages):
        return [event["cached"] for event in messages if event["event"] == "node.finished"]

    change = {"add": [{"item_id": "m1", "time": "2026-01-01T12:00:00Z"}]}
    assert cached(await run()) == [False, False, False]
    assert cached(await run(change)) == [False, False, False]
    assert cached(await run(change)) == [True, True, True]
    assert cached(await run()) == [True, True, True]


async def test_a_time_to_come_counts_as_now(rows):
    assert ids_of(await run({"add": [{"item_id": "m4", "time": "2999-01-01T00:00:00Z"}]})) == [
        "m3",
        "m2",
        "m1",
    ]


@pytest.mark.parametrize(
    ("what_if", "sentence"),
    [
        ({"add": [{"item_id": "m9"}]}, "No item has the id 'm9'"),
        ({"add": [{"item_id": "m1", "sense": "negative"}]}, "counts no feedback as negative"),
        ({"remove": [{"item_id": "m1", "type": "like"}]}, "ann has no feedback 'like' on 'm1' to leave out"),
        ({"anonymous": True, "remove": [{"item_id": "m5", "type": "like"}]}, "An anonymous session has no"),
        ({"add": [{"item_id": "m1"}] * 101}, "what_if.add: Tuple should have at most 100 items"),
        ({"add": [{"item_id": "m1", "sense": "adores"}]}, "what_if.add.0.sense: "),
        ({"add": [{"item_id": "m1", "time": "2026-01-01"}]}, "what_if.add.0.time: "),
        ({"forget": True}, "what_if.forget: Extra inputs are not permitted"),
        ([], "what_if: "),
    ],
)
async def test_what_cannot_be_is_refused_with_the_value(rows, what_if, sentence):
    with pytest.raises(FlowError) as refused:
        await run(what_if)
    assert sentence in refused.value.message
