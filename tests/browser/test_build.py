"""Criteria on building a flow; the number of a test is the criterion's."""

import re
from itertools import combinations

from flows import BARE, CHAIN, POPULAR, flow, node
from playwright.sync_api import expect

CARD = (216, 76)


def overlap(a, b):
    """Do the cards at two places of the drawing touch?"""
    return abs(a["x"] - b["x"]) < CARD[0] and abs(a["y"] - b["y"]) < CARD[1]


def drawn_at(editor, node_id):
    """Where a card's corner lies on the drawing, whatever the zoom."""
    style = editor.node(node_id).get_attribute("style")
    return tuple(float(number) for number in re.search(r"translate\((.+?)px, (.+?)px\)", style).groups())


def test_01_a_node_dropped_from_the_palette_lands_where_it_was_dropped(open_editor):
    editor = open_editor(BARE)
    for zoom in (1.0, 0.5):
        editor.zoom_to(zoom)
        before = set(editor.node_ids())
        editor.drag_from_palette("filter", 420, 260)
        editor.page.wait_for_function(
            "n => document.querySelectorAll('.react-flow__node').length === n", arg=len(before) + 1
        )
        (new,) = set(editor.node_ids()) - before
        pane = editor.by("canvas").locator(".react-flow__pane").bounding_box()
        x, y = editor.middle_of(editor.node(new))
        assert abs(x - pane["x"] - 420) < 20
        assert abs(y - pane["y"] - 260) < 20
        editor.save()
        place = next(node for node in editor.draft()["nodes"] if node["id"] == new)["position"]
        editor.reload()
        assert drawn_at(editor, new) == (place["x"], place["y"])


def test_02_n_and_a_few_letters_add_a_node_beside_the_others(open_editor):
    editor = open_editor(CHAIN)
    before = set(editor.node_ids())
    editor.press("n")
    editor.by("chooser").wait_for()
    editor.page.keyboard.type("item")
    editor.press("Enter")
    editor.expect_nodes(len(before) + 1)
    (new,) = set(editor.node_ids()) - before
    assert "Item-to-Item" in editor.node(new).inner_text()
    editor.page.wait_for_selector(f"[data-testid='node-{new}'].selected")
    assert editor.page.locator(".react-flow__node.selected").count() == 1
    assert "Item-to-Item" in editor.by("inspector").inner_text()
    places = {node["id"]: node["position"] for node in editor.saved_draft()["nodes"]}
    assert not any(overlap(places[new], places[other]) for other in before)


def test_03_an_edge_dropped_on_empty_canvas_offers_what_fits_and_wires_it(open_editor):
    editor = open_editor(CHAIN)
    before = set(editor.node_ids())
    edges = editor.edge_names()
    editor.start_edge("latest")
    x, y = editor.middle_of(editor.node("one"))
    editor.page.mouse.move(x, y - 150, steps=6)
    editor.page.mouse.up()
    editor.by("chooser").wait_for()
    offered = {
        entry.get_attribute("data-testid").removeprefix("add-")
        for entry in editor.by("chooser").get_by_role("option").all()
    }
    assert {"ranker", "merge", "filter", "diversify", "fallback"} <= offered
    assert not offered & {"data-source", "latest", "collaborative", "non-personalized", "recommend"}
    editor.by("add-ranker").click()
    editor.expect_nodes(len(before) + 1)
    (new,) = set(editor.node_ids()) - before
    editor.expect_edges([*edges, f"latest-{new}"])
    editor.focus_canvas()
    editor.press("Control+z")
    editor.node(new).wait_for(state="detached")
    editor.expect_edges(edges)


def test_04_a_node_dropped_on_an_edge_goes_between_its_ends(open_editor):
    wide = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
        ("latest", "recommend"),
    )
    editor = open_editor(wide)
    before = editor.edge_names()
    pane = editor.by("canvas").locator(".react-flow__pane").bounding_box()
    x, y = editor.middle_of(editor.edge("latest", "recommend").locator(".edge-path"))
    editor.drag_from_palette("merge", x - pane["x"], y - pane["y"])
    editor.expect_nodes(4)
    (new,) = set(editor.node_ids()) - {"source", "latest", "recommend"}
    editor.expect_edges(["source-latest", f"latest-{new}", f"{new}-recommend"])
    editor.focus_canvas()
    editor.press("Control+z")
    editor.node(new).wait_for(state="detached")
    editor.expect_edges(before)


