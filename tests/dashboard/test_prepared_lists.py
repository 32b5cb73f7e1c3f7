"""GET /api/recommend from prepared lists: what is taken out, what fills up, what is kept in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.test import Client
from pydantic import SecretStr

from dashboard import activation, drafts, runs
from dashboard.api import serve
from dashboard.catalogue import reading, writing
from dashboard.catalogue.changes import MOST_IDS
from dashboard.catalogue.purging import purge
from dashboard.jobs import prepared
from dashboard.models import WantedList
from dashboard.serving import memory as memory_module
from dashboard.serving import waiting
from dashboard.serving.answers import Answerer, Question
from dashboard.serving.memory import Kept, Memory
from dashboard.serving.plan import plan_of
from dashboard.serving.waiting import WaitingList
from dashboard.store import now_us
from recflow.asgi import application
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.engine.flow import load_flow

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

HOUR = 3_600_000_000


def drawing(fallback=True, score="-item.Timestamp.Unix()", **recommend):
    """The oldest first, with the latest as fallback."""
    nodes = [
        {"id": "s", "type": "data-source", "settings": {"positive": ["like"], "negative": ["hate>=2"]}},
        {"id": "o", "type": "non-personalized", "name": "oldest", "settings": {"score": score}},
        {"id": "l", "type": "latest"},
        {"id": "f", "type": "fallback"},
        {"id": "r", "type": "recommend", "settings": recommend},
    ]
    chains = [("s", "o"), ("o", "r"), ("s", "l"), ("l", "f"), *([("f", "r")] if fallback else [])]
    return {"nodes": nodes, "edges": [{"id": a + b, "source": a, "target": b} for a, b in chains]}


@pytest.fixture
def shop():
    """Items m1 (oldest) to m9 (newest), odd and even; the users ann and bob."""
    writing.put_items(
        [
            ItemRecord(f"m{n}", time_us=n * HOUR, categories=("odd",) if n % 2 else ("even",))
            for n in range(1, 10)
        ]
    )
    writing.put_users([UserRecord("ann"), UserRecord("bob")])
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()
    yield
    serve.forget()


@pytest.fixture
def activate(shop):
    def make(document):
        flow = drafts.create("Flow", document, "ada")
        activation.activate(flow.pk, None, "", "ada")
        return f"{flow.pk}@1"

    return make


def prepare(version, user="ann", items=("m5", "m3", "m4"), age_us=0):
    scores = [1.0 / rank for rank in range(1, len(items) + 1)]
    prepared.put(version, [prepared.MadeList(user, items, scores, "d")], now_us() - age_us)


def feedback(*rows, user="ann", kind="read", **more):
    writing.put_feedback([FeedbackRecord(kind, user, item, **more) for item in rows], overwrite=True)


@pytest.fixture
async def get():
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False), base_url="http://localhost"
    )

    async def request(path, status=200, **headers):
        answer = await client.get(f"/api/recommend/{path}", headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    yield request
    await client.aclose()


@pytest.fixture
def ids(get):
    async def request(path, **headers):
        return (await get(path, **headers)).json()

    return request


async def a(call, *args, **options):
    return await sync_to_async(call)(*args, **options)


def post(kind, item, user="ann", **more):
    body = [{"FeedbackType": kind, "UserId": user, "ItemId": item, "Timestamp": "2020-01-01", **more}]
    answer = Client().post("/api/feedback", json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content


class TestWithoutFallback:
    async def test_nobody_is_left_empty_while_lists_are_being_made(self, activate, ids):
        """ann has her list of the new version already, bob has not, and no fallback could answer."""
        await a(prepare, await a(activate, drawing(fallback=False)))
        assert await ids("bob?n=2") == ["m1", "m2"]

    async def test_whose_list_is_too_old_is_answered_by_the_flow_itself(self, activate, get):
        version = await a(activate, drawing(fallback=False, cache_expire="1h"))
        await a(prepare, version, age_us=HOUR + 1)
        answer = await get("ann?n=2")
        assert (answer.json(), answer.headers["x-flow-version"]) == (["m1", "m2"], version)

    async def test_where_the_flow_asks_others_a_list_that_is_too_old_answers_until_there_is_a_new_one(
        self, activate
    ):
        document = drawing(fallback=False, cache_expire="1h")
        document["nodes"].append(
            {"id": "e", "type": "external", "settings": {"mode": "script", "script": "[]"}}
        )
        await a(prepare, await a(activate, document), age_us=HOUR + 1)
        asked = []
        answerer = Answerer(asked.append)
        position = await answerer.rows.position(await answerer.rows.mark())
        found = await answerer.answer(Question("ann", n=2), position)
        answerer.rows.close()
        assert ([item for item, _ in found.items], found.source, asked) == (["m5", "m3"], "prepared", ["ann"])


class TestTaste:
    """What m1 is liked with comes first in the flow; the prepared list knows nothing of it yet."""

    DRAWING = drawing(score="len(feedback)")

    async def test_a_like_is_in_the_very_next_answer(self, activate, ids):
        await a(prepare, await a(activate, self.DRAWING))
        assert await ids("ann?n=1") == ["m5"]
        await a(writing.put_feedback, [FeedbackRecord("like", "bob", "m8")], overwrite=True)
        await a(runs.store.snapshot, fresh=True)
        await a(post, "like", "m5")
        assert await ids("ann?n=1") == ["m8"]

    async def test_what_was_only_read_leaves_the_list_as_it_stands(self, activate, ids):
        await a(prepare, await a(activate, self.DRAWING))
        await a(post, "read", "m5")
        assert await ids("ann?n=2") == ["m3", "m4"]

    async def test_a_list_made_after_the_like_answers_again(self, activate, ids):
        version = await a(activate, self.DRAWING)
        await a(post, "like", "m5")
        await a(prepare, version, age_us=-1_000_000)
        assert await ids("ann?n=1") == ["m3"]


class TestFromTheList:
    async def test_the_list_answers_in_its_order_with_the_version_it_is_of(self, activate, get):
        version = await a(activate, drawing())
        await a(prepare, version)
        answer = await get("ann?n=3")
        assert answer.json() == ["m5", "m3", "m4"]
        assert answer.headers["X-Flow-Version"] == version
        assert answer.headers["Last-Modified"].endswith(" GMT")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    async def test_scores_come_with_version_2(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        assert await ids("ann?n=2", **{"X-API-Version": "2"}) == [
            {"Id": "m5", "Score": 1.0},
            {"Id": "m3", "Score": 0.5},
        ]

    async def test_what_was_read_since_is_left_out_of_the_very_next_answer(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        assert await ids("ann?n=2") == ["m5", "m3"]
        await a(feedback, "m5")
        assert await ids("ann?n=2") == ["m3", "m4"]

    async def test_what_another_user_read_stays(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        await a(feedback, "m5", user="bob")
        assert await ids("ann?n=2") == ["m5", "m3"]

    async def test_what_was_hidden_or_deleted_since_is_left_out(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        await a(writing.patch_item, "m5", is_hidden=True)
        await a(writing.delete_item, "m3")
        assert await ids("ann?n=1") == ["m4"]

    async def test_offset_and_category(self, activate, ids):
        await a(prepare, await a(activate, drawing(fallback=False)))
        assert await ids("ann?n=2&offset=1") == ["m3", "m4"]
        assert await ids("ann/odd?n=5") == ["m5", "m3"]
        assert await ids("ann?category=even&n=5") == ["m4"]
        assert await ids("ann?category=even&category=odd&n=5") == []

    async def test_without_n_and_offset_there_are_ten_and_with_both_zero_all(self, activate, ids):
        await a(prepare, await a(activate, drawing()), items=[f"m{n}" for n in range(1, 10)])
        assert len(await ids("ann?n=0&offset=0")) == 9
        assert len(await ids("ann?n=0&offset=2")) == 0

    async def test_feedback_from_the_future_counts_when_its_time_comes(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        await a(feedback, "m5", time_us=now_us() + HOUR)
        assert await ids("ann?n=1") == ["m5"]

    async def test_how_far_ahead_feedback_counts_is_in_the_configuration(self, activate, ids, monkeypatch):
        monkeypatch.setattr(runs, "services", replace(runs.services, clock_error_us=2 * HOUR))
        await a(prepare, await a(activate, drawing()))
        await a(feedback, "m5", time_us=now_us() + HOUR)
        assert await ids("ann?n=1") == ["m3"]
        await a(feedback, "m1", user="bob", time_us=now_us() + HOUR)
        await a(activate, drawing(fallback=False, cache_size=50))  # answered by the flow itself
        assert await ids("bob?n=1") == ["m2"]

    async def test_with_replacement_only_negative_feedback_counts(self, activate, ids):
        await a(prepare, await a(activate, drawing(replace_seen=True)))
        await a(feedback, "m5", "m3")
        await a(feedback, "m4", kind="hate", value=1.0)
        assert await ids("ann?n=3") == ["m5", "m3", "m4"]
        await a(feedback, "m5", kind="hate", value=2.0)
        assert await ids("ann?n=2") == ["m3", "m4"]

    async def test_after_the_first_activation_lists_of_the_configuration_serve_until_there_are_new_ones(
        self, activate, get
    ):
        await a(prepare, "default")
        version = await a(activate, drawing())
        answer = await get("ann?n=3")
        assert (answer.json(), answer.headers["x-flow-version"]) == (["m5", "m3", "m4"], "default")
        await a(prepare, version, items=["m1"])
        assert (await get("ann?n=1")).headers["x-flow-version"] == version

    async def test_until_there_is_a_list_of_the_new_version_that_of_the_old_one_serves(self, activate, get):
        old = await a(activate, drawing())
        await a(prepare, old)
        new = await a(activate, drawing(score="item.Timestamp.Unix()"))
        answer = await get("ann?n=1")
        assert (answer.json(), answer.headers["X-Flow-Version"]) == (["m5"], old)
        await a(prepare, new, items=["m8"])
        answer = await get("ann?n=1")
        assert (answer.json(), answer.headers["X-Flow-Version"]) == (["m8"], new)


class TestFallback:
    async def test_a_short_list_is_filled_up_without_repeats_or_read_items(self, activate, ids):
        await a(prepare, await a(activate, drawing()), items=["m9", "m1"])
        await a(feedback, "m8")
        # The latest are m9, m8, m7, m6: m9 stands in the list, m8 was read.
        assert await ids("ann?n=4") == ["m9", "m1", "m7", "m6"]

    async def test_an_expired_list_does_not_serve(self, activate, ids):
        version = await a(activate, drawing(cache_expire="1h"))
        await a(prepare, version, age_us=HOUR + 1)
        assert await ids("ann?n=2") == ["m9", "m8"]

    @pytest.mark.parametrize("user", ["bob", "stranger"])
    async def test_where_lists_are_made_who_has_none_gets_the_fallback(self, activate, ids, user):
        await a(prepare, await a(activate, drawing()), user="ann")
        assert await ids(f"{user}?n=2") == ["m9", "m8"]
        assert await ids(f"{user}/even?n=2") == ["m8", "m6"]

    async def test_where_no_lists_are_made_the_flow_itself_is_run(self, activate, ids):
        await a(activate, drawing())
        assert await ids("bob?n=2") == ["m1", "m2"]

    async def test_a_pinned_list_is_for_previews_and_never_served(self, activate, ids):
        pinned = drawing()
        for part in pinned["nodes"]:
            part["pin"] = {"items": ["m1"]}
        await a(activate, pinned)
        assert await ids("bob?n=3") == ["m1", "m2", "m3"]

    async def test_a_flow_that_asks_other_machines_is_never_run_in_a_request(self):
        document = drawing()
        assert not plan_of(load_flow(document), "1@1").waits
        document["nodes"].append(
            {"id": "e", "type": "external", "settings": {"mode": "script", "script": "[]"}}
        )
        assert plan_of(load_flow(document), "1@1").waits
        document["nodes"][-1] = {"id": "e", "type": "ranker", "settings": {"kind": "llm"}}
        assert plan_of(load_flow(document), "1@1").waits
        document["nodes"][-1]["disabled"] = True
        assert not plan_of(load_flow(document), "1@1").waits

    async def test_who_should_have_a_list_is_asked_for(self, activate):
        version = await a(activate, drawing(cache_expire="1h"))
        await a(prepare, version, user="ann")
        await a(prepare, version, user="old", age_us=2 * HOUR)
        asked = []
        answerer = Answerer(asked.append)
        for user in ("ann", "old", "stranger"):
            position = await answerer.rows.position(await answerer.rows.mark())
            await answerer.answer(Question(user, n=1), position)
        answerer.rows.close()
        assert asked == ["old", "stranger"]


class TestWaitingList:
    async def test_users_that_exist_are_noted_once_and_strangers_never(self, shop, monkeypatch):
        monkeypatch.setattr(waiting, "PERIOD_S", 0.0)
        noted = WaitingList()
        for user in ("bob", "ann", "bob", "stranger"):
            noted.add(user)
        await noted._writing
        assert await a(lambda: sorted(WantedList.objects.values_list("user_id", flat=True))) == ["ann", "bob"]
        noted.add("bob")
        assert noted._new == set()

    async def test_users_that_could_not_be_noted_are_noted_at_their_next_request(self, monkeypatch, caplog):
        noted_at_last = []

        def fail(user_ids):
            raise OperationalError("database is locked")

        monkeypatch.setattr(waiting, "PERIOD_S", 0.0)
        monkeypatch.setattr(waiting, "_note", fail)
        noted = WaitingList()
        noted.add("bob")
        await noted._writing
        assert "1 users could not be noted for a list: database is locked" in caplog.text
        monkeypatch.setattr(waiting, "_note", noted_at_last.append)
        noted.add("bob")
        await noted._writing
        assert noted_at_last == [["bob"]]

    @pytest.mark.parametrize(("quiet_s", "noted_users"), [(3_600.0, "ab"), (0.0, "abc")])
    async def test_when_it_is_full_it_takes_users_again_once_others_are_over(
        self, monkeypatch, quiet_s, noted_users
    ):
        monkeypatch.setattr(waiting, "MAX_USERS", 2)
        monkeypatch.setattr(waiting, "QUIET_S", quiet_s)
        monkeypatch.setattr(waiting, "PERIOD_S", 0.0)
        written = []
        monkeypatch.setattr(waiting, "_note", written.extend)
        noted = WaitingList()
        for user in "abc":  # at once: nothing is written in between
            noted.add(user)
        await noted._writing
        assert "".join(written) == noted_users

    async def test_a_request_without_a_list_notes_its_user(self, activate, ids, monkeypatch):
        monkeypatch.setattr(waiting, "PERIOD_S", 0.0)
        serve.forget()
        await a(prepare, await a(activate, drawing()), user="ann")
        await ids("bob?n=1")
        await serve.answerer()._ask_for_list.__self__._writing
        assert await a(lambda: WantedList.objects.get().user_id) == "bob"


class TestMemory:
    @pytest.fixture
    async def anew(self, activate, ids, monkeypatch):
        """Whether ann's answer is worked out again, after it has been once."""
        await a(prepare, await a(activate, drawing()))
        assert await ids("ann?n=1") == ["m5"]
        made = []
        answer = Answerer.answer

        async def noted(*args):
            made.append(args)
            return await answer(*args)

        monkeypatch.setattr(Answerer, "answer", noted)

        async def ask():
            made.clear()
            await ids("ann?n=1")
            return bool(made)

        return ask

    async def test_the_same_question_is_answered_from_memory(self, anew):
        assert not await anew()

    async def test_feedback_of_others_changes_nothing_and_ones_own_does(self, anew):
        await a(feedback, "m1", user="bob")
        assert not await anew()
        await a(feedback, "m1")
        assert await anew()
        assert not await anew()

    async def test_items_lists_and_activations_change_everything(self, anew, activate):
        for change in (
            lambda: writing.patch_item("m9", is_hidden=True),
            lambda: prepare("another@1", user="bob"),
            lambda: prepared.forget_others("1@1", 0),
            lambda: activate(drawing()),
            lambda: purge("feedback"),
        ):
            await a(change)
            assert await anew()
            assert not await anew()

    async def test_a_write_of_very_many_users_changes_everything(self, anew):
        rows = [FeedbackRecord("read", f"u{n}", "m1") for n in range(MOST_IDS + 1)]
        await a(writing.put_feedback, rows, overwrite=True)
        assert await anew()

    async def test_other_rows_of_the_database_change_nothing(self, anew):
        await a(drafts.create, "Another", drawing(), "ada")
        assert not await anew()

    async def test_what_is_written_while_an_answer_is_made_keeps_it_out(self, shop):
        memory = serve.memory()
        await memory.catch_up()
        kept = Kept([], b"old", now_us() + HOUR)
        with memory.asking("ann") as ann, memory.asking("bob") as bob:
            await a(feedback, "m1")
            await memory.catch_up()  # somebody else's question
            memory.keep(ann, "of ann", kept)
            memory.keep(bob, "of bob", kept)
        assert (memory.find("of ann"), memory.find("of bob")) == (None, kept)

    async def test_questions_that_come_together_look_once_at_what_was_written(self, shop):
        """On PostgreSQL each look takes a while, and each question would do the same again."""
        looks = []

        class Rows:
            position_now = 1

            async def mark(self):
                return self.position_now

            async def position(self, mark):
                return mark

            async def touched(self, before, now):
                looks.append((before, now))
                await asyncio.sleep(0)
                return set()

        rows = Rows()
        memory = Memory(rows)
        await memory.catch_up()
        rows.position_now = 2
        assert await asyncio.gather(*(memory.catch_up() for _ in range(5))) == [2] * 5
        assert looks == [(1, 2)]

    async def test_memory_is_bounded_and_forgets_the_oldest(self, shop, monkeypatch):
        monkeypatch.setattr(memory_module, "MAX_KEPT", 2)
        memory = serve.memory()
        for place in "abc":
            with memory.asking("ann") as asking:
                memory.keep(asking, place, Kept([], place.encode(), now_us() + HOUR))
        assert [memory.find(place) is not None for place in "abc"] == [False, True, True]

    async def test_long_answers_take_the_place_of_several(self, shop, monkeypatch):
        """At most 10 bytes: 4 + 4, then 6 push one out; made anew with 2 it leaves room for 4."""
        monkeypatch.setattr(memory_module, "MAX_BYTES", 10)
        memory = serve.memory()
        found = []
        for place, size in [("a", 4), ("b", 4), ("c", 6), ("c", 2), ("d", 4), ("e", 4)]:
            with memory.asking("ann") as asking:
                memory.keep(asking, place, Kept([], b"x" * size, now_us() + HOUR))
            found.append("".join(name for name in "abcde" if memory.find(name) is not None))
        assert found == ["a", "ab", "bc", "bc", "bcd", "cde"]

    async def test_the_answer_to_a_very_long_address_is_not_kept(self, shop, anew, get):
        long = f"ann?n=1&padding={'x' * serve.LONGEST_KEPT}"
        await get(long)
        kept = serve.memory()._kept
        assert not any(b"padding" in place[1] for place in kept)
        assert kept  # the short one's is

    async def test_versions_of_the_answer_and_pages_are_told_apart(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        assert await ids("ann?n=1") == ["m5"]
        assert await ids("ann?n=1", **{"X-API-Version": "2"}) == [{"Id": "m5", "Score": 1.0}]
        assert await ids("ann?n=1&offset=1") == ["m3"]

    async def test_a_kept_answer_is_for_who_has_the_key(self, activate, get, settings):
        await a(prepare, await a(activate, drawing()))
        await get("ann?n=1")
        server = settings.CONFIGURATION.server.model_copy(update={"api_key": SecretStr("s3cret")})
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"server": server})
        await get("ann?n=1", status=401)


