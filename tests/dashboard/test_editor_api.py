"""The editor's endpoints: what docs/protocol.md promises, through Django's client."""

from __future__ import annotations

import copy
import gzip
import json

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import drafts
from dashboard.activation import activate
from dashboard.errors import BadRequest
from dashboard.models import Activation, ActiveVersion, FlowVersion
from recflow.nodes.starters import DEFAULT, STARTERS

pytestmark = pytest.mark.django_db(databases="__all__")

POPULAR = STARTERS["popular"].document
DEFAULT_FLOW = STARTERS[DEFAULT].document


@pytest.fixture
def editor(db):
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def send(client, method, path, body=None):
    answer = getattr(client, method)(path, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


@pytest.fixture
def flow(editor):
    status, made = send(editor, "post", "/api/flows", {"name": "Home", "template": "popular"})
    assert status == 200
    return made


def with_name(document, node_id, name):
    changed = copy.deepcopy(document)
    next(node for node in changed["nodes"] if node["id"] == node_id)["name"] = name
    return changed


def test_the_schema_lists_the_node_types(editor):
    types = editor.get("/api/flow-schema").json()["types"]
    assert types[0]["type"] == "data-source"


def test_the_schema_may_be_kept_for_ever_under_its_version_only(editor):
    page = editor.get(f"/flows/{send(editor, 'post', '/api/flows', {'name': 'Home'})[1]['id']}")
    address = page.context["page_data"]["schema_url"]
    assert "immutable" in editor.get(address)["Cache-Control"]
    for other in ("/api/flow-schema", "/api/flow-schema?v=0"):
        assert editor.get(other)["Cache-Control"] == "no-cache"
    packed = editor.get(address, HTTP_ACCEPT_ENCODING="gzip")
    assert gzip.decompress(packed.content) == editor.get(address).content


def test_a_new_flow_is_a_draft_without_versions(flow):
    assert flow["draft"]["revision"] == 1
    assert flow["draft"]["author"] == "ada"
    assert flow["draft"]["version"] is None
    assert flow["latest_version"] is None
    assert flow["is_active"] is False
    assert flow["problems"] == []
    assert [node["id"] for node in flow["draft"]["document"]["nodes"]] == [n["id"] for n in POPULAR["nodes"]]


def test_a_flow_can_be_made_from_a_document_and_keeps_what_this_server_does_not_know(editor):
    document = POPULAR | {"nodes": [*POPULAR["nodes"], {"id": "x", "type": "future", "spin": 3}]}
    _, made = send(editor, "post", "/api/flows", {"name": "New", "document": document})
    kept = next(node for node in made["draft"]["document"]["nodes"] if node["id"] == "x")
    assert kept["spin"] == 3
    assert "unknown_type" in [problem["code"] for problem in made["problems"]]


@pytest.mark.parametrize("name", ["", "  ", "a/b", "x" * 65])
def test_a_bad_flow_name_is_refused_with_the_rule(editor, name):
    status, answer = send(editor, "post", "/api/flows", {"name": name})
    assert status == 400
    assert "1 to 64 characters" in answer["message"]


def test_saving_counts_the_revision_up(editor, flow):
    path = f"/api/flows/{flow['id']}/draft"
    changed = with_name(POPULAR, "popular", "best sellers")
    status, saved = send(editor, "put", path, {"base_revision": 1, "document": changed})
    assert (status, saved["revision"]) == (200, 2)
    again = editor.get(f"/api/flows/{flow['id']}").json()
    assert (
        next(n for n in again["draft"]["document"]["nodes"] if n["id"] == "popular")["name"] == "best sellers"
    )


def test_a_stale_save_gets_both_documents_and_their_base(editor, flow):
    path = f"/api/flows/{flow['id']}/draft"
    theirs, mine = with_name(POPULAR, "popular", "theirs"), with_name(POPULAR, "popular-week", "mine")
    send(editor, "put", path, {"base_revision": 1, "document": theirs})
    status, answer = send(editor, "put", path, {"base_revision": 1, "document": mine})
    assert status == 409
    assert answer["revision"] == 2
    assert answer["author"] == "ada"
    assert answer["base"] == flow["draft"]["document"]
    assert next(n for n in answer["document"]["nodes"] if n["id"] == "popular")["name"] == "theirs"
    assert editor.get(f"/api/flows/{flow['id']}").json()["draft"]["revision"] == 2


def test_repeating_a_save_whose_answer_was_lost_changes_nothing(editor, flow):
    path = f"/api/flows/{flow['id']}/draft"
    body = {"base_revision": 1, "document": with_name(POPULAR, "popular", "once")}
    first, second = send(editor, "put", path, body), send(editor, "put", path, body)
    assert first == second


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("text", "A flow document is a JSON object, got a text"),
        ({"nodes": [{"type": "latest"}]}, "wrong at nodes.0.id"),
        ({"format": 99}, "has format 99"),
        ({"name": "x" * 1_100_000}, "may have 1,048,576 bytes"),
    ],
)
def test_what_is_no_flow_document_is_refused_and_the_draft_stays(editor, flow, document, sentence):
    path = f"/api/flows/{flow['id']}/draft"
    status, answer = send(editor, "put", path, {"base_revision": 1, "document": document})
    assert status == 422
    assert sentence in answer["message"]
    assert editor.get(f"/api/flows/{flow['id']}").json()["draft"] == flow["draft"]


