"""Every row of the table of keys, and that none of them works where people type or in an open dialog."""

import json
import time

import pytest
from flows import CHAIN, POPULAR, edges, flow, node

from tests.patience import is_within

ROUND = flow(
    [
        node("source", "data-source", 0, 100),
        node("latest", "latest", 300, 0),
        node("popular", "non-personalized", 300, 200, score="len(feedback)"),
        node("merge", "merge", 600, 100),
        node("ranker", "ranker", 900, 100, kind="none"),
        node("recommend", "recommend", 1200, 100),
    ],
    ("source", "latest"),
    ("source", "popular"),
    ("latest", "merge"),
    ("popular", "merge"),
    ("merge", "ranker"),
    ("ranker", "recommend"),
)
GRID = 20


@pytest.fixture
def editor(open_editor):
    return open_editor(ROUND)


def selected(editor):
    shown = editor.page.locator(".react-flow__node.selected").all()
    return {part.get_attribute("data-testid").split("-", 1)[1] for part in shown}


def expect_selected(editor, *node_ids):
    wanted = sorted(f"node-{node_id}" for node_id in node_ids)
    editor.page.wait_for_function(
        """wanted => JSON.stringify([...document.querySelectorAll('.react-flow__node.selected')]
          .map((node) => node.dataset.testid).sort()) === JSON.stringify(wanted)""",
        arg=wanted,
    )


def place(editor, node_id):
    return next(part["position"] for part in editor.saved_draft()["nodes"] if part["id"] == node_id)


@pytest.mark.parametrize("again", ["Control+Shift+z", "Control+y"])
def test_undo_and_redo(editor, again):
    editor.click_node("merge")
    editor.press("Delete")
    editor.node("merge").wait_for(state="detached")
    editor.press("Control+z")
    editor.node("merge").wait_for()
    editor.press(again)
    editor.node("merge").wait_for(state="detached")


def test_copy_cut_paste_are_json_text(editor):
    editor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    editor.click_node("merge")
    editor.press("Control+c")
    editor.expect_live("Copied")
    text = json.loads(editor.page.evaluate("() => navigator.clipboard.readText()"))
    assert [part["id"] for part in text["nodes"]] == ["merge"]
    editor.press("Control+v")
    editor.expect_nodes(7)
    editor.press("Control+x")  # what was pasted is selected
    editor.expect_nodes(6)
    assert set(editor.node_ids()) == {part["id"] for part in ROUND["nodes"]}


def test_duplicate(editor):
    editor.click_node("merge")
    editor.press("Control+d")
    editor.expect_nodes(7)
    (new,) = set(editor.node_ids()) - {part["id"] for part in ROUND["nodes"]}
    expect_selected(editor, new)
    assert "Merge" in editor.node(new).inner_text()


@pytest.mark.parametrize("key", ["Delete", "Backspace"])
def test_delete(editor, key):
    editor.click_node("merge")
    editor.press(key)
    editor.node("merge").wait_for(state="detached")
    editor.expect_edges(["ranker-recommend", "source-latest", "source-popular"])


@pytest.mark.parametrize("deleting", ["Delete", "Control+Delete", "button"])
def test_the_focus_goes_on_to_the_next_node_and_comes_back_with_undo(editor, deleting):
    if deleting == "button":
        editor.click_node("merge")
        editor.by("inspector").get_by_role("button", name="Delete").focus()
        editor.press("Enter")
    else:
        editor.node("merge").focus()
        editor.press(deleting)
    editor.node("merge").wait_for(state="detached")
    editor.expect_focus("[data-testid=node-ranker]")
    editor.expect_live("Delete Merge")
    editor.press("Control+z")
    editor.expect_focus("[data-testid=node-merge]")
    editor.expect_live("Undid: delete Merge")
    editor.press("Control+a", "Delete")
    editor.expect_nodes(0)
    editor.expect_focus("#content")
    editor.press("Control+z")
    editor.expect_focus("[data-testid=node-source]")


@pytest.mark.parametrize("held", [[], ["Control"]])
def test_a_key_that_is_held_down_deletes_one_node(editor, held):
    editor.node("merge").focus()
    for key in (*held, "Delete"):
        editor.page.keyboard.down(key)
    editor.expect_focus("[data-testid=node-ranker]")
    editor.page.keyboard.down("Delete")  # as the keyboard repeats it
    for key in (*held, "Delete"):
        editor.page.keyboard.up(key)
    assert len(editor.saved_draft()["nodes"]) == len(ROUND["nodes"]) - 1


