"""Measure the editor in a real Chromium: ``python tools/editor_speed.py http://127.0.0.1:8088``.

Prints the time until the editor can be used with an empty and with a full cache, the bytes that came over the
wire, and how long frames last while a card is dragged among 300. The flow for that is made, then deleted.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TIMES = 5
NODES, COLUMN = 300, 20
STEPS = 60
READY = "() => performance.getEntriesByName('editor-ready')[0].startTime"
RECORD_FRAMES = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const next = (now) => { frames_ms.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""
CALL = """async ([method, path, body]) => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const headers = { "X-CSRFToken": token, "Content-Type": "application/json" };
  return (await fetch(path, { method, headers, body: body && JSON.stringify(body) })).json();
}"""


@dataclass(frozen=True)
class Opened:
    """How one opening of the editor went.

    Args:
        ready_ms: until it could be used.
        busy_ms: of the processor, in the page's main thread; other work on the machine does not count.
        sent: bytes over the wire.
        requests: those that brought some.
    """

    ready_ms: float
    busy_ms: float
    sent: int
    requests: int


def open_editor(context: BrowserContext, url: str) -> Opened:
    """Open it in a tab of its own, and wait until all is loaded."""
    page = context.new_page()
    sizes: list[float] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Performance.enable", {"timeDomain": "threadTicks"})
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_selector("html[data-ready='1']", state="attached")
    ready = page.evaluate(READY)
    found = network.send("Performance.getMetrics")["metrics"]
    busy = next(metric["value"] for metric in found if metric["name"] == "TaskDuration")
    page.wait_for_load_state("networkidle")
    page.close()
    return Opened(ready, busy * 1000, int(sum(sizes)), sum(size > 0 for size in sizes))


def large_flow() -> dict:
    """A source, and merges in columns that are each fed by two of the column before."""

    def node(number: int, kind: str, settings: dict | None = None) -> dict:
        place = {"x": 300 * (number // COLUMN), "y": 110 * (number % COLUMN)}
        return {"id": f"n{number}", "type": kind, "position": place, "settings": settings or {}}

    nodes = [
        node(0, "data-source"),
        *(node(number, "latest" if number == 1 else "merge") for number in range(1, NODES)),
    ]
    pairs = [(0, 1), *((1, number) for number in range(COLUMN, 2 * COLUMN))]
    pairs += [
        (number - number % COLUMN - COLUMN + (number + shift) % COLUMN, number)
        for number in range(2 * COLUMN, NODES)
        for shift in (0, 7)
    ]
    edges = [{"id": f"{a}-{b}", "source": f"n{a}", "target": f"n{b}"} for a, b in pairs]
    return {"format": 1, "name": "Speed", "nodes": nodes, "edges": edges}


def frames_while_dragging(page: Page) -> list[float]:
    """Milliseconds from frame to frame while a card is led about."""
    page.keyboard.press("1")
    page.evaluate(RECORD_FRAMES)
    box = page.locator(".react-flow__node").nth(NODES // 2).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("() => { frames_ms.length = 0; }")
    for step in range(STEPS):
        page.mouse.move(x + 2 * step, y + step)
    frames = page.evaluate("() => frames_ms")
    page.mouse.up()
    return frames


def main(url: str) -> None:
    """Print every figure, times as the median of five."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        size = {"viewport": {"width": 1440, "height": 900}}
        page = browser.new_page(**size)
        page.goto(f"{url}/")
        editor = page.get_by_test_id("open-active").evaluate("link => link.href")
        cold, warm = [], []
        for _ in range(TIMES):
            context = browser.new_context(**size)
            cold.append(open_editor(context, editor))
            warm.append(open_editor(context, editor))
            context.close()
        for name, found in (("empty cache", cold), ("full cache", warm)):
            ready = statistics.median(opened.ready_ms for opened in found)
            busy = statistics.median(opened.busy_ms for opened in found)
            print(f"{name}: interactive after {ready:.0f} ms, {busy:.0f} ms of the processor, ", end="")
            print(f"{found[0].sent / 1024:.0f} KiB in {found[0].requests} requests")
        made = page.evaluate(CALL, ["POST", "/api/flows", {"name": "Speed", "document": large_flow()}])
        page.goto(f"{url}/flows/{made['id']}")
        page.wait_for_selector("html[data-ready='1']", state="attached")
        ready, frames = page.evaluate(READY), frames_while_dragging(page)
        print(f"{NODES} nodes: interactive after {ready:.0f} ms, frames while dragging: median ", end="")
        print(f"{statistics.median(frames):.0f} ms, longest {max(frames):.0f} ms of {len(frames)}")
        page.evaluate(CALL, ["DELETE", f"/api/flows/{made['id']}", None])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
