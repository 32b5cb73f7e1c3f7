"""Criteria on what nodes say to other machines; the number of a test is the criterion's.

The model is the playground's own stand-in, asked over real HTTP.
"""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flows import edges, node
from playwright.sync_api import expect

from tests.patience import is_within
from tests.scripted_server import ScriptedServer, hang, json_reply, status

CHAT = "/v1/chat/completions"
USER = "amara-alder"


def drawing(**settings):
    """Data Source → Latest → a ranker → Recommend, with at most 12 candidates."""
    return {
        "format": 1,
        "name": "Test flow",
        "nodes": [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0),
            node("few", "merge", 600, 0, limit=12),
            node("ranker", "ranker", 900, 0, **settings),
            node("recommend", "recommend", 1200, 0),
        ],
        "edges": edges(("source", "latest"), ("latest", "few"), ("few", "ranker"), ("ranker", "recommend")),
        "notes": [],
    }


def write(editor, field, text):
    """Replace the text of a code field, as somebody who pastes."""
    box = editor.by("inspector").locator(f"[data-field={field}] [contenteditable=true]")
    box.click()
    editor.press("Control+a")
    editor.page.keyboard.insert_text(text)


def rows(editor, within):
    """(item, places moved up, item that came in at this place, is it marked as appended) of each row."""
    found = []
    for row in editor.by(within).locator("[data-testid=order] tbody tr").all():
        shift = re.sub(r"\s+", " ", row.locator("td").nth(2).inner_text()).strip()
        sign = -1 if "down" in shift else 1
        moved = sign * int(re.sub(r"\D", "", shift) or 0)
        before = row.locator("td").nth(3).get_attribute("title")
        found.append((row.get_attribute("data-item"), moved, before, row.locator(".tag").count() == 1))
    return found


@pytest.fixture
def panel(open_editor):
    editor = open_editor(drawing(kind="llm"))
    editor.choose_user(USER)
    editor.open_settings("ranker")
    editor.by("estimate").wait_for()
    return editor


def test_20_the_rendered_prompt_and_its_tokens_follow_the_typing(panel):
    messages = panel.by("messages")
    before = panel.by("estimate").inner_text()
    write(
        panel, "prompt", "Only {{ items | length }} things. {% for i in items %}{{ i.ItemId }} {% endfor %}"
    )
    messages.get_by_text("Only 20 things.").wait_for()
    assert re.search(r"About [\d,]+ tokens", panel.by("estimate").inner_text())
    assert panel.by("estimate").inner_text() != before
    assert panel.by("prompt-panel").locator(".preview-for").inner_text() == f"for {USER}"


def test_20_the_prompt_stands_beside_its_template_where_there_is_room(panel):
    template = panel.by("inspector").locator("[data-field=prompt] .code-field").bounding_box()
    shown = panel.by("messages").bounding_box()
    assert shown["x"] >= template["x"] + template["width"]
    assert shown["y"] < template["y"] + template["height"]


def test_20_an_unknown_variable_is_marked_at_its_line(panel):
    write(panel, "prompt", "{% for i in items %}{{ i.ItemId }}\n{% endfor %}\nfor {{ usr.UserId }}")
    marked = panel.by("inspector").locator("[data-field=prompt] .cm-lintRange-error")
    marked.wait_for()
    assert marked.inner_text().startswith("usr")
    lines = panel.by("inspector").locator("[data-field=prompt] .cm-line")
    assert lines.nth(2).locator(".cm-lintRange-error").count() == 1
    problem = panel.by("preview-problems").inner_text()
    assert problem.startswith("Line 3, column ")
    told = panel.by("inspector").locator("[data-field=prompt] .field-problem")
    told.wait_for()
    assert told.inner_text() == problem
    assert "usr" in problem
    assert panel.by("send-prompt").is_disabled()
    write(panel, "prompt", "{% for i in items %}{{ i.ItemId }}\n{% endfor %}")
    marked.wait_for(state="detached")
    panel.by("preview-problems").wait_for(state="detached")


