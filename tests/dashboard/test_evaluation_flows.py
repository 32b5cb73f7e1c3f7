"""Whole flows measured on hidden likes, two versions side by side, and the rate online."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from dashboard import activation, drafts
from dashboard.artifacts import ArtifactStore
from dashboard.evaluation.datasets import DEFAULT_RULES, Measured
from dashboard.evaluation.flow_runs import FlowPlan, measure_flow, without
from dashboard.evaluation.heldout import hold_out_last
from dashboard.evaluation.online import online_rates
from dashboard.evaluation.result_diff import NOBODY, comparing, sample_users
from dashboard.evaluation.watching import Watcher, run_watched
from dashboard.models import Activation
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.engine.executor import Services
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.errors import FlowError, RunCancelled
from tests.patience import wait_until

DAY = 86_400_000_000
NOW = 50 * DAY


def flow(*recommenders, fallback=()):
    """Data Source, recommenders in a row, perhaps a fallback, Recommend."""
    nodes = [{"id": "s", "type": "data-source"}, *recommenders, {"id": "r", "type": "recommend"}]
    edges = [("s", node["id"]) for node in recommenders] + [("m", "r")]
    nodes.append({"id": "m", "type": "merge", "settings": {"method": "concatenate"}})
    edges += [(node["id"], "m") for node in recommenders]
    if fallback:
        nodes += [*fallback, {"id": "f", "type": "fallback"}]
        edges += [("s", node["id"]) for node in fallback]
        edges += [(node["id"], "f") for node in fallback] + [("f", "r")]
    return load_flow(
        {
            "nodes": nodes,
            "edges": [{"id": f"e{n}", "source": a, "target": b} for n, (a, b) in enumerate(edges)],
        }
    )


def scored(name, expression, keep="true"):
    return {
        "id": name,
        "type": "non-personalized",
        "name": name,
        "settings": {"score": expression, "filter": keep},
    }


#: Everybody liked "hit" last; "old" is liked by all before it, "rare" by nobody.
ITEMS = ["hit", "old", "rare", "x0", "x1", "x2", "x3"]
ROWS = [
    row
    for n in range(4)
    for row in (
        (f"u{n}", "old", "like", 1.0, 10 * DAY),
        (f"u{n}", f"x{n}", "like", 1.0, 11 * DAY),
        (f"u{n}", "hit", "read", 1.0, 20 * DAY),
        (f"u{n}", "hit", "like", 1.0, 20 * DAY),
    )
]


async def last_of(*drawings_and_data, **options):
    """What a comparison says in the end."""
    return [step async for step in comparing(*drawings_and_data, **options)][-1]


def snapshot_of(rows=ROWS, users=("u0", "u1", "u2", "u3", "cold")):
    return build_snapshot(
        [UserRow(name) for name in users],
        [ItemRow(name, time=index * DAY, categories=("a",)) for index, name in enumerate(ITEMS)],
        rows,
        version="four",
        taken_at=NOW,
    )


def only(item):
    return scored(f"only {item}", "1", f'item.ItemId == "{item}"')


def test_all_feedback_on_the_hidden_item_is_taken_out_and_nothing_else():
    measured = Measured(snapshot_of(), DEFAULT_RULES)
    held = hold_out_last(measured, n_users=None, seed=0)
    ids = held.snapshot.items.ids
    assert [ids[int(item)] for item in held.items] == ["hit"] * 4
    assert len(held.snapshot.feedback) == len(ROWS) - 8  # a read and a like of each user
    assert ids.find("hit") not in held.snapshot.feedback.items
    assert held.snapshot.version != measured.snapshot.version
    assert len(measured.snapshot.feedback) == len(ROWS)


def test_only_sampled_users_lose_their_newest_like():
    held = hold_out_last(Measured(snapshot_of(), DEFAULT_RULES), n_users=1, seed=0)
    assert len(held) == 1
    assert len(held.snapshot.feedback) == len(ROWS) - 2


def test_a_list_that_holds_the_hidden_item_is_perfect_and_worth_nothing_without_its_node():
    report = measure_flow(
        flow(only("hit"), only("rare")), Measured(snapshot_of(), DEFAULT_RULES), FlowPlan(users=None)
    )
    assert report["users"] == 4
    assert report["metrics"]["recall"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 4}
    assert report["metrics"]["ndcg"]["mean"] == 1.0
    hit, rare = report["ablation"]
    assert (hit["node_id"], hit["relative"]["mean"], hit["ndcg"]["n"]) == ("only hit", -1.0, 4)
    assert hit["lists_changed"] == 1.0
    # "rare" stands behind "hit", so the list without it is another one that is just as good.
    assert (rare["relative"]["mean"], rare["lists_changed"]) == (0.0, 1.0)


def test_rank_counts_in_ndcg_and_not_in_recall():
    report = measure_flow(
        flow(only("rare"), only("hit")), Measured(snapshot_of(), DEFAULT_RULES), FlowPlan(ablation=False)
    )
    assert report["metrics"]["recall"]["mean"] == 1.0
    assert report["metrics"]["ndcg"]["mean"] == pytest.approx(1 / np.log2(3))  # found at rank 2
    assert report["ablation"] == []


def test_places_the_fallback_filled_are_counted():
    drawing = flow(only("rare"), fallback=[only("hit")])
    report = measure_flow(drawing, Measured(snapshot_of(), DEFAULT_RULES), FlowPlan())
    assert report["metrics"]["fallback_share"]["mean"] == 0.5  # one of two items
    assert report["coverage"] == pytest.approx(2 / 7)


def test_a_node_the_flow_cannot_do_without_is_said_to_be_needed():
    drawing = load_flow(
        {
            "nodes": [
                {"id": "s", "type": "data-source"},
                only("hit"),
                {"id": "r", "type": "recommend"},
            ],
            "edges": [
                {"id": "1", "source": "s", "target": "only hit"},
                {"id": "2", "source": "only hit", "target": "r"},
            ],
        }
    )
    (part,) = measure_flow(drawing, Measured(snapshot_of(), DEFAULT_RULES), FlowPlan())["ablation"]
    assert part["not_measured"] == "The flow cannot run without it"


def test_switching_a_node_off_leaves_the_drawing_itself_alone():
    drawing = flow(only("hit"))
    assert without(drawing, "only hit").node("only hit").disabled
    assert not drawing.node("only hit").disabled


def test_a_flow_that_cannot_run_is_not_measured():
    with pytest.raises(FlowError, match="needs a Data Source"):
        measure_flow(load_flow({"nodes": []}), Measured(snapshot_of(), DEFAULT_RULES), FlowPlan())


def test_a_watcher_is_called_from_the_thread_that_waits_and_its_stop_cancels_the_work():
    stopped = asyncio.Event()

    async def work(say):
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    def check():
        raise RunCancelled("stop")

    with pytest.raises(RunCancelled):
        run_watched(work, Watcher(check=check))
    assert stopped.is_set()


def test_a_stop_that_comes_when_the_work_has_just_ended_is_no_other_error():
    loops, may_end = [], threading.Event()

    async def work(say):
        loops.append(asyncio.get_running_loop())
        await asyncio.to_thread(may_end.wait)

    def check():
        may_end.set()
        wait_until(lambda: loops and loops[0].is_closed(), "the work does not end")
        raise RunCancelled("stop")

    with pytest.raises(RunCancelled):
        run_watched(work, Watcher(check=check))


def test_cancel_is_looked_at_while_a_model_is_fitted_and_not_only_between_models():
    drawing = flow({"id": "c", "type": "collaborative"})
    looks, heard = [], []

    def check():
        looks.append(1)
        if len(looks) == 3:  # an epoch or two into the only model
            raise RunCancelled("stop")

    watcher = Watcher(heard.append, check)
    with pytest.raises(RunCancelled):
        measure_flow(drawing, Measured(snapshot_of(), DEFAULT_RULES), FlowPlan(), watcher=watcher)
    assert [step.text for step in heard] == ["training without the held-out likes"]


@pytest.fixture
def services(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        yield Services(ArtifactStore(tmp_path), pool, Memo())


def test_the_sample_holds_cold_light_and_heavy_users_and_somebody_new():
    rows = [(f"u{n}", item, "like", 1.0, DAY) for n in range(4) for item in ITEMS[: n + 1]]
    sample = sample_users(snapshot_of(rows), DEFAULT_RULES, per_group=2)
    assert [(one.group, one.likes) for one in sample] == [
        ("cold", 0),
        ("cold", 0),
        ("light", 1),  # likes are 1, 2, 3, 4: the median is 2.5
        ("light", 2),
        ("heavy", 3),
        ("heavy", 4),
    ]
    assert [one.history.user_id for one in sample[:2]] == [NOBODY, "cold"]


async def test_users_who_change_most_stand_first(services):
    before, after = flow(only("x0"), only("x1")), flow(only("x0"), only("x2"))
    rows = [("u0", "x1", "like", 1.0, DAY), ("u0", "x2", "like", 1.0, DAY)]
    found = await last_of(before, after, snapshot_of(rows), services, now=NOW, per_group=1)
    assert found["users"] == found["users_asked"] == 2
    first, last = found["rows"]
    assert first["user_id"] == NOBODY
    assert [item["item_id"] for item in first["entered"]] == ["x2"]
    assert [item["item_id"] for item in first["left"]] == ["x1"]
    assert first["overlap"] == 0.5
    # u0 has seen both, so their list is the same before and after
    assert (last["user_id"], last["overlap"], last["entered"]) == ("u0", 1.0, [])
    assert [(group["group"], group["users"], group["same"]) for group in found["groups"]] == [
        ("cold", 1, 0),
        ("light", 1, 1),
        ("heavy", 0, 0),
    ]
    # Of two users the interval of 0.75 reaches from -2.43 to 3.93; a share lies between 0 and 1.
    assert found["summary"]["overlap"] == {"mean": 0.75, "low": 0.0, "high": 1.0}
    assert found["groups"][0]["overlap"] == {"mean": 0.5, "low": None, "high": None}


async def test_moved_items_tell_both_ranks(services):
    before, after = flow(only("x0"), only("x1")), flow(only("x1"), only("x0"))
    found = await last_of(before, after, snapshot_of([]), services, now=NOW, per_group=1)
    moved = found["rows"][0]["moved"]
    assert [(item["item_id"], item["rank_before"], item["rank"]) for item in moved] == [
        ("x1", 2, 1),
        ("x0", 1, 2),
    ]


async def test_what_the_deadline_cut_off_is_missing_from_the_sample_size(services):
    drawing = flow(only("x0"))
    found = await last_of(drawing, drawing, snapshot_of(), services, now=NOW, per_group=3, deadline_s=0.0)
    assert (found["users"], found["rows"]) == (0, [])
    assert found["users_asked"] > 0


@pytest.mark.django_db
def test_rates_are_told_by_day_and_by_the_version_that_was_live():
    document = flow(only("hit")).document()
    made = drafts.create("Feed", document, "ada")
    activation.activate(made.pk, None, "first", "ada")
    Activation.objects.update(at=datetime.fromtimestamp(15 * 86_400, UTC))
    found = online_rates(snapshot_of(ROWS), days=50)
    by_date = {day["date"]: day for day in found["days"]}
    assert (by_date["1970-01-11"]["seen"], by_date["1970-01-11"]["rate"]) == (4, 1.0)  # day 10: "old"
    assert by_date["1970-01-13"] == {
        "date": "1970-01-13", "seen": 0, "positive": 0, "rate": None, "low": None, "high": None,
    }  # fmt: skip
    (version,) = found["versions"]
    assert (version["flow_name"], version["version"]) == ("Feed", 1)
    assert (version["seen"], version["positive"]) == (4, 4)  # only "hit" was met after day 15