def test_delete_and_reconnect_the_neighbors(editor):
    editor.click_node("merge")
    editor.press("Control+Delete")
    editor.node("merge").wait_for(state="detached")
    kept = ["ranker-recommend", "source-latest", "source-popular"]
    editor.expect_edges([*kept, "latest-ranker", "popular-ranker"])
    editor.press("Control+z")
    editor.node("merge").wait_for()
    editor.expect_edges(edge["id"] for edge in ROUND["edges"])


def test_select_all_and_all_upstream_and_downstream(editor):
    editor.press("Control+a")
    expect_selected(editor, *(part["id"] for part in ROUND["nodes"]))
    editor.click_node("merge")
    editor.press("Shift+ArrowLeft")
    expect_selected(editor, "merge", "latest", "popular", "source")
    editor.click_node("merge")
    editor.press("Shift+ArrowRight")
    expect_selected(editor, "merge", "ranker", "recommend")


def test_arrows_walk_along_edges_and_between_siblings(editor):
    editor.click_node("latest")
    for key, reached in (
        ("ArrowDown", "popular"),
        ("ArrowRight", "merge"),
        ("ArrowRight", "ranker"),
        ("ArrowLeft", "merge"),
        ("ArrowLeft", "latest"),
        ("ArrowLeft", "source"),
    ):
        editor.press(key)
        editor.expect_focus(f"[data-testid=node-{reached}]")
        expect_selected(editor, reached)
    editor.press("ArrowLeft")
    editor.expect_live("No node there")


def test_move_mode_goes_by_the_grid_is_announced_and_ends_with_escape(editor):
    editor.click_node("merge")
    editor.press("m")
    editor.expect_live("Moving")
    editor.press("ArrowRight", "ArrowUp")
    x, y = 600 + GRID, 100 - GRID
    editor.expect_live(f"At {x}, {y}.")
    editor.press("Escape")
    editor.expect_live("Moving ended")
    editor.press("ArrowRight")  # walks again
    editor.expect_focus("[data-testid=node-ranker]")
    assert place(editor, "merge") == {"x": x, "y": y}


@pytest.mark.parametrize("opening", ["Enter", "double-click"])
def test_settings_open(editor, opening):
    if opening == "Enter":
        editor.node("merge").focus()
        editor.press("Enter")
    else:
        editor.node("merge").dblclick()
    editor.expect_focus("#inspector-body")
    assert editor.page.locator("#node-name").get_attribute("placeholder") == "Merge"


def test_rename(editor):
    editor.node("merge").focus()
    editor.press("F2")
    editor.expect_focus("#node-name")
    editor.page.keyboard.type("Blend")
    assert "Blend" in editor.node("merge").inner_text()


def test_enter_confirms_a_name_or_a_number_and_escape_leaves_what_was_confirmed(editor):
    editor.node("recommend").focus()
    editor.press("F2")
    editor.page.keyboard.type("List")
    editor.press("Enter")
    editor.expect_focus("[data-testid=node-recommend]")
    editor.press("Escape")
    number = editor.by("inspector").locator("[data-field=cache_size] input")
    number.fill("55")
    number.press("Enter")
    editor.expect_focus("[data-testid=node-recommend]")
    number.fill("66")
    editor.press("Escape")
    editor.by("inspector").wait_for(state="detached")
    (kept,) = (part for part in editor.saved_draft()["nodes"] if part["id"] == "recommend")
    assert (kept["name"], kept["settings"]["cache_size"]) == ("List", 55)


FOCUS_AFTER_KEY = """key => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  document.activeElement.dispatchEvent(event);
  return document.activeElement.id;
}"""


@pytest.mark.parametrize(("key", "field"), [("F2", "node-name"), ("Enter", "setting-kind")])
def test_the_key_after_the_one_that_opens_the_panel_is_for_the_field(editor, key, field):
    editor.node("ranker").focus()
    assert editor.page.evaluate(FOCUS_AFTER_KEY, key) == field
    editor.page.keyboard.type("D1 no")
    assert editor.node("ranker").locator(".card-idle").inner_text() == "Not run yet"  # D would switch it off
    if key == "F2":
        assert editor.node("ranker").locator(".card-name").inner_text() == "D1 no"


