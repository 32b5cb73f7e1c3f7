"""The Evaluation page's endpoints and socket: start, carry out, keep, export, compare."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from dashboard import activation, drafts, runs
from dashboard.access import NOT_ALLOWED
from dashboard.catalogue import writing
from dashboard.evaluation import socket as evaluation_socket
from dashboard.evaluation.socket import LATELY, EvaluationConsumer
from dashboard.jobs import ledger, runner
from dashboard.models import Evaluation, Job, ModelPrice, ServiceEndpoint
from dashboard.outside import directory
from recflow.data.records import FeedbackRecord
from recflow.nodes.starters import STARTERS
from tests.patience import PATIENCE_S
from tests.websocket_scope import websocket_scope

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

POPULAR = STARTERS["popular"].document


@pytest.fixture
def feedback():
    add_feedback()


def add_feedback():
    """Six users who like half of 24 items each, one a second."""
    likes = [
        FeedbackRecord("like", f"u{u}", f"i{u + 2 * n:02}", 1.0, (n * 10 + u + 1) * 1_000_000)
        for u in range(6)
        for n in range(9)
    ]
    writing.put_feedback(likes, overwrite=True)
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


@pytest.fixture
def client():
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    return browser


def post(client, path, body=None):
    answer = client.post(path, json.dumps(body or {}), content_type="application/json")
    return answer.status_code, answer.json()


def work():
    """Do the oldest waiting job, as the runner does."""
    job = ledger.claim("here")
    with ThreadPoolExecutor(1) as threads:
        runner.do(job, "here", threads)
    return Job.objects.get(pk=job.pk)


def start(client, kind="rankers", confirmed=False, **settings):
    chosen = {"rankers": ["popularity", "echo"], "shots": [1, 2]} if kind == "rankers" else {}
    return post(
        client,
        "/api/evaluations",
        {"kind": kind, "settings": chosen | settings, "confirmed": confirmed},
    )


def test_a_started_evaluation_is_done_by_a_job_and_kept_with_settings_data_and_seed(client, feedback):
    status, made = start(client, seed=3)
    assert (status, made["state"], made["title"]) == (200, "queued", "Popularity, Echo")
    assert work().state == "done"
    found = client.get(f"/api/evaluations/{made['id']}").json()
    assert (found["state"], found["share"], found["author"]) == ("done", 1.0, "ada")
    assert found["settings"]["seed"] == 3
    assert found["data_version"] == found["report"]["data"]["version"]
    assert [(row["ranker"], row["shots"]) for row in found["report"]["rows"]] == [
        ("popularity", 1),
        ("echo", 1),
        ("popularity", 2),
        ("echo", 2),
    ]
    assert found["report"]["users"] == 6
    Job.objects.all().delete()
    (kept,) = client.get("/api/evaluations").json()
    assert (kept["id"], kept["state"]) == (made["id"], "done")
    assert "report" not in kept


@pytest.mark.parametrize(
    ("settings", "status", "sentence"),
    [
        ({"rankers": ["best"]}, 404, "There is no ranker 'best'"),
        ({"rankers": [], "flows": []}, 400, "Choose at least one"),
        ({"shots": []}, 400, "shots"),
        ({"shots": [-1]}, 400, "0 or more"),
        ({"speed": 1}, 400, "speed"),
        ({"flows": ["Nothing@1"]}, 404, "There is no flow 'Nothing'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_sentence(client, settings, status, sentence):
    got, answer = start(client, **settings)
    assert got == status
    assert sentence in answer["message"]
    assert not Evaluation.objects.exists()


def test_asking_a_model_needs_a_confirmation_that_names_the_calls(client, feedback, settings):
    settings.STAND_IN_URL = "http://127.0.0.1:9/v1"
    directory.changed()
    status, answer = start(client, rankers=["llm"])
    assert status == 409
    (entry,) = answer["forecast"]
    assert entry["calls"] == 12  # six users at two shots
    assert "12 times" in answer["message"]
    assert start(client, rankers=["llm"], confirmed=True)[0] == 200


def test_the_confirmation_of_a_whole_flow_counts_every_call_of_every_user_in_every_variant(client, feedback):
    """Six users; the whole flow, and without either recommender; five shuffled prompts each: 6 * 3 * 5."""
    nodes = [
        {"id": "s", "type": "data-source"},
        {"id": "a", "type": "latest"},
        {"id": "b", "type": "non-personalized"},
        {"id": "m", "type": "merge"},
        {
            "id": "k",
            "type": "ranker",
            "settings": {"kind": "llm", "endpoint": "paid", "technique": "shuffle", "shuffles": 5},
        },
        {"id": "r", "type": "recommend"},
    ]
    edges = [
        {"id": pair, "source": pair[0], "target": pair[1]} for pair in ("sa", "sb", "am", "bm", "mk", "kr")
    ]
    ServiceEndpoint.objects.create(name="paid", base_url="http://127.0.0.1:9/v1", model="m")
    ModelPrice.objects.create(model="m", input=1_000_000.0, output=0.0)
    directory.changed()
    flow = drafts.create("Feed", {"nodes": nodes, "edges": edges}, "ada")
    status, answer = start(client, "flow", flow="Feed")
    one_list = client.get(f"/api/flows/{flow.pk}/refresh-cost").json()
    directory.changed()
    assert status == 409
    (entry,) = answer["forecast"]
    assert entry["calls"] == 90 == 3 * one_list["calls"]
    assert entry["tokens"] == 3 * one_list["tokens"]
    assert entry["cost"] == pytest.approx(3 * one_list["cost"])
    assert "90 times" in answer["message"]


def test_a_cancelled_evaluation_stays_cancelled_and_may_be_deleted(client, feedback):
    _, made = start(client)
    path = f"/api/evaluations/{made['id']}"
    assert client.delete(path).status_code == 409
    assert post(client, f"{path}/cancel")[1]["state"] == "cancelled"
    assert ledger.claim("here") is None
    assert client.delete(path).json() == {"id": made["id"]}
    assert client.get(path).status_code == 404


def test_a_cancelled_evaluation_stays_cancelled_when_its_job_is_forgotten(client, feedback):
    _, made = start(client)
    path = f"/api/evaluations/{made['id']}"
    post(client, f"{path}/cancel")
    Job.objects.all().delete()
    found = client.get(path).json()
    assert (found["state"], found["error"]) == ("cancelled", "")


def test_a_new_evaluation_is_never_seen_without_its_job(client, feedback, monkeypatch):
    seen = []
    queue = ledger.enqueue

    def look_and_queue(*args, **kwargs):
        job = queue(*args, **kwargs)
        with ThreadPoolExecutor(1) as thread:  # another connection, as another browser has
            thread.submit(
                lambda: seen.append((list(Evaluation.objects.all()), connections.close_all()))
            ).result()
        return job

    monkeypatch.setattr(ledger, "enqueue", look_and_queue)
    _, made = start(client)
    assert seen == [([], None)]
    assert client.get(f"/api/evaluations/{made['id']}").json()["state"] == "queued"


def test_a_failed_evaluation_that_is_tried_again_waits_and_is_done(client):
    _, made = start(client)  # there is no feedback
    failed = work()
    path = f"/api/evaluations/{made['id']}"
    assert client.get(path).json()["state"] == "failed"
    assert Evaluation.objects.get(pk=made["id"]).state == "failed"
    ledger.retry(failed.pk)
    waiting = client.get(path).json()
    assert (waiting["state"], waiting["error"], waiting["finished_at"]) == ("queued", "", None)
    add_feedback()
    assert work().state == "done"
    found = client.get(path).json()
    assert (found["state"], found["error"]) == ("done", "")


def test_a_failed_job_leaves_its_sentence(client):
    _, made = start(client)  # there is no feedback
    assert work().state == "failed"
    found = client.get(f"/api/evaluations/{made['id']}").json()
    assert found["state"] == "failed"
    assert "no positive feedback" in found["error"]
    assert client.get(f"/api/evaluations/{made['id']}/export").status_code == 409


def test_exports_are_files_with_one_line_a_row(client, feedback):
    _, made = start(client)
    work()
    whole = client.get(f"/api/evaluations/{made['id']}/export")
    assert whole.json()["report"]["rows"][0]["ranker"] == "popularity"
    table = client.get(f"/api/evaluations/{made['id']}/export?format=csv")
    assert table["Content-Disposition"] == f'attachment; filename="evaluation-{made["id"]}.csv"'
    head, *lines = table.content.decode().splitlines()
    assert {"evaluation", "seed", "ranker", "shots", "ndcg", "ndcg_low", "users"} <= set(head.split(","))
    assert len(lines) == 4


def test_a_whole_flow_is_measured_and_its_nodes_know_what_they_are_worth(client, feedback):
    flow = drafts.create("Popular", POPULAR, "ada")
    nothing = client.get(f"/api/evaluations/worth?flow_id={flow.pk}").json()
    assert nothing["evaluation_id"] is None
    assert nothing["measurable"] == {"popular-week": "flow", "popular": "flow"}
    _, made = start(client, "flow", flow=f"#{flow.pk}", users=4)
    assert work().error == ""
    worth = client.get(f"/api/evaluations/worth?flow_id={flow.pk}").json()
    assert (worth["evaluation_id"], worth["users"], worth["is_this_drawing"]) == (made["id"], 4, True)
    assert {node["node_id"] for node in worth["nodes"]} == {"popular-week", "popular"}
    table = client.get(f"/api/evaluations/{made['id']}/export?format=csv").content.decode()
    assert "whole flow" in table
    moved = {**POPULAR, "nodes": [node | {"position": {"x": 1, "y": 2}} for node in POPULAR["nodes"]]}
    drafts.save(flow.pk, 1, moved, "ada")
    assert client.get(f"/api/evaluations/worth?flow_id={flow.pk}").json()["is_this_drawing"] is True
    changed = {**POPULAR, "nodes": [*POPULAR["nodes"], {"id": "l", "type": "latest"}]}
    drafts.save(flow.pk, 2, changed, "ada")
    assert client.get(f"/api/evaluations/worth?flow_id={flow.pk}").json()["is_this_drawing"] is False


def test_a_flow_that_cannot_run_is_not_queued(client):
    flow = drafts.create("Empty", {"nodes": []}, "ada")
    status, answer = start(client, "flow", flow=f"#{flow.pk}")
    assert status == 422
    assert "cannot be measured" in answer["message"]


def test_the_draft_is_compared_with_what_is_live(client, feedback):
    flow = drafts.create("Popular", POPULAR, "ada")
    path = f"/api/flows/{flow.pk}/result-difference"
    first = client.get(path).json()  # the configuration's flow answers until something is activated
    assert (first["active"], first["users"], first["users_asked"]) == (None, 6, 6)
    assert first["summary"]["same"] < first["users"]
    activation.activate(flow.pk, None, "", "ada")
    same = client.get(path).json()
    assert same["active"] == {"flow_id": flow.pk, "version": 1}
    assert same["summary"]["same"] == same["users"] > 0
    assert {row["overlap"] for row in same["rows"]} == {1.0}
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_choices_name_every_flow_with_its_versions(client):
    flow = drafts.create("Popular", POPULAR, "ada")
    drafts.keep(flow.pk, "", 1, "ada")
    found = client.get("/api/evaluations/choices").json()
    assert found["flows"] == [{"flow_id": flow.pk, "name": "Popular", "versions": [1]}]
    assert next(each for each in found["rankers"] if each["name"] == "llm")["is_asked"]


def test_the_page_is_for_people_who_are_logged_in(client):
    assert Client().get("/evaluation").status_code == 302
    assert 'id="page-data"' in client.get("/evaluation").content.decode()


def test_strangers_are_refused():
    assert Client().get("/api/evaluations").status_code == 401


class Tab:
    """One browser tab's end of the socket."""

    def __init__(self, user):
        self.user = user

    async def open(self):
        scope = await websocket_scope("/ws/evaluations", self.user, "10.0.0.1")
        self.socket = ApplicationCommunicator(EvaluationConsumer.as_asgi(), scope)
        await self.socket.send_input({"type": "websocket.connect"})
        return await self.socket.receive_output(PATIENCE_S)

    async def hear(self):
        return json.loads((await self.socket.receive_output(PATIENCE_S))["text"])

    async def close(self):
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.socket.wait(PATIENCE_S)


