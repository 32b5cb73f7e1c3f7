"""Criteria on versions and activation; the number of a test is the criterion's."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flows import CHAIN, EMPTY, POPULAR, edges, flow, node
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


def settings_of(document, node_id):
    return next(part["settings"] for part in document["nodes"] if part["id"] == node_id)


@pytest.fixture(scope="module")
def accounts(server):
    """Ada, somebody who is called like an attack, and Vera, who may only look."""
    people = [("ada", "Ada", "Lovelace"), ("mallory", "<img src=x onerror=alert(1)>", "")]
    code = f"""
from django.contrib.auth import get_user_model
for name, first, last in {people!r}:
    get_user_model().objects.create_superuser(name, password={PASSWORD!r}, first_name=first, last_name=last)
get_user_model().objects.create_user("vera", password={PASSWORD!r})
"""
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-c", code]
    subprocess.run(command, env=server.environment, check=True)


@pytest.fixture
def logged_in(chromium, server, accounts):
    """logged_in(name) -> a browser of that person's."""
    contexts = []

    def log_in(name):
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server.url}/login")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda address: "/login" not in address)
        page.close()
        return context

    yield log_in
    for context in contexts:
        context.close()


def test_35_drafts_save_themselves_and_live_answers_wait_for_activate(open_editor, reader):
    editor = open_editor(POPULAR)
    assert editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})[0] == 200
    editor.run(reader)
    live = editor.result_ids()
    editor.expect_served(reader, live)
    with editor.page.expect_response(lambda answer: answer.request.method == "PUT"):
        editor.choose_kind("ranker", "mf")
    editor.expect_saved()
    assert settings_of(editor.draft(), "ranker")["kind"] == "mf"
    editor.run(reader)
    drawn = editor.result_ids()
    assert drawn != live
    editor.expect_served(reader, live)
    editor.by("activate").click()
    editor.by("changes").wait_for()
    editor.expect_served(reader, live)
    editor.by("confirm-activate").click()
    editor.by("confirm-activate").wait_for(state="detached")
    editor.expect_served(reader, drawn)


def test_36_leaving_asks_only_when_edits_are_unsaved_and_edits_made_offline_come_back(open_editor):
    editor = open_editor(POPULAR)
    editor.expected_complaints = ["Failed to load resource"]
    asked = []

    def answer(dialog):
        asked.append(dialog.type)
        dialog.accept()

    editor.page.on("dialog", answer)
    editor.page.route("**/draft", lambda route: route.abort("internetdisconnected"))
    editor.choose_kind("ranker", "mf")
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='offline']")
    editor.reload()
    assert asked == ["beforeunload"]
    editor.expect_live("not saved are back")
    editor.click_node("ranker")
    assert editor.page.locator("#setting-kind").input_value() == "mf"
    assert settings_of(editor.draft(), "ranker")["kind"] == "none"
    editor.page.unroute("**/draft")
    editor.save()
    assert settings_of(editor.draft(), "ranker")["kind"] == "mf"
    editor.reload()
    assert asked == ["beforeunload"]