@pytest.mark.parametrize("opening", ["n", "double-click"])
def test_add_a_node(editor, opening):
    if opening == "n":
        editor.press("n")
    else:
        editor.by("canvas").locator(".react-flow__pane").dblclick(position={"x": 200, "y": 60})
    editor.by("chooser").get_by_role("combobox").wait_for()
    assert editor.by("add-filter").is_visible()
    editor.press("Escape")
    editor.by("chooser").wait_for(state="detached")


def test_command_palette_gives_commands_and_finds_nodes(editor):
    editor.press("Control+k")
    editor.page.keyboard.type("sticky")
    editor.press("Enter")
    editor.page.locator(".react-flow__node-note").wait_for()
    editor.press("Escape", "Control+k")
    editor.page.keyboard.type("ranker")
    editor.press("Enter")
    editor.expect_focus("[data-testid=node-ranker]")


def test_connect_by_keyboard(open_editor):
    loose = CHAIN | {"edges": edges(("source", "latest"), ("one", "two"), ("two", "recommend"))}
    editor = open_editor(loose)
    editor.node("latest").focus()
    editor.press("c")
    editor.expect_live("Connect to Merge?")
    editor.press("ArrowRight")
    editor.expect_live("Connect to Ranker?")
    editor.press("Escape")
    editor.expect_live("Connecting ended")
    assert "latest-one" not in editor.edge_names()
    editor.press("c", "ArrowRight", "ArrowLeft", "Enter")
    editor.edge("latest", "one").wait_for(state="attached")


def test_disable_and_pin(editor, reader):
    editor.click_node("merge")
    editor.press("d")
    idle = editor.node("merge").locator(".card-idle")
    idle.get_by_text("Switched off").wait_for()
    editor.press("d")
    idle.get_by_text("Not run yet").wait_for()
    editor.press("p")
    editor.expect_live("Merge has no output to pin yet: run it first.")
    editor.run(reader)
    editor.click_node("merge")
    editor.press("p")
    editor.node("merge").get_by_title("Its output is pinned").wait_for()


def test_run_and_cancel(open_editor, reader):
    script = "const end = Date.now() + 60000; while (Date.now() < end) {} JSON.stringify([])"
    slow = flow(
        [
            node("source", "data-source", 0, 0),
            node("script", "external", 300, 0, mode="script", script=script, timeout="60s"),
            node("recommend", "recommend", 600, 0),
        ],
        ("source", "script"),
        ("script", "recommend"),
    )
    editor = open_editor(slow)
    editor.choose_user(reader)
    editor.by("user-id").focus()  # both work while typing too

    def seconds_to_stop():
        editor.press("Control+Enter")
        editor.expect_state("script", "Running")
        began = time.monotonic()
        editor.press("Control+Alt+Enter")
        editor.expect_run("cancelled")
        return time.monotonic() - began

    assert is_within(1.0, seconds_to_stop)


def test_save_now_and_never_the_dialog_of_the_browser(editor):
    editor.stop_autosave()
    editor.click_node("merge")
    editor.press("d")
    editor.page.evaluate(
        "() => addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented; })"
    )
    editor.press("Control+s")
    editor.expect_saved()
    assert editor.page.evaluate("() => prevented") is True
    editor.press("Control+k")
    editor.page.evaluate("() => { window.prevented = false; }")
    editor.press("Control+s")
    assert editor.page.evaluate("() => prevented") is True


def test_fit_and_zoom(editor):
    editor.press("0")
    assert editor.zoom() == 1
    editor.press("+")
    assert editor.zoom() > 1
    editor.press("-")
    assert abs(editor.zoom() - 1) < 0.01
    editor.press("-", "-", "-")
    editor.press("1")
    editor.expect_all_in_view()


