"""The Tasks page in a real browser: a job is started, followed to its end, and its log is read."""

import re

import pytest
from playwright.sync_api import expect

from tests.patience import PATIENCE_S


@pytest.fixture
def tasks(server, chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page, complaints = context.new_page(), []
    page.set_default_timeout(1000 * PATIENCE_S)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    page.goto(f"{server.url}/tasks")
    page.wait_for_selector("html[data-ready='1']")
    yield page
    context.close()
    assert complaints == []


def test_a_model_is_trained_and_tells_how_well_it_ranks(tasks):
    tasks.get_by_role("button", name="Train now: Matrix factorization").click()
    expect(tasks.get_by_role("status")).to_have_text(re.compile("Train matrix factorization: Done"))
    finished = tasks.locator("#finished .job", has_text="asked by playground").first
    expect(finished).to_contain_text(re.compile(r"fitted in .* NDCG@10 0\.\d"))
    finished.get_by_text("Log").click()
    expect(finished.locator("pre")).to_contain_text("fitted in")
    versions = tasks.get_by_role("table", name="Versions of Matrix factorization")
    expect(versions.locator("tbody tr").first).to_contain_text(re.compile(r"0\.\d{3}"))


def test_the_lists_of_the_live_version_are_there_soon_after_the_start(tasks):
    expect(tasks.locator("#made")).to_contain_text(re.compile(r"8\d\d lists"))


def test_a_refresh_is_paused_resumed_and_finished(tasks, open_editor):
    """It stands behind a long training: else it may be over before anybody can pause it."""
    editor = open_editor()
    editor.set_number("collaborative", "n_factors", 256)
    editor.set_number("collaborative", "n_epochs", 500)
    editor.saved_draft()
    wanted = {"kind": "fit", "flow_id": editor.flow_id, "node_id": "collaborative"}
    status, training = editor.call("POST", "/api/jobs", wanted)
    assert status == 200, training
    assert editor.call("POST", "/api/jobs", {"kind": "lists"})[0] == 200
    refresh = tasks.get_by_role("button", name="Refresh now: Prepared lists")
    tasks.get_by_role("button", name="Pause Refresh the prepared lists").click()
    job = tasks.locator("#running .job", has_text="Refresh the prepared lists")
    expect(job).to_contain_text("Paused")
    expect(job).to_contain_text("goes on where it stopped")
    expect(refresh).to_be_disabled()
    tasks.reload()
    tasks.wait_for_selector("html[data-ready='1']")
    expect(job).to_contain_text("Paused")
    tasks.get_by_role("button", name="Resume Refresh the prepared lists").click()
    for job_asked in training["jobs"]:
        assert editor.call("POST", f"/api/jobs/{job_asked['id']}/cancel")[0] == 200
    finished = tasks.locator("#finished .job", has_text="Refresh the prepared lists").first
    expect(finished).to_contain_text(re.compile(r"lists, \d+ of them made now"))


def test_a_file_is_imported_beside_the_page_and_its_rejected_rows_are_there(tasks, server, tmp_path):
    file = tmp_path / "users.jsonl"
    file.write_text('{"UserId": "imported-1"}\n{"UserId": "a/b"}\n{"UserId": "imported-2"}\n')
    tasks.goto(f"{server.url}/data")
    tasks.get_by_label("File").set_input_files(file)
    tasks.get_by_role("button", name="Import the file").click()
    imported = tasks.get_by_role("article", name="Import of users.jsonl").first
    expect(imported).to_contain_text("2 users, 0 items, 0 feedback")
    expect(imported).to_contain_text("1 row could not be read")
    with tasks.expect_download() as coming:
        imported.get_by_role("link", name="Download them").click()
    assert "may not hold a slash" in coming.value.path().read_text()
    tasks.goto(f"{server.url}/tasks")
    expect(tasks.locator("#finished")).to_contain_text("Import users.jsonl")


def test_a_node_is_trained_from_its_panel(open_editor):
    editor = open_editor()
    editor.open_settings("collaborative")
    editor.by("train").click()
    editor.by("inspector").get_by_text("asked for.").wait_for()
    editor.page.keyboard.press("Escape")
    editor.open_settings("latest")
    assert editor.by("train").count() == 0