def test_37_activation_lists_what_blocks_it_or_what_it_changes_and_for_whom(open_editor):
    editor = open_editor(POPULAR)
    status, answer = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})
    assert status == 200, answer
    editor.choose_kind("ranker", "mf")
    factors = editor.by("inspector").locator("[data-field=n_factors] input")
    right = factors.input_value()
    factors.fill("")
    editor.by("activate").click()
    editor.by("blocking").wait_for()
    assert editor.by("blocking").get_by_role("button").inner_text().startswith("Ranker n_factors")
    assert editor.by("confirm-activate").is_disabled()
    editor.by("review").get_by_role("button", name="Not now").click()
    factors.fill(right)
    editor.click_node("popular")
    editor.page.locator("#node-name").fill("Most read")
    editor.focus_canvas()
    editor.press("n")
    editor.page.keyboard.type("filter")
    editor.press("Enter")
    editor.expect_nodes(5)
    editor.by("activate").click()
    editor.by("changes").wait_for()
    rows = editor.by("changes").get_by_role("row").all_inner_texts()
    rows = [[cell.strip() for cell in row.split("\t")] for row in rows]
    me = rows[1][4]
    assert ["Added", "Filter", "", "", me] in rows
    assert ["Changed", "Ranker · kind", "none", "mf", me] in rows
    editor.page.wait_for_selector("[data-testid=sample][data-state=done]")
    groups = [row.split("\t") for row in editor.by("sample-groups").get_by_role("row").all_inner_texts()[1:]]
    by_group = {name: [int(compared), int(same)] for name, compared, same, *_ in groups}
    assert list(by_group) == ["cold", "light", "heavy", "all"]
    assert by_group["all"] == [15, sum(by_group[name][1] for name in ("cold", "light", "heavy"))]
    assert by_group["heavy"][1] < 5
    counts = re.compile(r"(\d+) % overlap · (\d+) entered · (\d+) left · (\d+) moved")
    changed = [
        list(map(int, counts.search(text).groups()))
        for text in editor.by("changed-users").locator("summary").all_inner_texts()
    ]
    for overlap, entered, left, moved in changed:
        assert entered == left == 10 - overlap // 10
        assert entered + moved > 0
    assert "it costs nothing" in editor.by("refresh-cost").inner_text()


def asking_model(**settings):
    """Data Source, Latest, a ranker that asks the stand-in, Recommend."""
    return flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0, "Fresh"),
            node("ranker", "ranker", 600, 0, kind="llm", **settings),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
        ("latest", "ranker"),
        ("ranker", "recommend"),
    )


def test_37_a_flow_that_asks_a_model_is_told_what_it_costs_and_compared_when_somebody_says_so(open_editor):
    live = open_editor(POPULAR)
    assert live.call("POST", f"/api/flows/{live.flow_id}/activate", {"note": ""})[0] == 200
    editor = open_editor(asking_model())
    editor.by("activate").click()
    editor.page.wait_for_selector("[data-testid=refresh-cost][aria-busy=false]")
    status, cost = editor.call("GET", f"/api/flows/{editor.flow_id}/refresh-cost")
    assert status == 200
    words = editor.by("refresh-cost").inner_text()
    assert f"{cost['calls']:,} calls" in words
    assert f"{cost['tokens']:,} tokens" in words
    assert cost["calls"] == 9 * cost["users"] > 0  # 100 items in windows of 20, each 10 further up
    assert editor.by("cost-in-all").inner_text() == "No cost"
    assert "stand-in" in words
    assert editor.by("sample").get_attribute("data-state") == "waiting"
    assert editor.by("confirm-activate").is_enabled()
    editor.page.route(re.compile("/result-difference"), lambda route: None)  # else it may end by itself
    editor.by("compare-lists").click()
    editor.by("stop-comparing").click()
    editor.page.wait_for_selector("[data-testid=sample][data-state=stopped]")
    assert editor.by("confirm-activate").is_enabled()


def test_37_models_that_are_missing_are_trained_from_the_dialog(open_editor):
    editor = open_editor(POPULAR)
    editor.choose_kind("ranker", "mf")
    editor.set_number("ranker", "n_factors", 23)
    editor.by("activate").click()
    missing = editor.by("missing-models")
    missing.wait_for()
    assert "23 factors" in missing.inner_text()
    assert "for Ranker" in missing.inner_text()
    editor.by("train-missing").click()
    missing.locator("[data-state=done]").wait_for()
    assert "Trained" in missing.inner_text()
    editor.by("review").get_by_role("button", name="Not now").click()
    editor.by("activate").click()
    editor.by("refresh-cost").wait_for()
    assert editor.by("missing-models").count() == 0


