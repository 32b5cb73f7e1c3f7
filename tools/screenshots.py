"""Take pictures of every page from a running playground: ``python tools/screenshots.py http://127.0.0.1:8088``.

Without a folder after the address only those of the README are taken, into docs/, with few colors so they
stay small. With one, every page is taken in three sizes, light and dark, to be looked at. Needs Pillow beside
what the tests need.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).resolve().parent.parent / "docs"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SIZES = ((1440, 900), (1024, 768), (390, 844))
READER = "amara-alder"
COLORS = 256


def editor(page: Page, url: str) -> None:
    """The live flow, as it is opened."""
    page.goto(f"{url}/")
    page.get_by_test_id("open-active").click()
    page.wait_for_selector("html[data-ready='1']", state="attached")


def run(page: Page, url: str) -> None:
    """After a run: counts on the canvas, the list, what the user did lately."""
    editor(page, url)
    page.get_by_test_id("user-id").fill(READER)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-testid='results'][data-status='finished']")
    page.get_by_test_id("recent").wait_for()


def journey(page: Page, url: str) -> None:
    """The way of one book through the graph."""
    run(page, url)
    page.locator(".result").nth(1).click()
    page.get_by_test_id("journey").wait_for()


def what_if(page: Page, url: str) -> None:
    """The list of somebody who did something else."""
    run(page, url)
    page.get_by_test_id("recent").get_by_role("listitem").first.get_by_role("button").click()
    page.get_by_test_id("run-what-if").click()
    page.get_by_test_id("what-if-results").wait_for()
    page.wait_for_selector("[data-testid='results'][data-status='finished']")


def panel(page: Page, url: str) -> None:
    """The settings of the ranker."""
    editor(page, url)
    page.get_by_test_id("node-ranker").locator(".card-head").dblclick()
    page.get_by_test_id("inspector").wait_for()


def page_at(path: str) -> Callable[[Page, str], None]:
    def show(page: Page, url: str) -> None:
        page.goto(f"{url}{path}")
        page.wait_for_load_state("networkidle")

    return show


SCENES: dict[str, Callable[[Page, str], None]] = {
    "editor": editor,
    "run": run,
    "journey": journey,
    "what-if": what_if,
    "panel": panel,
    "overview": page_at("/"),
    "flows": page_at("/flows"),
    "users": page_at("/users"),
    "user": page_at(f"/user?id={READER}"),
    "items": page_at("/items"),
    "data": page_at("/data"),
    "evaluation": page_at("/evaluation"),
    "settings": page_at("/settings"),
    "tasks": page_at("/tasks"),
}
#: Name of the file in docs/ -> the scene it shows.
README = {"editor.png": "journey", "what-if.png": "what-if", "flows.png": "flows"}


def taken(browser: Browser, url: str, scene: str, size: tuple[int, int], scheme: str) -> bytes:
    """One picture, as PNG."""
    view = {"width": size[0], "height": size[1]}
    page = browser.new_page(viewport=view, color_scheme=scheme, reduced_motion="reduce")
    try:
        SCENES[scene](page, url)
        return page.screenshot()
    finally:
        page.close()


def with_few_colors(png: bytes) -> bytes:
    """The same picture with a palette, in half the room; k-means keeps the ground from a tint."""
    small = io.BytesIO()
    picture = (
        Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=3)
    )
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()


def main(url: str, folder: Path | None = None) -> None:
    """Take the pictures of the README, or all of them into a folder."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        if folder is None:
            for name, scene in README.items():
                (DOCS / name).write_bytes(with_few_colors(taken(browser, url, scene, SIZES[0], "light")))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            for scene in SCENES:
                for size in SIZES:
                    for scheme in ("light", "dark"):
                        picture = folder / f"{scene}-{size[0]}-{scheme}.png"
                        picture.write_bytes(taken(browser, url, scene, size, scheme))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
