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