def test_a_cycle_can_be_saved_and_is_a_problem(editor, flow):
    document = POPULAR | {
        "edges": [*POPULAR["edges"], {"id": "back", "source": "fallback", "target": "popular"}]
    }
    _, saved = send(
        editor, "put", f"/api/flows/{flow['id']}/draft", {"base_revision": 1, "document": document}
    )
    assert saved["revision"] == 2
    assert any(problem["severity"] == "blocking" for problem in saved["problems"])


def test_only_the_last_fifty_saves_are_kept(editor, flow):
    for revision in range(1, 56):
        drafts.save(flow["id"], revision, with_name(POPULAR, "popular", f"name {revision}"), "ada")
    kept = drafts.find(flow["id"]).drafts
    assert kept.count() == 50
    assert kept.order_by("revision").first().revision == 7


def test_a_version_is_numbered_and_tells_the_draft_that_equals_it(editor, flow):
    status, version = send(
        editor, "post", f"/api/flows/{flow['id']}/versions", {"note": "first", "revision": 1}
    )
    assert (status, version["number"], version["note"], version["author"]) == (200, 1, "first", "ada")
    assert editor.get(f"/api/flows/{flow['id']}").json()["draft"]["version"] == 1
    shown = editor.get(f"/api/flows/{flow['id']}/versions/1").json()
    assert shown["document"] == flow["draft"]["document"]
    assert shown["hash"] == version["hash"]


def test_a_version_never_changes(editor, flow):
    send(editor, "post", f"/api/flows/{flow['id']}/versions", {"note": "", "revision": 1})
    version = FlowVersion.objects.get()
    version.note = "rewritten"
    with pytest.raises(TypeError, match="cannot be changed"):
        version.save()


def test_restoring_keeps_the_draft_as_a_version_first(editor, flow):
    base = f"/api/flows/{flow['id']}"
    send(editor, "post", f"{base}/versions", {"note": "one", "revision": 1})
    send(
        editor, "put", f"{base}/draft", {"base_revision": 1, "document": with_name(POPULAR, "popular", "new")}
    )
    status, restored = send(editor, "post", f"{base}/restore", {"version": 1})
    assert status == 200
    assert restored["draft"]["version"] == 1
    assert restored["draft"]["revision"] == 3
    numbers = [version["number"] for version in editor.get(f"{base}/versions").json()]
    assert numbers == [2, 1]
    kept = editor.get(f"{base}/versions/2").json()["document"]
    assert next(n for n in kept["nodes"] if n["id"] == "popular")["name"] == "new"