def test_20_send_shows_the_answer_the_order_and_who_answered(panel):
    panel.by("send-prompt").click()
    outcome = panel.by("outcome")
    outcome.wait_for()
    assert panel.by("outcome-status").inner_text() == "All ranked"
    assert "stand-in" in outcome.locator("[data-testid=notice]").inner_text()
    names = re.findall(r"^\d+$", panel.by("raw-answer").inner_text(), re.MULTILINE)
    order = rows(panel, "outcome")
    incoming = [before for _, _, before, _ in order]
    assert len(order) == 20
    # The stand-in answers with short names: n stands for the nth candidate that came in.
    assert [item for item, *_ in order] == [incoming[int(name) - 1] for name in names]
    assert [moved for _, moved, *_ in order] == [
        incoming.index(item) - place for place, (item, *_) in enumerate(order)
    ]
    facts = outcome.locator(".facts").inner_text()
    assert "200" in facts
    assert re.search(r"[\d,]+ in, [\d,]+ out", facts)


def test_20_two_prompts_are_compared_on_the_same_user_and_candidates(panel):
    panel.by("send-prompt").click()
    panel.by("keep-answer").click()
    kept = [item for item, *_ in rows(panel, "outcome")]
    write(panel, "prompt", "{% for i in items | reverse %}{{ i.ItemId }}: {{ i.Comment }}\n{% endfor %}")
    panel.by("send-prompt").click()
    panel.by("both-orders").wait_for()
    now = [item for item, *_ in rows(panel, "outcome")]
    lines = panel.by("both-orders").locator("tbody tr").all()
    shown = [(line.get_attribute("data-item"), int(line.locator("td").nth(2).inner_text())) for line in lines]
    assert shown == [(item, kept.index(item) + 1) for item in now]
    common = len(set(kept[:10]) & set(now[:10]))
    assert f"{common} of the best 10 in common" in panel.by("answer-comparison").inner_text()
    panel.choose_user("")
    panel.by("send-prompt").click()
    panel.by("answer-comparison").get_by_text("another user or other candidates").wait_for()
    panel.by("forget-answer").click()
    assert panel.by("answer-comparison").inner_text() == "Keep to compare"


def test_20_a_pasted_answer_is_read_and_every_dropped_token_has_its_reason(panel):
    panel.by("paste-answer").click()
    panel.by("pasted").fill("```csv\n3\n1\n3\n99\n```")
    panel.by("read-answer").click()
    panel.by("reading").wait_for()
    assert panel.by("outcome-status").inner_text() == "Partly ranked"
    order = rows(panel, "reading")
    incoming = [before for _, _, before, _ in order]
    assert [item for item, *_ in order[:3]] == [incoming[2], incoming[0], incoming[1]]
    assert [moved for _, moved, *_ in order[:4]] == [2, -1, -1, 0]
    assert [appended for *_, appended in order] == [False, False] + [True] * 18
    dropped = [entry.inner_text().split("\n") for entry in panel.by("dropped").locator("li").all()]
    assert sorted(dropped) == [["3", "named before"], ["99", "no candidate: invented"]]
    assert panel.by("outcome").count() == 0


def test_20_what_a_model_wrote_is_text(panel):
    panel.by("paste-answer").click()
    panel.by("pasted").fill("```csv\nx<img src=x onerror=alert(1)>y\n2\n```")
    panel.by("read-answer").click()
    panel.by("dropped").get_by_text("x<img src=x onerror=alert(1)>y").wait_for()
    assert panel.by("inspector").locator("img").count() == 0


