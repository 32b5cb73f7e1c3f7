"""Criteria on versions and activation; the number of a test is the criterion's."""

import re

from flows import EMPTY, POPULAR, flow, node


def settings_of(document, node_id):
    return next(part["settings"] for part in document["nodes"] if part["id"] == node_id)


def test_35_drafts_save_themselves_and_live_answers_wait_for_activate(open_editor, reader):
    editor = open_editor(POPULAR)
    assert editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})[0] == 200
    editor.run(reader)
    live = editor.result_ids()
    editor.expect_served(reader, live)
    editor.choose_kind("ranker", "mf")
    editor.page.wait_for_selector(
        "[data-testid='state-chip'][data-state='unsaved'], [data-testid='state-chip'][data-state='saving']"
    )
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='saved']", timeout=5000)
    assert settings_of(editor.draft(), "ranker")["kind"] == "mf"
    editor.run(reader)
    drawn = editor.result_ids()
    assert drawn != live
    editor.expect_served(reader, live)
    editor.by("activate").click()
    editor.by("changes").wait_for()
    editor.expect_served(reader, live)
    editor.by("confirm-activate").click()
    editor.by("confirm-activate").wait_for(state="detached")
    editor.expect_served(reader, drawn)


def test_36_leaving_asks_only_when_edits_are_unsaved_and_edits_made_offline_come_back(open_editor):
    editor = open_editor(POPULAR)
    editor.expected_complaints = ["Failed to load resource"]
    asked = []

    def answer(dialog):
        asked.append(dialog.type)
        dialog.accept()

    editor.page.on("dialog", answer)
    editor.page.route("**/draft", lambda route: route.abort("internetdisconnected"))
    editor.choose_kind("ranker", "mf")
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='offline']")
    editor.reload()
    assert asked == ["beforeunload"]
    editor.expect_live("not saved are back")
    editor.click_node("ranker")
    assert editor.page.locator("#setting-kind").input_value() == "mf"
    assert settings_of(editor.draft(), "ranker")["kind"] == "none"
    editor.page.unroute("**/draft")
    editor.save()
    assert settings_of(editor.draft(), "ranker")["kind"] == "mf"
    editor.reload()
    assert asked == ["beforeunload"]


def test_37_activation_lists_what_blocks_it_or_what_it_changes_and_for_whom(open_editor):
    editor = open_editor(POPULAR)
    status, answer = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"note": ""})
    assert status == 200, answer
    editor.choose_kind("ranker", "mf")
    factors = editor.by("inspector").locator("[data-field=n_factors] input")
    right = factors.input_value()
    factors.fill("")
    editor.by("activate").click()
    editor.by("blocking").wait_for()
    assert "n_factors" in editor.by("blocking").inner_text()
    assert editor.by("confirm-activate").is_disabled()
    editor.by("review").get_by_role("button", name="Not now").click()
    factors.fill(right)
    editor.click_node("popular")
    editor.page.locator("#node-name").fill("Most read")
    editor.focus_canvas()
    editor.press("n")
    editor.page.keyboard.type("filter")
    editor.press("Enter")
    editor.expect_nodes(5)
    editor.by("activate").click()
    editor.by("changes").wait_for()
    rows = editor.by("changes").get_by_role("row").all_inner_texts()
    rows = [[cell.strip() for cell in row.split("\t")] for row in rows]
    me = rows[1][4]
    assert ["Added", "Filter", "", "", me] in rows
    assert ["Changed", "Ranker · kind", "none", "mf", me] in rows
    editor.page.wait_for_selector("[data-testid=sample][data-state=done]")
    groups = [row.split("\t") for row in editor.by("sample-groups").get_by_role("row").all_inner_texts()[1:]]
    by_group = {name: [int(compared), int(same)] for name, compared, same, *_ in groups}
    assert list(by_group) == ["cold", "light", "heavy", "all"]
    assert by_group["all"] == [15, sum(by_group[name][1] for name in ("cold", "light", "heavy"))]
    assert by_group["heavy"][1] < 5
    counts = re.compile(r"(\d+) % overlap · (\d+) entered · (\d+) left · (\d+) moved")
    changed = [
        list(map(int, counts.search(text).groups()))
        for text in editor.by("changed-users").locator("summary").all_inner_texts()
    ]
    for overlap, entered, left, moved in changed:
        assert entered == left == 10 - overlap // 10
        assert entered + moved > 0
    assert "it costs nothing" in editor.by("refresh-cost").inner_text()