def test_38_versions_tell_their_story_open_read_only_and_are_compared(open_editor):
    editor = open_editor(POPULAR)

    def keep(note, number):
        editor.by("versions").click()
        editor.by("versions-dialog").get_by_label("Note for the version").fill(note)
        editor.by("keep-version").click()
        editor.by(f"version-{number}").wait_for()
        editor.press("Escape")

    keep("the first", 1)
    editor.choose_kind("ranker", "mf")
    editor.node("source").focus()
    editor.press("m", "ArrowUp", "Escape")
    editor.save()
    keep("the second", 2)
    status, _ = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"version": 1, "note": ""})
    assert status == 200
    editor.by("versions").click()
    first, second = editor.by("version-1"), editor.by("version-2")
    first.get_by_text("Live", exact=True).wait_for()
    assert "the first" in first.inner_text()
    assert "the second" in second.inner_text()
    assert second.get_by_text("Live", exact=True).count() == 0
    assert re.search(r"\d\d:\d\d", first.locator(".version-sub").inner_text())

    first.get_by_role("button", name="Open").click()
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='viewing']")
    assert "read-only" in editor.by("state-chip").inner_text()
    editor.press("Control+a", "Delete")
    editor.expect_live("read-only")
    assert len(editor.node_ids()) == 4
    editor.by("close-version").click()

    editor.by("versions").click()
    first.get_by_role("button", name="Compare").click()
    editor.by("comparison").wait_for()
    assert editor.node("ranker").locator(".change-changed").count() == 1
    assert editor.node("source").locator(".change-moved").count() == 1
    assert editor.page.locator("[class*='card '][class*=change-]").count() == 2


def test_38_a_comparison_of_two_versions_marks_nodes_and_edges_and_tells_moves_apart(open_editor):
    editor = open_editor(POPULAR)
    path = f"/api/flows/{editor.flow_id}"
    later = copy.deepcopy(POPULAR)
    later["nodes"] = [part for part in later["nodes"] if part["id"] != "ranker"]
    later["nodes"].append(node("filter", "filter", 600, 0))
    settings_of(later, "recommend")["cache_size"] = 55
    next(part for part in later["nodes"] if part["id"] == "source")["position"]["y"] = 80
    later["edges"] = edges(("source", "popular"), ("popular", "filter"), ("filter", "recommend"))
    assert editor.call("POST", f"{path}/versions", {"note": "", "revision": 1})[0] == 200
    assert editor.call("PUT", f"{path}/draft", {"base_revision": 1, "document": later})[0] == 200
    assert editor.call("POST", f"{path}/versions", {"note": "", "revision": 2})[0] == 200
    editor.reload()
    editor.by("versions").click()
    editor.by("compare-versions").get_by_role("button").click()
    editor.by("comparison").wait_for()
    assert editor.by("comparison").inner_text().split("\n")[0].startswith("From version 1 to version 2")
    tags = editor.by("comparison").locator(".change-tag").all_inner_texts()
    assert tags == ["3 added", "1 changed", "3 removed", "1 only moved"]  # a node and two edges came and went
    marks = {"filter": "added", "recommend": "changed", "ranker": "removed", "source": "moved"}
    for node_id, mark in marks.items():
        assert editor.node(node_id).locator(f".card.change-{mark}").count() == 1
    assert editor.page.locator(".card[class*=change-]").count() == len(marks)
    for ends, mark in {
        ("popular", "filter"): "added",
        ("filter", "recommend"): "added",
        ("popular", "ranker"): "removed",
        ("ranker", "recommend"): "removed",
    }.items():
        assert editor.edge(*ends).locator(f".edge-path.change-{mark}").count() == 1
    assert editor.edge("source", "popular").locator(".edge-path[class*=change-]").count() == 0
    old, new = editor.node("ranker").bounding_box(), editor.node("filter").bounding_box()
    assert old["y"] + old["height"] <= new["y"] or new["y"] + new["height"] <= old["y"]  # both can be seen
    editor.press("Control+a", "Delete")
    editor.expect_live("read-only")
    editor.by("close-comparison").click()
    assert sorted(editor.node_ids()) == ["filter", "popular", "recommend", "source"]


