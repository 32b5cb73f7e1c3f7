"""Users, items and feedback under Gorse's field names, as prompts and requests to other machines see them.

Not a node type; what the nodes that write templates share.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from recflow.data.snapshot import ItemTable
from recflow.engine.context import RunContext
from recflow.engine.values import Candidates, UserContext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Record = dict[str, Any]

#: Names that a template may use of ``user`` and of an entry of ``feedback``.
USER_FIELDS = ("UserId", "Labels", "Comment")
ITEM_FIELDS = ("ItemId", "IsHidden", "Categories", "Timestamp", "Labels", "Comment")
FEEDBACK_FIELDS = ("FeedbackType", *ITEM_FIELDS)


def user_record(user: UserContext) -> Record:
    return {"UserId": user.user_id, "Labels": user.history.labels, "Comment": user.history.comment}


def item_record(items: ItemTable, index: int) -> Record:
    """One row of the catalogue; an item without a time has that of the year 1, as in Gorse."""
    return {
        "ItemId": items.ids[index],
        "IsHidden": bool(items.hidden[index]),
        "Categories": items.categories_of(index),
        "Timestamp": _EPOCH + timedelta(microseconds=int(items.times[index])),
        "Labels": items.labels_of(index),
        "Comment": items.comments[index],
    }


def history_records(user: UserContext, limit: int) -> list[Record]:
    """The newest positive feedback with the fields of its items, newest first."""
    items = user.snapshot.items
    return [
        {"FeedbackType": kind, **item_record(items, int(item))}
        for item, kind in zip(user.liked[:limit], user.liked_types, strict=False)
    ]


def candidate_records(ctx: RunContext, candidates: Candidates) -> list[Record]:
    """The candidates with their fields, the names of the nodes that proposed them, and their rank so far."""
    proposers: dict[int, list[str]] = {int(item): [] for item in candidates.items}
    for step in candidates.trail:
        if step.kind == "proposed" and (name := ctx.name_of(step.source)):
            for item in step.items:
                if int(item) in proposers:
                    proposers[int(item)].append(name)
    return [
        item_record(ctx.snapshot.items, item) | {"sources": list(dict.fromkeys(names)), "rank_in": rank}
        for rank, (item, names) in enumerate(proposers.items(), start=1)
    ]