async def test_a_stranger_gets_no_socket():
    answer = await Tab(AnonymousUser()).open()
    assert (answer["type"], answer["code"]) == ("websocket.close", NOT_ALLOWED)


async def test_the_socket_tells_of_a_run_that_began_and_ended_between_two_looks(
    client, feedback, monkeypatch
):
    looking = asyncio.Event()
    slowly = SimpleNamespace(create_task=asyncio.create_task, sleep=lambda seconds: looking.wait())
    monkeypatch.setattr("dashboard.evaluation.socket.asyncio", slowly)
    await sync_to_async(start)(client)
    await sync_to_async(work)()
    await Evaluation.objects.aupdate(finished_at=timezone.now() - 2 * LATELY)
    tab = Tab(await User.objects.aget(username="ada"))
    await tab.open()
    assert await tab.socket.receive_nothing()  # that one the page knows
    _, made = await sync_to_async(start)(client)
    await sync_to_async(work)()
    looking.set()
    (told,) = await tab.hear()
    assert (told["id"], told["state"]) == (made["id"], "done")
    await tab.close()


async def test_the_socket_tells_no_more_of_what_came_to_nothing_long_ago(client, feedback):
    long_ago = timezone.now() - 2 * LATELY
    await Evaluation.objects.acreate(kind="rankers", state="failed", created_at=long_ago)
    _, made = await sync_to_async(start)(client)
    await sync_to_async(post)(client, f"/api/evaluations/{made['id']}/cancel")
    await Evaluation.objects.filter(pk=made["id"]).aupdate(created_at=long_ago)
    tab = Tab(await User.objects.aget(username="ada"))
    await tab.open()
    (told,) = await tab.hear()  # asked for long ago, but cancelled a moment ago
    assert (told["id"], told["state"]) == (made["id"], "cancelled")
    await tab.close()