def test_20_endpoints_are_chosen_and_one_that_is_gone_stays_in_sight(open_editor):
    editor = open_editor(drawing(kind="llm", endpoint="gone"))
    editor.open_settings("ranker")
    field = editor.by("inspector").locator("[data-field=endpoint]")
    field.get_by_test_id("endpoint-missing").wait_for()
    select = field.locator("select")
    assert (select.input_value(), select.get_attribute("aria-invalid")) == ("gone", "true")
    assert field.get_by_role("link", name="Endpoints in Settings").get_attribute("href") == "/settings"
    select.select_option("default")
    field.get_by_test_id("endpoint-missing").wait_for(state="detached")
    editor.save()
    ranker = next(entry for entry in editor.draft()["nodes"] if entry["id"] == "ranker")
    assert ranker["settings"]["endpoint"] == "default"


def test_20_a_request_shows_what_was_sent_and_what_was_in_the_way(open_editor):
    document = drawing(kind="none")
    document["nodes"][1] = node(
        "latest", "external", 300, 0, mode="request", url="http://127.0.0.1:9/{{ n }}"
    )
    editor = open_editor(document)
    editor.choose_user(USER)
    editor.open_settings("latest")
    editor.by("send-request").click()
    exchange = editor.by("exchange")
    exchange.wait_for()
    assert "GET http://127.0.0.1:9/100" in exchange.inner_text()
    assert "not allowed" in editor.by("preview-problems").inner_text()


@pytest.fixture
def shop():
    """Another machine that answers every request with two ids, one of which nobody knows."""

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"ids": ["nobody-knows", "why-a-knot-matters"]}).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_20_a_request_shows_status_answer_and_ids_and_no_secret(open_editor, shop):
    document = drawing(kind="none")
    url = shop + "/{{ user.UserId }}?key={{ secrets.SHOP }}"
    document["nodes"][1] = node("latest", "external", 300, 0, mode="request", url=url, ids="ids")
    editor = open_editor(document)
    assert editor.call("PUT", "/api/settings/networks", {"networks": ["127.0.0.1"]})[0] == 200
    assert editor.call("PUT", "/api/settings/secrets/SHOP", {"value": "open-sesame-42"})[0] == 200
    editor.choose_user(USER)
    editor.open_settings("latest")
    editor.by("send-request").click()
    editor.by("found-ids").wait_for()
    exchange = editor.by("exchange").inner_text()
    assert f"GET {shop}/{USER}?key=[hidden]" in exchange
    assert "200" in exchange
    assert "nobody-knows" in editor.by("response-body").inner_text()
    found = [entry.inner_text().split("\n") for entry in editor.by("found-ids").locator("li").all()]
    assert found == [["1", "nobody-knows", "unknown"], ["2", "Why a Knot Matters"]]
    assert "open-sesame-42" not in editor.page.content()
    assert editor.call("PUT", "/api/settings/networks", {"networks": []})[0] == 200


def test_33_the_last_run_of_a_language_model_shows_all_that_was_said(open_editor):
    editor = open_editor(drawing(kind="llm"))
    editor.run(USER)
    editor.open_settings("ranker")
    editor.page.get_by_role("tab", name="Last run").click()
    ranked = editor.by("ranked").locator("li").all()
    assert len(ranked) == 12
    assert [int(row.locator(".rank").inner_text()) for row in ranked] == list(range(1, 13))
    titles = [row.locator(".top-title").get_attribute("title") for row in ranked]
    assert titles == editor.result_ids()
    assert any(row.locator(".result-shift svg").count() for row in ranked)
    assert editor.by("outcome-status").inner_text() == "All ranked"
    assert "stand-in" in editor.by("notice").inner_text()
    assert re.search(r"\d", editor.by("raw-answer").inner_text())
    facts = editor.by("outcome").locator(".facts").inner_text()
    assert re.search(r"[\d,]+ in, [\d,]+ out", facts)
    assert re.search(r"\d m?s", facts)
    assert editor.by("outcome").get_by_text("Nothing of the answer was dropped.").count() == 1
    editor.by("outcome").get_by_text("Prompt as it was sent").click()
    assert "You rank items" in editor.by("messages").inner_text()


