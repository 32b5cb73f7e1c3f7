"""gorsejs in Node, method by method against a live server.

It is installed into a temporary folder when the tests run, so nothing of it is kept in this project.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

#: tslib, because gorsejs needs it and does not say so.
PACKAGES = ("gorsejs@0.4.8", "tslib@2")
CALLS = Path(__file__).with_name("gorsejs_calls.mjs")


@pytest.fixture(scope="module")
def told(server, keys, tmp_path_factory, need):
    """What each method gave."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        need("Node is not installed")
    folder = tmp_path_factory.mktemp("gorsejs")
    (folder / "package.json").write_text("{}")
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    try:
        installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        need("npm could not fetch gorsejs in two minutes")
    if installed.returncode:
        need(f"npm could not fetch gorsejs: {installed.stderr[-300:]}")
    called = subprocess.run(
        [node, str(CALLS), str(folder), server.url, keys["data"]],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert called.returncode == 0, called.stderr
    return json.loads(called.stdout)


AT = "1970-01-01T00:00:00Z"
ITEM = {
    "ItemId": "js-i",
    "IsHidden": False,
    "Categories": ["js"],
    "Timestamp": AT,
    "Labels": {"tags": ["js"]},
    "Comment": "one",
}
LIKE = {
    "FeedbackType": "like",
    "UserId": "js-u",
    "ItemId": "js-i",
    "Value": 1,
    "Timestamp": AT,
    "Updated": AT,
    "Comment": "",
}


def test_every_method_is_called(told):
    # A few are called twice, under names that begin with theirs.
    assert [name for name in told["methods"] if name not in told] == []


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("insertUser", 1),
        ("insertUsers", 2),
        ("updateUser", 1),
        ("upsertItem", 1),
        ("upsertItems", 2),
        ("updateItem", 1),
        ("insertItemCategory", 1),
        ("deleteItemCategory", 1),
        ("insertFeedbacks", 2),
        ("upsertFeedbacks", 1),
        ("deleteItem", 1),
        ("deleteUser", 1),
    ],
)
def test_a_write_tells_how_many_rows(told, method, rows):
    assert told[method] == rows


def test_deleting_feedback_hands_on_the_answer(told):
    assert told["deleteFeedback"] == {"RowAffected": 1}


def test_what_was_written_comes_back(told):
    assert told["getUser"] == {"UserId": "js-u", "Labels": ["a"], "Comment": "c"}
    assert told["getItem"] == ITEM
    assert told["getItemAfter"] == ITEM | {"Comment": "two", "Categories": ["js", "extra"]}
    assert told["getFeedback"] == LIKE


def test_pages_advance_by_the_cursor_with_a_capital_letter(told):
    assert len(told["getUsers"]["Users"]) == len(told["getItems"]["Items"]) == 1
    assert told["getUsersNext"]["Users"][0]["UserId"] > told["getUsers"]["Users"][0]["UserId"]


def test_feedback_is_listed_by_user_item_and_type(told):
    for method in ("getItemFeedbackByType", "getUserFeedbackByType"):
        assert told[method] == [LIKE]
    for method in ("getItemFeedback", "getUserFeedback"):
        assert sorted(row["FeedbackType"] for row in told[method]) == ["like", "read"]
    assert {row["FeedbackType"] for row in told["getFeedbacksOfType"]["Feedback"]} == {"read"}
    assert told["getFeedbacks"]["Feedback"]


def test_lists_hold_what_their_category_says(told):
    assert {row["Id"] for row in told["getLatest"]} == {"js-i", "js-j"}
    assert told["getRecommend"] == ["js-j"]  # js-i was liked; asked for until the new items had been taken up
    assert all(isinstance(item, str) for item in told["getRecommendOfAll"])


@pytest.mark.parametrize(
    "method",
    ["getPopular", "getPopularOfAll", "getSessionRecommend", "getItemNeighbors", "getUserNeighbors"],
)
def test_a_list_is_a_list_even_when_it_is_empty(told, method):
    assert isinstance(told[method], list)


def test_a_refusal_carries_status_and_text(told):
    assert told["getUserGone"]["code"] == 404
    assert "js-u: user not found" in str(told["getUserGone"]["message"])
