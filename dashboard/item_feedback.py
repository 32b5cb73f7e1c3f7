"""What people said about items, counted over the snapshot's arrays: one pass, whatever the item's fame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import Snapshot


@dataclass(frozen=True)
class Liker:
    """Somebody who liked an item.

    Args:
        user_id: who.
        type: how they said so.
        value: what they gave.
        time_us: when, in microseconds since 1970.
    """

    user_id: str
    type: str
    value: float
    time_us: int


def count_by_item(snapshot: Snapshot, item_ids: Sequence[str]) -> list[int]:
    """Rows of feedback on each item, in the order asked; 0 for one that the snapshot does not know yet."""
    counts = np.bincount(snapshot.feedback.items, minlength=snapshot.n_items)
    indices = snapshot.items.ids.find_many(list(item_ids))
    return [int(counts[index]) if index >= 0 else 0 for index in indices]


def count_by_type(snapshot: Snapshot, item_index: int | None = None) -> list[tuple[str, int]]:
    """Each type of feedback and its rows, the most frequent first; of one item, or of all."""
    log = snapshot.feedback
    types = log.types if item_index is None else log.types[log.items == item_index]
    counts = np.bincount(types, minlength=len(log.type_names))
    found = [(name, int(n)) for name, n in zip(log.type_names, counts, strict=True) if n]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def liked_lately(snapshot: Snapshot, rules: FeedbackRules, item_index: int, n: int) -> list[Liker]:
    """The last n who gave an item positive feedback, newest first, each once."""
    liked = snapshot.view(rules).positive
    rows = np.flatnonzero(liked.items == item_index)
    newest = rows[np.argsort(-liked.times[rows], kind="stable")]
    _, first = np.unique(liked.users[newest], return_index=True)
    newest = newest[np.sort(first)[:n]]
    return [
        Liker(
            snapshot.users.ids[int(liked.users[row])],
            liked.type_names[int(liked.types[row])],
            float(liked.values[row]),
            int(liked.times[row]),
        )
        for row in newest
    ]


def popular(snapshot: Snapshot, rules: FeedbackRules, n: int) -> list[tuple[int, int]]:
    """The n items that most users like, with how many do; none that nobody likes."""
    view = snapshot.view(rules)
    counts = np.bincount(view.positive.matrix.indices, minlength=snapshot.n_items) * view.alive
    best = np.argsort(-counts, kind="stable")[:n]
    return [(int(item), int(counts[item])) for item in best if counts[item]]


def latest(snapshot: Snapshot, rules: FeedbackRules, n: int) -> list[int]:
    """The n newest items that may be recommended."""
    order = snapshot.latest_order
    return [int(item) for item in order[snapshot.view(rules).alive[order]][:n]]