def test_activating_the_draft_makes_it_a_version_and_records_who_did_it(editor, flow):
    base = f"/api/flows/{flow['id']}"
    status, done = send(editor, "post", f"{base}/activate", {"note": "go"})
    assert (status, done["version"]) == (200, 1)
    assert editor.get(base).json()["active_version"] == 1
    send(
        editor, "put", f"{base}/draft", {"base_revision": 1, "document": with_name(POPULAR, "popular", "new")}
    )
    assert editor.get(base).json()["active_version"] == 1  # a save is no activation
    send(editor, "post", f"{base}/activate", {"note": "again"})
    newest, oldest = editor.get("/api/activations").json()
    assert (newest["version"], newest["note"], newest["author"]) == (2, "again", "ada")
    assert newest["previous"] == {"flow_id": flow["id"], "version": 1}
    assert oldest["previous"] is None


def test_activations_of_a_flow_that_no_database_could_number_are_none(editor, flow):
    send(editor, "post", f"/api/flows/{flow['id']}/activate", {})
    assert len(editor.get(f"/api/activations?flow_id={flow['id']}").json()) == 1
    assert editor.get(f"/api/activations?flow_id={10**20}").json() == []


def test_activating_an_older_version_rolls_back(editor, flow):
    base = f"/api/flows/{flow['id']}"
    send(editor, "post", f"{base}/activate", {})
    send(
        editor, "put", f"{base}/draft", {"base_revision": 1, "document": with_name(POPULAR, "popular", "new")}
    )
    send(editor, "post", f"{base}/activate", {})
    send(editor, "post", f"{base}/activate", {"version": 1, "note": "back"})
    assert ActiveVersion.objects.get().version.number == 1
    assert [version["is_active"] for version in editor.get(f"{base}/versions").json()] == [False, True]
    assert FlowVersion.objects.count() == 2


@pytest.mark.parametrize("path", ["/api/flows", "/api/activations"])
def test_lists_read_no_drawings(editor, flow, path):
    """Each may have a megabyte, and a list shows nothing of them."""
    for number in (1, 2):
        send(editor, "post", f"/api/flows/{flow['id']}/activate", {"note": f"{number}"})
    with CaptureQueriesContext(connection) as seen:
        assert len(editor.get(path).json()) == {"/api/flows": 1, "/api/activations": 2}[path]
    assert not [query["sql"] for query in seen.captured_queries if '"text"' in query["sql"]]


def test_exactly_one_version_of_all_flows_is_active(editor, flow):
    _, other = send(editor, "post", "/api/flows", {"name": "Other", "template": "popular"})
    send(editor, "post", f"/api/flows/{flow['id']}/activate", {})
    send(editor, "post", f"/api/flows/{other['id']}/activate", {})
    listed = {entry["name"]: entry["is_active"] for entry in editor.get("/api/flows").json()}
    assert listed == {"Home": False, "Other": True}


def test_a_flow_with_blocking_problems_is_not_activated_and_the_reasons_are_listed(editor, flow):
    base = f"/api/flows/{flow['id']}"
    send(editor, "post", f"{base}/activate", {})
    broken = POPULAR | {"nodes": [node for node in POPULAR["nodes"] if node["type"] != "data-source"]}
    send(editor, "put", f"{base}/draft", {"base_revision": 1, "document": broken})
    status, answer = send(editor, "post", f"{base}/activate", {})
    assert status == 422
    assert "The flow needs a Data Source node" in [problem["message"] for problem in answer["problems"]]
    assert ActiveVersion.objects.get().version.number == 1
    assert Activation.objects.count() == 1
    assert FlowVersion.objects.count() == 1  # the refused draft did not become a version


