"""Measuring in the browser: the Evaluation page, and what nodes of a flow are told to add."""

import json
import re

from flows import PERSONAL, POPULAR, flow, node

#: Enough users to tell something, few enough to be quick.
USERS = 20
TWO_RANKERS = flow(
    [
        node("source", "data-source", 0, 0),
        node("latest", "latest", 280, 0),
        node("ranker", "ranker", 560, 0, kind="none"),
        node("second", "ranker", 840, 0, kind="none"),
        node("recommend", "recommend", 1120, 0),
    ],
    ("source", "latest"),
    ("latest", "ranker"),
    ("ranker", "second"),
    ("second", "recommend"),
)


def measured(editor, kind, **settings):
    """Start a measurement by the endpoint and wait until it is done; its number."""
    status, made = editor.call(
        "POST", "/api/evaluations", {"kind": kind, "settings": settings, "confirmed": True}
    )
    assert status == 200, made
    # Not wait_for_function: it takes the promise of an async function for its answer.
    state = editor.page.evaluate(
        """async id => {
          for (let turn = 0; turn < 1200; turn += 1) {
            const { state, error } = await (await fetch(`/api/evaluations/${id}`)).json();
            if (!["queued", "running"].includes(state)) return error || state;
            await new Promise((go) => setTimeout(go, 100));
          }
          return "too slow";
        }""",
        made["id"],
    )
    assert state == "done"
    return made["id"]


def keep(editor):
    """Keep the draft as a version, as the Versions dialog does."""
    editor.by("versions").click()
    editor.by("keep-version").click()
    editor.by("version-1").wait_for()
    editor.press("Escape")


def test_a_node_says_what_it_adds_with_the_number_of_users_and_whether_that_is_old(open_editor):
    editor = open_editor(PERSONAL)
    editor.click_node("collaborative")
    assert "Keep as version and measure what this node adds" in editor.by("measure").inner_text()
    assert editor.by("worth-collaborative").count() == 0
    number = measured(editor, "flow", flow=f"#{editor.flow_id}", users=USERS)
    editor.reload()
    chip = editor.by("worth-collaborative").inner_text()
    assert re.fullmatch(rf"without it: (no change|[−+]?[\d.]+ %) · {USERS} users", chip), chip
    editor.click_node("collaborative")
    panel = editor.by("worth")
    assert f"{USERS} users" in panel.inner_text()
    assert panel.get_by_role("link", name="all of it").get_attribute("href") == f"/evaluation#{number}"
    assert editor.by("worth-old").count() == 0
    editor.move_node("collaborative", 0, 40)
    editor.save()
    editor.click_node("collaborative")
    assert editor.by("worth-old").count() == 0
    editor.stop_autosave()
    editor.choose_kind("ranker", "mf")
    editor.page.wait_for_selector("[data-testid=worth-collaborative].is-old")
    editor.click_node("collaborative")
    assert "has changed since" in editor.by("worth-old").inner_text()


def test_one_ranker_node_of_two_leads_to_a_form_that_is_filled_in_for_it(open_editor):
    editor = open_editor(TWO_RANKERS)
    editor.choose_kind("ranker", "mf")
    editor.by("measure").click()
    editor.page.wait_for_url("**/evaluation?*")
    editor.page.wait_for_selector("html[data-ready='1']", state="attached")
    chosen = editor.page.locator("[name=flows]:checked")
    assert [box.get_attribute("value") for box in chosen.all()] == [f"#{editor.flow_id}@1/ranker"]
    assert editor.page.locator("[name=kind]:checked").get_attribute("value") == "rankers"


def test_a_recommender_of_a_kept_version_leads_to_the_measurement_of_its_flow(open_editor):
    editor = open_editor(POPULAR)
    keep(editor)
    editor.click_node("popular")
    editor.by("measure").click()
    editor.page.wait_for_url("**/evaluation?kind=flow*")
    editor.page.wait_for_selector("html[data-ready='1']", state="attached")
    assert editor.page.locator("[name=kind]:checked").get_attribute("value") == "flow"
    assert editor.page.locator("[name=flow]").input_value() == f"#{editor.flow_id}@1"


class Page:
    """The Evaluation page in the tab of an editor."""

    def __init__(self, editor):
        self.editor, self.page = editor, editor.page
        self.page.goto(f"{editor.server.url}/evaluation#new")
        self.page.wait_for_selector("html[data-ready='1']", state="attached")

    def start(self, rankers, shots, users=USERS, seed=0):
        """Fill the form and press Measure; the number of the run."""
        if not self.page.url.endswith("#new"):
            self.page.get_by_test_id("new-evaluation").click()
        form = self.page.locator(".start-form")
        form.wait_for()
        for box in form.locator("[name=rankers]").all():
            box.set_checked(box.get_attribute("value") in rankers)
        form.locator("[name=shots]").fill(shots)
        form.locator("[name=users]").fill(str(users))
        form.locator("[name=seed]").fill(str(seed))
        self.page.get_by_test_id("start-evaluation").click()
        self.page.wait_for_url(re.compile(r"#\d+$"))
        return int(self.page.url.rpartition("#")[2])

    def row(self, number):
        return self.page.get_by_test_id(f"run-{number}").locator("xpath=ancestor::li")

    def done(self, number):
        self.page.locator(f"#main [data-run='{number}'] svg.chart").wait_for()