def test_05_an_edge_that_would_close_a_circle_is_never_there_and_says_why(open_editor):
    editor = open_editor(CHAIN)
    before = editor.edge_names()
    editor.start_edge("two")
    editor.lead_edge_to("one")
    reason = editor.by("refusal")
    reason.wait_for()
    assert "circle" in reason.inner_text()
    editor.page.wait_for_function(
        "() => document.querySelector('[data-testid=live]').textContent.includes('circle')"
    )
    assert editor.edge_names() == before
    editor.page.mouse.up()
    assert editor.edge_names() == before


def test_06_every_refusal_has_a_message_of_its_own(open_editor):
    editor = open_editor(CHAIN)
    said = {}
    for name, (source, target) in {
        "again": ("latest", "one"),
        "beside the ranker": ("latest", "recommend"),
        "wrong kind": ("source", "recommend"),
    }.items():
        before = editor.edge_names()
        editor.start_edge(source)
        editor.lead_edge_to(target)
        editor.by("refusal").wait_for()
        said[name] = editor.by("refusal").inner_text()
        editor.page.mouse.up()
        editor.press("Escape")  # takes the refusal away
        editor.by("refusal").wait_for(state="detached")
        assert editor.edge_names() == before
    assert len(set(said.values())) == 3
    for text in said.values():
        assert text.endswith(".")
    for kind in ("data-source", "recommend", "latest"):
        entry = editor.by(f"palette-{kind}")
        assert entry.get_attribute("aria-disabled") == "true" or entry.is_disabled()
        assert "one" in entry.inner_text()


def test_07_unfitting_ports_dim_while_connecting(open_editor):
    editor = open_editor(CHAIN)
    editor.start_edge("latest")

    def connectable(port):
        return editor.by(port).get_attribute("data-connectable")

    assert connectable("port-two-in") == "true"
    assert connectable("port-latest-in") == "false"
    assert connectable("port-one-in") == "false"  # there already
    editor.press("Escape")
    editor.page.mouse.up()


def test_08_a_deleted_node_comes_back_exactly(open_editor):
    editor = open_editor(CHAIN)
    before = editor.draft()
    editor.node("one").click()
    editor.press("Delete")
    editor.node("one").wait_for(state="detached")
    assert "latest-one" not in editor.edge_names()
    editor.press("Control+z")
    editor.node("one").wait_for()
    editor.press("Control+s")
    editor.expect_saved()
    assert editor.draft() == before


def test_09_thirty_edits_can_be_undone_and_done_again(open_editor):
    editor = open_editor(CHAIN)
    first = editor.saved_draft()
    for turn in range(5):
        editor.click_node("one")
        editor.press("d")
        editor.press("m", "ArrowDown", "Escape")
        editor.press("Control+d")
        editor.expect_nodes(6)
        editor.press("Delete")
        editor.expect_nodes(5)
        editor.click_node("two")
        editor.press("F2")
        editor.expect_focus("#node-name")
        editor.page.locator("#node-name").fill(f"Turn {turn}")
        editor.click_node("two")
        editor.press("m", "ArrowUp", "ArrowLeft", "Escape")
    last = editor.saved_draft()
    assert last != first
    editor.press(*["Control+z"] * 30)
    assert editor.page.get_by_role("button", name="Undo").is_disabled()
    assert editor.saved_draft() == first
    editor.press(*["Control+Shift+z"] * 30)
    assert editor.page.get_by_role("button", name="Redo").is_disabled()
    assert editor.saved_draft() == last


def test_10_the_chip_says_unsaved_exactly_when_the_draft_differs(open_editor):
    editor = open_editor(CHAIN)
    editor.stop_autosave()

    def expect_chip(state, words):
        chip = editor.page.locator(f"[data-testid='state-chip'][data-state='{state}']")
        chip.wait_for()
        assert words in chip.inner_text()

    editor.click_node("one")
    expect_chip("saved", "saved")
    editor.press("d")
    expect_chip("unsaved", "unsaved")
    editor.press("Control+z")
    expect_chip("saved", "saved")
    editor.press("Control+Shift+z")
    expect_chip("unsaved", "unsaved")
    editor.save()
    editor.click_node("one")
    editor.press("Control+z")
    expect_chip("unsaved", "unsaved")
    editor.press("Control+Shift+z")
    expect_chip("saved", "saved")


