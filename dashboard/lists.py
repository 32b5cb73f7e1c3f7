"""What one recommender of the active flow says by itself: its list, or the neighbors of an item or a user.

The same functions and models as in a run of the whole flow, so a list here and a node on the canvas agree.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from asgiref.sync import async_to_sync

from dashboard import metrics, runs
from dashboard.active import active_flow
from dashboard.catalogue import reading
from dashboard.jobs.fitting import rules_of_flow
from dashboard.store import now_us, store
from recflow.data.feedback import UserHistory
from recflow.data.records import FeedbackRecord
from recflow.data.snapshot import Snapshot
from recflow.engine.context import RunContext, RunRequest
from recflow.engine.executor import execute
from recflow.engine.flow import Flow, Node
from recflow.engine.registry import NODE_TYPES
from recflow.engine.values import RunOptions
from recflow.errors import DataError
from recflow.nodes import data_source, item_to_item, user_to_user

#: A stranger: what does not depend on the user is asked for in this name.
NOBODY = UserHistory("")


@dataclass(frozen=True)
class Listing:
    """A list as Gorse's clients get it.

    Args:
        rows: outside id and score, best first.
        as_of: microseconds since 1970 of the data behind it.
    """

    rows: list[tuple[str, float]]
    as_of: int

    def less(self, unwanted: set[str]) -> Listing:
        """Without some of its rows."""
        return replace(self, rows=[row for row in self.rows if row[0] not in unwanted])


def recommender(kind: str, name: str | None = None) -> Node | None:
    """The node of the active flow that a name of Gorse's means, None when there is none.

    Args:
        kind: type of the node.
        name: its name, or its id where it has none; None for the first of its type.
    """
    flow, _ = active_flow()
    for node in flow.nodes:
        if node.type == kind and not node.disabled and name in (None, node.name or node.id):
            return node
    return None


def proposals(
    node: Node | None, history: UserHistory | None = None, categories: Sequence[str] = (), *, n: int = 0
) -> Listing:
    """What a node hands on, for a user or for nobody in particular; without a node what the flow gives.

    Args:
        node: of the active flow.
        history: the user's.
        categories: items carry all of these.
        n: how many the whole flow gives, 0 for all it has.
    """
    flow, _ = active_flow()
    snapshot = store.snapshot()
    request = RunRequest(
        history or NOBODY,
        n=n,
        categories=tuple(categories),
        until=node and node.id,
        now=now_us(),
        use_pins=False,
    )
    run = async_to_sync(execute)(flow, request, snapshot, runs.services, metrics.timing(flow))
    return _listing(snapshot, run.result.items, run.result.scores)


def history_of(user_id: str) -> UserHistory:
    """A user's feedback as of now."""
    return store.history(user_id, store.snapshot())


def session_history(feedback: Sequence[FeedbackRecord]) -> UserHistory:
    """The history of somebody without a name, newest first; nothing of it is stored.

    All of it has happened: what is dated ahead happened now, by a clock that is fast.
    """
    now = now_us()
    rows = sorted(feedback, key=lambda row: -row.time_us)
    item_ids = tuple(row.item_id for row in rows)
    return UserHistory(
        "",
        store.snapshot().items.ids.find_many(item_ids),
        item_ids,
        tuple(row.type for row in rows),
        np.array([row.value for row in rows], dtype=np.float32),
        np.array([min(row.time_us, now) for row in rows], dtype=np.int64),
    )


def neighbors_of_item(node: Node, item_id: str, categories: Sequence[str] = ()) -> Listing:
    """The items most like one; none while nothing has been trained, or for an item that is not known yet."""
    flow, _ = active_flow()
    snapshot = store.snapshot()
    view = snapshot.view(rules_of_flow(flow))
    index = snapshot.items.ids.find(item_id)
    settings = NODE_TYPES[node.type].read_settings(node.settings)
    try:
        model = runs.models.get(item_to_item.models(settings, view.rules)[0], view)
    except DataError:  # not trained yet, or nothing to train on
        return Listing([], snapshot.taken_at)
    if index is None or index >= len(model.indices):
        return Listing([], snapshot.taken_at)
    items, scores = model.of(index)
    shown = view.alive[items] & snapshot.items.in_categories(categories)[items]
    return _listing(snapshot, items[shown], scores[shown])


def neighbors_of_user(node: Node, user_id: str) -> Listing:
    """The users most like one, as of this moment; the score is how much."""
    flow, _ = active_flow()
    snapshot = store.snapshot()
    context = _context(flow, snapshot, store.history(user_id, snapshot))
    settings = NODE_TYPES[node.type].read_settings(node.settings)
    users, scores = user_to_user.similar_users(context, context.user, settings)
    ids = snapshot.users.ids.texts(users)
    return Listing(list(zip(ids, scores.tolist(), strict=True)), snapshot.taken_at)


def _listing(snapshot: Snapshot, items: np.ndarray, scores: np.ndarray) -> Listing:
    """What is still to be shown: an item may have been hidden or deleted since the snapshot."""
    ids = snapshot.items.ids.texts(items)
    shown = reading.shown_of(ids)
    rows = [row for row in zip(ids, scores.tolist(), strict=True) if row[0] in shown]
    return Listing(rows, snapshot.taken_at)


def _context(flow: Flow, snapshot: Snapshot, history: UserHistory) -> RunContext:
    """A node's window on a run of nothing but the Data Source."""
    context = RunContext(
        source="",
        node_id="",
        node_name="",
        request=RunRequest(history, now=now_us(), use_pins=False),
        snapshot=snapshot,
        options=RunOptions(),
        user=None,
        models=runs.models,
        resources=runs.services.resources,
        memo=runs.services.memo,
        pool=runs.pool,
        cancelled=threading.Event(),
        clock_error_us=runs.services.clock_error_us,
    )
    root = next(node for node in flow.nodes if NODE_TYPES[node.type].output == "user")
    context.user = data_source.run(context, NODE_TYPES[root.type].read_settings(root.settings))
    return context
