"""A real server process on invented data, a real Chromium, and a page object that holds every gesture."""

import json
import os
import re
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.server_process import ServerProcess, environment

sys.path.insert(0, str(Path(__file__).parent))  # the drawings in flows.py are shared by the test files
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test answers itself may talk to the server
]
PATIENCE_MS = 1000 * PATIENCE_S

IS_ON_CANVAS = """element => {
  const frame = document.querySelector('.react-flow').getBoundingClientRect();
  const box = element.getBoundingClientRect();
  return box.left >= frame.left && box.right <= frame.right
    && box.top >= frame.top && box.bottom <= frame.bottom;
}"""


def pytest_collection_modifyitems(items):
    """Mark browser tests and put them last: the loop of Playwright runs on in the thread of all tests."""
    last = [item for item in items if "browser" in Path(str(item.path)).parts]
    for item in last:
        item.add_marker(pytest.mark.browser)
    items[:] = [item for item in items if item not in last] + last


def need(reason):
    """Skip for a tool that is missing, or fail where everything that can be installed must be there."""
    (pytest.fail if os.environ.get("RECFLOW_ALL_TESTS") else pytest.skip)(reason)


class Server(ServerProcess):
    """The playground as a user starts it, with a data folder and more environment of its own."""

    def __init__(self, folder, **more):
        self.environment = environment(folder, **more)  # for other commands on the same data
        super().__init__("playground", environment=self.environment, log=folder / "log")
        self.url = self.address()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def reader(server):
    """Somebody with a long history."""
    return server.get("/api/preview/users?kind=heavy&n=1")[0]["user_id"]


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            need("No Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_editor(server, chromium):
    """open_editor(document) -> Editor on a new flow; every page fails the test on anything in its console."""
    contexts, complaints = [], []

    def open_it(document=None, *, flow_id=None, width=1440, height=900, context=None, **options):
        if context is None:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, reduced_motion="reduce", **options
            )
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        editor = Editor(page, server)
        page.on("console", lambda message: editor.hear(complaints, message))
        page.on("pageerror", lambda error: editor.hear_error(complaints, error))
        page.on("requestfailed", lambda request: editor.hear_failed(complaints, request))
        editor.open(flow_id or editor.new_flow(document))
        return editor

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