def test_39_a_version_is_restored_goes_live_and_one_click_rolls_back(open_editor):
    editor = open_editor(POPULAR)
    path = f"/api/flows/{editor.flow_id}"

    def version(number):
        return editor.call("GET", f"{path}/versions/{number}")[1]

    def active():
        return editor.call("GET", path)[1]["active_version"]

    def expect_toast(words):
        editor.by("toast").get_by_text(words, exact=True).wait_for()

    assert editor.call("POST", f"{path}/activate", {"note": "the first"})[0] == 200
    editor.choose_kind("ranker", "mf")
    editor.save()
    editor.by("versions").click()
    editor.by("keep-version").click()
    editor.by("version-2").wait_for()
    editor.press("Escape")
    editor.set_number("recommend", "cache_size", 55)
    editor.by("versions").click()
    editor.by("restore-2").click()
    editor.by("versions-dialog").wait_for(state="detached")
    editor.expect_saved()
    assert editor.draft() == version(2)["document"]
    assert settings_of(editor.draft(), "ranker")["kind"] == "mf"
    assert settings_of(version(3)["document"], "recommend")["cache_size"] == 55
    assert version(3)["note"] == "Kept before version 2 was restored"
    assert active() == 1

    editor.by("activate").click()
    editor.by("confirm-activate").click()
    expect_toast("Version 2 is live.")
    assert active() == 2
    written = []
    editor.page.on("request", lambda request: request.method != "GET" and written.append(request.url))
    editor.by("roll-back").click()
    expect_toast("Version 1 is live again.")
    assert len(written) == 1
    assert re.search(r"/api/activations/\d+/rollback$", written[0])
    assert editor.page.get_by_role("dialog").count() == 0
    assert active() == 1
    editor.by("toast").get_by_role("button", name="Undo").click()
    expect_toast("Version 2 is live again.")
    assert active() == 2

    editor.by("versions").click()
    editor.by("version-2").get_by_role("button", name="Undo the rollback").click()
    expect_toast("Version 1 is live again.")
    editor.by("versions").click()
    editor.by("activations").wait_for()
    rows = [row.split("\t") for row in editor.by("activations").get_by_role("row").all_inner_texts()[1:]]
    told = [(who, way, note.strip()) for _, who, way, note in rows]
    assert told[:4] == [
        ("playground", "version 2 → version 1", "Rolled back"),
        ("playground", "version 1 → version 2", "Rolled back"),
        ("playground", "version 2 → version 1", "Rolled back"),
        ("playground", "version 1 → version 2", ""),
    ]
    assert told[4][2] == "the first"


def test_39_what_goes_live_is_what_was_reviewed(open_editor, logged_in):
    mine = open_editor(POPULAR)
    mine.expected_complaints = ["409"]
    theirs = open_editor(flow_id=mine.flow_id, context=logged_in("ada"))
    path = f"/api/flows/{mine.flow_id}"

    def live():
        return mine.call("GET", path)[1]["active_version"]

    def expect_refusal(words):
        mine.by("confirm-activate").click()
        mine.by("review").get_by_role("alert").get_by_text(words).wait_for()

    mine.set_number("recommend", "cache_size", 55)  # saved by Activate, before the review
    mine.by("activate").click()
    mine.by("changes").wait_for()
    mine.by("review").get_by_label("Note").fill("mine")
    theirs.expect_live("you see the change")
    theirs.choose_kind("ranker", "mf")
    theirs.expect_saved()
    expect_refusal("since revision 2 was reviewed")
    assert live() is None
    mine.by("changes").get_by_text("Ranker · kind").wait_for()

    assert theirs.call("POST", f"{path}/activate", {"note": ""})[0] == 200
    expect_refusal("has activated version 1 of Test flow since then")
    assert live() == 1
    mine.by("changes").wait_for()
    mine.by("confirm-activate").click()
    mine.by("review").wait_for(state="detached")
    status, (newest, *_) = mine.call("GET", f"/api/activations?flow_id={mine.flow_id}")
    assert (status, newest["note"], newest["author"]) == (200, "mine", "playground")


def test_40_edits_of_different_nodes_end_in_both_browsers(open_editor):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    mine.stop_autosave()
    mine.set_number("recommend", "cache_size", 55)
    theirs.choose_kind("ranker", "mf")
    mine.expect_live("both changes are in it")  # heard over the socket as soon as it was saved
    assert mine.by("state-chip").get_attribute("data-state") == "unsaved"
    mine.save()
    theirs.expect_live("you see the change")
    for editor in (mine, theirs):
        editor.click_node("ranker")
        assert editor.page.locator("#setting-kind").input_value() == "mf"
        editor.click_node("recommend")
        assert editor.by("inspector").locator("[data-field=cache_size] input").input_value() == "55"
    assert settings_of(mine.draft(), "ranker")["kind"] == "mf"
    assert settings_of(mine.draft(), "recommend")["cache_size"] == 55


