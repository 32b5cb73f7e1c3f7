"""Help for whoever writes an expression: completions, problems with their place, the value for one item."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.catalogue import writing
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def editor(db):
    writing.put_users([UserRecord("ann", labels={"age": 33}), UserRecord("bob")])
    writing.put_items([ItemRecord("m1", time_us=1, comment="Movie", labels={"genre": "noir"})])
    rows = [
        FeedbackRecord(kind, user, "m1", 1.0, time_us=10) for kind, user in [("like", "ann"), ("read", "bob")]
    ]
    writing.put_feedback(rows, overwrite=True)
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return client


def ask(client, what, **body):
    answer = client.post(f"/api/expressions/{what}", json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_after_item_dot_its_fields_are_offered(editor):
    offered = ask(editor, "complete", scope="item", text="item.", cursor=5)
    assert {"ItemId", "Labels", "Comment"} <= {entry["label"] for entry in offered}


def test_after_labels_dot_the_names_in_the_catalogue_are_offered(editor):
    offered = ask(editor, "complete", scope="item", text="item.Labels.", cursor=12)
    assert [entry["label"] for entry in offered] == ["genre"]


def test_an_unknown_name_is_told_with_its_place(editor):
    found = ask(editor, "check", scope="score", expects="number", text="1 + feedbak")
    assert (found["problems"][0]["position"], found["problems"][0]["length"]) == (4, 7)
    assert found["value"] is None


def test_the_value_counts_positive_feedback_only(editor):
    found = ask(editor, "check", scope="score", expects="number", text="len(feedback)", example_id="m1")
    assert found == {"problems": [], "value": "1", "error": None}  # ann's like; bob only read it


def test_an_expression_about_users_is_shown_for_a_user(editor):
    found = ask(editor, "check", scope="user", text="user.Labels.age", example_id="ann")
    assert found["value"] == "33"


def test_a_failure_while_running_is_told_and_breaks_nothing(editor):
    found = ask(editor, "check", scope="item", text="item.Labels.genre + 1", example_id="m1")
    assert found["value"] is None
    assert found["error"]


def test_an_example_nobody_knows_has_no_value(editor):
    found = ask(editor, "check", scope="score", text="1", example_id="gone")
    assert found == {"problems": [], "value": None, "error": None}


def test_a_stranger_learns_nothing(db):
    answer = Client(REMOTE_ADDR="192.0.2.1").post(
        "/api/expressions/check", "{}", content_type="application/json"
    )
    assert answer.status_code == 401
