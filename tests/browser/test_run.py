"""Criteria on running a flow; the number of a test is the criterion's."""

import pytest
from flows import BARE, POPULAR


@pytest.fixture(scope="session")
def reader(server):
    """Somebody with a long history."""
    return server.get("/api/preview/users?kind=heavy&n=1")[0]["user_id"]


def test_21_every_node_and_edge_says_what_came_out(open_editor, reader):
    editor = open_editor(POPULAR)
    editor.choose_user(reader)
    editor.press("Control+Enter")
    editor.expect_run("finished")
    for node_id in ("source", "popular", "ranker", "recommend"):
        words = editor.node(node_id).inner_text()
        assert "Done" in words
        assert "ms" in words
    assert "100 items" in editor.node("popular").inner_text()
    labels = editor.page.locator(".react-flow__edgelabel-renderer").inner_text()
    assert labels.count("100 items") >= 2
    assert len(editor.result_ids()) == 20


def test_22_the_preview_runs_the_unsaved_drawing_and_live_answers_stay(open_editor, reader, server):
    editor = open_editor(POPULAR)
    status, _ = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": "for the test"})
    assert status == 200
    live = server.get(f"/api/recommend/{reader}?n=10")
    editor.run(reader)
    before = editor.result_ids()
    assert before[:10] == live
    editor.open_settings("ranker")
    editor.by("inspector").locator("#setting-kind").select_option("mf")
    editor.run(reader)
    assert editor.result_ids() != before
    assert server.get(f"/api/recommend/{reader}?n=10") == live


def test_30_unknown_cold_and_empty_have_messages_of_their_own(open_editor, server):
    cold = server.get("/api/preview/users?kind=cold&n=1")[0]["user_id"]
    editor = open_editor(BARE)
    said = {}
    for name, user_id in {"unknown": "nobody at all ☃", "cold": cold}.items():
        editor.run(user_id)
        said[name] = editor.by("results").locator(".run-note").first.inner_text()
    assert "No user is called" in said["unknown"]
    assert "cold start" in said["cold"]
    empty = {**POPULAR, "nodes": [dict(n) for n in POPULAR["nodes"]]}
    empty["nodes"][1] = {**empty["nodes"][1], "settings": {"score": "len(feedback)", "filter": "false"}}
    editor = open_editor(empty)
    editor.run(cold)
    assert "Nothing came out" in editor.by("results").inner_text()
    assert editor.page.locator("[aria-busy=true]").count() == 0


def test_31_a_result_tells_its_journey_and_lights_its_path(open_editor, reader):
    editor = open_editor(POPULAR)
    editor.run(reader)
    first = editor.result_ids()[0]
    editor.by(f"result-{first}").click()
    journey = editor.by("journey").inner_text()
    assert "Non-personalized" in journey
    assert "Ranker" in journey


def test_35_drafts_save_themselves_and_live_answers_wait_for_activate(open_editor, reader, server):
    editor = open_editor(POPULAR)
    assert editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})[0] == 200
    live = server.get(f"/api/recommend/{reader}?n=10")
    editor.open_settings("ranker")
    editor.by("inspector").locator("#setting-kind").select_option("mf")
    editor.page.wait_for_selector(
        "[data-testid='state-chip'][data-state='unsaved'], [data-testid='state-chip'][data-state='saving']"
    )
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='saved']", timeout=6000)
    ranker = next(node for node in editor.draft()["nodes"] if node["id"] == "ranker")
    assert ranker["settings"]["kind"] == "mf"
    assert server.get(f"/api/recommend/{reader}?n=10") == live
    editor.by("activate").click()
    editor.by("changes").wait_for()
    editor.by("confirm-activate").click()
    editor.by("confirm-activate").wait_for(state="detached")
    assert server.get(f"/api/recommend/{reader}?n=10") != live