def test_the_review_shows_what_would_change(editor, flow):
    base = f"/api/flows/{flow['id']}"
    send(editor, "post", f"{base}/activate", {})
    changed = with_name(POPULAR, "popular", "best sellers")
    next(n for n in changed["nodes"] if n["id"] == "popular-week")["settings"]["score"] = "1"
    next(n for n in changed["nodes"] if n["id"] == "source")["position"]["x"] += 10
    send(editor, "put", f"{base}/draft", {"base_revision": 1, "document": changed})
    review = editor.get(f"{base}/review").json()
    assert review["active"] == {"flow_id": flow["id"], "version": 1}
    assert [(entry["node_id"], entry["field"], entry["after"]) for entry in review["changes"]["changed"]] == [
        ("popular-week", "settings.score", "1"),
        ("popular", "name", "best sellers"),
    ]
    assert [entry["node_id"] for entry in review["changes"]["moved"]] == ["source"]
    assert editor.get(f"{base}/review?version=1").json()["changes"]["changed"] == []


def test_the_first_activation_is_compared_with_what_the_configuration_says(editor, flow):
    send(editor, "put", f"/api/flows/{flow['id']}/draft", {"base_revision": 1, "document": DEFAULT_FLOW})
    review = editor.get(f"/api/flows/{flow['id']}/review").json()
    assert review["active"] is None
    assert not any(review["changes"].values())  # RecFlow's default answers where the file says nothing
    changed = with_name(DEFAULT_FLOW, "recommend", "home page")
    send(editor, "put", f"/api/flows/{flow['id']}/draft", {"base_revision": 2, "document": changed})
    found = editor.get(f"/api/flows/{flow['id']}/review").json()["changes"]["changed"]
    assert [(entry["field"], entry["after"]) for entry in found] == [("name", "home page")]


def test_only_the_draft_that_was_reviewed_goes_live(editor, flow):
    base = f"/api/flows/{flow['id']}"
    review = editor.get(f"{base}/review").json()
    assert review["revision"] == 1
    changed = with_name(POPULAR, "popular", "new")
    drafts.save(flow["id"], 1, changed, "grace")
    status, answer = send(editor, "post", f"{base}/activate", {"revision": review["revision"]})
    assert (status, answer["revision"]) == (409, 2)
    assert answer["message"] == (
        "grace saved revision 2 of Home since revision 1 was reviewed: look at what changes now"
    )
    assert FlowVersion.objects.count() == Activation.objects.count() == 0
    status, _ = send(editor, "post", f"{base}/activate", {"revision": 2})
    assert status == 200
    assert FlowVersion.objects.get().document["nodes"] == changed["nodes"]


def test_what_goes_live_replaces_only_what_the_review_compared_it_with(editor, flow):
    base = f"/api/flows/{flow['id']}"
    other = drafts.create("Other", POPULAR, "grace")
    first = editor.get(f"{base}/review").json()["active"]
    assert first is None  # the configuration's flow
    activate(other.pk, None, "", "grace")
    status, answer = send(editor, "post", f"{base}/activate", {"replaces": first})
    assert status == 409
    assert answer["message"] == (
        "grace has activated version 1 of Other since then: look at what is live now"
    )
    live = editor.get(f"{base}/review").json()["active"]
    assert send(editor, "post", f"{base}/activate", {"replaces": live})[0] == 200
    assert send(editor, "post", f"{base}/activate", {"replaces": live})[0] == 409
    assert editor.get(f"{base}/review?version=1").json()["revision"] is None
    now = {"flow_id": flow["id"], "version": 1}
    body = {"version": 1, "revision": None, "replaces": now}
    assert send(editor, "post", f"{base}/activate", body)[0] == 200


def test_the_active_flow_cannot_be_archived(editor, flow):
    send(editor, "post", f"/api/flows/{flow['id']}/activate", {})
    status, answer = send(editor, "patch", f"/api/flows/{flow['id']}", {"archived": True})
    assert (status, answer["message"]) == (
        409,
        "Home is active: activate another flow before archiving it",
    )