@pytest.mark.parametrize("typed", ["", "Mine"])
def test_40_escape_in_the_panel_takes_back_own_edits_and_nobody_elses(open_editor, typed):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    mine.stop_autosave()
    mine.click_node("ranker")
    mine.page.locator("#node-name").click()
    mine.page.keyboard.type(typed)
    theirs.choose_kind("ranker", "mf")
    mine.expect_live("both changes are in it" if typed else "you see the change")
    mine.page.locator("#node-name").press("Escape")
    mine.by("inspector").wait_for(state="detached")
    assert mine.saved_draft() == theirs.saved_draft()
    assert settings_of(mine.draft(), "ranker")["kind"] == "mf"
    assert mine.node("ranker").locator(".card-name").inner_text() == "Ranker"


def test_40_escape_in_the_panel_leaves_what_a_colleague_wrote_over_an_own_edit(open_editor):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    name = mine.page.locator("#node-name")
    mine.click_node("ranker")
    name.click()
    mine.page.keyboard.type("Mine")
    mine.press("Control+s")
    mine.expect_saved()
    theirs.expect_live("you see the change")
    theirs.click_node("ranker")
    theirs.page.locator("#node-name").fill("Theirs")
    mine.expect_live("you see the change")
    name.press("Escape")
    mine.by("inspector").wait_for(state="detached")
    assert mine.node("ranker").locator(".card-name").inner_text() == "Theirs"


def test_40_whoever_missed_the_news_merges_when_saving(open_editor):
    mine = open_editor(POPULAR)
    mine.stop_autosave()
    mine.expected_complaints = ["409", "Failed to load resource"]
    mine.page.route(f"**/api/flows/{mine.flow_id}", lambda route: route.abort("internetdisconnected"))
    mine.set_number("recommend", "cache_size", 55)
    changed = copy.deepcopy(POPULAR)
    settings_of(changed, "ranker")["kind"] = "mf"
    path = f"/api/flows/{mine.flow_id}/draft"
    assert mine.call("PUT", path, {"base_revision": 1, "document": changed})[0] == 200
    mine.save()
    mine.page.unroute_all()
    assert settings_of(mine.draft(), "ranker")["kind"] == "mf"
    assert settings_of(mine.draft(), "recommend")["cache_size"] == 55


@pytest.mark.parametrize("choice", ["Keep mine", "Take theirs", "Keep mine as a copy"])
def test_40_of_a_field_that_both_changed_both_values_are_shown(open_editor, choice):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    for editor in (mine, theirs):
        editor.stop_autosave()
        editor.expected_complaints = ["409"]
        editor.set_number("recommend", "cache_size", 55 if editor is mine else 66)
    theirs.save()
    mine.by("save").click()
    mine.by("conflict").wait_for()
    (row,) = mine.by("conflict").locator("tbody tr").all_inner_texts()
    assert row.split("\t") == ["Recommend", "cache size", "55", "66"]
    mine.by("conflict").get_by_role("button", name=choice, exact=True).click()
    mine.by("conflict").wait_for(state="detached")
    if choice == "Keep mine as a copy":
        address = mine.by("copied").get_by_role("link", name="Open my copy").get_attribute("href")
        status, copied = mine.call("GET", f"/api{address}")
        assert status == 200
        assert copied["name"] == "Test flow (my copy)"
        assert settings_of(copied["draft"]["document"], "recommend")["cache_size"] == 55
    mine.expect_saved()
    kept = 55 if choice == "Keep mine" else 66
    assert settings_of(mine.draft(), "recommend")["cache_size"] == kept