def test_33_a_ranking_that_failed_still_tells_why(open_editor):
    editor = open_editor(drawing(kind="llm", on_failure="keep", prompt="{{ items | length }}", system=""))
    editor.run(USER)
    editor.open_settings("ranker")
    editor.page.get_by_role("tab", name="Last run").click()
    assert editor.by("outcome-status").inner_text() == "No ranking"
    assert "the order that came in was kept" in editor.by("inspector").inner_text()


def test_33_what_the_hybrid_weighed_is_a_table(open_editor):
    editor = open_editor(drawing(kind="hybrid"))
    editor.run(USER)
    editor.open_settings("ranker")
    editor.page.get_by_role("tab", name="Last run").click()
    table = editor.by("evidence")
    columns = table.locator("thead th").count()
    first = table.locator("tbody tr").first
    assert first.locator("th").inner_text() == editor.result_ids()[0]
    assert first.locator("td").count() == columns - 1 > 1


def ask_at(editor, machine, **endpoint):
    """The endpoint "other" on a machine of the test, which may be called."""
    allowed = {"networks": [f"127.0.0.1:{machine.port}"]}
    assert editor.call("PUT", "/api/settings/networks", allowed)[0] == 200
    body = {"base_url": machine.url("/v1"), "model": "thinker", **endpoint}
    assert editor.call("PUT", "/api/settings/endpoints/other", body)[0] == 200


@pytest.fixture
def machine():
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def asking(open_editor, machine):
    """asking(name, **settings) -> Editor with the panel of a ranker that asks the machine of this test."""
    opened = []

    def open_it(name="Test flow", **settings):
        editor = open_editor(drawing(endpoint="other", **settings) | {"name": name})
        opened.append(editor)
        ask_at(editor, machine)
        editor.choose_user(USER)
        editor.open_settings("ranker")
        editor.by("estimate").wait_for()
        return editor

    yield open_it
    for editor in opened:
        assert editor.call("DELETE", "/api/settings/endpoints/other")[0] == 200
        assert editor.call("PUT", "/api/settings/networks", {"networks": []})[0] == 200


def completion(text, **message):
    said = {"role": "assistant", "content": text, **message}
    return json_reply({"model": "thinker-2", "choices": [{"finish_reason": "stop", "message": said}]})


def test_20_stop_ends_the_call_upstream_within_a_second(asking, machine):
    editor = asking(kind="llm")

    def seconds_to_stop():
        machine.script(CHAT, hang())
        editor.by("send-prompt").click()
        assert machine.wait_for_hit(CHAT)
        stopped_at = time.monotonic()
        editor.by("send-stop").click()
        editor.by("send-prompt").wait_for()
        assert machine.wait_for_disconnect(CHAT)
        return time.monotonic() - stopped_at

    assert is_within(1.0, seconds_to_stop)
    assert editor.by("outcome").count() == 0


def test_20_an_unknown_price_says_so_and_is_never_nothing(asking, machine):
    machine.script(CHAT, completion("1\n2"))
    editor = asking(kind="llm")
    assert "price unknown" in editor.by("estimate").inner_text()
    editor.by("send-prompt").click()
    editor.by("outcome").wait_for()
    assert "price unknown" in editor.by("outcome").locator(".facts").inner_text()
    assert "no cost" not in editor.by("prompt-panel").inner_text()


def test_20_reasoning_is_folded_away_and_is_text(asking, machine):
    machine.script(CHAT, completion("1\n2", reasoning_content="First <img src=x onerror=alert(1)> is best."))
    editor = asking(kind="llm")
    editor.by("send-prompt").click()
    editor.by("outcome").wait_for()
    thoughts = editor.by("outcome").get_by_text("First <img src=x onerror=alert(1)> is best.")
    assert thoughts.count() == 1
    assert not thoughts.is_visible()
    editor.by("outcome").get_by_text("Reasoning", exact=True).click()
    thoughts.wait_for()
    assert editor.by("raw-answer").inner_text() == "1\n2"
    assert editor.by("inspector").locator("img").count() == 0


