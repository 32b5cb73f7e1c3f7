"""A snapshot from the one before and what has changed since, at the cost of the change.

What did not change is copied in long stretches, indices are renumbered by array passes, and only new ids are
hashed. The result is, array for array, the snapshot that would be built from all rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from recflow.data.building import ItemRow, UserRow, item_table, user_table
from recflow.data.feedback import FeedbackLog
from recflow.data.snapshot import ItemTable, Snapshot, UserTable
from recflow.data.splicing import Splice
from recflow.data.types import IndexVector, Vocabulary


@dataclass(frozen=True)
class Changes:
    """What has changed since a snapshot, as it is now.

    Args:
        users: user id -> the row as it is now, None for one that is gone. A user whose feedback changed is
            one of them.
        items: the same for items whose own row changed; feedback on an item does not change it.
        emptied: items that lost all feedback on the way, as one does that is deleted and comes again.
        feedback: all feedback of the users above: user id, item id, type, value, microseconds since 1970.
        type_names: every feedback type there is, in order.
    """

    users: Mapping[str, UserRow | None]
    items: Mapping[str, ItemRow | None]
    emptied: Collection[str]
    feedback: Sequence[tuple[str, str, str, float, int]]
    type_names: tuple[str, ...]


def refreshed(old: Snapshot, changes: Changes, *, version: str, taken_at: int) -> Snapshot:
    """The snapshot that a full build would make of the rows as they are now.

    Args:
        old: the snapshot before; its ids are in the order of their UTF-8 bytes.
        changes: what has changed since.
        version: of the rows as they are now.
        taken_at: microseconds since 1970.

    Raises:
        ValueError: the feedback names a user or an item that is not in the new tables.
    """
    user_ids, item_ids = sorted(changes.users), sorted(changes.items)  # as text: the order of their bytes
    users = _Edit.make(old.users.ids, user_ids, [changes.users[name] is not None for name in user_ids])
    items = _Edit.make(old.items.ids, item_ids, [changes.items[name] is not None for name in item_ids])
    new_users = _users(old.users, users, [row for name in user_ids if (row := changes.users[name])])
    new_items = _items(old.items, items, [row for name in item_ids if (row := changes.items[name])])
    fresh = _fresh_log(changes, new_users.ids, new_items.ids)
    gone = items.places[items.is_old & ~items.stays]
    emptied = old.items.ids.find_many(list(changes.emptied))
    log = _without_items(old.feedback, np.union1d(gone, emptied[emptied >= 0]))
    log = _spliced(_renumbered(log, users, items, changes.type_names), fresh, _segments(log, fresh, users))
    return Snapshot(version, taken_at, new_users, new_items, log)


@dataclass(frozen=True)
class _Edit:
    """What happens to a table sorted by id when rows of it change, come or go.

    Args:
        places: (n,) row of each changed id in the old table, or the row that a new one comes before.
        is_old: (n,) whether the old table has the id.
        stays: (n,) whether the new table has it.
        n_old: rows of the old table.
    """

    places: np.ndarray
    is_old: np.ndarray
    stays: np.ndarray
    n_old: int

    @classmethod
    def make(cls, old: Vocabulary, names: Sequence[str], stays: Sequence[bool]) -> _Edit:
        """Args: the old ids, the changed ones in order, and whether each is there now."""
        known = old.find_many(names)
        places = known.astype(np.int64)
        for i in np.flatnonzero(known < 0):
            wanted = names[i].encode("utf-8", "surrogatepass")
            places[i] = bisect_left(range(len(old)), wanted, key=old.ids.raw)
        kept = np.array(stays, dtype=bool)
        is_known = known >= 0
        relevant = is_known | kept  # what came and went again between two snapshots is nothing
        return cls(places[relevant], is_known[relevant], kept[relevant], len(old))

    @property
    def is_in_place(self) -> bool:
        """Rows change only in themselves, so every row keeps its number."""
        return bool(self.is_old.all() and self.stays.all())

    @cached_property
    def splice(self) -> Splice:
        """Rows of the new table from those of the old one and of the fresh rows, both in order of ids."""
        fresh_stops = np.cumsum(self.stays)
        return Splice.make(
            self.n_old, self.places, self.places + self.is_old, fresh_stops - self.stays, fresh_stops
        )

    @cached_property
    def renumber(self) -> IndexVector:
        """(n_old,) new row number of each old row, -1 for one that is gone."""
        shift = np.zeros(self.n_old + 1, dtype=np.int32)
        gone = self.places[self.is_old & ~self.stays]
        np.add.at(shift, self.places[~self.is_old], 1)
        shift[gone + 1] -= 1  # one that is gone is gone once
        numbers = np.arange(self.n_old, dtype=np.int32) + np.cumsum(shift, dtype=np.int32)[: self.n_old]
        numbers[gone] = -1
        return numbers

    @property
    def new_places(self) -> np.ndarray:
        """(n,) row of each changed id in the new table; of one that is gone, the row now in its place."""
        change = self.stays.astype(np.int64) - self.is_old
        return self.places + np.cumsum(change) - change


def _vocabulary(old: Vocabulary, fresh: Vocabulary, edit: _Edit) -> Vocabulary:
    if edit.is_in_place:
        return old
    before, added = old.arrays, fresh.arrays
    numbers = edit.renumber[before["order"]]
    keep = numbers >= 0
    # Hashes of fresh rows that replace old ones are known already: only those of new ids come in.
    is_new = ~edit.is_old[edit.stays]
    rows = edit.new_places[edit.stays].astype(np.int32)
    comes = is_new[added["order"]]
    hashes = added["hashes"][comes]
    at = np.searchsorted(before["hashes"][keep], hashes, side="right")
    texts = edit.splice.texts(old.ids, fresh.ids)
    return Vocabulary.from_arrays(
        {
            "blob": texts.blob,
            "offsets": texts.offsets,
            "hashes": np.insert(before["hashes"][keep], at, hashes),
            "order": np.insert(numbers[keep], at, rows[added["order"]][comes]),
        }
    )


def _users(old: UserTable, edit: _Edit, rows: Sequence[UserRow]) -> UserTable:
    if not len(edit.places):
        return old
    fresh, splice = user_table(rows), edit.splice
    return UserTable(
        _vocabulary(old.ids, fresh.ids, edit),
        splice.texts(old.labels, fresh.labels),
        splice.texts(old.comments, fresh.comments),
    )


def _items(old: ItemTable, edit: _Edit, rows: Sequence[ItemRow]) -> ItemTable:
    if not len(edit.places):
        return old
    fresh, splice = item_table(rows), edit.splice
    ids = _vocabulary(old.ids, fresh.ids, edit)
    categories, names = _categories(old, fresh, splice)
    return ItemTable(
        ids,
        splice.rows(old.hidden, fresh.hidden),
        splice.rows(old.times, fresh.times),
        categories,
        names,
        splice.texts(old.labels, fresh.labels),
        splice.texts(old.comments, fresh.comments),
    )


def _categories(
    old: ItemTable, fresh: ItemTable, splice: Splice
) -> tuple[sparse.csr_matrix, tuple[str, ...]]:
    """The categories of the new table; names that nothing carries any more are gone."""
    names = sorted({*old.category_names, *fresh.category_names})
    columns, indptr = splice.stretches(
        _places_in(names, old.category_names)[old.categories.indices],
        old.categories.indptr,
        _places_in(names, fresh.category_names)[fresh.categories.indices],
        fresh.categories.indptr,
    )
    is_used = np.bincount(columns, minlength=len(names)) > 0
    columns = (np.cumsum(is_used, dtype=np.int32) - 1)[columns]
    used = tuple(name for name, carried in zip(names, is_used, strict=True) if carried)
    matrix = sparse.csr_matrix(
        (np.ones(len(columns), dtype=bool), columns, indptr.astype(np.int32)),
        shape=(len(indptr) - 1, len(used)),
    )
    return matrix, used


def _places_in(names: Sequence[str], wanted: Sequence[str]) -> IndexVector:
    """(len(wanted),) place of each name, -1 where it is not."""
    place_of = {name: place for place, name in enumerate(names)}
    return np.array([place_of.get(name, -1) for name in wanted], dtype=np.int32)


def _fresh_log(changes: Changes, users: Vocabulary, items: Vocabulary) -> FeedbackLog:
    """The feedback of changed users by new numbers."""
    user_of, item_of = (
        dict(zip(names, ids.find_many(names).tolist(), strict=True))
        for ids, names in (
            (users, sorted({row[0] for row in changes.feedback})),
            (items, sorted({row[1] for row in changes.feedback})),
        )
    )
    unknown = [name for found in (user_of, item_of) for name, place in found.items() if place < 0]
    if unknown:
        raise ValueError(f"There is feedback of or on {unknown[0]!r}, which is not among the changes")
    type_of = {name: place for place, name in enumerate(changes.type_names)}
    n = len(changes.feedback)
    return FeedbackLog.from_rows(
        np.fromiter((user_of[row[0]] for row in changes.feedback), np.int32, n),
        np.fromiter((item_of[row[1]] for row in changes.feedback), np.int32, n),
        np.fromiter((type_of[row[2]] for row in changes.feedback), np.int16, n),
        np.fromiter((row[3] for row in changes.feedback), np.float32, n),
        np.fromiter((row[4] for row in changes.feedback), np.int64, n),
        type_names=changes.type_names,
        n_users=len(users),
        n_items=len(items),
    )


def _without_items(log: FeedbackLog, items: np.ndarray) -> FeedbackLog:
    return log.select(~np.isin(log.items, items)) if len(items) else log


def _renumbered(log: FeedbackLog, users: _Edit, items: _Edit, type_names: tuple[str, ...]) -> FeedbackLog:
    """The same rows by new numbers, -1 for a user who is gone; numbers keep their order, so rows do too."""
    if not users.is_in_place:
        log = replace(log, users=users.renumber[log.users])
    if not items.is_in_place:
        log = replace(log, items=items.renumber[log.items])
    if log.type_names != type_names:
        places = _places_in(type_names, log.type_names).astype(np.int16)
        log = replace(log, types=places[log.types], type_names=type_names)
    return log


def _segments(log: FeedbackLog, fresh: FeedbackLog, users: _Edit) -> Splice:
    """The fresh rows of each changed user in the place of the old ones; ``log`` has the old numbers."""

    def first_rows(of: FeedbackLog, numbers: np.ndarray) -> np.ndarray:
        # Of the same type: else numpy would first copy the whole column into the wider one.
        return np.searchsorted(of.users, numbers.astype(of.users.dtype))

    return Splice.make(
        len(log),
        first_rows(log, users.places),
        first_rows(log, users.places + users.is_old),
        first_rows(fresh, users.new_places),
        first_rows(fresh, users.new_places + users.stays),
    )


def _spliced(log: FeedbackLog, fresh: FeedbackLog, splice: Splice) -> FeedbackLog:
    return FeedbackLog(
        splice.rows(log.users, fresh.users),
        splice.rows(log.items, fresh.items),
        splice.rows(log.types, fresh.types),
        splice.rows(log.values, fresh.values),
        splice.rows(log.times, fresh.times),
        fresh.type_names,
        fresh.n_users,
        fresh.n_items,
    )
