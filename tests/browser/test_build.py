"""Criteria on building a flow; the number of a test is the criterion's."""

from flows import BARE, CHAIN


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
        box = editor.node(new).bounding_box()
        editor.save()
        kept = next(node for node in editor.draft()["nodes"] if node["id"] == new)
        editor.reload()
        assert (
            next(node for node in editor.draft()["nodes"] if node["id"] == new)["position"]
            == kept["position"]
        )
        assert new in editor.node_ids()
        assert box["width"] > 0


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
        editor.by("refusal").wait_for(state="detached")
        assert editor.edge_names() == before
    assert len(set(said.values())) == 3
    for text in said.values():
        assert text.endswith(".") or len(text) > 20
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