class TestWriteBack:
    async def test_what_was_answered_is_stored_and_not_answered_again(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        assert await ids("ann?n=1&offset=1&write-back-type=read") == ["m3"]
        rows = await a(reading.feedback_of_user, "ann", until_us=now_us())
        assert [(row.type, row.item_id, row.value) for row in rows] == [("read", "m3", 0.0)]
        assert await ids("ann?n=2&write-back-type=read") == ["m5", "m4"]
        assert await ids("ann?n=1&write-back-type=read") == ["m9"]

    async def test_with_a_delay_the_item_stays_until_then(self, activate, ids):
        await a(prepare, await a(activate, drawing()))
        for _ in range(2):
            assert await ids("ann?n=1&write-back-type=read&write-back-delay=1h30m") == ["m5"]
        row = (await a(reading.feedback_of_pair, "ann", "m5"))[0]
        assert abs(row.time_us - now_us() - 1.5 * HOUR) < 60_000_000

    async def test_for_a_user_nobody_knows_nothing_is_stored(self, activate, get):
        await a(prepare, await a(activate, drawing()))
        await get("stranger?n=1&write-back-type=read")
        assert await a(reading.get_user, "stranger") is None

    @pytest.mark.parametrize("delay", ["7d", "10", "m", "1h-3m", "--1h", "1h 30m"])
    async def test_a_delay_that_is_none_is_refused(self, shop, get, delay):
        answer = await get(f"ann?write-back-type=read&write-back-delay={delay}", status=400)
        assert answer.text.startswith("write-back-delay must be a duration such as 10m or 1h30m")

    @pytest.mark.parametrize(
        ("text", "us"), [("0h0m0s", 0), ("0", 0), ("1.5s", 1_500_000), ("2ms", 2_000), ("-1m", -60_000_000)]
    )
    def test_durations_are_gos(self, text, us):
        assert serve._delay(text) == us


class TestExplain:
    @pytest.fixture
    def explained(self, get, settings):
        section = settings.CONFIGURATION.master.model_copy(update={"admin_api_key": SecretStr("adm1n")})
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"master": section})

        async def ask(user):
            return (await get(f"{user}?n=1&explain=true", **{"X-API-Key": "adm1n"})).json()

        return ask

    async def test_no_other_machine_is_asked(self, activate, explained, monkeypatch):
        """ann has a list; bob is answered by the fallback, of which the steps are then."""
        asked = []

        async def outside(request):
            asked.append(request)
            raise AssertionError("Nobody is to be asked")

        monkeypatch.setattr(runs, "services", replace(runs.services, resources={"outside": outside}))
        document = drawing()
        document["nodes"] += [
            {"id": "e", "type": "external", "name": "shop", "settings": {"mode": "script", "script": "[]"}},
            {"id": "g", "type": "merge"},
        ]
        document["edges"] = [edge for edge in document["edges"] if edge["id"] != "or"]
        document["edges"] += [
            {"id": one + other, "source": one, "target": other} for one, other in ("og", "se", "eg", "gr")
        ]
        await a(prepare, await a(activate, document))
        ann, bob = await explained("ann"), await explained("bob")
        assert ann["StepsOf"] == "a run made now, without shop, which asks other machines"
        for told, source, names in ((ann, "prepared", ["oldest", "l"]), (bob, "fallback", ["l"])):
            assert told["Source"] == source
            proposals = [step for step in told["Items"][0]["Steps"] if step["kind"] == "proposed"]
            assert [step["nodes"] for step in proposals] == [[name] for name in names]
        assert asked == []

    async def test_the_administrator_is_told_who_proposed_what(self, activate, explained):
        version = await a(activate, drawing())
        await a(prepare, version, items=["m2"])
        told = await explained("ann")
        assert told["StepsOf"] == "a run made now"
        assert (told["Source"], told["FlowVersion"]) == ("prepared", version)
        assert [item["Id"] for item in told["Items"]] == ["m2"]
        proposal = next(step for step in told["Items"][0]["Steps"] if step["kind"] == "proposed")
        assert (proposal["nodes"], proposal["rank"]) == (["oldest"], 2)

    async def test_nobody_else_is(self, activate, get):
        await a(activate, drawing())
        answer = await get("ann?explain=true", status=401)
        assert answer.text == "explain asks for the key of the administrator"
