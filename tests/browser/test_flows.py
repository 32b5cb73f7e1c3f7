"""The list of flows: copies, names, the archive, deleting with undo, and drawings to start from."""

import pytest
from flows import POPULAR

from tests.patience import wait_until


class Flows:
    """The page Flows in a tab of its own."""

    def __init__(self, page, editor):
        self.page = page
        self.editor = editor

    def row(self, name):
        rows = self.page.locator(".flow-row")
        return rows.filter(has=self.page.get_by_role("link", name=name, exact=True))

    def press(self, action, name):
        self.page.get_by_role("button", name=f"{action} {name}", exact=True).click()

    def expect(self, name, n):
        self.page.wait_for_function(
            """([name, n]) => [...document.querySelectorAll('.flow-row-name')]
                 .filter((link) => link.textContent === name).length === n""",
            arg=[name, n],
        )

    def undo(self):
        self.page.get_by_role("button", name="Undo").click()

    def said(self):
        return self.page.locator("#undo span").inner_text()


@pytest.fixture
def flows(open_editor, request):
    """The page with a flow of this test's own name."""
    editor = open_editor(POPULAR)
    name = f"Flow of {request.node.name[5:45]}"
    assert editor.call("PATCH", f"/api/flows/{editor.flow_id}", {"name": name})[0] == 200
    editor.page.goto(f"{editor.server.url}/flows")
    page = Flows(editor.page, editor)
    page.name = name
    page.expect(name, 1)
    return page


def test_a_flow_is_duplicated_with_its_draft(flows):
    flows.press("Duplicate", flows.name)
    flows.expect(f"{flows.name} copy", 1)
    flows.row(f"{flows.name} copy").get_by_role("link").click()
    flows.editor.ready()
    assert set(flows.editor.node_ids()) == {"source", "popular", "ranker", "recommend"}


def test_a_flow_is_renamed_in_its_place_and_escape_leaves_the_name(flows):
    flows.press("Rename", flows.name)
    field = flows.page.get_by_label(f"New name of {flows.name}")
    field.fill("something else")
    field.press("Escape")
    flows.expect(flows.name, 1)
    flows.press("Rename", flows.name)
    field.fill(f"{flows.name} 2")
    field.press("Enter")
    flows.expect(f"{flows.name} 2", 1)
    flows.page.reload()
    flows.expect(f"{flows.name} 2", 1)


def test_an_archived_flow_is_behind_the_filter_and_comes_back(flows):
    flows.press("Archive", flows.name)
    flows.expect(flows.name, 0)
    assert flows.said() == f"{flows.name} is archived."
    flows.page.get_by_role("button", name="Archived (").click()
    flows.expect(flows.name, 1)
    assert "Archived" in flows.row(flows.name).inner_text()
    flows.press("Bring back", flows.name)
    flows.page.wait_for_function("() => document.querySelector('#undo span').textContent.includes('back')")
    if flows.page.locator("#filter").is_visible():
        flows.page.get_by_role("button", name="In use").click()
    flows.expect(flows.name, 1)


def test_a_deleted_flow_comes_back_with_undo_as_it_was(flows):
    before = flows.editor.draft()
    flows.press("Delete", flows.name)
    flows.expect(flows.name, 0)
    assert flows.said() == f"{flows.name} is deleted."
    assert flows.editor.call("GET", f"/api/flows/{flows.editor.flow_id}")[0] == 404
    flows.undo()
    flows.expect(flows.name, 1)
    assert flows.editor.draft() == before


def test_the_live_flow_is_not_deleted_and_the_page_says_why(flows):
    status, answer = flows.editor.call("POST", f"/api/flows/{flows.editor.flow_id}/activate", {"note": ""})
    assert status == 200, answer
    flows.page.reload()
    flows.expect(flows.name, 1)
    flows.editor.expected_complaints.append("409")
    flows.press("Delete", flows.name)
    flows.page.get_by_role("alert").wait_for()
    reason = f"{flows.name} is active: activate another flow before deleting it"
    assert flows.page.get_by_role("alert").inner_text() == reason
    assert flows.row(flows.name).count() == 1