def test_20_a_reranker_shows_query_documents_scores_and_order(asking, machine):
    def score_by_length(exchange):
        documents = exchange.hit.json["documents"]
        scored = [{"index": n, "relevance_score": 100 + len(text)} for n, text in enumerate(documents[:-1])]
        exchange.reply(200, json.dumps({"results": scored}), {"Content-Type": "application/json"})

    machine.script("/v1/rerank", score_by_length)
    editor = asking(kind="rerank", query_template="Somebody who likes {{ feedback[0].text }}")
    messages = editor.by("messages")
    assert messages.locator("figcaption").first.inner_text().lower() == "query"
    assert messages.locator("pre").first.inner_text().startswith("Somebody who likes ")
    editor.by("send-prompt").click()
    editor.by("outcome").wait_for()
    (hit,) = machine.hits_of("/v1/rerank")
    documents = hit.json["documents"]
    shown = editor.by("messages").first.locator("pre").all()
    assert [entry.text_content() for entry in shown[1:]] == documents
    order = editor.by("order").locator("tbody tr").all()
    told = [row.locator(".order-score").inner_text() for row in order]
    scores = sorted((100 + len(text) for text in documents[:-1]), reverse=True)
    assert told == [*map(str, scores), "none"]
    assert editor.by("outcome-status").inner_text() == "Partly ranked"


def test_33_what_a_run_cost_is_told_in_the_currency_of_settings(asking, machine):
    machine.script(CHAT, completion("1\n2"))
    editor = asking(kind="llm", keep="0s")
    price = {"model": "thinker", "input": 1000, "output": 1000}
    assert editor.call("PUT", "/api/settings/prices", price)[0] == 200
    assert editor.call("PUT", "/api/settings/limits", {"currency": "SEK"})[0] == 200
    editor.reload()
    editor.run(USER)
    editor.open_settings("ranker")
    editor.page.get_by_role("tab", name="Last run").click()
    cost = editor.by("outcome").locator(".facts").get_by_text(re.compile(r"^SEK \d"))
    cost.wait_for()
    assert editor.call("DELETE", "/api/settings/prices/thinker")[0] == 200
    assert editor.call("PUT", "/api/settings/limits", {})[0] == 200


def test_34_a_node_that_fails_too_often_turns_amber_and_leads_to_its_calls(asking, machine):
    machine.script(CHAT, status(400, "no"))
    editor = asking("Amber", kind="llm", keep="0s", on_failure="keep")  # the log knows drawings by name
    assert editor.by("failing-ranker").count() == 0
    for n in range(5):
        editor.set_number("few", "limit", 11 - n)  # another list, so that the ranker is asked again
        editor.run(USER)
    note = editor.by("failing-ranker")
    note.wait_for()
    assert note.inner_text() == "100 % of its last 5 rankings failed"
    assert editor.node("ranker").locator(".card.is-failing").count() == 1
    with editor.page.context.expect_page() as opened:
        note.click()
    rows_told = opened.value.get_by_test_id("log").locator("tbody tr")
    expect(rows_told).to_have_count(5)
    assert "failed" in rows_told.first.inner_text()


def test_the_panel_leaves_its_node_in_sight(open_editor):
    editor = open_editor(drawing(kind="llm"), width=1280)
    editor.open_settings("ranker")
    editor.by("estimate").wait_for()
    editor.page.wait_for_function(
        """() => {
          const card = document.querySelector("[data-testid=node-ranker]").getBoundingClientRect();
          const frame = document.querySelector("[data-testid=canvas]").getBoundingClientRect();
          return card.left >= frame.left && card.right <= frame.right;
        }"""
    )
