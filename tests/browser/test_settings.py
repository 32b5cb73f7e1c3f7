"""Criteria on settings; the number of a test is the criterion's."""

from flows import POPULAR


def test_17_a_cleared_required_field_is_marked_everywhere_and_mended_without_a_run(open_editor):
    editor = open_editor(POPULAR)
    editor.open_settings("popular")
    field = editor.by("inspector").locator("[data-field=score]")
    box = field.locator("[contenteditable=true]")
    box.click()
    editor.press("Control+a", "Delete")
    invalid = field.locator("[aria-invalid=true]")
    invalid.first.wait_for(timeout=1500)
    assert "score" in field.inner_text().lower()
    editor.by("problems-popular").wait_for()
    editor.by("checklist").click()
    row = editor.by("problems").get_by_role("button").first
    row.click()
    editor.page.wait_for_function(
        "() => document.querySelector('[data-field=score]').contains(document.activeElement)"
    )
    box.click()
    editor.page.keyboard.type("len(feedback)")
    invalid.first.wait_for(state="detached", timeout=3000)
    editor.by("problems-popular").wait_for(state="detached")


def test_18_escape_takes_the_edits_back(open_editor):
    editor = open_editor(POPULAR)
    before = editor.draft()
    editor.open_settings("recommend")
    box = editor.by("inspector").locator("[data-field=cache_size] input")
    box.click()
    box.fill("55")
    box.press("Escape")
    editor.by("inspector").wait_for(state="detached")
    editor.press("Control+s")
    editor.expect_saved()
    assert editor.draft() == before


def test_19_an_expression_is_completed_checked_and_worked_out_while_it_is_typed(open_editor):
    editor = open_editor(POPULAR)
    editor.click_node("popular")
    field = editor.by("inspector").locator("[data-field=score]")
    box = field.locator(".cm-content")
    result = field.locator("output")

    def write(text):
        box.click()
        editor.press("Control+a")
        editor.page.keyboard.type(text)

    write("item.")
    editor.page.locator(".cm-tooltip-autocomplete").wait_for()
    offered = editor.page.locator(".cm-tooltip-autocomplete li").all_inner_texts()
    assert any(entry.startswith("Labels") for entry in offered)
    editor.press("Escape")
    assert editor.by("inspector").is_visible()

    write("len(feedbak) ")
    field.locator(".cm-lintRange-error", has_text="feedbak").wait_for()
    problem = field.locator(".field-problem")
    problem.filter(has_text="feedbak").wait_for()

    write("1 + 2 ")
    result.filter(has_text="= 3").wait_for()
    problem.wait_for(state="detached")
    assert field.locator(".cm-lintRange-error").count() == 0

    write("float(item.Labels.nothing) ")
    field.locator("output.is-error").wait_for()
    assert len(result.inner_text()) > 10
    problem.wait_for(state="detached")
    editor.by("problems-popular").wait_for(state="detached")

    write("len(feedback) ")
    field.locator("output:not(.is-error)", has_text="= ").wait_for()
