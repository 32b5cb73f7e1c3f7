"""From rows to a snapshot: the one place that numbers ids and lays out arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recflow.data.feedback import FeedbackLog
from recflow.data.snapshot import ItemTable, Snapshot, UserTable
from recflow.data.types import NO_TIME, TextColumn, Vocabulary


@dataclass(frozen=True)
class ItemRow:
    """One item as storage has it; ``labels`` is JSON text, ``time`` microseconds since 1970."""

    item_id: str
    hidden: bool = False
    categories: tuple[str, ...] = ()
    time: int = NO_TIME
    labels: str = "null"
    comment: str = ""


@dataclass(frozen=True)
class UserRow:
    """One user as storage has it; ``labels`` is JSON text."""

    user_id: str
    labels: str = "null"
    comment: str = ""


def item_table(rows: Sequence[ItemRow]) -> ItemTable:
    """The catalogue, in the order of the rows."""
    names = sorted({name for row in rows for name in row.categories})
    column_of = {name: column for column, name in enumerate(names)}
    indices = [column_of[name] for row in rows for name in sorted(set(row.categories))]
    counts = [len(set(row.categories)) for row in rows]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    categories = sparse.csr_matrix(
        (np.ones(len(indices), dtype=bool), np.array(indices, dtype=np.int32), indptr),
        shape=(len(rows), len(names)),
    )
    return ItemTable(
        Vocabulary.from_ids([row.item_id for row in rows]),
        np.array([row.hidden for row in rows], dtype=bool),
        np.array([row.time for row in rows], dtype=np.int64),
        categories,
        tuple(names),
        TextColumn.from_texts(row.labels for row in rows),
        TextColumn.from_texts(row.comment for row in rows),
    )


def user_table(rows: Sequence[UserRow]) -> UserTable:
    """The users, in the order of the rows."""
    return UserTable(
        Vocabulary.from_ids([row.user_id for row in rows]),
        TextColumn.from_texts(row.labels for row in rows),
        TextColumn.from_texts(row.comment for row in rows),
    )


def build_snapshot(
    users: Sequence[UserRow],
    items: Sequence[ItemRow],
    feedback: Iterable[tuple[str, str, str, float, int]],
    *,
    version: str,
    taken_at: int,
) -> Snapshot:
    """A snapshot of rows held in memory; storage with millions of rows numbers them itself.

    Args:
        users: one row a user.
        items: one row an item.
        feedback: user id, item id, type, value, microseconds since 1970. Rows of unknown ids are left out.
        version: changes whenever the rows do.
        taken_at: microseconds since 1970.
    """
    user_index = {row.user_id: i for i, row in enumerate(users)}
    item_index = {row.item_id: i for i, row in enumerate(items)}
    known = [row for row in feedback if row[0] in user_index and row[1] in item_index]
    type_names = tuple(sorted({row[2] for row in known}))
    log = FeedbackLog.from_rows(
        np.array([user_index[row[0]] for row in known], dtype=np.int32),
        np.array([item_index[row[1]] for row in known], dtype=np.int32),
        np.array([type_names.index(row[2]) for row in known], dtype=np.int16),
        np.array([row[3] for row in known], dtype=np.float32),
        np.array([row[4] for row in known], dtype=np.int64),
        type_names=type_names,
        n_users=len(users),
        n_items=len(items),
    )
    return Snapshot(version, taken_at, user_table(users), item_table(items), log)
