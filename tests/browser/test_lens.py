"""The user lens: whom the preview is for, what they did lately, and what if they had done something else."""

import re

import pytest
from flows import PERSONAL
from playwright.sync_api import expect

ALIKE = PERSONAL | {
    "nodes": [
        part | ({"settings": {"kind": "mf"}} if part["id"] == "ranker" else {}) for part in PERSONAL["nodes"]
    ]
}


def lens(editor):
    return editor.by("lens")


def rerun(editor, button="run-what-if"):
    """Press a button that runs, and wait for the list of that run, not for the one that is there."""
    editor.by(button).click()
    editor.by(button).wait_for(state="detached")
    editor.expect_run("finished")


def test_users_are_found_by_the_start_of_their_id_by_chance_and_by_how_much_they_did(open_editor, server):
    editor = open_editor(PERSONAL)
    heaviest = server.get("/api/preview/users?kind=heavy&n=1")[0]["user_id"]
    editor.by("user-id").fill(heaviest[:-1])
    option = editor.page.get_by_role("option", name=re.compile(re.escape(heaviest)))
    option.click()
    assert editor.by("user-id").input_value() == heaviest
    editor.by("other-users").click()
    editor.by("cold-user").click()
    editor.page.wait_for_function("id => document.getElementById('user-id').value !== id", arg=heaviest)
    cold = editor.by("user-id").input_value()
    assert server.get(f"/api/preview/user?user_id={cold}")["feedback"] == 0
    editor.by("other-users").click()
    editor.by("heavy-user").click()
    editor.page.wait_for_function("id => document.getElementById('user-id').value === id", arg=heaviest)
    editor.by("random-user").click()
    editor.page.wait_for_function("id => document.getElementById('user-id').value !== ''", arg=heaviest)
    assert server.get(f"/api/preview/user?user_id={editor.by('user-id').input_value()}")["known"]


def test_the_address_chooses_the_user(open_editor, server, reader):
    editor = open_editor(PERSONAL)
    editor.page.goto(f"{server.url}/flows/{editor.flow_id}?user={reader}")
    editor.ready()
    assert editor.by("user-id").input_value() == reader
    editor.by("run").click()
    editor.expect_run("finished")
    assert len(editor.result_ids()) == 20


@pytest.mark.parametrize("user_id", ["tenant/42", "..", "a?b&c#d%2F", "☃ é"])
def test_any_id_can_be_looked_at(open_editor, user_id):
    editor = open_editor(PERSONAL)
    editor.run(user_id)  # a request that fails in between would be a complaint of the page
    expect(lens(editor).get_by_role("heading")).to_have_text(f"Recent feedback of {user_id}")
    expect(lens(editor)).to_contain_text("Nobody with this ID is known.")


def test_recent_feedback_stands_beside_the_results_with_titles_and_times(open_editor, server, reader):
    editor = open_editor(PERSONAL)
    editor.run(reader)
    recent = server.get(f"/api/preview/user?user_id={reader}")["recent"]
    rows = editor.by("recent").get_by_role("listitem")
    expect(rows.locator(".feedback-title")).to_have_text([entry["title"] for entry in recent])
    assert all(re.search(r"\d{1,2}:\d{2}", text) for text in rows.locator("time").all_inner_texts())
    editor.by(f"result-{editor.result_ids()[0]}").click()
    editor.by("journey").wait_for()
    editor.by("back-to-user").click()
    assert editor.by("recent").is_visible()


def test_feedback_that_is_left_out_or_added_changes_this_preview_only(open_editor, server, reader):
    editor = open_editor(ALIKE)
    editor.run(reader)
    true_list = editor.result_ids()
    served = server.get(f"/api/recommend/{reader}?n=10")
    stored = server.get(f"/api/user/{reader}/feedback")
    left_out = editor.by("recent").get_by_role("listitem").first.get_attribute("data-item")
    rows = editor.by("recent").locator(f"[data-item='{left_out}']").all()  # read it, and liked it
    for row in rows:
        row.get_by_role("button").click()
    assert editor.by("what-if").inner_text().startswith(f"what-if: {len(rows)} change")
    chosen = true_list[0]
    editor.by("what-if-item").fill(chosen)
    editor.page.get_by_role("option", name=re.compile(re.escape(chosen))).first.click()
    assert editor.by("added").get_by_role("listitem").get_attribute("data-item") == chosen
    assert editor.by("what-if").inner_text().startswith(f"what-if: {len(rows) + 1} changes")
    rerun(editor)
    assert editor.by("what-if-results").inner_text().startswith(f"what-if: {len(rows) + 1} changes")
    what_if = editor.result_ids()
    assert chosen not in what_if, "what they have feedback on is not recommended"
    assert what_if != true_list
    editor.by("why-not").fill(left_out)
    editor.by("why-not").press("Escape")
    editor.by("explain").click()
    editor.by("verdict").wait_for()
    assert "already" not in editor.by("verdict").inner_text(), "what was left out counts no more"

    assert server.get(f"/api/recommend/{reader}?n=10") == served
    assert server.get(f"/api/user/{reader}/feedback") == stored
    rerun(editor, "what-if-results")
    assert editor.result_ids() == true_list
    assert set(editor.states().values()) == {"Cached"}
    assert editor.by("what-if").count() == 0


def test_a_change_can_be_taken_back_and_another_user_is_taken_as_they_are(open_editor, reader):
    editor = open_editor(PERSONAL)
    editor.run(reader)
    button = editor.by("recent").get_by_role("listitem").first.get_by_role("button")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert editor.by("what-if").count() == 0
    button.click()
    assert editor.by("what-if").count() == 1
    editor.choose_user("somebody-else")
    assert editor.by("what-if").count() == 0


def test_what_the_data_source_knows_no_feedback_for_is_refused_in_words(open_editor, reader):
    editor = open_editor(PERSONAL)
    editor.run(reader)
    editor.by("what-if-sense").select_option("negative")
    editor.by("what-if-item").fill(editor.result_ids()[0])
    editor.by("what-if-item").press("Enter")
    editor.by("run-what-if").click()
    editor.expect_run("rejected")
    assert "counts no feedback as negative" in editor.by("results").inner_text()


def test_the_preview_of_an_anonymous_session_runs_on_the_items_that_were_said(open_editor, reader, server):
    editor = open_editor(PERSONAL)
    liked = server.get(f"/api/preview/user?user_id={reader}")["recent"][0]["item_id"]
    editor.by("other-users").click()
    editor.by("anonymous").click()
    editor.by("what-if-item").fill(liked)
    editor.page.get_by_role("option", name=re.compile(re.escape(liked))).first.click()
    rerun(editor)
    assert "an anonymous session of 1 item" in editor.by("results").inner_text()
    assert "An anonymous session: only what was done in it is known." in editor.by("results").inner_text()
    of_session = editor.result_ids()
    assert len(of_session) == 20
    assert liked not in of_session
    editor.node("collaborative").locator(".card-foot", has_text="Done").wait_for()
    editor.page.get_by_role("button", name="Leave the session").click()
    assert editor.by("user-id").is_visible()
