"""The rules of the editor and its layout: steps of undo, what no longer fits, what is around the canvas."""

import re
from datetime import UTC, datetime

from flows import BARE, CHAIN, flow, node
from playwright.sync_api import expect


def expect_steps(editor, n):
    """There are exactly n steps to undo, and with them everything is as it was."""
    undo = editor.page.get_by_role("button", name="Undo")
    editor.page.locator(".react-flow__pane").focus()
    for _ in range(n):
        assert undo.is_enabled()
        undo.click()
    assert undo.is_disabled()


def test_a_node_moved_onto_an_edge_goes_between_its_ends(open_editor):
    wide = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("keep", "filter", 600, 220),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
        ("latest", "recommend"),
    )
    editor = open_editor(wide)
    x, y = editor.middle_of(editor.edge("latest", "recommend").locator(".edge-path"))
    at_x, at_y = editor.middle_of(editor.node("keep"))
    editor.move_node("keep", x - at_x, y - at_y)
    editor.edge("keep", "recommend").wait_for(state="attached")
    editor.expect_edges(["keep-recommend", "latest-keep", "source-latest"])


def test_one_gesture_is_one_step_and_a_burst_of_typing_too(open_editor):
    editor = open_editor(CHAIN)
    before = editor.saved_draft()
    editor.click_node("one")
    editor.page.clock.set_fixed_time(datetime.now(UTC))  # no burst ends because the machine stands still
    editor.page.locator("#node-name").fill("")
    editor.page.locator("#node-name").press_sequentially("Blend of all")
    editor.move_node("one", 30, 120)
    assert editor.saved_draft() != before
    expect_steps(editor, 2)
    assert editor.saved_draft() == before


def test_selecting_zooming_panning_and_running_are_no_steps(open_editor, reader):
    editor = open_editor(CHAIN)
    editor.press("Control+a", "1", "+", "0")
    editor.zoom_to(0.5)
    editor.run(reader)
    editor.click_node("one")
    expect_steps(editor, 0)


def test_what_no_longer_fits_after_an_upgrade_stays_is_marked_and_blocks_activation(open_editor):
    """As a flow looks that was saved when the server knew other types, ports and settings."""
    old = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("merge", "merge", 600, 0, limit=7, bygone="a setting of last year"),
            node("gone", "type-of-last-year", 600, 200, "Last year", depth=3),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
        ("latest", "merge"),
        ("merge", "recommend"),
        ("source", "merge"),
        ("latest", "gone"),
    )
    editor = open_editor(old)
    for ends in (("source", "merge"), ("latest", "gone")):
        path = editor.edge(*ends).locator(".edge-path")
        dashes, color = path.evaluate(
            "(path) => [getComputedStyle(path).strokeDasharray, getComputedStyle(path).stroke]"
        )
        assert dashes != "none"
        red, green, blue = (int(part) for part in re.findall(r"\d+", color)[:3])
        assert red > 2 * max(green, blue)
    fitting = editor.edge("latest", "merge").locator(".edge-path")
    assert fitting.evaluate("(path) => getComputedStyle(path).strokeDasharray") == "none"
    for node_id in ("merge", "gone"):
        assert editor.by(f"problems-{node_id}").inner_text() == "!"
    editor.click_node("merge")
    assert "bygone" in editor.by("inspector").inner_text()
    editor.by("activate").click()
    expect(editor.by("review")).to_contain_text("bygone")
    expect(editor.by("review")).to_contain_text("type-of-last-year")
    assert editor.by("confirm-activate").is_disabled()
    editor.press("Escape")
    editor.click_node("latest")
    editor.press("d")
    kept = {part["id"]: part for part in editor.saved_draft()["nodes"]}
    assert kept["merge"]["settings"] == {"limit": 7, "bygone": "a setting of last year"}
    assert kept["gone"]["settings"] == {"depth": 3}
    assert editor.draft()["edges"] == old["edges"]
    editor.click_node("merge")
    editor.page.get_by_role("button", name="Remove the setting bygone").click()
    changed = {part["id"]: part for part in editor.saved_draft()["nodes"]}
    assert changed["merge"]["settings"] == {"limit": 7}
    assert "bygone" not in editor.by("inspector").inner_text()


def test_the_palette_is_searched_and_put_away(open_editor):
    editor = open_editor(BARE)
    search = editor.page.get_by_label("Search node types")
    search.fill("item")
    shown = editor.page.locator(".palette-name").all_inner_texts()
    assert "Item-to-Item" in shown
    assert "Merge" not in shown
    search.fill("nothing like it")
    editor.page.get_by_text("No node is called “nothing like it”.").wait_for()
    width = editor.by("canvas").bounding_box()["width"]
    editor.page.get_by_role("button", name="Hide the node types").click()
    search.wait_for(state="detached")
    assert editor.by("canvas").bounding_box()["width"] > width + 100
    editor.page.get_by_role("button", name="Show the node types").click()
    search.wait_for()


def test_the_results_are_made_higher_by_pointer_and_by_key(open_editor, reader):
    editor = open_editor(BARE)
    editor.run(reader)
    grip = editor.page.get_by_role("separator", name="Height of the results")

    def height():
        editor.expect_stillness()
        return editor.by("results").bounding_box()["height"]

    before = height()
    x, y = editor.middle_of(grip)
    editor.page.mouse.move(x, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x, y - 100, steps=4)
    editor.page.mouse.up()
    assert abs(height() - before - 100) <= 8
    assert int(grip.get_attribute("aria-valuenow")) == round(height())
    before = height()
    grip.focus()
    editor.press("ArrowDown", "ArrowDown")
    assert abs(before - height() - 48) <= 2


def test_zoom_buttons_and_the_overview_move_the_view(open_editor):
    editor = open_editor(CHAIN)
    controls = editor.page.get_by_role("group", name="Zoom")
    before = editor.zoom()
    controls.get_by_role("button", name="Zoom in").click()
    assert editor.zoom() > before
    controls.get_by_role("button", name="Zoom out").click()
    assert abs(editor.zoom() - before) < 0.01
    overview = editor.page.locator(".react-flow__minimap")
    assert overview.locator(".react-flow__minimap-node").count() == 5
    x, y = editor.middle_of(overview)
    at = editor.middle_of(editor.node("one"))
    editor.page.mouse.move(x, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x + 20, y, steps=4)
    editor.page.mouse.up()
    assert editor.middle_of(editor.node("one"))[0] < at[0] - 20
    controls.get_by_role("button", name="Fit the flow into the view").click()
    editor.expect_all_in_view()
    box, canvas = controls.bounding_box(), editor.by("canvas").bounding_box()
    assert box["x"] < canvas["x"] + canvas["width"] / 4
    assert overview.bounding_box()["x"] > canvas["x"] + canvas["width"] / 2