def test_rankers_by_shots_are_measured_watched_drawn_and_exported(open_editor, tmp_path):
    editor = open_editor(POPULAR)
    page = Page(editor)
    number = page.start(["mf", "popularity", "random"], "1 5")
    page.row(number).locator("progress").wait_for()
    page.done(number)
    assert page.row(number).locator("progress").count() == 0
    chart = page.page.locator("#main svg.chart")
    titles = chart.locator(".bar title").all_text_contents()
    told = re.compile(rf"NDCG@10 \d\.\d{{3}}, 95 % interval \d\.\d{{3}} to \d\.\d{{3}}, {USERS} users")
    assert len(titles) == 4  # two rankers at two numbers of shots; random only when somebody asks
    assert all(told.search(title) for title in titles)
    assert chart.locator(".bar .whisker").count() == 4
    rows = page.page.locator("#main table").first.locator("tbody th[scope=row]").all_text_contents()
    assert rows == ["Matrix factorization", "Random", "Popularity"] * 2
    for name in ("CSV", "JSON", "PNG"):
        with page.page.expect_download() as download:
            page.page.locator(".view-actions").get_by_text(name, exact=True).click()
        file = tmp_path / name
        download.value.save_as(file)
    head, *lines = (tmp_path / "CSV").read_text().splitlines()
    assert "ndcg_low" in head.split(",")
    assert len(lines) == 6
    assert json.loads((tmp_path / "JSON").read_text())["report"]["users"] == USERS
    assert (tmp_path / "PNG").read_bytes().startswith(b"\x89PNG")


def test_two_runs_are_laid_side_by_side(open_editor):
    page = Page(open_editor(POPULAR))
    numbers = [page.start(["popularity"], "1", seed=seed) for seed in (0, 1)]
    page.done(numbers[1])
    for number in numbers:
        page.row(number).locator("input[type=checkbox]").check()
    page.page.wait_for_url(re.compile(rf"#{numbers[0]},{numbers[1]}$"))
    main = page.page.locator("#main")
    main.get_by_text("Their seeds differ").wait_for()
    cells = main.locator("table tbody tr").first.locator("th, td").all_inner_texts()
    one, other, difference = (
        float(re.match(r"[−+]?[\d.]+", text)[0].replace("−", "-")) for text in cells[2:5]
    )
    assert cells[:2] == ["Popularity", "1"]
    assert abs(difference - (one - other)) < 0.0016  # each is rounded to three places
    page.page.reload()
    main.get_by_text("Their seeds differ").wait_for()
    page.row(numbers[1]).locator("input[type=checkbox]").uncheck()
    page.page.wait_for_url(re.compile(rf"#{numbers[0]}$"))


def test_two_runs_of_whole_flows_are_laid_side_by_side_and_each_is_a_picture(open_editor, tmp_path):
    editor = open_editor(POPULAR)
    keep(editor)
    numbers = [
        measured(editor, "flow", flow=f"#{editor.flow_id}@1", users=USERS, seed=seed) for seed in (0, 1)
    ]
    page = Page(editor)
    page.page.goto(f"{editor.server.url}/evaluation#{numbers[1]}")
    view = page.page.locator(f"#main [data-run='{numbers[1]}']")
    with page.page.expect_download() as download:
        view.get_by_text("PNG", exact=True).click()
    assert download.value.suggested_filename == f"evaluation-{numbers[1]}.png"
    download.value.save_as(tmp_path / "PNG")
    assert (tmp_path / "PNG").read_bytes().startswith(b"\x89PNG")
    for number in numbers:
        page.row(number).locator("input[type=checkbox]").check()
    page.page.wait_for_url(re.compile(r"#\d+,\d+$"))
    main = page.page.locator("#main")
    main.get_by_text("Their seeds differ").wait_for()
    names = main.locator("table tbody th").all_inner_texts()
    assert names == ["Recall@10", "NDCG@10", "Coverage", "Novelty", "Diversity", "Fallback", "Time"]
    recall = main.locator("table tbody tr").first.locator("td").all_inner_texts()
    assert re.fullmatch(r"[\d.]+ % \([\d.]+ % to [\d.]+ %\)", recall[0]), recall


def test_a_run_is_cancelled_from_the_list(open_editor):
    page = Page(open_editor(POPULAR))
    number = page.start(["mf", "hybrid", "fm", "popularity"], "1 5 10 20 50", users="")
    page.row(number).get_by_role("button", name="Cancel").click()
    page.row(number).get_by_text("Cancelled").wait_for()
    assert page.row(number).locator("progress").count() == 0
