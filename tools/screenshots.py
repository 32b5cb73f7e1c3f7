"""Take the README's pictures from a running playground: ``python tools/screenshots.py http://127.0.0.1:8088``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
READER = "amara-alder"


def editor(page: Page, url: str) -> None:
    """The live flow after a run, with the journey of one book."""
    page.goto(f"{url}/")
    page.get_by_test_id("open-active").click()
    page.wait_for_selector("html[data-ready='1']", state="attached")
    page.get_by_test_id("user-id").fill(READER)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-testid='results'][data-status='finished']")
    page.locator("[data-testid^='result-']").nth(1).click()
    page.get_by_test_id("journey").wait_for()


def main(url: str) -> None:
    """Take every picture once in a light window of 1440 by 900 pixels."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        editor(page, url)
        page.screenshot(path=FOLDER / "editor.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
