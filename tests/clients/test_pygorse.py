"""PyGorse, synchronous and asynchronous, method by method against a live server."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.patience import PATIENCE_S

gorse = pytest.importorskip("gorse")

AT = "2024-03-01T12:00:00Z"


class Sync:
    """The synchronous client, called as if it were the other one."""

    def __init__(self, *args):
        self._client = gorse.Gorse(*args)

    def __getattr__(self, name):
        method = getattr(self._client, name)

        async def call(*args, **options):
            return method(*args, **options)

        return call


@pytest.fixture(params=[Sync, gorse.AsyncGorse], ids=["sync", "async"])
def client(request, server, keys):
    return request.param(server.url, keys["data"])


@pytest.fixture
def name(request):
    """Ids of this test and client only: the server is shared."""
    stem = f"{request.node.name}".replace("[", "-").replace("]", "")
    return lambda what: f"{stem}:{what}"


def test_both_clients_have_the_methods_that_are_tested_here():
    methods = {name for name, _ in inspect.getmembers(gorse.Gorse, inspect.isfunction) if name[0] != "_"}
    source = inspect.getsource(inspect.getmodule(Sync))
    assert [name for name in sorted(methods) if f"client.{name}(" not in source] == []


async def test_users(client, name):
    one, two = ({"UserId": name(n), "Labels": {"age": 24}, "Comment": n} for n in ("a", "b"))
    assert await client.insert_user(one) == {"RowAffected": 1}
    assert await client.insert_users([one, two]) == {"RowAffected": 2}
    assert await client.get_user(name("a")) == one
    seen, cursor = [], ""
    while True:
        page, cursor = await client.get_users(2, cursor)
        seen += [user["UserId"] for user in page]
        if not cursor:
            break
    assert {name("a"), name("b")} <= set(seen)
    assert seen == sorted(seen)
    assert await client.delete_user(name("a")) == {"RowAffected": 1}
    with pytest.raises(gorse.GorseException) as caught:
        await client.get_user(name("a"))
    assert (caught.value.status_code, caught.value.message) == (404, f"{name('a')}: user not found")


async def test_items(client, name):
    item = {
        "ItemId": name("m"),
        "IsHidden": False,
        "Categories": ["movie"],
        "Timestamp": AT,
        "Labels": {"tags": ["x"]},
        "Comment": f"title {name('m')}",
    }
    assert await client.insert_item(item) == {"RowAffected": 1}
    assert await client.get_item(name("m")) == item
    # All five keys are sent, with null where nothing is to change.
    assert await client.update_item(name("m"), is_hidden=True) == {"RowAffected": 1}
    assert await client.get_item(name("m")) == item | {"IsHidden": True}
    found = await client.search_items(f"TITLE {name('m')}", n=3)
    assert [row["ItemId"] for row in found] == [name("m")]
    page, cursor = await client.get_items(1)
    assert (len(page), isinstance(cursor, str)) == (1, True)
    assert await client.delete_item(name("m")) == {"RowAffected": 1}
    with pytest.raises(gorse.GorseException) as caught:
        await client.get_item(name("m"))
    assert caught.value.status_code == 404


async def test_feedback(client, name):
    user, item = name("u"), name("m")
    assert await client.insert_feedback("like", user, item, AT) == {"RowAffected": 1}
    row = {"FeedbackType": "read", "UserId": user, "ItemId": item, "Value": 3, "Timestamp": AT}
    assert await client.insert_feedbacks([row, {**row, "FeedbackType": "read-later"}]) == {"RowAffected": 2}
    liked = await client.list_feedbacks("like", user)
    assert liked == [
        {
            "FeedbackType": "like",
            "UserId": user,
            "ItemId": item,
            "Value": 0,
            "Timestamp": AT,
            "Updated": AT,
            "Comment": "",
        }
    ]
    assert [r["Value"] for r in await client.list_feedbacks("read>=3", user)] == [3]
    assert [r["FeedbackType"] for r in await client.list_feedbacks("read-later", user)] == ["read-later"]
    page, cursor = await client.get_feedbacks(1)
    assert (len(page), bool(cursor)) == (1, True)
    assert await client.delete_feedback(user, item) == {"RowAffected": 3}
    assert await client.delete_feedback(user, item) == {"RowAffected": 0}


async def test_recommendations(client, name):
    ids = [name(n) for n in ("a", "b", "c")]
    for place, item in enumerate(ids):
        labels, categories = {"tags": [name("tag")]}, [name("category")]
        await client.insert_item(
            {
                "ItemId": item,
                "Timestamp": f"2099-01-0{place + 1}T00:00:00Z",  # newer than what other tests insert
                "Labels": labels,
                "Categories": categories,
            }
        )
    async with asyncio.timeout(PATIENCE_S):
        first = []
        while [score.id for score in first] != [ids[2], ids[1]]:
            await asyncio.sleep(0.05)  # items inserted a moment ago are taken up in the background
            first = await client.get_recommend(name("u"), name("category"), n=2)
    assert first[0].score > first[1].score
    assert [score.id for score in await client.get_recommend(name("u"), name("category"), offset=1)] == [
        ids[1],
        ids[0],
    ]
    assert len(await client.get_recommend(name("u"))) > 0  # a slash stands behind the user
    await client.insert_user({"UserId": name("u")})
    given = await client.get_recommend(
        name("u"), name("category"), n=1, write_back_type="read", write_back_delay="0h0m0s"
    )
    again = await client.get_recommend(name("u"), name("category"), n=3)
    assert given[0].id not in [score.id for score in again]

    session = [{"FeedbackType": "like", "UserId": "", "ItemId": ids[0], "Timestamp": AT}]
    assert isinstance(await client.session_recommend(session, n=2), list)
    assert await client.session_recommend([]) == []
    assert isinstance(await client.get_neighbors(ids[0], n=5, offset=0), list)


async def test_a_wrong_key_is_refused_in_gorses_word(server):
    client = gorse.AsyncGorse(server.url, "wrong")
    with pytest.raises(gorse.GorseException) as caught:
        await client.get_users(1)
    assert (caught.value.status_code, caught.value.message) == (401, "unauthorized")