def test_tidy_up_sticky_note_and_the_sheet(open_editor):
    heap = ROUND | {"nodes": [part | {"position": {"x": 0, "y": 0}} for part in ROUND["nodes"]]}
    editor = open_editor(heap)
    editor.press("Shift+Alt+t")
    editor.expect_live("idy")
    assert place(editor, "recommend")["x"] > place(editor, "source")["x"]
    editor.press("Shift+s")
    editor.page.locator(".react-flow__node-note textarea").wait_for()
    editor.focus_canvas()
    editor.press("?")
    sheet = editor.by("shortcuts")
    sheet.wait_for()
    shown = sheet.locator("kbd").all_inner_texts()
    for keys in ("Ctrl+Z", "Ctrl+D", "Delete", "Ctrl+Delete", "Shift+←", "M", "F2", "N", "C", "?"):
        assert keys in shown
    for keys in (
        "Ctrl+K",
        "D",
        "P",
        "Ctrl+Enter",
        "Ctrl+Alt+Enter",
        "Ctrl+S",
        "1",
        "0",
        "Shift+Alt+T",
        "Shift+S",
    ):
        assert keys in shown
    editor.press("Escape")
    sheet.wait_for(state="detached")


SHIFT_S = """() => {
  const key = { key: 'S', shiftKey: true, bubbles: true, cancelable: true };
  document.activeElement.dispatchEvent(new KeyboardEvent('keydown', key));
  return document.activeElement.tagName;
}"""


def test_a_sticky_note_is_written_moved_and_deleted_by_keys(editor):
    editor.node("merge").focus()
    assert editor.page.evaluate(SHIFT_S) == "TEXTAREA"
    editor.page.keyboard.type("nd 1")
    (note,) = editor.saved_draft()["notes"]
    assert note["text"] == "nd 1"
    x, y = note["position"]["x"], note["position"]["y"]
    for part in ROUND["nodes"]:
        left, top = part["position"]["x"], part["position"]["y"]
        assert x >= left + 216 or x + 200 <= left or y >= top + 76 or y + 120 <= top
    editor.press("Escape")
    editor.expect_focus(".react-flow__node-note")
    editor.press("m", "ArrowRight", "Escape")
    editor.expect_live("Moving ended")
    (moved,) = editor.saved_draft()["notes"]
    assert moved["position"] == pytest.approx({"x": x + GRID, "y": y}, abs=1)  # to whole pixels
    editor.press("Delete")
    editor.page.locator(".react-flow__node-note").wait_for(state="detached")
    editor.expect_nodes(len(ROUND["nodes"]))


LETTERS = (
    "Delete",
    "Backspace",
    "d",
    "p",
    "m",
    "c",
    "n",
    "1",
    "0",
    "?",
    "Shift+S",
    "Control+d",
    "Control+Delete",
)


def test_no_key_of_the_canvas_acts_in_a_field(open_editor):
    document = POPULAR | {"notes": [{"id": "note", "text": "", "position": {"x": 300, "y": 200}}]}
    editor = open_editor(document)
    editor.click_node("popular")
    for field in (
        editor.page.locator("#node-name"),
        editor.by("inspector").locator("[data-field=score] .cm-content"),
        editor.by("note-note").locator("textarea"),
        editor.by("user-id"),
        editor.page.get_by_label("Search node types"),
    ):
        field.click()
        zoom = editor.zoom()
        editor.press(*LETTERS)
        assert editor.by("chooser").count() == 0
        assert editor.by("shortcuts").count() == 0
        assert editor.zoom() == zoom
    after = editor.saved_draft()
    assert [(n["id"], n["disabled"], n["position"]) for n in after["nodes"]] == [
        (n["id"], False, n["position"]) for n in document["nodes"]
    ]
    assert len(after["edges"]) == 3
    assert len(after["notes"]) == 1


@pytest.mark.parametrize("dialog", ["shortcuts", "versions-dialog", "review", "chooser"])
def test_no_key_of_the_canvas_acts_in_an_open_dialog(editor, dialog):
    before = editor.saved_draft()
    editor.click_node("merge")
    match dialog:
        case "shortcuts":
            editor.press("?")
        case "versions-dialog":
            editor.by("versions").click()
        case "review":
            editor.by("activate").click()
        case "chooser":
            editor.press("Control+k")
    editor.by(dialog).wait_for()
    zoom = editor.zoom()
    editor.press(
        "d", "m", "c", "Control+d", "Control+Delete", "Shift+S", "Shift+Alt+t", "Control+a", "1", "-"
    )
    if dialog != "chooser":  # there Delete and Backspace are for the text
        editor.press("Delete", "Backspace", "n", "Control+k")
        assert editor.by("chooser").count() == 0
    editor.press("Escape")
    editor.by(dialog).wait_for(state="detached")
    expect_selected(editor, "merge")
    assert editor.zoom() == zoom
    assert editor.saved_draft() == before
