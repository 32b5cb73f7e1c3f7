"""A tiny catalogue on which every node's answer can be worked out by hand, and a way to run a flow on it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

import recflow.nodes  # noqa: F401  fills the registry
from recflow.data.building import ItemRow, UserRow, build_snapshot
from recflow.data.feedback import UserHistory
from recflow.engine.context import RunRequest
from recflow.engine.executor import Services, execute
from recflow.engine.flow import load_flow
from recflow.engine.memo import Memo
from recflow.engine.registry import FITTERS
from recflow.outbound.client import close_clients

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 1000 * DAY

ITEMS = [
    ItemRow("a", categories=("x",), time=900 * DAY, labels='{"tags": ["red", "old"], "v": [0, 0]}'),
    ItemRow("b", categories=("x",), time=950 * DAY, labels='{"tags": ["red"], "v": [1, 0]}'),
    ItemRow("c", categories=("y",), time=990 * DAY, labels='{"tags": ["blue"], "v": [0, 2]}'),
    ItemRow("d", categories=("x", "y"), time=999 * DAY, labels='{"tags": ["red", "old"], "v": [3, 4]}'),
    ItemRow("e", hidden=True, time=999 * DAY),
    ItemRow("f"),
]
USERS = [UserRow(name) for name in ("u1", "u2", "u3", "u4", "cold")]
FEEDBACK = [
    ("u1", "a", "like", 1, 910 * DAY),
    ("u1", "f", "read", 1, 920 * DAY),
    ("u2", "a", "like", 1, 930 * DAY),
    ("u2", "b", "like", 1, 999 * DAY),
    ("u3", "a", "like", 1, 940 * DAY),
    ("u3", "b", "like", 1, 996 * DAY),
    ("u3", "c", "like", 1, 998 * DAY),
    ("u4", "d", "like", 1, 999 * DAY),
]


class FreshModels:
    """Fits whatever is asked for, every time."""

    def version(self, spec):
        return "fresh"

    def get(self, spec, view, *, progress, check):
        rng = np.random.default_rng(0)
        return FITTERS[spec.kind].fit(view, dict(spec.params), rng, progress, check)


@pytest.fixture
def snapshot():
    return build_snapshot(USERS, ITEMS, FEEDBACK, version="1", taken_at=NOW)


def history_of(user_id, snapshot, extra=()):
    rows = sorted([row for row in (*FEEDBACK, *extra) if row[0] == user_id], key=lambda row: -row[4])
    ids = tuple(row[1] for row in rows)
    return UserHistory(
        user_id,
        snapshot.items.ids.find_many(ids),
        ids,
        tuple(row[2] for row in rows),
        np.array([row[3] for row in rows], np.float32),
        np.array([row[4] for row in rows], np.int64),
        is_known=any(row.user_id == user_id for row in USERS),
    )


async def finished(run):
    """What a run gives, with the connections it opened closed before its loop is gone."""
    try:
        return await run
    finally:
        await close_clients()


@pytest.fixture
def run_chain(snapshot):
    """run_chain([("latest", {})], user) -> (ids of the result, Run, messages).

    Data Source and Recommend are added at the ends; run_chain.document takes a whole drawing.
    """

    def run(chain, user_id="u1", *, n=10, extra=(), source=None, recommend=None, services=None, **request):
        settings = {"positive": ["like"], "read": ["read"]} | (source or {})
        nodes = [
            {"id": "s", "type": "data-source", "settings": settings},
            *({"id": f"n{i}", "type": kind, "settings": given} for i, (kind, given) in enumerate(chain)),
            {"id": "r", "type": "recommend", "settings": recommend or {}},
        ]
        edges = [
            {"id": f"e{i}", "source": one["id"], "target": other["id"]}
            for i, (one, other) in enumerate(pairwise(nodes))
        ]
        return run_document(
            {"nodes": nodes, "edges": edges}, user_id, n=n, extra=extra, services=services, **request
        )

    def run_document(document, user_id="u1", *, n=10, extra=(), services=None, **request):
        said = []
        wanted = RunRequest(history_of(user_id, snapshot, extra), n=n, now=NOW, **request)
        with ThreadPoolExecutor(2) as pool:
            used = services(pool) if services else Services(FreshModels(), pool, Memo())
            flow = load_flow(document)
            result = asyncio.run(
                finished(execute(flow, wanted, snapshot, used, lambda e: said.append(e.message())))
            )
        return snapshot.items.ids.texts(result.result.items), result, said

    run.document = run_document
    return run
