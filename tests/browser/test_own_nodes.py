"""A node type is one Python file: that of the README, beside the project, is in the editor and in runs."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import Server
from flows import flow, node

from tests.patience import PATIENCE_S
from tests.server_process import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def example():
    """The module that the README shows."""
    (_, text) = README.split("### Your own node types", 1)
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A playground that is told of a module with a node type."""
    folder = tmp_path_factory.mktemp("own")
    package = folder / "house_nodes"
    package.mkdir()
    (package / "freshest.py").write_text(example(), encoding="utf-8")
    running = Server(folder, RECFLOW_NODES="house_nodes.freshest", PYTHONPATH=str(folder))
    yield running
    running.stop()


def drawing():
    return flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
    )


def test_one_python_file_gives_palette_card_form_refusals_and_runs(open_editor, server):
    editor = open_editor(drawing())
    entry = editor.by("palette-freshest")
    assert entry.locator(".palette-name").inner_text() == "Freshest"
    assert "The newest items of one category." in entry.inner_text()

    editor.drag_from_palette("freshest", 520, 180)
    editor.expect_nodes(4)
    (new,) = set(editor.node_ids()) - {"source", "latest", "recommend"}
    inspector = editor.by("inspector")
    assert inspector.locator("[data-field=category] .field-label").inner_text() == "Category"
    assert inspector.locator("[data-field=most] .field-unit").inner_text() == "items"
    assert inspector.locator("[data-field=most] input").input_value() == "20"
    assert "For the shelf at the entrance." in inspector.locator(".help").text_content()
    editor.by(f"problems-{new}").wait_for()
    assert "Category is required." in inspector.locator("[data-field=category]").inner_text()
    editor.set_number(new, "most", 0)
    inspector.get_by_text("At most must be at least 1, got 0.").wait_for()
    editor.set_number(new, "most", 3)

    editor.node(new).focus()
    editor.press("1")  # the panel lies over what was in view
    editor.expect_all_in_view()
    editor.start_edge("source")
    editor.lead_edge_to(new)
    refusal = editor.by("refusal")
    refusal.wait_for()
    assert refusal.inner_text() == "Freshest takes items, but Data Source gives user."
    editor.page.mouse.up()
    editor.press("Escape")
    editor.draw_edge("latest", new)
    editor.draw_edge(new, "recommend")
    editor.expect_edges(["source-latest", f"latest-{new}", f"{new}-recommend"])

    reader = server.get("/api/preview/users?kind=heavy&n=1")[0]["user_id"]
    newest = server.get("/api/latest?n=1")[0]["Id"]
    category = server.get(f"/api/item/{newest}")["Categories"][0]
    editor.click_node(new)
    inspector.locator("[data-field=category] input").fill(category)
    editor.by(f"problems-{new}").wait_for(state="detached")
    assert category in editor.node(new).locator(".card-sub").inner_text()
    editor.run(reader)
    assert "3 items" in editor.node(new).inner_text()
    found = [server.get(f"/api/item/{item_id}") for item_id in editor.result_ids()]
    assert len(found) == 3
    assert all(category in item["Categories"] for item in found)
    times = [item["Timestamp"] for item in found]
    assert times == sorted(times, reverse=True)


def start_with(tmp_path, module, text):
    """What the server says, told to import a module with this text."""
    (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    environment = os.environ | {
        "RECFLOW_NODES": module,
        "PYTHONPATH": str(tmp_path),
        "RECFLOW_DATA_DIR": str(tmp_path),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, str(ROOT / "manage.py"), "check"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 1, json.dumps([done.stdout, done.stderr])
    return done.stderr.strip().splitlines()[-1]


def test_a_node_type_that_is_there_already_stops_the_start(tmp_path):
    said = start_with(tmp_path, "thief", example().replace('"freshest"', '"latest"'))
    assert said == (
        "The node types of 'thief' (RECFLOW_NODES) cannot be imported: ValueError: "
        "The node type 'latest' is in two modules, recflow.nodes.latest and thief: give one another name"
    )


def test_a_module_that_is_broken_stops_the_start(tmp_path):
    said = start_with(tmp_path, "broken", "import nothing_like_it\n")
    assert "The node types of 'broken' (RECFLOW_NODES) cannot be imported: ModuleNotFoundError" in said
