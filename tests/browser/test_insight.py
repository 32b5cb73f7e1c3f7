"""Criteria on understanding a result; the number of a test is the criterion's."""

import re

from flows import POPULAR, flow, node

POPULAR_FIRST = flow(
    [
        node("source", "data-source", 0, 100),
        node("popular", "non-personalized", 300, 0, score="len(feedback)"),
        node("collaborative", "collaborative", 300, 200),
        node("merge", "merge", 600, 100, method="concatenate"),
        node("ranker", "ranker", 900, 100, kind="none"),
        node("recommend", "recommend", 1200, 100),
    ],
    ("source", "popular"),
    ("source", "collaborative"),
    ("popular", "merge"),
    ("collaborative", "merge"),
    ("merge", "ranker"),
    ("ranker", "recommend"),
)
RANKED = POPULAR_FIRST | {
    "nodes": [
        part | ({"settings": {"kind": "mf"}} if part["id"] == "ranker" else {})
        for part in POPULAR_FIRST["nodes"]
    ]
}

IN_TURNS = RANKED | {
    "nodes": [
        part | ({"settings": {"method": "round_robin"}} if part["id"] == "merge" else {})
        for part in RANKED["nodes"]
    ]
}


def best_of(editor, node_id):
    """Item id -> (rank, words beside it) in the list that a node's Last run shows."""
    editor.click_node(node_id)
    editor.page.locator("#tab-last-run").click()
    rows = editor.by("inspector").locator(".top-items li").all()
    return {
        row.locator(".top-title").get_attribute("title"): (
            int(row.locator(".rank").inner_text()),
            row.locator("span").last.inner_text(),
        )
        for row in rows
    }


def test_31_a_result_tells_its_journey_and_lights_its_path(open_editor, reader):
    editor = open_editor(IN_TURNS)
    editor.run(reader)
    proposals = {name: best_of(editor, name) for name in ("collaborative", "popular")}
    merged, ranked = best_of(editor, "merge"), best_of(editor, "ranker")
    final = editor.result_ids()
    chosen = next(item for item in final if item in merged)
    editor.by(f"result-{chosen}").click()
    steps = editor.by("journey").locator(".journey-step")
    told = dict(zip(steps.locator(".journey-node").all_inner_texts(), steps.all_inner_texts(), strict=True))
    for name, best in (
        ("Collaborative", proposals["collaborative"]),
        ("Non-personalized", proposals["popular"]),
    ):
        if chosen in best:
            rank, score = best[chosen]
            assert f"proposed it at #{rank}, score {score}" in told[name]
    assert chosen in proposals["collaborative"] or chosen in proposals["popular"]
    before, after = merged[chosen][0], ranked[chosen][0]
    moved = f"left it at #{after}" if before == after else f"moved it from #{before} to #{after}"
    assert re.search(rf"{moved}\b", told["Ranker"])
    assert f"#{final.index(chosen) + 1}," in told["Final place"]
    lit = [name for name in editor.node_ids() if editor.node(name).locator(".card.is-traced").count()]
    assert {"merge", "ranker"} <= set(lit)
    assert "source" not in lit
    assert editor.edge("merge", "ranker").locator(".is-traced").count() == 1
    assert editor.edge("source", "popular").locator(".is-traced").count() == 0


def test_32_why_not_names_the_node_that_dropped_it_or_says_never_proposed(open_editor, reader, server):
    read = server.get(f"/api/preview/user?user_id={reader}")["recent"][0]["item_id"]
    reached = POPULAR | {"nodes": [dict(part) for part in POPULAR["nodes"]]}
    reached["nodes"][1]["settings"] = {"score": f"item.ItemId == {read!r} ? 1000 : len(feedback)"}
    editor = open_editor(reached)
    editor.run(reader)
    unread = editor.result_ids()[0]

    def why_not(item):
        editor.by("why-not").fill(item)
        editor.by("why-not").press("Escape")
        editor.by("explain").click()
        editor.by("verdict").wait_for()
        return editor.by("verdict").inner_text()

    assert why_not(read) == "It was dropped because the user has feedback on it already."
    (step,) = editor.by("journey").get_by_role("listitem").all()
    assert step.get_by_role("button").inner_text() == "Non-personalized"
    assert "dropped it" in step.inner_text()
    without = POPULAR | {"nodes": [dict(part) for part in POPULAR["nodes"]]}
    without["nodes"][1]["settings"] = {"score": "len(feedback)", "filter": f"item.ItemId != {unread!r}"}
    editor = open_editor(without)
    editor.run(reader)
    assert unread not in editor.result_ids()
    assert "never proposed" in why_not(unread).lower()


def test_33_the_last_run_of_a_ranker_shows_the_order_it_made(open_editor, reader):
    editor = open_editor(RANKED)
    editor.run(reader)
    editor.click_node("ranker")
    editor.page.locator("#tab-last-run").click()
    rows = editor.by("ranked").get_by_role("listitem")
    ids = [title.get_attribute("title") for title in rows.locator(".top-title").all()]
    assert ids == editor.result_ids()
    assert rows.locator(".rank").all_inner_texts() == [str(rank + 1) for rank in range(20)]
    for row in rows.all()[:3]:
        item = row.locator(".top-title").get_attribute("title")
        editor.by(f"result-{item}").click()
        step = editor.by("journey").locator(".journey-step", has_text="Ranker").inner_text()
        moved = re.search(r"from #(\d+) to #(\d+)", step)
        shift = re.sub(r"\D", "", row.locator(".result-shift").inner_text())
        assert shift == (str(abs(int(moved[1]) - int(moved[2]))) if moved else "")


def test_34_the_comparison_with_live_is_set_arithmetic_on_both_lists(open_editor, reader, server):
    editor = open_editor(POPULAR_FIRST)
    status, answer = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})
    assert status == 200, answer
    editor.run(reader)
    live = editor.result_ids()
    editor.choose_kind("ranker", "mf")
    editor.run(reader)
    mine = editor.result_ids()
    editor.by("compare").click()
    editor.by("compared").get_by_role("heading", name="Against").wait_for()
    assert editor.by("compared").get_by_role("heading", name="Against").is_visible()

    def listed(kind):
        return {
            row.get_attribute("data-item"): row.locator(".compared-place").inner_text()
            for row in editor.by("compared").get_by_test_id(kind).get_by_role("listitem").all()
        }

    place = {item: rank + 1 for rank, item in enumerate(mine)}
    before = {item: rank + 1 for rank, item in enumerate(live)}
    assert place != before
    assert listed("entered") == {item: f"#{place[item]}" for item in place.keys() - before.keys()}
    assert listed("left") == {item: f"was #{before[item]}" for item in before.keys() - place.keys()}
    assert listed("moved") == {
        item: f"#{before[item]} → #{place[item]}"
        for item in place.keys() & before.keys()
        if place[item] != before[item]
    }
