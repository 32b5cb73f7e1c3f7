"""Criteria on running a flow; the number of a test is the criterion's."""

import json
import re
import threading
import time

import pytest
from flows import BARE, PERSONAL, POPULAR, flow, node

from tests.patience import PATIENCE_S, is_within
from tests.scripted_server import ScriptedServer, hang, json_reply, status

FINISHED = {"Done", "Cached"}  # the server remembers what other tests ran
WATCH_SOCKETS = """
  window.sockets = [];
  window.sent = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
    send(text) {
      sent.push(JSON.parse(text));
      super.send(text);
    }
  };
"""
DROP_THE_SOCKET = """() => new Promise((told) => {
  const look = () => {
    const word = document.querySelector("[data-testid=run-state][data-status=reconnecting]");
    if (word) told(word.textContent);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, attributes: true });
  sockets.at(-1).close();
})"""


@pytest.fixture
def other_machine(server, open_editor):
    """Another machine that the playground may call."""
    with ScriptedServer() as machine:
        host = machine.url("").removeprefix("http://").rstrip("/")
        networks = {"networks": [host]}
        status_code, answer = open_editor(BARE).call("PUT", "/api/settings/networks", networks)
        assert status_code == 200, answer
        yield machine


def asking(url):
    """A flow that proposes the latest items and what another machine says."""
    return flow(
        [
            node("source", "data-source", 0, 100),
            node("latest", "latest", 300, 0),
            node("external", "external", 300, 200, mode="request", url=url, timeout="60s"),
            node("merge", "merge", 600, 100),
            node("recommend", "recommend", 900, 100),
        ],
        ("source", "latest"),
        ("source", "external"),
        ("latest", "merge"),
        ("external", "merge"),
        ("merge", "recommend"),
    )


def test_21_every_node_and_edge_says_what_came_out(open_editor, server):
    fresh = server.get("/api/preview/users?kind=heavy&n=3")[2]["user_id"]  # nobody else runs for them
    editor = open_editor(POPULAR)
    frames = []

    def keep(frame):  # playwright sets attributes on what listens, so the list's own method will not do
        frames.append(frame)

    editor.page.on("websocket", lambda socket: socket.on("framereceived", keep))
    editor.reload()
    editor.choose_user(fresh)
    editor.press("Control+Enter")
    editor.expect_run("finished")
    messages = [message for frame in frames for message in json.loads(frame)]
    told = [(message["event"], message.get("node_id")) for message in messages]
    (accepted,) = (message for message in messages if message["event"] == "run.accepted")
    nodes = ("source", "popular", "ranker", "recommend")
    assert set(accepted["node_ids"]) == set(nodes)
    for node_id in nodes:
        assert told.index(("node.started", node_id)) < told.index(("node.finished", node_id))
        words = editor.node(node_id).inner_text()
        assert "Done" in words
        assert re.search(r"\d+ likes" if node_id == "source" else r"\d+ items", words)
        assert re.search(r"\d ms", words)
    liked = editor.node("source").locator(".card-count").inner_text()
    assert editor.page.locator(".edge-label").all_inner_texts() == [liked, "100 items", "100 items"]
    assert len(editor.result_ids()) == 20


def test_22_the_preview_runs_the_unsaved_drawing_and_live_answers_stay(open_editor, reader):
    editor = open_editor(POPULAR)
    status, _ = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": "for the test"})
    assert status == 200
    editor.stop_autosave()
    editor.run(reader)
    live = editor.result_ids()
    editor.expect_served(reader, live)
    editor.choose_kind("ranker", "mf")
    editor.run(reader)
    assert editor.result_ids() != live
    assert editor.page.locator("[data-testid='state-chip'][data-state='unsaved']").is_visible()
    editor.expect_served(reader, live)


def test_23_only_what_changed_runs_again(open_editor, server):
    found = server.get("/api/preview/users?kind=heavy&n=5")
    reader, another = (user["user_id"] for user in found[3:])  # nobody else runs for them
    editor = open_editor(PERSONAL)
    editor.run(reader)

    def milliseconds_again():
        editor.run(reader)
        assert set(editor.states().values()) == {"Cached"}
        (took,) = re.findall(r"(\d+) ms", editor.by("run-state").inner_text())
        return int(took)

    assert is_within(300, milliseconds_again)
    editor.choose_kind("ranker", "mf")
    editor.run(reader)
    states = editor.states()
    assert states["ranker"] == "Done"
    assert {states[name] for name in ("source", "collaborative", "popular", "merge")} == {"Cached"}
    editor.click_node("merge")
    editor.page.locator("#node-name").fill("Blend")
    editor.node("merge").focus()
    editor.press("m", "ArrowDown", "Escape")
    editor.run(reader)
    assert set(editor.states().values()) == {"Cached"}
    editor.run(another)
    states = editor.states()
    assert set(states.values()) == {"Done"}  # all of them depend on the user