@pytest.mark.parametrize("choice", ["Keep mine", "Take theirs"])
def test_40_a_node_that_one_deleted_and_the_other_edited_is_asked_about(open_editor, choice):
    mine = open_editor(CHAIN)
    theirs = open_editor(flow_id=mine.flow_id)
    for editor in (mine, theirs):
        editor.stop_autosave()
    mine.expected_complaints = ["409"]
    mine.click_node("one")
    mine.press("Control+Delete")  # and reconnect
    mine.expect_edges(["source-latest", "latest-two", "two-recommend"])
    theirs.set_number("one", "limit", 55)
    theirs.save()
    mine.expect_live("saving will show both")
    mine.by("save").click()
    mine.by("conflict").wait_for()
    (row,) = mine.by("conflict").locator("tbody tr").all_inner_texts()
    assert row.split("\t") == ["Merge", "limit", "deleted", "55"]
    mine.by("conflict").get_by_role("button", name=choice, exact=True).click()
    mine.by("conflict").wait_for(state="detached")
    mine.expect_saved()
    if choice == "Keep mine":
        mine.expect_edges(["source-latest", "latest-two", "two-recommend"])
        assert "one" not in {part["id"] for part in mine.draft()["nodes"]}
    else:
        mine.expect_edges(["source-latest", "latest-one", "one-two", "two-recommend"])
        assert settings_of(mine.draft(), "one")["limit"] == 55


def test_40_what_was_left_unsaved_is_asked_about_when_somebody_changed_the_same_meanwhile(open_editor):
    mine = open_editor(POPULAR)
    mine.stop_autosave()
    mine.set_number("recommend", "cache_size", 55)
    mine.page.on("dialog", lambda dialog: dialog.accept())
    mine.page.goto(mine.server.url + "/flows")
    changed = copy.deepcopy(POPULAR)
    settings_of(changed, "recommend")["cache_size"] = 66
    path = f"/api/flows/{mine.flow_id}/draft"
    assert mine.call("PUT", path, {"base_revision": 1, "document": changed})[0] == 200
    mine.open(mine.flow_id)
    mine.by("conflict").wait_for()
    (row,) = mine.by("conflict").locator("tbody tr").all_inner_texts()
    assert row.split("\t") == ["Recommend", "cache size", "55", "66"]
    mine.by("conflict").get_by_role("button", name="Take theirs", exact=True).click()
    mine.by("conflict").wait_for(state="detached")
    assert settings_of(mine.draft(), "recommend")["cache_size"] == 66
    mine.open(mine.flow_id)  # and is not asked again
    assert mine.by("conflict").count() == 0


def test_40_a_viewer_never_writes(open_editor, logged_in):
    owner = open_editor(POPULAR)
    before = owner.draft()
    editor = open_editor(flow_id=owner.flow_id, context=logged_in("vera"))
    written = []
    editor.page.on("request", lambda request: request.method != "GET" and written.append(request.url))
    assert editor.by("save").is_disabled()
    assert editor.by("activate").is_disabled()
    editor.node("ranker").focus()
    editor.press("Delete")
    editor.expect_live("not change it")
    editor.press("n", "d", "Control+s")
    assert editor.by("chooser").count() == 0
    editor.move_node("ranker", 0, 120)
    assert len(editor.node_ids()) == 4
    editor.by("versions").click()
    editor.by("versions-dialog").get_by_text("No version yet").wait_for()
    assert editor.by("keep-version").count() == 0
    editor.press("Escape")
    editor.reload()
    assert [url for url in written if "/check" not in url] == []
    path = f"/api/flows/{owner.flow_id}"
    for method, address, body in (
        ("PUT", f"{path}/draft", {"base_revision": 1, "document": EMPTY}),
        ("POST", f"{path}/activate", {"note": ""}),
        ("PATCH", path, {"name": "Mine"}),
    ):
        assert editor.call(method, address, body)[0] == 403
    assert owner.draft() == before


def test_40_without_autosave_somebody_is_told_that_a_save_will_ask(open_editor):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    mine.stop_autosave()
    mine.set_number("recommend", "cache_size", 55)
    theirs.set_number("recommend", "cache_size", 66)
    mine.expect_live("saving will show both")
    assert mine.by("conflict").count() == 0