def asking_model(**settings):
    """Data Source, Latest, a ranker that asks the stand-in, Recommend."""
    return flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0, "Fresh"),
            node("ranker", "ranker", 600, 0, kind="llm", **settings),
            node("recommend", "recommend", 900, 0),
        ],
        ("source", "latest"),
        ("latest", "ranker"),
        ("ranker", "recommend"),
    )


def test_37_a_flow_that_asks_a_model_is_told_what_it_costs_and_compared_when_somebody_says_so(open_editor):
    live = open_editor(POPULAR)
    assert live.call("POST", f"/api/flows/{live.flow_id}/activate", {"note": ""})[0] == 200
    editor = open_editor(asking_model())
    editor.by("activate").click()
    editor.page.wait_for_selector("[data-testid=refresh-cost][aria-busy=false]")
    status, cost = editor.call("GET", f"/api/flows/{editor.flow_id}/refresh-cost")
    assert status == 200
    words = editor.by("refresh-cost").inner_text()
    assert f"{cost['calls']:,} calls" in words
    assert f"{cost['tokens']:,} tokens" in words
    assert cost["calls"] == 9 * cost["users"] > 0  # 100 items in windows of 20, each 10 further up
    assert editor.by("cost-in-all").inner_text() == "No cost"
    assert "stand-in" in words
    assert editor.by("sample").get_attribute("data-state") == "waiting"
    assert editor.by("confirm-activate").is_enabled()
    editor.by("compare-lists").click()
    editor.by("stop-comparing").click()
    editor.page.wait_for_selector("[data-testid=sample][data-state=stopped]")
    assert editor.by("confirm-activate").is_enabled()


def test_37_models_that_are_missing_are_trained_from_the_dialog(open_editor):
    editor = open_editor(POPULAR)
    editor.choose_kind("ranker", "mf")
    editor.set_number("ranker", "n_factors", 23)
    editor.by("activate").click()
    missing = editor.by("missing-models")
    missing.wait_for()
    assert "23 factors" in missing.inner_text()
    assert "for Ranker" in missing.inner_text()
    editor.by("train-missing").click()
    missing.locator("[data-state=done]").wait_for(timeout=60_000)
    assert "Trained" in missing.inner_text()
    editor.by("review").get_by_role("button", name="Not now").click()
    editor.by("activate").click()
    editor.by("refresh-cost").wait_for()
    assert editor.by("missing-models").count() == 0


def test_38_versions_tell_their_story_open_read_only_and_are_compared(open_editor):
    editor = open_editor(POPULAR)

    def keep(note, number):
        editor.by("versions").click()
        editor.by("versions-dialog").get_by_label("Note for the version").fill(note)
        editor.by("keep-version").click()
        editor.by(f"version-{number}").wait_for()
        editor.press("Escape")

    keep("the first", 1)
    editor.choose_kind("ranker", "mf")
    editor.node("source").focus()
    editor.press("m", "ArrowUp", "Escape")
    editor.save()
    keep("the second", 2)
    status, _ = editor.call("POST", f"/api/flows/{editor.flow_id}/activate", {"version": 1, "note": ""})
    assert status == 200
    editor.by("versions").click()
    first, second = editor.by("version-1"), editor.by("version-2")
    first.get_by_text("Live", exact=True).wait_for()
    assert "the first" in first.inner_text()
    assert "the second" in second.inner_text()
    assert second.get_by_text("Live", exact=True).count() == 0
    assert re.search(r"\d\d:\d\d", first.locator(".version-sub").inner_text())

    first.get_by_role("button", name="Open").click()
    editor.page.wait_for_selector("[data-testid='state-chip'][data-state='viewing']")
    assert "read-only" in editor.by("state-chip").inner_text()
    editor.press("Control+a", "Delete")
    editor.expect_live("read-only")
    assert len(editor.node_ids()) == 4
    editor.by("close-version").click()

    editor.by("versions").click()
    first.get_by_role("button", name="Compare").click()
    editor.by("comparison").wait_for()
    assert editor.node("ranker").locator(".change-changed").count() == 1
    assert editor.node("source").locator(".change-moved").count() == 1
    assert editor.page.locator("[class*='card '][class*=change-]").count() == 2