def test_24_what_is_out_of_date_says_why_and_run_to_here_runs_no_more(open_editor, reader):
    editor = open_editor(PERSONAL)
    editor.run(reader)
    editor.set_number("merge", "limit", 5)
    editor.expect_state("merge", "Stale")
    states = editor.states()
    assert [name for name, word in states.items() if word == "Stale"] == ["merge", "ranker", "recommend"]

    def why(name):
        return editor.node(name).locator(".card-foot").get_attribute("title")

    assert why("merge") == "Its settings changed since the run"
    assert why("ranker") == "Merge before it changed since the run"
    editor.page.locator("#tab-last-run").click()
    editor.by("inspector").get_by_role("button", name="Run to here").click()
    editor.expect_state("merge", "5 items")
    editor.expect_run("finished")
    states = editor.states()
    assert states["merge"] in FINISHED
    assert states["collaborative"] == "Cached"
    assert states["ranker"] == states["recommend"] == "Skipped"


def test_25_a_pinned_output_stands_in_for_everything_before_it_in_previews_only(open_editor, server):
    reader, another = (found["user_id"] for found in server.get("/api/preview/users?kind=heavy&n=2"))
    editor = open_editor(PERSONAL)
    editor.run(reader)
    unpinned = editor.result_ids()
    editor.click_node("merge")
    count = editor.node("merge").locator(".card-count").inner_text().split()[0]
    editor.press("p")
    editor.expect_live("Pin the output of Merge")
    editor.page.locator("#tab-last-run").click()
    box = editor.by("inspector").get_by_label("Pinned output")
    whole = box.input_value().split("\n")
    assert len(whole) == int(count) > 10
    label = editor.page.locator(".edge-label", has_text="pinned")
    assert label.all_inner_texts() == [f"pinned · {count} items"]  # before any run

    editor.run(reader)
    assert editor.result_ids() == unpinned
    assert editor.result_ids() == whole[:20]
    pinned = unpinned[4::-1]
    box.fill("\n".join(pinned))
    editor.expect_state("merge", "Stale")
    editor.run(reader)
    assert editor.result_ids() == pinned
    editor.run(another)  # for whom nothing is remembered
    assert editor.result_ids() == pinned
    states = editor.states()
    assert states["collaborative"] == states["popular"] == "Skipped"
    assert label.all_inner_texts() == ["pinned · 5 items"]
    editor.save()
    status, answer = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})
    assert status == 200, answer
    editor.expect_served(reader, unpinned)

    editor.node("merge").focus()
    editor.press("Control+z")
    assert box.input_value().split("\n") == whole
    editor.press("p")
    box.wait_for(state="detached")
    editor.run(reader)
    assert editor.result_ids() == unpinned
    assert label.count() == 0


def test_26_stop_ends_the_work_and_keeps_what_was_finished(open_editor, reader, other_machine):
    editor = open_editor(asking(other_machine.url("/slow")))
    editor.choose_user(reader)

    def seconds_to_stop():
        other_machine.script("/slow", hang())
        editor.press("Control+Enter")
        editor.expect_state("latest", "100 items")
        assert other_machine.wait_for_hit("/slow")
        began = time.monotonic()
        editor.by("cancel").click()
        editor.expect_run("cancelled")
        return time.monotonic() - began

    assert is_within(1.0, seconds_to_stop)
    assert other_machine.wait_for_disconnect("/slow", within_s=20)  # its deadline is 60 s
    states = editor.states()
    assert states["latest"] in FINISHED
    assert "100 items" in editor.node("latest").inner_text()
    assert states["external"] == "Cancelled"
    other_machine.script("/slow", json_reply([]))
    editor.run(reader)
    assert set(editor.states().values()) <= FINISHED
    assert len(editor.result_ids()) == 20


def test_26_a_run_of_something_else_takes_the_place_of_one_under_way(open_editor, reader, other_machine):
    editor = open_editor(asking(other_machine.url("/slow")))
    other_machine.script("/slow", hang())
    editor.choose_user(reader)
    editor.press("Control+Enter")
    assert other_machine.wait_for_hit("/slow")
    editor.press("Control+Enter")  # the same once more
    editor.expect_live(f"Still running for {reader}.")
    assert editor.by("results").get_attribute("data-status") == "running"
    other_machine.script("/slow", json_reply([]))
    editor.choose_user("somebody else")
    editor.press("Control+Enter")
    assert other_machine.wait_for_disconnect("/slow", within_s=20)  # its deadline is 60 s
    editor.expect_run("finished")
    assert editor.page.locator(".drawer-title b").inner_text() == "somebody else"

    other_machine.script("/slow", hang())
    editor.choose_user(reader)
    editor.press("Control+Enter")
    editor.expect_run("running")
    editor.node("latest").focus()
    editor.press("d")  # another drawing
    other_machine.script("/slow", json_reply([]))
    editor.press("Control+Enter")
    editor.expect_run("finished")