class Editor:
    """One tab with the editor."""

    def __init__(self, page, server):
        self.page = page
        self.server = server
        self.flow_id = None
        self.expected_complaints = []  # regular expressions of console lines that a test brings about

    def hear(self, complaints, message):
        if message.type in ("error", "warning") and not any(
            re.search(pattern, message.text) for pattern in self.expected_complaints
        ):
            complaints.append(f"console {message.type}: {message.text}")

    def hear_error(self, complaints, error):
        """An exception that nobody caught, or a promise whose rejection nobody handled."""
        if not any(re.search(pattern, str(error)) for pattern in self.expected_complaints):
            complaints.append(f"page error: {error}")

    def hear_failed(self, complaints, request):
        if request.failure != "net::ERR_ABORTED" and not self.expected_complaints:
            complaints.append(f"failed request: {request.url} {request.failure}")

    # flows

    def call(self, method, path, body=None):
        """One of the editor's endpoints, with the session and CSRF token of this browser."""
        context = self.page.context
        if not any(cookie["name"] == "recflow_csrf" for cookie in context.cookies()):
            context.request.get(f"{self.server.url}/flows")
        token = next(c["value"] for c in context.cookies() if c["name"] == "recflow_csrf")
        answer = context.request.fetch(
            self.server.url + path,
            method=method,
            headers={"X-CSRFToken": token, "Content-Type": "application/json", "Referer": self.server.url},
            data=None if body is None else json.dumps(body),
        )
        return answer.status, answer.json() if answer.body() else None

    def new_flow(self, document=None):
        body = {"name": "Test flow"} | ({"document": document} if document else {"template": "classic"})
        status, flow = self.call("POST", "/api/flows", body)
        assert status == 200, flow
        return flow["id"]

    def open(self, flow_id):
        self.flow_id = flow_id
        self.page.goto(f"{self.server.url}/flows/{flow_id}")
        self.ready()

    def reload(self):
        self.page.reload()
        self.ready()

    def ready(self):
        self.page.wait_for_selector("html[data-ready='1']", state="attached")

    def draft(self):
        """The draft as the server has it."""
        status, flow = self.call("GET", f"/api/flows/{self.flow_id}")
        assert status == 200
        return flow["draft"]["document"]

    def saved_draft(self):
        """The draft after everything was saved by the key."""
        self.press("Control+s")
        self.expect_saved()
        return self.draft()

    def save(self):
        self.page.get_by_test_id("save").click()
        self.expect_saved()

    def expect_saved(self):
        self.page.wait_for_selector("[data-testid='state-chip'][data-state='saved']")

    # parts of the page

    def by(self, test_id):
        return self.page.get_by_test_id(test_id)

    def node(self, node_id):
        return self.by(f"node-{node_id}")

    def node_ids(self):
        nodes = self.page.locator("[data-testid^='node-']").all()
        return [node.get_attribute("data-testid").removeprefix("node-") for node in nodes]

    def edge(self, source, target):
        return self.by(f"edge-{source}-{target}")

    def edge_names(self):
        edges = self.page.locator("[data-testid^='edge-']").all()
        return sorted(edge.get_attribute("data-testid").removeprefix("edge-") for edge in edges)

    def live(self):
        return self.by("live").inner_text()

    def expect_live(self, words):
        """Wait until the live region says it."""
        self.page.wait_for_function(
            "words => document.querySelector('[data-testid=live]').textContent.includes(words)", arg=words
        )

    def expect_nodes(self, n):
        self.page.wait_for_function(
            "n => document.querySelectorAll('.react-flow__node-card').length === n", arg=n
        )

    def expect_edges(self, names):
        """Wait until exactly these are drawn: an edge comes a frame after the cards at its ends."""
        self.page.wait_for_function(
            """names => {
              const drawn = [...document.querySelectorAll("[data-testid^='edge-']")];
              return drawn.map((edge) => edge.dataset.testid.slice(5)).sort().join() === names.join();
            }""",
            arg=sorted(names),
        )

    def expect_focus(self, selector):
        self.page.wait_for_function(
            "selector => document.activeElement?.closest(selector) !== null", arg=selector
        )

    def expect_all_in_view(self):
        """Wait until every node lies inside the canvas."""
        self.page.wait_for_function(
            """() => {
              const frame = document.querySelector('[data-testid=canvas]').getBoundingClientRect();
              return [...document.querySelectorAll('.react-flow__node')].every((node) => {
                const box = node.getBoundingClientRect();
                return box.left >= frame.left && box.right <= frame.right
                  && box.top >= frame.top && box.bottom <= frame.bottom;
              });
            }"""
        )

    # gestures

    def focus_canvas(self):
        self.by("canvas").locator(".react-flow__pane").click(position={"x": 5, "y": 5})

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def drag_from_palette(self, kind, x, y):
        """Drop a palette entry with its middle at a place of the canvas, in pixels from its corner."""
        pane = self.by("canvas").locator(".react-flow__pane")
        self.by(f"palette-{kind}").drag_to(pane, target_position={"x": x, "y": y})

    def expect_stillness(self):
        """Wait until the canvas has made up for the room that a panel or the results took from it."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        self.page.wait_for_selector(".react-flow:not([data-settling])")

    def middle_of(self, locator):
        self.expect_stillness()
        box = locator.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def click_node(self, node_id):
        """Select a node by its title, where no control is; what lies beside the canvas is brought into it."""
        self.expect_stillness()
        title = self.node(node_id).locator(".card-head")
        if not title.evaluate(IS_ON_CANVAS):
            self.page.get_by_role("button", name="Fit the flow into the view").click()
            self.page.wait_for_function(IS_ON_CANVAS, arg=title.element_handle())
        title.click()
        self.expect_stillness()

    def start_edge(self, source):
        x, y = self.middle_of(self.by(f"port-{source}-out"))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 15, y + 5, steps=3)

    def lead_edge_to(self, target):
        x, y = self.middle_of(self.by(f"port-{target}-in"))
        self.page.mouse.move(x - 4, y, steps=8)
        self.page.mouse.move(x, y, steps=3)

    def draw_edge(self, source, target):
        self.start_edge(source)
        self.lead_edge_to(target)
        self.page.mouse.up()

    def move_node(self, node_id, dx, dy):
        x, y = self.middle_of(self.node(node_id))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 3, y)  # a drag begins with the first pixels, which the card does not follow
        self.page.mouse.move(x + 3 + dx, y + dy, steps=8)
        self.page.mouse.up()

    def zoom_to(self, zoom):
        """Set the zoom with the wheel, as near as it goes."""
        for _ in range(60):
            now = self.zoom()
            if abs(now - zoom) < 0.03:
                return
            box = self.by("canvas").bounding_box()
            self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            before = self.page.locator(".react-flow__viewport").get_attribute("style")
            self.page.mouse.wheel(0, 60 if now > zoom else -60)
            self.page.wait_for_function(
                "style => document.querySelector('.react-flow__viewport').getAttribute('style') !== style",
                arg=before,
            )
        raise AssertionError(f"zoom stays at {self.zoom()}, wanted {zoom}")

    def zoom(self):
        self.expect_stillness()
        style = self.page.locator(".react-flow__viewport").get_attribute("style")
        return float(re.search(r"scale\(([\d.]+)\)", style)[1])

    def open_settings(self, node_id):
        self.node(node_id).dblclick()
        self.by("inspector").wait_for()

    def field(self, label):
        return self.by("inspector").get_by_label(label, exact=True)

    def set_number(self, node_id, field, value):
        """Write a number into one field of a node's settings."""
        self.click_node(node_id)
        self.by("inspector").locator(f"[data-field={field}] input").fill(str(value))

    def choose_kind(self, node_id, kind):
        self.click_node(node_id)
        self.by("inspector").locator("#setting-kind").select_option(kind)

    def stop_autosave(self):
        """Switch autosave off, so that a test says itself when the draft is saved."""
        self.by("menu").click()
        self.page.get_by_label("Save the draft by itself").uncheck()
        self.press("Escape")

    # running

    def choose_user(self, user_id):
        box = self.by("user-id")
        box.fill(user_id)
        box.press("Escape")

    def run(self, user_id):
        self.choose_user(user_id)
        self.by("run").click()
        self.expect_run("finished")

    def expect_run(self, status, **options):
        self.page.wait_for_selector(f"[data-testid='results'][data-status='{status}']", **options)

    def states(self):
        """Node id -> the word on its card for how it fared."""
        return {
            node_id: self.node(node_id).locator(".card-state, .card-idle").inner_text()
            for node_id in self.node_ids()
        }

    def expect_state(self, node_id, word):
        self.node(node_id).locator(".card-foot", has_text=word).wait_for()

    def expect_served(self, user_id, ids):
        """Wait until the REST API recommends this list; lists are made anew for a while after Activate."""
        path, served = f"/api/recommend/{user_id}?n={len(ids)}", None
        for _ in range(int(PATIENCE_S / 0.1)):
            # Not wait_for_function: a promise is true to it, whatever comes of it.
            served = self.page.evaluate("async (path) => (await fetch(path)).json()", path)
            if served == ids:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{path} answers {served}, not {ids}")

    def result_ids(self):
        results = self.page.locator("[data-testid^='result-']").all()
        return [result.get_attribute("data-testid").removeprefix("result-") for result in results]