def test_11_keys_typed_into_fields_change_text_only(open_editor):
    document = POPULAR | {"notes": [{"id": "note", "text": "", "position": {"x": 300, "y": 200}}]}
    editor = open_editor(document)
    editor.stop_autosave()
    editor.click_node("popular")
    fields = [
        editor.page.locator("#node-name"),
        editor.by("inspector").locator("[data-field=score] .cm-content"),
        editor.by("note-note").locator("textarea"),
    ]
    for field in fields:
        field.click()
        editor.press("End")
        editor.page.keyboard.type("nd")
        shown = field.evaluate("element => element.value ?? element.textContent")
        assert shown.endswith("nd")
        editor.press("Backspace")
        assert field.evaluate("element => element.value ?? element.textContent") == shown[:-1]
        editor.press("Control+z")
    assert editor.by("chooser").count() == 0
    after = editor.saved_draft()
    assert [n["id"] for n in after["nodes"]] == [n["id"] for n in document["nodes"]]
    assert [n["disabled"] for n in after["nodes"]] == [False] * 4
    assert len(after["edges"]) == 3
    assert len(after["notes"]) == 1


def test_12_three_nodes_go_to_another_flow_and_garbage_does_nothing(open_editor):
    named = flow(
        [
            node("source", "data-source", 0, 300),
            node("blend", "merge", 300, 0, "Blend"),
            node("keep", "filter", 600, 0, "Keep"),
            node("order", "ranker", 900, 0, "Order", kind="none"),
        ],
        ("blend", "keep"),
        ("keep", "order"),
    )
    editor = open_editor(named)
    editor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    first, last = (editor.node(name).bounding_box() for name in ("blend", "order"))
    editor.page.keyboard.down("Shift")
    editor.page.mouse.move(first["x"] - 15, first["y"] - 15)
    editor.page.mouse.down()
    editor.page.mouse.move(last["x"] + last["width"] + 10, last["y"] + last["height"] + 10, steps=8)
    editor.page.mouse.up()
    editor.page.keyboard.up("Shift")
    assert editor.page.locator(".react-flow__node.selected").count() == 3
    editor.press("Control+c")
    editor.expect_live("Copied 3 nodes")
    other = open_editor(flow([node("mine", "merge", 0, 0, "Blend")]), context=editor.page.context)
    other.press("Control+v")
    other.expect_nodes(4)
    pasted = other.saved_draft()
    names = {part["name"]: part["id"] for part in pasted["nodes"]}
    assert len(names) == 4
    assert {"Blend", "Keep", "Order"} <= set(names)
    types = {part["id"]: part["type"] for part in pasted["nodes"]}
    inner = [(types[edge["source"]], types[edge["target"]]) for edge in pasted["edges"]]
    assert sorted(inner) == [("filter", "ranker"), ("merge", "filter")]
    other.page.evaluate("() => navigator.clipboard.writeText('{\"nodes\": [garbage')")
    other.focus_canvas()
    other.press("Control+v", "Control+a")
    other.expect_live("4 nodes selected")
    assert other.saved_draft() == pasted


def test_13_tidy_up_leaves_no_overlap_and_runs_left_to_right(open_editor):
    heap = CHAIN | {
        "nodes": [
            part | {"position": {"x": 40 * (5 - place), "y": 30 * place}}
            for place, part in enumerate(CHAIN["nodes"])
        ]
    }
    editor = open_editor(heap)
    before = editor.saved_draft()
    editor.press("Shift+Alt+t")
    editor.page.wait_for_selector("button[aria-label=Undo]:not([disabled])")
    after = editor.saved_draft()
    places = {part["id"]: part["position"] for part in after["nodes"]}
    assert not any(overlap(places[a], places[b]) for a, b in combinations(places, 2))
    assert all(places[e["source"]]["x"] + CARD[0] <= places[e["target"]]["x"] for e in after["edges"])
    editor.expect_all_in_view()
    editor.press("Control+z")
    assert editor.saved_draft() == before


def test_14_one_fits_every_node_into_the_view(open_editor):
    editor = open_editor(CHAIN)
    editor.press("0", "+", "+", "+")
    frame = editor.by("canvas").bounding_box()
    assert any(editor.node(name).bounding_box()["x"] < frame["x"] for name in editor.node_ids())
    editor.press("1")
    editor.expect_all_in_view()