def test_41_faces_come_say_what_they_do_and_go(open_editor, logged_in):
    mine = open_editor(POPULAR)
    assert mine.by("presence").count() == 0
    ada = logged_in("ada")
    theirs = open_editor(flow_id=mine.flow_id, context=ada)
    avatar = mine.by("presence").get_by_test_id("avatar")
    avatar.wait_for()
    assert (avatar.inner_text(), avatar.get_attribute("title")) == ("AL", "Ada Lovelace · looking")
    assert theirs.by("presence").get_by_test_id("avatar").get_attribute("title") == "Another window · looking"

    second = open_editor(flow_id=mine.flow_id, context=ada)  # two tabs are one person
    expect(second.by("presence").get_by_test_id("avatar")).to_have_count(2)  # me, and her own other tab
    expect(second.by("presence")).to_have_attribute("title", re.compile("You, in another window"))
    assert avatar.count() == 1

    theirs.choose_kind("ranker", "mf")
    mine.page.wait_for_selector("[data-testid=presence] [title='Ada Lovelace · editing']")
    mine.by("people-ranker").wait_for()
    mine.expect_live("you see the change")
    mine.by("toast").get_by_text("Ada changed this flow; you see the change.").wait_for()
    mine.by("presence").focus()
    mine.press("Enter")
    assert mine.by("people").get_by_role("listitem").all_inner_texts() == [
        "AL\nAda Lovelace\nediting · at Ranker"
    ]
    mine.press("Escape")
    mine.expect_focus("[data-testid=presence]")

    theirs.page.close()
    mine.by("people-ranker").wait_for(state="detached")
    assert avatar.count() == 1
    ada.close()
    avatar.wait_for(state="detached")


def test_41_a_browser_that_loses_its_line_comes_back_to_the_others(open_editor):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    for editor in (mine, theirs):
        editor.by("presence").wait_for()
        assert editor.by("presence").get_attribute("title").endswith("Another window (looking)")
    lines, is_up = [], [True]

    def relay(line):
        if is_up[0]:
            lines.append((line, line.connect_to_server()))
        else:
            line.close()

    theirs.page.route_web_socket(re.compile(r"/ws/preview$"), relay)
    theirs.reload()
    theirs.by("presence").wait_for()
    is_up[0] = False
    for line in lines[-1]:
        line.close()
    mine.by("presence").wait_for(state="detached")
    theirs.by("presence").wait_for(state="detached")
    is_up[0] = True
    mine.by("presence").wait_for()
    theirs.by("presence").wait_for()


def test_44_in_a_narrow_header_every_button_has_a_name(open_editor):
    editor = open_editor(POPULAR, width=390, height=844)
    open_editor(flow_id=editor.flow_id)
    editor.by("presence").wait_for()
    names = (
        editor.page.locator(".editor-header")
        .get_by_role("button")
        .evaluate_all("buttons => buttons.map((button) => button.ariaLabel || button.innerText.trim())")
    )
    assert len(names) == 8
    assert "" not in names
    assert "Versions" in names


def test_49_a_person_and_a_note_that_look_like_code_are_text(open_editor, logged_in):
    mine = open_editor(POPULAR)
    attack = "<img src=x onerror=alert(1)>"
    theirs = open_editor(flow_id=mine.flow_id, context=logged_in("mallory"))
    status, _ = theirs.call("POST", f"/api/flows/{mine.flow_id}/activate", {"note": attack})
    assert status == 200
    mine.by("presence").click()
    assert attack in mine.by("people").inner_text()
    mine.press("Escape")
    mine.by("versions").click()
    mine.by("activations").wait_for()
    assert attack in mine.by("version-1").inner_text()
    assert attack in mine.by("activations").inner_text()
    assert mine.page.locator("img[src=x]").count() == 0


