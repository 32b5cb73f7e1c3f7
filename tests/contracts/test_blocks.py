"""Whatever a flow is made of: running it for many users at once gives each the very list of a single run."""

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dashboard.artifacts import ArtifactStore
from dashboard.bench.preview import movielens_snapshot
from recflow.engine.block_run import BlockServices, nodes_that_wait, run_block
from recflow.engine.blocks import history_of
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.engine.registry import BLOCK_FORMS, NODE_TYPES
from recflow.nodes.starters import STARTERS

MOVIELENS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ml-latest-small"
CLASSIC = STARTERS["classic"].document
LIST_LENGTH = 60


def classic(disabled=(), extra_nodes=(), extra_edges=(), **settings):
    """The default flow with other settings; "similar-items" is written similar_items."""
    document = copy.deepcopy(CLASSIC)
    for node in document["nodes"]:
        node["settings"] |= settings.get(node["id"].replace("-", "_"), {})
        node["disabled"] = node["id"] in disabled
    document["nodes"] += extra_nodes
    document["edges"] = [
        edge
        for edge in document["edges"]
        if not any(e["target"] == edge["target"] == "ranker" for e in extra_edges)
    ] + list(extra_edges)
    return document


def edge(source, target):
    return {"id": f"{source}-{target}", "source": source, "target": target, "order": 0}


FLOWS = {
    "as it comes": classic(),
    "popular only": STARTERS["popular"].document,
    "few in the pool": classic(recommend={"cache_size": 7, "context_size": 3}),
    "no ranker": classic(ranker={"kind": "none"}),
    "hybrid": classic(ranker={"kind": "hybrid", "n_factors": 8}),
    "machine": classic(ranker={"kind": "fm", "n_factors": 4, "n_epochs": 2}),
    "round robin": classic(merge={"method": "round_robin", "limit": 40}),
    "weighted": classic(merge={"method": "weighted_scores", "weights": [2, 0.5]}),
    "concatenated": classic(merge={"method": "concatenate"}),
    "seen again": classic(recommend={"replace_seen": True}),
    "old items expire": classic(source={"item_ttl_days": 2000, "positive_ttl_days": 300}),
    "negative feedback": classic(source={"positive": ["like"], "negative": ["star"], "read": ["read"]}),
    "merge disabled": classic(disabled=["merge", "collaborative"]),
    "ranker disabled": classic(disabled=["ranker"]),
    "filtered and diverse": classic(
        extra_nodes=[
            {"id": "filter", "type": "filter", "settings": {"condition": "len(feedback) > 3"}},
            {"id": "diverse", "type": "diversify", "settings": {"per_category": 5}},
        ],
        extra_edges=[edge("merge", "filter"), edge("filter", "diverse"), edge("diverse", "ranker")],
    ),
    "alike by tags": classic(
        similar_items={"similarity": "tags", "column": "item.Labels"},
        similar_users={"similarity": "tags", "column": "user.Labels"},
    ),
}


@pytest.fixture(scope="module")
def kept_models(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("models"), quick_s=1e9)


def assert_equal_lists(document, snapshot, models, users):
    flow = load_flow(document)
    assert nodes_that_wait(flow) == []
    with ThreadPoolExecutor(2) as pool:
        found, degraded = run_block(
            flow, users, snapshot, BlockServices(models, pool), n=LIST_LENGTH, now=snapshot.taken_at
        )
        services = Services(models, pool, Memo())

        async def single(user):
            request = RunRequest(
                history_of(snapshot, int(user)), n=LIST_LENGTH, now=snapshot.taken_at, use_pins=False
            )
            return await execute(flow, request, snapshot, services)

        async def all_of_them():
            return [await single(user) for user in users]

        runs = asyncio.run(all_of_them())
    assert degraded == list(dict.fromkeys(text for run in runs for text in run.degraded))
    for place, run in enumerate(runs):
        items, scores = found.row(place)
        assert items.tolist() == run.result.items.tolist()
        assert np.array_equal(scores, run.result.scores, equal_nan=True)
    assert sum(len(run.result) for run in runs) > 0


@pytest.mark.parametrize("name", FLOWS)
def test_lists_made_in_blocks_are_those_of_single_runs(name, library, kept_models):
    likes = np.diff(library.feedback.user_starts)
    users = np.random.default_rng(3).choice(library.n_users, 10, replace=False)
    users = np.concatenate([users, [np.argmax(likes), np.argmin(likes)]]).astype(np.int32)
    assert_equal_lists(FLOWS[name], library, kept_models, users)


@pytest.mark.real_data
def test_lists_of_movielens_made_in_blocks_are_those_of_single_runs(kept_models):
    if not MOVIELENS.exists():
        pytest.skip(f"{MOVIELENS} is not there")
    snapshot = movielens_snapshot(MOVIELENS)
    users = np.random.default_rng(4).choice(snapshot.n_users, 25, replace=False).astype(np.int32)
    assert_equal_lists(CLASSIC, snapshot, kept_models, users)


def test_a_model_that_is_missing_is_told_as_in_a_single_run(library, tmp_path):
    flow = load_flow(CLASSIC)
    with ThreadPoolExecutor(2) as pool:
        services = BlockServices(ArtifactStore(tmp_path, quick_s=0.0), pool)
        found, degraded = run_block(
            flow, np.arange(3, dtype=np.int32), library, services, n=10, now=library.taken_at
        )
    assert any("Matrix factorization is not trained" in text for text in degraded)
    assert [len(found.row(place)[0]) for place in range(3)] == [10, 10, 10]  # others answer


def test_what_only_waits_is_named():
    asking = classic(
        extra_nodes=[
            {"id": "x", "type": "external", "name": "shop", "settings": {}},
            {"id": "off", "type": "external", "settings": {}, "disabled": True},
        ]
    )
    if "external" not in NODE_TYPES:
        pytest.skip("this server has no node that waits")
    assert nodes_that_wait(load_flow(asking)) == ["shop"]


def test_every_block_form_is_of_a_node_type_that_there_is():
    assert set(BLOCK_FORMS) <= set(NODE_TYPES)


def test_feedback_dated_ahead_counts_as_far_as_clocks_may_differ(library, kept_models):
    """The clock stands before all feedback of the user: it counts where clocks may differ by that much."""
    nodes = [
        {"id": name, "type": kind}
        for name, kind in zip("spr", ("data-source", "non-personalized", "recommend"), strict=True)
    ]
    flow = load_flow({"nodes": nodes, "edges": [edge("s", "p"), edge("p", "r")]})
    user = int(np.argmax(np.diff(library.feedback.user_starts)))
    history = history_of(library, user)
    now = int(history.times.min()) - 1
    far = int(history.times.max()) - now
    with ThreadPoolExecutor(2) as pool:
        for clock_error_us, is_seen_shown in ((0, True), (far, False)):
            block = BlockServices(kept_models, pool, clock_error_us=clock_error_us)
            found, _ = run_block(flow, np.array([user], np.int32), library, block, n=0, now=now)
            single = Services(kept_models, pool, Memo(), clock_error_us=clock_error_us)
            run = asyncio.run(
                execute(flow, RunRequest(history, n=0, now=now, use_pins=False), library, single)
            )
            assert found.row(0)[0].tolist() == run.result.items.tolist()
            assert bool(np.isin(run.result.items, history.items).any()) == is_seen_shown