def test_40_two_browsers_merge_and_where_they_cannot_both_values_are_shown(open_editor):
    mine = open_editor(POPULAR)
    theirs = open_editor(flow_id=mine.flow_id)
    for editor in (mine, theirs):
        editor.stop_autosave()
        editor.expected_complaints = ["409"]
    theirs.choose_kind("ranker", "mf")
    mine.set_number("recommend", "cache_size", 55)
    theirs.save()
    mine.save()
    draft = mine.draft()
    assert settings_of(draft, "ranker")["kind"] == "mf"
    assert settings_of(draft, "recommend")["cache_size"] == 55
    theirs.set_number("recommend", "cache_size", 66)
    theirs.by("save").click()
    theirs.by("conflict").wait_for()
    (row,) = theirs.by("conflict").locator("tbody tr").all_inner_texts()
    assert row.split("\t") == ["Recommend", "cache size", "66", "55"]


def test_40_a_viewer_never_writes(open_editor):
    editor = open_editor(POPULAR)
    before = editor.draft()

    def as_viewer(route):
        answer = route.fetch()
        text = answer.text()
        assert '"role": "publisher"' in text
        route.fulfill(response=answer, body=text.replace('"role": "publisher"', '"role": "viewer"'))

    editor.page.route(f"{editor.server.url}/flows/{editor.flow_id}", as_viewer)
    written = []
    editor.page.on("request", lambda request: request.method != "GET" and written.append(request.url))
    editor.reload()
    assert editor.by("save").is_disabled()
    assert editor.by("activate").is_disabled()
    editor.node("ranker").focus()
    editor.press("Delete")
    editor.expect_live("not change it")
    editor.press("n", "d", "Control+s")
    assert editor.by("chooser").count() == 0
    editor.move_node("ranker", 0, 120)
    assert len(editor.node_ids()) == 4
    editor.reload()
    assert [url for url in written if "/check" not in url] == []
    assert editor.draft() == before


def test_42_an_export_comes_back_whole_without_secrets_and_unknown_types_stay(open_editor, tmp_path):
    secret = "hush-hush-8c1d"
    document = flow(
        [
            node("source", "data-source", 0, 0),
            node("latest", "latest", 300, 0, "Fresh"),
            node(
                "other",
                "external",
                300,
                150,
                mode="request",
                url="https://example.org/{{ n }}",
                headers="Authorization: Bearer {{ secrets.SHOP }}",
            ),
            node("odd", "from-the-future", 600, 0, deep={"a": [1, 2]}),
        ],
        ("source", "latest"),
        ("source", "other"),
        ("latest", "odd"),
        notes=[{"id": "why", "text": "A note", "position": {"x": 0, "y": 300}}],
    )
    editor = open_editor(document)
    status, _ = editor.call("PUT", "/api/settings/secrets/SHOP", {"value": secret})
    assert status == 200
    with editor.page.expect_download() as download:
        editor.by("menu").click()
        editor.page.get_by_text("Export as JSON").click()
    file = tmp_path / "flow.json"
    download.value.save_as(file)
    assert "secrets.SHOP" in file.read_text()
    assert secret not in file.read_text()
    whole = editor.draft()
    editor = open_editor(EMPTY)
    with editor.page.expect_file_chooser() as chooser:
        editor.by("menu").click()
        editor.page.get_by_text("Import JSON").click()
    chooser.value.set_files(file)
    editor.expect_nodes(4)
    assert editor.saved_draft() == whole
    assert "Unknown type" in editor.node("odd").inner_text()
    assert editor.edge("latest", "odd").locator(".edge-path.is-misfit").count() == 1
    assert editor.edge("source", "latest").locator(".edge-path.is-misfit").count() == 0
