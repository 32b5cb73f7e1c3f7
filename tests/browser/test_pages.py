"""Every page beside the editor: what axe says of it, what sticks out, and Settings without a mouse."""

from pathlib import Path
from urllib.parse import quote

import axe_playwright_python
import pytest

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
#: Address, and what is there once its script has drawn it.
PAGES = {
    "/": "#live",
    "/flows": ".flow-row",
    "/users": ".data-table",
    "/user?id={reader}": ".data-table",
    "/items": ".data-table",
    "/item?id={item}": "#labels",
    "/data": "#purge",
    "/tasks": "#made .job",
    "/evaluation#new": ".start-form",
    "/settings": "#calls",
    "/docs": ".operation",
    "/login": "[name=password]",
    "/nowhere": ".status-words",
}
GRAVE = """() => axe.run(document, {resultTypes: ["violations"]}).then(({ violations }) => violations
  .filter(({ impact }) => impact !== "minor")
  .map(({ id, nodes }) => [id, nodes[0].html.slice(0, 120)]))"""
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_axe_finds_nothing_on_any_page_and_nothing_sticks_out(server, chromium, reader, scheme, width):
    item = quote(server.get("/api/items?n=1")["Items"][0]["ItemId"])
    context = chromium.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    try:
        page = context.new_page()
        faults = {}
        for address, drawn in PAGES.items():
            page.goto(server.url + address.format(reader=quote(reader), item=item))
            page.locator(drawn).first.wait_for()
            page.evaluate(AXE)
            if found := page.evaluate(GRAVE):
                faults[address] = found
            if page.evaluate(TOO_WIDE):
                faults[f"{address} is too wide"] = width
        assert faults == {}
    finally:
        context.close()


def test_what_settings_refuse_is_seen_where_it_was_typed_and_deleting_asks_first(server, chromium):
    page = chromium.new_page(viewport={"width": 1024, "height": 600})
    try:
        page.goto(server.url + "/settings")
        prices = page.locator("section[aria-labelledby=prices]")

        def save(price):
            prices.get_by_label("Model").fill("tiny")
            prices.get_by_label("Input", exact=True).fill(price)
            prices.get_by_label("Output").fill("2")
            page.keyboard.press("Enter")

        save("1,5")
        refusal = prices.get_by_role("alert")
        refusal.wait_for()
        assert refusal.inner_text() == "Input must be a number, got '1,5'"
        assert 0 < refusal.bounding_box()["y"] < 500
        assert prices.get_by_label("Input", exact=True).input_value() == "1,5"
        save("1.5")
        prices.get_by_role("row", name="tiny").wait_for()
        delete = prices.get_by_role("button", name="Delete tiny")
        delete.focus()
        page.keyboard.press("Enter")
        question = page.get_by_role("dialog", name="Delete tiny?")
        question.wait_for()
        page.keyboard.press("Escape")
        question.wait_for(state="hidden")
        assert delete.evaluate("button => button === document.activeElement")
        page.keyboard.press("Enter")
        question.get_by_role("button", name="Delete").click()
        prices.get_by_text("The price is gone").wait_for()
        assert prices.get_by_role("row", name="tiny").count() == 0
    finally:
        page.close()
