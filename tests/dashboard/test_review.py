"""What is shown before a version goes live: who changed what, missing models, what asking models costs."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from dashboard import activation, drafts, runs
from dashboard.artifacts import ArtifactStore
from dashboard.catalogue import writing
from dashboard.models import Draft, FlowVersion, Job, ModelPrice, ServiceEndpoint
from dashboard.outside import directory
from recflow.data.records import FeedbackRecord, ItemRecord

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def drawing(**ranker):
    """Data Source, Latest, Ranker, Recommend."""
    nodes = [("s", "data-source", {}), ("l", "latest", {}), ("k", "ranker", ranker), ("r", "recommend", {})]
    return {
        "nodes": [{"id": i, "type": kind, "settings": settings} for i, kind, settings in nodes],
        "edges": [
            {"id": f"{one}{other}", "source": one, "target": other} for one, other in ("sl", "lk", "kr")
        ],
    }


def changed(document, node_id, **settings):
    nodes = [
        node | {"settings": node["settings"] | settings} if node["id"] == node_id else node
        for node in document["nodes"]
    ]
    return document | {"nodes": nodes}


@pytest.fixture
def feedback():
    """Six users who like six of 21 items each."""
    writing.put_items([ItemRecord(f"i{n:02}", time_us=(n + 1) * 1_000_000) for n in range(21)])
    likes = [
        FeedbackRecord("like", f"u{u}", f"i{u + 3 * n:02}", 1.0, (n * 10 + u + 1) * 1_000_000)
        for u in range(6)
        for n in range(6)
    ]
    writing.put_feedback(likes, overwrite=True)
    runs.store.snapshot(fresh=True)
    runs.services.memo.clear()


@pytest.fixture
def client():
    browser = Client()
    browser.force_login(User.objects.create_superuser("ada"))
    return browser


def authors(review, kind="changed"):
    return [
        (entry.get("node_id") or entry["source"], entry.get("field", ""), entry["author"])
        for entry in review["changes"][kind]
    ]


def test_a_change_belongs_to_whoever_made_it_and_not_to_who_saved_or_kept_it_later(client):
    first = drawing(kind="none")
    flow = drafts.create("Feed", first, "ada")
    activation.activate(flow.pk, None, "", "ada")
    by_bob = changed(changed(first, "s", item_ttl=3), "r", cache_size=50)
    drafts.save(flow.pk, 1, by_bob, "bob")
    by_cid = changed(by_bob, "r", cache_size=60)
    drafts.save(flow.pk, 2, by_cid, "cid")
    with_node = by_cid | {"nodes": [*by_cid["nodes"], {"id": "x", "type": "latest", "settings": {}}]}
    with_node |= {"edges": [*with_node["edges"], {"id": "sx", "source": "s", "target": "x"}]}
    drafts.save(flow.pk, 3, with_node, "bob")
    drafts.keep(flow.pk, "", 4, "dora")
    for review in (
        client.get(f"/api/flows/{flow.pk}/review").json(),
        client.get(f"/api/flows/{flow.pk}/review?version=2").json(),
    ):
        assert authors(review) == [("s", "settings.item_ttl", "bob"), ("r", "settings.cache_size", "cid")]
        assert authors(review, "added") == [("x", "", "bob")]
        assert authors(review, "edges_added") == [("s", "", "bob")]


def test_what_was_taken_back_and_made_again_belongs_to_the_last_who_made_it(client):
    first = drawing(kind="none")
    flow = drafts.create("Feed", first, "ada")
    activation.activate(flow.pk, None, "", "ada")
    drafts.save(flow.pk, 1, changed(first, "r", cache_size=50), "bob")
    drafts.save(flow.pk, 2, first, "cid")
    drafts.save(flow.pk, 3, changed(first, "r", cache_size=50), "dora")
    review = client.get(f"/api/flows/{flow.pk}/review").json()
    assert authors(review) == [("r", "settings.cache_size", "dora")]


def test_an_author_stays_known_when_many_saves_have_been_made_since(client, monkeypatch):
    monkeypatch.setattr(drafts, "KEPT_DRAFTS", 3)
    document = drawing(kind="none")
    flow = drafts.create("Feed", document, "ada")
    activation.activate(flow.pk, None, "", "ada")
    for revision, author in enumerate(["bob", "bob", "ada", "ada", "ada", "ada", "ada"], start=1):
        value = {"item_ttl": 9} if revision == 2 else {}
        document = changed(changed(document, "r", cache_size=revision), "s", **value)
        drafts.save(flow.pk, revision, document, author)
    review = client.get(f"/api/flows/{flow.pk}/review").json()
    assert authors(review) == [("s", "settings.item_ttl", "bob"), ("r", "settings.cache_size", "ada")]
    # the last of ada's first turn, the last of bob's, and the newest three
    assert sorted(Draft.objects.filter(flow=flow).values_list("revision", flat=True)) == [1, 3, 6, 7, 8]


def test_models_that_were_never_fitted_are_named_with_their_jobs(client, feedback, tmp_path, monkeypatch):
    empty = ArtifactStore(tmp_path / "models")
    for place in ("dashboard.review.models", "dashboard.runs.models"):
        monkeypatch.setattr(place, empty)
    flow = drafts.create("Feed", drawing(kind="mf", n_factors=7), "ada")
    path = f"/api/flows/{flow.pk}/review"
    (model,) = client.get(path).json()["models"]
    assert (model["nodes"], model["about"], model["job"]) == (["Ranker"], "7 factors", None)
    assert model["seconds"] >= 0
    drafts.keep(flow.pk, "", 1, "ada")
    drafts.save(flow.pk, 1, drawing(kind="none"), "ada")
    assert client.get(path).json()["models"] == []
    body = {"kind": "fit", "flow_id": flow.pk, "version": 1, "model": model["key"]}
    answer = client.post("/api/jobs", json.dumps(body), content_type="application/json")
    (job,) = answer.json()["jobs"]
    (model,) = client.get(f"{path}?version=1").json()["models"]
    assert (model["job"]["id"], model["job"]["state"]) == (job["id"], "queued")
    Job.objects.all().delete()


def test_a_flow_that_cannot_run_has_problems_and_no_missing_models(client):
    flow = drafts.create("Feed", drawing(kind="mf", n_factors=0), "ada")
    review = client.get(f"/api/flows/{flow.pk}/review").json()
    assert "n_factors" in review["problems"][0]["message"]
    assert review["models"] == []


class TestCost:
    """Endpoint "paid" costs 1 for each token of a prompt; six users, one call each."""

    PROMPT = "{% for item in items %}{{ item.ItemId }} {% endfor %}"

    @pytest.fixture(autouse=True)
    def endpoint(self, settings):
        settings.STAND_IN_URL = ""
        ServiceEndpoint.objects.create(name="paid", base_url="http://127.0.0.1:9/v1", model="m")
        ModelPrice.objects.create(model="m", input=1_000_000.0, output=0.0)
        directory.changed()
        yield
        directory.changed()

    def cost(self, client, **ranker):
        flow = drafts.create("Feed", drawing(kind="llm", endpoint="paid", **ranker), "ada")
        return client.get(f"/api/flows/{flow.pk}/refresh-cost").json()

    def prompt(self, client, user_id, **settings):
        body = {"settings": {"kind": "llm", "endpoint": "paid"} | settings, "user_id": user_id}
        answer = client.post("/api/preview/prompt", json.dumps(body), content_type="application/json")
        return answer.json()

    def test_calls_tokens_and_money_of_all_users_come_from_their_prompts(self, client, feedback):
        found = self.cost(client, prompt=self.PROMPT, system="")
        assert (found["users"], found["sampled"], found["calls"]) == (6, 5, 6)
        # everybody has 15 items left, called 1 to 15, so all six prompts are as long as this one
        shown = self.prompt(client, "u0", prompt=self.PROMPT, system="")
        assert len(shown["items"]) == 15
        (node,) = found["nodes"]
        assert (node["name"], node["model"], node["calls"]) == ("Ranker", "m", 6)
        assert found["tokens"] == 6 * shown["estimate"]["total"]
        assert found["cost"] == pytest.approx(6 * shown["estimate"]["prompt"])

    def test_endpoints_are_looked_up_once_however_long_the_prompts_take(self, client, feedback, monkeypatch):
        """What was read is old after two seconds, and rows cannot be read on the event loop."""
        monkeypatch.setattr(directory, "FRESH_S", 0.0)
        assert self.cost(client, prompt=self.PROMPT, system="")["nodes"][0]["model"] == "m"

    def test_several_calls_a_user_count_each(self, client, feedback):
        found = self.cost(client, prompt=self.PROMPT, system="", technique="shuffle", shuffles=5)
        assert found["calls"] == 30
        assert found["tokens"] == 5 * self.cost(client, prompt=self.PROMPT, system="")["tokens"]

    def test_a_price_that_nobody_entered_is_unknown_and_not_nothing(self, client, feedback):
        ModelPrice.objects.all().delete()
        directory.changed()
        found = self.cost(client)
        assert found["calls"] == 6
        assert (found["cost"], found["nodes"][0]["cost"]) == (None, None)

    def test_a_flow_that_asks_no_model_costs_nothing(self, client, feedback):
        flow = drafts.create("Feed", drawing(kind="none"), "ada")
        found = client.get(f"/api/flows/{flow.pk}/refresh-cost").json()
        assert (found["calls"], found["cost"], found["nodes"], found["sampled"]) == (0, 0, [], 0)

    def test_a_prompt_that_cannot_be_built_costs_an_answer_in_one_sentence(self, client, feedback):
        flow = drafts.create("Feed", drawing(kind="llm", endpoint="paid", prompt="{{ nobody }}"), "ada")
        answer = client.get(f"/api/flows/{flow.pk}/refresh-cost")
        assert answer.status_code == 422
        assert "nobody" in answer.json()["message"]

    def test_external_nodes_are_named_and_not_asked(self, client, feedback):
        document = drawing(kind="llm", endpoint="paid")
        outside = {"id": "x", "type": "external", "name": "Shop"}
        outside["settings"] = {"mode": "request", "url": "http://127.0.0.1:9/"}
        document["nodes"].append(outside)
        document["edges"] += [
            {"id": "sx", "source": "s", "target": "x"},
            {"id": "xk", "source": "x", "target": "k", "order": 1},
        ]
        flow = drafts.create("Feed", document, "ada")
        found = client.get(f"/api/flows/{flow.pk}/refresh-cost").json()
        assert (found["also_asked"], found["calls"]) == (["Shop"], 6)


async def test_lists_are_compared_with_a_line_for_each_step(feedback):
    @sync_to_async
    def two_versions():
        flow = drafts.create("Feed", drawing(kind="none"), "ada")
        activation.activate(flow.pk, None, "", "ada")
        return flow.pk, User.objects.create_superuser("ada")

    flow_id, ada = await two_versions()
    client = AsyncClient()
    await client.aforce_login(ada)
    answer = await client.get(f"/api/flows/{flow_id}/result-difference?progress=true&per_group=2")
    assert answer["Content-Type"] == "application/x-ndjson"
    *steps, last = [json.loads(line) async for line in answer]
    # somebody new and two light users: all six like six items each, so nobody likes more than the median
    assert [(step["users"], step["users_asked"], len(step["rows"])) for step in steps] == [
        (0, 3, 0),
        (1, 3, 1),
        (2, 3, 2),
    ]
    assert (last["users"], last["summary"]["same"], last["active"]) == (
        3,
        3,
        {"flow_id": flow_id, "version": 1},
    )


@pytest.mark.parametrize("progress", ["", "&progress=true"])
def test_drawings_that_cannot_run_are_refused_before_a_comparison_begins(client, progress):
    flow = drafts.create("Feed", drawing(kind="none"), "ada")
    activation.activate(flow.pk, None, "", "ada")
    drafts.save(flow.pk, 1, drawing(kind="mf", n_factors=0), "ada")
    answer = client.get(f"/api/flows/{flow.pk}/result-difference?per_group=1{progress}")
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Lists cannot be compared, for this drawing cannot run: ")
    # as after an upgrade that refuses what it took before
    broken = drawing(kind="none") | {"edges": []}
    FlowVersion.objects.filter(flow=flow).update(text=json.dumps(broken), hash="broken")
    drafts.save(flow.pk, 2, drawing(kind="none"), "ada")
    answer = client.get(f"/api/flows/{flow.pk}/result-difference?per_group=1{progress}")
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Lists cannot be compared, for what is live now cannot run: ")