def test_14_a_hundred_nodes_in_one_column_are_tidied_and_fitted_into_the_view(open_editor):
    many = [f"popular{i}" for i in range(100)]
    editor = open_editor(
        flow(
            [
                node("source", "data-source", 0, 0),
                *(node(name, "non-personalized", 300, 0, score="len(feedback)") for name in many),
                node("merge", "merge", 600, 0),
                node("recommend", "recommend", 900, 0),
            ],
            *(("source", name) for name in many),
            *((name, "merge") for name in many),
            ("merge", "recommend"),
        )
    )
    editor.press("Shift+Alt+t")
    editor.page.wait_for_selector("button[aria-label=Undo]:not([disabled])")
    editor.expect_all_in_view()
    editor.press("0")
    assert editor.zoom() == 1
    editor.press("1")
    editor.expect_all_in_view()


def test_zoom_keys_that_come_while_the_view_still_glides_add_up(open_editor):
    editor = open_editor(CHAIN)
    editor.page.emulate_media(reduced_motion="no-preference")  # which takes the glide away
    for keys, zoom in ((("0", "-", "-", "-"), 1 / 1.2**3), (("+", "+", "0", "+"), 1.2)):
        editor.press(*keys)
        editor.page.wait_for_function(
            """zoom => {
              const { transform } = document.querySelector('.react-flow__viewport').style;
              return Math.abs(new DOMMatrix(transform).a - zoom) < 0.001;
            }""",
            arg=zoom,
        )


def test_15_a_node_is_found_by_its_name(open_editor):
    editor = open_editor(CHAIN | {"nodes": [*CHAIN["nodes"], node("far", "filter", 3000, 2000, "Far away")]})
    editor.press("Control+k")
    editor.by("chooser").wait_for()
    editor.page.keyboard.type("far aw")
    editor.press("Enter")
    editor.expect_focus("[data-testid=node-far]")
    editor.page.wait_for_function(
        """() => {
          const [a, b] = ['node-far', 'canvas']
            .map((id) => document.querySelector(`[data-testid=${id}]`).getBoundingClientRect());
          const off = (start, size) => Math.abs(a[start] + a[size] / 2 - b[start] - b[size] / 2);
          return off('left', 'width') < 5 && off('top', 'height') < 5;
        }"""
    )


def test_16_the_order_of_fallbacks_is_shown_changed_kept_and_used(open_editor, reader):
    nothing = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("popular", "non-personalized", 300, 200, "Most read", score="len(feedback)"),
            node("none", "filter", 600, 400, condition="false"),
            node("fallback", "fallback", 600, 100),
            node("recommend", "recommend", 900, 200),
        ],
        ("source", "latest"),
        ("source", "popular"),
        ("latest", "fallback"),
        ("popular", "fallback"),
        ("popular", "none"),
        ("none", "recommend"),
        ("fallback", "recommend"),
    )
    editor = open_editor(nothing)
    badges = editor.page.locator(".edge-label .order-badge")
    assert sorted(badges.all_inner_texts()) == ["1", "2"]
    editor.run(reader)
    before = editor.result_ids()
    editor.click_node("fallback")
    names = editor.by("inputs").locator(".input-name")
    expect(names).to_have_text(["Latest", "Most read"])
    editor.by("inputs").get_by_role("button", name="Move Most read").press("ArrowUp")
    expect(names).to_have_text(["Most read", "Latest"])
    rows = editor.by("inputs").get_by_role("listitem")
    rows.nth(0).drag_to(rows.nth(1))
    expect(names).to_have_text(["Latest", "Most read"])
    rows.nth(0).drag_to(rows.nth(1))
    expect(names).to_have_text(["Most read", "Latest"])
    editor.save()
    editor.reload()
    editor.click_node("fallback")
    expect(names).to_have_text(["Most read", "Latest"])
    editor.run(reader)
    assert editor.result_ids() != before
    editor.click_node("popular")
    editor.page.locator("#tab-last-run").click()
    best = [
        row.get_attribute("title") for row in editor.by("inspector").locator(".top-items .top-title").all()
    ]
    assert editor.result_ids()[:5] == best[:5]