def test_each_template_says_what_it_does_shows_a_picture_and_starts_a_flow(flows):
    starters = flows.page.locator(".starter").all()
    names = [starter.locator(".starter-name").inner_text() for starter in starters]
    assert names == ["Several ways, one ranker", "Popular only", "LLM ranker on top of MF", "Gorse's default"]
    for starter in starters:
        assert starter.locator(".starter-summary").inner_text().endswith(".")
        assert starter.locator(".miniature rect").count() >= 3
    flows.page.get_by_label("Name", exact=True).fill("From Gorse")
    starters[-1].click()
    flows.page.get_by_role("button", name="Create the flow").click()
    flows.editor.ready()
    assert set(flows.editor.node_ids()) == {"source", "latest", "recommend"}
    flows.editor.run("nobody-yet")
    assert len(flows.editor.result_ids()) == 20


def test_without_any_flow_the_page_says_how_to_begin(flows):
    flows.page.route("**/api/flows", lambda route: route.fulfill(json=[]))
    flows.page.reload()
    flows.page.get_by_test_id("no-flows").wait_for()
    assert flows.page.get_by_test_id("no-flows").get_by_role("listitem").count() == 4
    assert not flows.page.locator("#flows").is_visible()


def test_a_double_click_makes_one_flow_and_the_editor_calls_it_by_its_name(server, chromium):
    page = chromium.new_page()
    try:
        page.goto(f"{server.url}/flows")
        page.locator(".flow-row, #no-flows:visible").first.wait_for()
        page.get_by_label("Name", exact=True).fill("שלום twice")
        page.get_by_role("button", name="Create the flow").dblclick()
        page.get_by_label("Name of the flow").wait_for()
        assert page.get_by_label("Name of the flow").input_value() == "שלום twice"
        flow_id = int(page.url.rsplit("/", 1)[1])
        assert server.get(f"/api/flows/{flow_id}")["draft"]["document"]["name"] == "שלום twice"
        page.goto(f"{server.url}/flows")
        page.locator(".flow-row", has_text="שלום twice").first.wait_for()
        assert page.locator(".flow-row", has_text="שלום twice").count() == 1
    finally:
        page.close()


def test_a_flow_renamed_in_the_list_has_that_name_in_the_editor(open_editor):
    editor = open_editor()
    editor.call("PATCH", f"/api/flows/{editor.flow_id}", {"name": "Another name"})
    editor.reload()
    assert editor.page.get_by_label("Name of the flow").input_value() == "Another name"


def test_undo_gives_the_flow_its_name_back_here_and_in_the_list(open_editor):
    editor = open_editor()
    name = editor.page.get_by_label("Name of the flow")

    def expect_name(wanted):
        editor.page.wait_for_function(
            "name => document.querySelector('.flow-name').value === name", arg=wanted
        )
        wait_until(
            lambda: editor.call("GET", f"/api/flows/{editor.flow_id}")[1]["name"] == wanted,
            f"the list of flows does not call it {wanted}",
        )

    name.fill("Front page")
    name.press("Enter")
    expect_name("Front page")
    editor.page.get_by_role("button", name="Undo").click()
    expect_name("Test flow")
    editor.page.get_by_role("button", name="Redo").click()
    expect_name("Front page")
    assert editor.saved_draft()["name"] == "Front page"


def test_a_name_that_no_flow_may_have_is_refused_and_changes_nothing(open_editor):
    editor = open_editor()
    editor.expected_complaints = ["400"]
    before = editor.saved_draft()
    name = editor.page.get_by_label("Name of the flow")
    name.fill("Home/feed")
    name.press("Enter")
    editor.expect_live("The name of a flow has 1 to 64 characters")
    assert name.input_value() == "Test flow"
    assert editor.saved_draft() == before
