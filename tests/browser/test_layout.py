"""Where things stand: one left edge for every page, and an editor that a phone can show."""

import pytest
from flows import CHAIN

PAGES = ("/", "/flows", "/users", "/items", "/data", "/evaluation", "/settings", "/tasks", "/docs")
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_headings_stay_put_from_page_to_page(server, chromium, width):
    page = chromium.new_page(viewport={"width": width, "height": 900})
    try:
        places = {}
        for path in PAGES:
            page.goto(server.url + path)
            box = page.locator("main h1").bounding_box()
            places[path] = round(box["x"]), round(box["y"])
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert len(set(places.values())) == 1, places
    finally:
        page.close()


def test_the_page_one_is_on_is_seen_in_the_bar_of_a_phone(server, chromium):
    page = chromium.new_page(viewport=PHONE)
    try:
        page.goto(server.url + "/tasks")
        bar = page.locator(".top-nav").bounding_box()
        entry = page.locator(".top-nav [aria-current]").bounding_box()
        assert bar["x"] <= entry["x"] and entry["x"] + entry["width"] <= bar["x"] + bar["width"]
    finally:
        page.close()


def test_a_phone_shows_where_a_wide_flow_begins_and_not_all_of_it_too_small(open_editor):
    editor = open_editor(**PHONE)
    source = editor.page.get_by_test_id("node-source")
    box = source.bounding_box()
    assert box["width"] > 120  # 200 at full size; the whole flow would leave 50
    assert 0 < box["x"] < 40
    editor.page.get_by_role("button", name="Fit the flow into the view").click()
    editor.page.wait_for_function(
        "() => document.querySelector('.react-flow__node').getBoundingClientRect().width < 80"
    )


@pytest.mark.parametrize("had_it_open", [True, False])
def test_the_palette_closes_in_a_window_made_narrow_and_comes_back_only_where_it_was_open(
    open_editor, had_it_open
):
    editor = open_editor()
    page = editor.page
    if not had_it_open:
        page.get_by_role("button", name="Hide the node types").click()
    page.set_viewport_size(PHONE)
    page.locator(".palette.is-closed").wait_for()
    editor.by("run").click(trial=True)  # nothing lies over it
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator(".palette:not(.is-closed)" if had_it_open else ".palette.is-closed").wait_for()
    editor.expect_stillness()
    assert page.locator(".palette.is-closed").count() == (0 if had_it_open else 1)


def test_what_a_phone_asks_for_is_on_its_screen(open_editor, reader):
    editor = open_editor(**PHONE)
    page = editor.page
    page.get_by_test_id("user-id").fill(reader)
    page.get_by_test_id("run").click()
    page.locator(".result").nth(2).click()
    title = page.locator(".beside-title").bounding_box()
    drawer = page.locator(".drawer-body").bounding_box()
    assert drawer["y"] <= title["y"] < drawer["y"] + drawer["height"] - 40
    assert page.locator(".drawer-head").bounding_box()["height"] < 90  # two lines
    page.get_by_test_id("menu").click()
    menu = page.locator(".popover").bounding_box()
    assert menu["x"] >= 0 and menu["x"] + menu["width"] <= PHONE["width"]


def test_a_flow_that_is_seen_whole_stays_whole_beside_the_panel_and_comes_back_when_it_closes(open_editor):
    editor = open_editor(CHAIN)
    editor.expect_all_in_view()
    before = editor.zoom()
    editor.click_node("source")
    editor.by("inspector").wait_for()
    editor.expect_all_in_view()
    assert editor.zoom() < before
    editor.page.get_by_role("button", name="Close the panel").click()
    editor.page.wait_for_function(
        "zoom => document.querySelector('.react-flow__viewport').style.transform.endsWith(`(${zoom})`)",
        arg=before,
    )


def test_what_somebody_came_closer_to_stays_where_it_is_when_the_panel_opens(open_editor):
    editor = open_editor(CHAIN)
    editor.press("0", "+")
    before = editor.zoom()
    editor.click_node("one")
    editor.by("inspector").wait_for()
    editor.expect_stillness()
    assert editor.zoom() == before


def test_the_view_does_not_move_under_the_pointer(open_editor, reader):
    editor = open_editor(CHAIN)
    editor.run(reader)
    viewport = editor.page.locator(".react-flow__viewport")
    x, y = editor.middle_of(editor.page.get_by_role("separator", name="Height of the results"))
    before = viewport.get_attribute("style")
    editor.page.mouse.move(x, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x, y - 300, steps=4)
    editor.page.wait_for_selector(".react-flow[data-settling]")
    assert viewport.get_attribute("style") == before
    editor.page.mouse.up()
    editor.expect_all_in_view()


def test_on_a_phone_the_node_comes_out_from_under_its_panel(open_editor):
    editor = open_editor(**PHONE)
    editor.click_node("popular")  # the lowest of the column
    editor.by("inspector").wait_for()
    editor.expect_stillness()
    card, sheet = editor.node("popular").bounding_box(), editor.by("inspector").bounding_box()
    assert card["y"] + card["height"] < sheet["y"]


def test_long_names_of_nodes_are_read_whole_in_the_journey_of_an_item(open_editor, reader):
    name = "Customers_who_liked_this_also_liked_that_within_the_last_30_days"
    assert len(name) == 64  # the longest there may be
    nodes = [part | {"name": name} if part["id"] == "latest" else part for part in CHAIN["nodes"]]
    editor = open_editor(CHAIN | {"nodes": nodes}, width=1024, height=768)
    editor.run(reader)
    editor.page.locator(".result").first.click()
    step = editor.by("journey").locator(".journey-node", has_text=name)
    box, column = step.bounding_box(), editor.page.locator(".beside").bounding_box()
    assert box["x"] + box["width"] <= column["x"] + column["width"]
    assert step.evaluate("step => step.scrollWidth <= step.clientWidth")


def test_the_header_says_how_the_draft_stands_to_what_is_live_wherever_there_is_room(open_editor):
    editor = open_editor(CHAIN, width=1024, height=768)
    live = editor.by("state-chip").get_by_text("not live")
    for width, shown in ((1024, True), (901, True), (390, False)):
        editor.page.set_viewport_size({"width": width, "height": 768})
        assert live.is_visible() is shown
        assert editor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if shown:
            assert live.evaluate("words => words.scrollWidth <= words.clientWidth")


def test_names_can_be_read_in_a_flow_that_the_results_and_the_panel_made_small(open_editor, reader):
    editor = open_editor(width=1024, height=768)
    editor.run(reader)
    editor.click_node("popular")
    editor.by("inspector").wait_for()
    editor.expect_all_in_view()
    zoom = editor.zoom()
    names = editor.page.locator(".card-name")
    for name in names.all():
        size = float(name.evaluate("name => getComputedStyle(name).fontSize").removesuffix("px"))
        assert size * zoom > 9, name.inner_text()
        assert name.evaluate("name => name.scrollHeight <= name.clientHeight"), name.inner_text()


def test_running_for_nobody_puts_the_cursor_where_the_user_is_entered(open_editor):
    editor = open_editor(CHAIN, **PHONE)
    editor.click_node("source")
    panel = editor.by("inspector")
    panel.get_by_role("tab", name="Last run").click()
    panel.get_by_role("button", name="Run to here").click()
    editor.expect_focus("#user-id")
    assert panel.count() == 0
    refusal, field = editor.by("refusal").bounding_box(), editor.by("user-id").bounding_box()
    assert refusal["y"] + refusal["height"] <= field["y"]
    editor.by("user-id").fill("a")
    editor.by("refusal").wait_for(state="detached")