@pytest.mark.parametrize("look", ["_over_before", "_states"])
async def test_the_socket_goes_on_telling_after_the_database_was_away(client, feedback, monkeypatch, look):
    monkeypatch.setattr(evaluation_socket, "LOOK_EVERY_S", 0.01)
    there, away = getattr(evaluation_socket, look), iter([True, True])

    def looked(*given):
        if next(away, False):
            raise OperationalError("the server closed the connection")
        return there(*given)

    monkeypatch.setattr(evaluation_socket, look, looked)
    _, made = await sync_to_async(start)(client)
    tab = Tab(await User.objects.aget(username="ada"))
    await tab.open()
    (told,) = await tab.hear()
    assert told["id"] == made["id"]
    assert next(away, None) is None
    await tab.close()


async def test_the_socket_tells_what_changes_until_it_is_over(client, feedback, monkeypatch):
    monkeypatch.setattr("dashboard.evaluation.socket.LOOK_EVERY_S", 0.01)
    _, made = await sync_to_async(start)(client)
    tab = Tab(await User.objects.aget(username="ada"))
    assert (await tab.open())["type"] == "websocket.accept"
    (first,) = await tab.hear()
    assert (first["id"], first["state"]) == (made["id"], "queued")
    await sync_to_async(work)()
    while (last := (await tab.hear())[0])["state"] != "done":
        assert last["state"] == "running"
    assert last["share"] == 1.0
    await tab.close()
