"""Jobs over HTTP: what the Tasks page and a node's Train button ask for."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import activation, drafts
from dashboard.jobs import ledger, prepared
from dashboard.models import Job
from recflow.nodes.starters import STARTERS

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("models")]


@pytest.fixture
def editor():
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def flow():
    made = drafts.create("Home", STARTERS["classic"].document, "ada")
    activation.activate(made.pk, None, "", "ada")
    return made


def post(client, path, **body):
    answer = client.post(path, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_the_page_is_there_and_asks_strangers_to_log_in(editor):
    assert "Running and waiting" in editor.get("/tasks").content.decode()
    assert Client().get("/tasks").status_code == 302
    assert Client().get("/api/jobs").status_code == 401


def test_a_node_s_models_are_those_of_its_draft(editor, flow):
    status, answer = post(editor, "/api/jobs", kind="fit", flow_id=flow.pk, node_id="similar-items")
    assert status == 200
    assert [(job["title"], job["state"], job["asked_by"]) for job in answer["jobs"]] == [
        ("Train item neighbors", "queued", "ada")
    ]


def test_without_a_node_all_models_of_the_live_version_are_meant(editor, flow):
    _, answer = post(editor, "/api/jobs", kind="fit")
    assert [job["title"] for job in answer["jobs"]] == ["Train matrix factorization", "Train item neighbors"]
    assert post(editor, "/api/jobs", kind="fit")[1]["jobs"] == answer["jobs"]  # asked twice, started once


def test_one_model_is_named_by_its_key(editor, flow):
    key = editor.get("/api/jobs").json()["models"][1]["key"]
    _, answer = post(editor, "/api/jobs", kind="fit", model=key)
    assert [job["key"] for job in answer["jobs"]] == [f"fit:{key}"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"kind": "fit", "node_id": "latest"}, 400, "Latest needs no model"),
        ({"kind": "fit", "model": "mf-0"}, 400, "Home feed needs no model mf-0"),
        ({"kind": "fit", "node_id": "gone"}, 422, "The flow has no node 'gone'"),
        ({"kind": "fit", "flow_id": 999}, 404, "There is no flow 999"),
        ({"kind": "dream"}, 422, "kind: "),
    ],
)
def test_what_cannot_be_started_is_refused_in_a_sentence(editor, flow, body, status, sentence):
    found, answer = post(editor, "/api/jobs", **{"flow_id": flow.pk, **body})
    assert found == status
    assert answer["message"].startswith(sentence)
    assert not Job.objects.exists()


def test_a_flow_with_problems_is_not_trained_for(editor, flow):
    broken = {**STARTERS["classic"].document, "edges": []}
    drafts.save(flow.pk, flow.revision, broken, "ada")
    status, answer = post(editor, "/api/jobs", kind="fit", flow_id=flow.pk)
    assert status == 400
    assert answer["message"].startswith("Home feed cannot be trained for: ")


def test_jobs_are_listed_live_ones_first_and_tell_how_they_ended(editor, flow):
    for kind in ("snapshot", "lists"):
        post(editor, "/api/jobs", kind=kind)
    done = ledger.claim("w1")
    ledger.write_down(done, "w1", "built")
    ledger.fail(done.pk, "w1", "The disk is full")
    found = editor.get("/api/jobs").json()["jobs"]
    assert [(job["kind"], job["state"], job["error"]) for job in found] == [
        ("lists", "queued", ""),
        ("snapshot", "failed", "The disk is full"),
    ]
    assert editor.get(f"/api/jobs/{done.pk}").json()["log"].endswith(" built\n")
    assert editor.get("/api/jobs/999").json() == {"message": "There is no job 999"}


def test_a_job_is_cancelled_and_tried_again(editor, flow):
    _, answer = post(editor, "/api/jobs", kind="snapshot")
    job_id = answer["jobs"][0]["id"]
    assert post(editor, f"/api/jobs/{job_id}/cancel")[1]["state"] == "cancelled"
    assert post(editor, f"/api/jobs/{job_id}/retry")[1]["state"] == "queued"
    status, answer = post(editor, f"/api/jobs/{job_id}/retry")
    assert (status, answer["message"]) == (
        409,
        "Only a failed or cancelled job can be tried again; Refresh the snapshot is queued",
    )


def test_a_refresh_is_paused_and_resumed_and_tells_how_fast_it_is_and_what_it_costs(editor, flow):
    _, answer = post(editor, "/api/jobs", kind="lists")
    job_id = answer["jobs"][0]["id"]
    assert answer["jobs"][0]["can_pause"] is True
    ledger.claim("w1")
    began = timezone.now() - timedelta(seconds=2_000)
    Job.objects.filter(pk=job_id).update(started_at=began, made_before=100, parameters={"users": 1_000})
    ledger.add(job_id, "w1", made=300, cost=1.5)
    (job,) = editor.get("/api/jobs").json()["jobs"]
    assert (job["made"], job["of"], job["unit"], job["cost"], job["currency"]) == (
        *(300, 1_000, "lists", 1.5),
        "USD",
    )
    assert job["rate"] == pytest.approx(0.1, rel=0.1)  # 300 - 100 before this attempt, in 2,000 s
    ledger.add(job_id, "w1", cost_unknown=1)
    assert editor.get("/api/jobs").json()["jobs"][0]["cost"] is None
    assert post(editor, f"/api/jobs/{job_id}/pause")[1]["pause_asked"] is True
    ledger.stop(job_id, "w1")
    assert editor.get("/api/jobs").json()["jobs"][0]["state"] == "paused"
    assert post(editor, f"/api/jobs/{job_id}/resume")[1]["state"] == "queued"
    status, answer = post(editor, f"/api/jobs/{job_id}/resume")
    assert (status, answer["message"]) == (
        409,
        "Only a paused job can be resumed; Refresh the prepared lists is queued",
    )


def test_a_job_that_would_begin_anew_cannot_be_paused(editor, flow):
    job_id = post(editor, "/api/jobs", kind="snapshot")[1]["jobs"][0]["id"]
    status, answer = post(editor, f"/api/jobs/{job_id}/pause")
    assert (status, answer["message"]) == (
        409,
        "Refresh the snapshot cannot be paused, for it would begin anew: cancel it instead",
    )


def test_models_and_lists_of_the_live_version_are_shown(editor, flow):
    prepared.put(f"{flow.pk}@1", [prepared.MadeList("ann", ["a"], [1.0], "d")], 5_000_000)
    found = editor.get("/api/jobs").json()
    assert [(model["label"], model["about"], model["versions"]) for model in found["models"]] == [
        ("Matrix factorization", "64 factors", []),
        ("Item neighbors", "by users, 100 each", []),
    ]
    assert found["lists"] == {"version": f"{flow.pk}@1", "count": 1, "made_at": 5.0, "job_key": "lists"}