def test_a_deleted_flow_is_gone_until_it_is_brought_back_as_it_was(editor, flow):
    base = f"/api/flows/{flow['id']}"
    before = editor.get(base).json()
    assert send(editor, "delete", base, {}) == (200, {"id": flow["id"]})
    assert editor.get("/api/flows").json() == []
    assert editor.get(base).status_code == 404
    assert send(editor, "put", f"{base}/draft", {"base_revision": 1, "document": POPULAR})[0] == 404
    assert send(editor, "post", f"{base}/undelete", {}) == (200, before)
    assert [entry["id"] for entry in editor.get("/api/flows").json()] == [flow["id"]]


def test_the_active_flow_cannot_be_deleted(editor, flow):
    send(editor, "post", f"/api/flows/{flow['id']}/activate", {})
    status, answer = send(editor, "delete", f"/api/flows/{flow['id']}", {})
    assert (status, answer["message"]) == (
        409,
        "Home is active: activate another flow before deleting it",
    )
    assert editor.get(f"/api/flows/{flow['id']}").status_code == 200


def test_a_flow_can_be_renamed(editor, flow):
    assert send(editor, "patch", f"/api/flows/{flow['id']}", {"name": "Start"})[1]["name"] == "Start"


@pytest.mark.parametrize(
    "path",
    ["/api/flows/999", "/api/flows/999/versions", "/api/flows/999/review", "/api/flows/999/versions/1"],
)
def test_an_unknown_flow_is_a_404_with_a_sentence(editor, path):
    answer = editor.get(path)
    assert (answer.status_code, answer.json()) == (404, {"message": "There is no flow 999"})


def test_a_field_of_the_wrong_type_is_named(editor, flow):
    status, answer = send(
        editor, "put", f"/api/flows/{flow['id']}/draft", {"base_revision": "x", "document": POPULAR}
    )
    assert status == 422
    assert "base_revision" in answer["message"]


def test_a_body_that_is_no_json_is_refused_with_a_sentence(editor, flow):
    answer = editor.post("/api/flows", "{oops", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The body is not JSON")


def test_strangers_get_nothing(client, db):
    answer = client.get("/api/flows")
    assert answer.status_code == 401
    assert "log in" in answer.json()["message"]


def test_a_change_needs_the_csrf_token(db):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("ada"))
    status, answer = send(client, "post", "/api/flows", {"name": "Home"})
    assert (status, answer["message"]) == (
        403,
        "This page is too old to save: reload it and repeat what you did",
    )
    assert client.get("/api/flows").json() == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": "Ho\0me"}, "name"),
        ({"name": "Home", "document": with_name(POPULAR, POPULAR["nodes"][1]["id"], "a\0")}, "nodes.1.name"),
        ({"name": "Home", "document": POPULAR | {"some\0thing": 1}}, "document"),
    ],
)
def test_what_postgresql_cannot_keep_is_refused_by_its_place(editor, body, place):
    """Text columns take no null character, and neither does the JSON of jobs that speak of the drawing."""
    status, said = send(editor, "post", "/api/flows", body)
    assert status == 400
    assert said["field"].endswith(place)
    assert said["message"] == f"{said['field']} may not hold a null character"


def test_a_backslash_and_letters_that_look_like_a_null_character_are_kept(editor):
    named = with_name(POPULAR, POPULAR["nodes"][1]["id"], "\\u0000")
    _, made = send(editor, "post", "/api/flows", {"name": "Home", "document": named})
    assert made["draft"]["document"]["nodes"][1]["name"] == "\\u0000"


@pytest.mark.parametrize(("name", "note"), [("a\0b", ""), ("Home", "no\0te")])
def test_names_and_notes_that_come_otherwise_are_looked_at_too(name, note):
    with pytest.raises(BadRequest, match="null"):
        drafts.keep(drafts.create(name, POPULAR, "ada").pk, note, 1, "ada")