def test_27_a_failing_ranker_says_that_the_fallback_was_taken(open_editor, reader, other_machine):
    other_machine.script("/v1/chat/completions", status(400, {"error": {"message": "no such model"}}))
    endpoint = {"base_url": other_machine.url("/v1"), "model": "absent"}
    document = flow(
        [
            node("source", "data-source", 0, 0),
            node("popular", "non-personalized", 300, 0, score="len(feedback)"),
            node("latest", "latest", 300, 150),
            node("ranker", "ranker", 600, 0, kind="llm", endpoint="broken"),
            node("fallback", "fallback", 600, 150),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "popular"),
        ("source", "latest"),
        ("popular", "ranker"),
        ("latest", "fallback"),
        ("ranker", "recommend"),
        ("fallback", "recommend"),
    )
    editor = open_editor(document)
    code, answer = editor.call("PUT", "/api/settings/endpoints/broken", endpoint)
    assert code == 200, answer
    editor.run(reader)
    states = editor.states()
    assert states.pop("ranker") == "Failed"
    assert set(states.values()) <= FINISHED
    assert "fallback taken" in editor.node("ranker").inner_text()
    assert "no such model" in editor.by("results").locator(".run-note").first.inner_text()
    assert len(editor.result_ids()) == 20


def test_27_a_failing_recommender_shows_its_error_and_the_run_goes_on(open_editor, reader, other_machine):
    other_machine.script("/down", *[status(500, {"error": "out of order"})] * 5)
    editor = open_editor(asking(other_machine.url("/down")))
    editor.run(reader)
    states = editor.states()
    assert states.pop("external") == "Failed"
    assert set(states.values()) <= FINISHED
    assert "500" in editor.node("external").locator(".card-message").inner_text()
    assert "External failed" in editor.by("results").locator(".run-note").first.inner_text()
    editor.click_node("external")
    editor.page.locator("#tab-last-run").click()
    assert "500" in editor.by("inspector").get_by_role("alert").inner_text()
    assert len(editor.result_ids()) == 20


def test_28_a_run_survives_a_dropped_connection_without_a_second_run(open_editor, reader, other_machine):
    released = threading.Event()
    other_machine.script("/held", lambda exchange: (released.wait(PATIENCE_S), exchange.reply(body="[]")))
    editor = open_editor(asking(other_machine.url("/held")))
    editor.page.add_init_script(WATCH_SOCKETS)
    editor.reload()
    editor.choose_user(reader)
    editor.press("Control+Enter")
    editor.expect_state("latest", "100 items")
    assert "Reconnecting" in editor.page.evaluate(DROP_THE_SOCKET)
    states = editor.states()
    assert states["latest"] in FINISHED
    assert states["external"] == "Running"
    released.set()
    editor.expect_run("finished")
    assert len(editor.result_ids()) == 20
    sent = editor.page.evaluate("() => sent.map((message) => message.type)")
    about_presence = {"open", "look"}
    assert [kind for kind in sent if kind not in about_presence] == ["run", "resume"]
    assert other_machine.count("/held") == 1


def test_29_two_tabs_show_each_its_own_run(open_editor, server):
    users = [found["user_id"] for found in server.get("/api/preview/users?kind=heavy&n=2")]
    first = open_editor(PERSONAL)
    tabs = [first, open_editor(flow_id=first.flow_id, context=first.page.context)]
    for tab, user_id in zip(tabs, users, strict=True):
        tab.choose_user(user_id)
        tab.by("run").click()
    shown = []
    for tab, user_id in zip(tabs, users, strict=True):
        tab.expect_run("finished")
        assert tab.by("results").locator(".drawer-title b").inner_text() == user_id
        shown.append(tab.result_ids())
    assert shown[0] != shown[1]
    for tab, user_id, before in zip(tabs, users, shown, strict=True):
        tab.run(user_id)
        assert tab.result_ids() == before


def test_30_unknown_cold_and_empty_have_messages_of_their_own(open_editor, server):
    cold = server.get("/api/preview/users?kind=cold&n=1")[0]["user_id"]
    editor = open_editor(BARE)
    said = {}
    for name, user_id in {"unknown": "nobody at all ☃", "cold": cold}.items():
        editor.run(user_id)
        said[name] = editor.by("results").locator(".run-note").first.inner_text()
    assert "No user is called" in said["unknown"]
    assert "cold start" in said["cold"]
    empty = {**POPULAR, "nodes": [dict(n) for n in POPULAR["nodes"]]}
    empty["nodes"][1] = {**empty["nodes"][1], "settings": {"score": "len(feedback)", "filter": "false"}}
    editor = open_editor(empty)
    editor.run(cold)
    said["empty"] = editor.by("results").inner_text()
    assert "Nothing came out" in said["empty"]
    assert "Nothing came out" not in said["unknown"] + said["cold"]
    assert "cold start" not in said["unknown"]
    assert editor.page.locator("[aria-busy=true]").count() == 0