def test_42_an_export_comes_back_whole_without_secrets_and_unknown_types_stay(open_editor, tmp_path):
    secret = "hush-hush-8c1d"
    document = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0, "Fresh"),
            node(
                "other",
                "external",
                300,
                150,
                mode="request",
                url="https://example.org/{{ n }}",
                headers="Authorization: Bearer {{ secrets.SHOP }}",
            ),
            node("odd", "from-the-future", 600, 0, deep={"a": [1, 2]}),
        ],
        ("source", "latest"),
        ("source", "other"),
        ("latest", "odd"),
        notes=[{"id": "why", "text": "A note", "position": {"x": 0, "y": 300}}],
    )
    editor = open_editor(document)
    status, _ = editor.call("PUT", "/api/settings/secrets/SHOP", {"value": secret})
    assert status == 200
    with editor.page.expect_download() as download:
        editor.by("menu").click()
        editor.page.get_by_text("Export as JSON").click()
    file = tmp_path / "flow.json"
    download.value.save_as(file)
    assert "secrets.SHOP" in file.read_text()
    assert secret not in file.read_text()
    whole = editor.draft()
    editor = open_editor(EMPTY | {"name": "Nothing yet"})
    with editor.page.expect_file_chooser() as chooser:
        editor.by("menu").click()
        editor.page.get_by_text("Import JSON").click()
    chooser.value.set_files(file)
    editor.expect_nodes(4)
    assert editor.saved_draft() == whole  # with its name: an empty flow has none worth keeping
    assert "Unknown type" in editor.node("odd").inner_text()
    assert editor.edge("latest", "odd").locator(".edge-path.is-misfit").count() == 1
    assert editor.edge("source", "latest").locator(".edge-path.is-misfit").count() == 0


def test_36_edits_of_somebody_who_was_logged_out_wait_until_they_are_back(open_editor):
    editor = open_editor(POPULAR)
    editor.expected_complaints = ["401"]
    refusal = {"message": "You are not logged in any more"}
    editor.page.route("**/api/flows/*/draft", lambda route: route.fulfill(status=401, json=refusal))
    editor.click_node("ranker")
    editor.page.locator("#node-name").fill("Order")
    editor.page.get_by_test_id("log-in").wait_for()
    assert editor.by("toast").inner_text().startswith("Not saved: You are not logged in any more")
    editor.page.unroute("**/api/flows/*/draft")
    editor.page.evaluate("() => { document.documentElement.dataset.ready = 'before'; }")
    editor.by("log-in").click()
    editor.ready()
    editor.node("ranker").get_by_text("Order").first.wait_for()
    assert next(part["name"] for part in editor.saved_draft()["nodes"] if part["id"] == "ranker") == "Order"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"nodes": [node("a", "latest", 0, 0), {"id": "b", "type": "merge", "pin": "yes"}]}, "nodes.1.pin"),
        ({"nodes": [node("a", "latest", 0, 0)] * 2}, "Two nodes have the id 'a'"),
        ({"format": 99, "nodes": [node("a", "latest", 0, 0)]}, "format 99"),
    ],
)
def test_42_a_file_that_could_never_be_saved_is_refused_with_the_reason(open_editor, tmp_path, wrong, words):
    editor = open_editor(EMPTY)
    editor.expected_complaints = ["422"]
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"format": 1, "name": "Wrong", "edges": [], "notes": [], **wrong}))
    with editor.page.expect_file_chooser() as chooser:
        editor.by("menu").click()
        editor.page.get_by_text("Import JSON").click()
    chooser.value.set_files(file)
    editor.by("refusal").get_by_text(words).wait_for()
    assert editor.node_ids() == []


def test_42_what_a_file_leaves_out_is_completed(open_editor, tmp_path):
    editor = open_editor(EMPTY)
    bare = {
        "format": 1,
        "nodes": [
            {"id": "a", "type": "latest", "position": {"x": 0, "y": 300}},
            {"id": "b", "type": "ranker"},
        ],
    }
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(bare | {"edges": [{"id": "e", "source": "a", "target": "b"}]}))
    with editor.page.expect_file_chooser() as chooser:
        editor.by("menu").click()
        editor.page.get_by_text("Import JSON").click()
    chooser.value.set_files(file)
    editor.edge("a", "b").wait_for(state="attached")
    editor.click_node("a")
    editor.by("inspector").wait_for()
    saved = editor.saved_draft()
    assert [part["settings"] for part in saved["nodes"]] == [{}, {}]
    assert saved["edges"][0]["order"] == 0
