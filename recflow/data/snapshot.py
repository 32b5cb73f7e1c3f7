"""Everything that is known at one moment, as immutable arrays that all runs share.

A snapshot is never changed: new data make a new one, and runs that hold the old one finish on it. Views
of it (which feedback counts as positive, which items are alive) are made once a set of rules, and the few
that were used last are kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import sparse

from recflow.data.feedback import FeedbackLog, FeedbackRules, matching
from recflow.data.types import (
    MICROSECONDS_PER_DAY,
    BoolVector,
    TextColumn,
    TimeVector,
    Vocabulary,
)

#: Sets of rules whose views a snapshot keeps: each one that somebody tries out in the editor makes another.
KEPT_VIEWS = 8


@dataclass(frozen=True)
class ItemTable:
    """The catalogue.

    Args:
        ids: outside ids.
        hidden: (n_items,) never to be recommended.
        times: (n_items,) microseconds since 1970, NO_TIME where none was given.
        categories: (n_items, n_categories) bool, which categories an item carries.
        category_names: name of each column of ``categories``.
        labels: each item's labels as JSON text; "null" for none.
        comments: each item's comment, mostly its title.
    """

    ids: Vocabulary
    hidden: BoolVector
    times: TimeVector
    categories: sparse.csr_matrix
    category_names: tuple[str, ...]
    labels: TextColumn
    comments: TextColumn

    def __len__(self) -> int:
        return len(self.ids)

    def categories_of(self, index: int) -> list[str]:
        row = self.categories.indices[self.categories.indptr[index] : self.categories.indptr[index + 1]]
        return [self.category_names[int(c)] for c in row]

    def labels_of(self, index: int) -> object:
        return json.loads(self.labels.raw(index))

    def in_categories(self, names: Iterable[str]) -> BoolVector:
        """(n_items,) which items carry all of the named categories."""
        mask = np.ones(len(self), dtype=bool)
        for name in names:
            if name not in self.category_names:
                return np.zeros(len(self), dtype=bool)
            column = self.categories[:, self.category_names.index(name)]
            mask &= np.asarray(column.todense()).ravel().astype(bool)
        return mask


@dataclass(frozen=True)
class UserTable:
    """The users.

    Args:
        ids: outside ids.
        labels: each user's labels as JSON text; "null" for none.
        comments: each user's comment.
    """

    ids: Vocabulary
    labels: TextColumn
    comments: TextColumn

    def __len__(self) -> int:
        return len(self.ids)

    def labels_of(self, index: int) -> object:
        return json.loads(self.labels.raw(index))


@dataclass(frozen=True)
class TrainingView:
    """A snapshot seen through one set of rules: what models and expressions may learn from.

    Args:
        snapshot: what it is a view of.
        rules: which feedback is positive, read and negative, and how long it counts.
        positive: positive feedback on living items, within its time to live, not overruled by a negative one.
        read: read feedback under the same limits, where the pair is neither positive nor negative.
        negative: negative feedback under the same limits.
        alive: (n_items,) items that may be recommended: not hidden, not older than the item time to live.
    """

    snapshot: Snapshot
    rules: FeedbackRules
    positive: FeedbackLog
    read: FeedbackLog
    negative: FeedbackLog
    alive: BoolVector


@dataclass(frozen=True)
class Snapshot:
    """All of it at one moment.

    Args:
        version: changes whenever anything in it does.
        taken_at: microseconds since 1970; feedback dated later is in the log but not in any view.
        users: the users.
        items: the catalogue.
        feedback: all feedback.
    """

    version: str
    taken_at: int
    users: UserTable
    items: ItemTable
    feedback: FeedbackLog
    _views: dict[str, TrainingView] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    def view(self, rules: FeedbackRules) -> TrainingView:
        """This snapshot seen through the rules; made once and shared, while it is among those used last."""
        key = json.dumps(rules.key())
        with self._lock:
            view = self._views.pop(key, None)
            self._views[key] = view = view if view is not None else _make_view(self, rules)
            if len(self._views) > KEPT_VIEWS:
                del self._views[next(iter(self._views))]
            return view

    def titles(self, indices: Iterable[int]) -> list[str]:
        """What to call items on a screen: the comment, or the id where there is none."""
        return [self.items.comments[int(i)] or self.items.ids[int(i)] for i in indices]

    @cached_property
    def latest_order(self) -> np.ndarray:
        """(n_items,) item indices, newest first, ties by index."""
        return np.argsort(-self.items.times, kind="stable").astype(np.int32)


def _make_view(snapshot: Snapshot, rules: FeedbackRules) -> TrainingView:
    log = snapshot.feedback
    items = snapshot.items
    alive_by_age = np.ones(len(items), dtype=bool)
    if rules.item_ttl_days:
        alive_by_age = items.times >= snapshot.taken_at - rules.item_ttl_days * MICROSECONDS_PER_DAY
    counts = (log.times <= snapshot.taken_at) & alive_by_age[log.items]
    if rules.positive_ttl_days:
        counts &= log.times >= snapshot.taken_at - rules.positive_ttl_days * MICROSECONDS_PER_DAY

    def rows(which) -> BoolVector:
        return counts & matching(which, log.type_names, log.types, log.values)

    positive, read, negative = rows(rules.positive), rows(rules.read), rows(rules.negative)
    if read.any() or negative.any():
        # Each pair gets a number, so that what overrules what is three look-ups and no search.
        pairs = log.users.astype(np.int64) * max(1, len(items)) + log.items
        distinct, pair = np.unique(pairs, return_inverse=True)
        overruled = np.zeros(len(distinct), dtype=bool)
        overruled[pair[negative]] = True
        positive &= ~overruled[pair]
        overruled[pair[positive]] = True
        read &= ~overruled[pair]
    return TrainingView(
        snapshot,
        rules,
        log.select(positive),
        log.select(read),
        log.select(negative),
        alive_by_age & ~items.hidden,
    )


def save(snapshot: Snapshot, folder: Path) -> None:
    """Write a snapshot as plain ``.npy`` files that other processes can memory-map.

    The folder is complete once ``meta.json`` exists, which is written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays(snapshot).items():
        np.save(folder / f"{name}.npy", array)
    meta = {
        "version": snapshot.version,
        "taken_at": snapshot.taken_at,
        "type_names": snapshot.feedback.type_names,
        "category_names": snapshot.items.category_names,
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def load(folder: Path) -> Snapshot:
    """Open a saved snapshot; its arrays are mapped, not read.

    Raises:
        FileNotFoundError: the folder holds no complete snapshot.
    """
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))

    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        mapped = np.load(path, mmap_mode="r")
        return np.asarray(mapped) if mapped.size else np.load(path)

    def text(name: str) -> TextColumn:
        return TextColumn(array(f"{name}_blob"), array(f"{name}_offsets"))

    def vocabulary(name: str) -> Vocabulary:
        return Vocabulary.from_arrays(
            {part: array(f"{name}_{part}") for part in ("blob", "offsets", "hashes", "order")}
        )

    names = tuple(meta["category_names"])
    users = UserTable(vocabulary("user_ids"), text("user_labels"), text("user_comments"))
    ids = vocabulary("item_ids")
    categories = sparse.csr_matrix(
        (array("category_data"), array("category_indices"), array("category_indptr")),
        shape=(len(ids), len(names)),
    )
    items = ItemTable(
        ids,
        array("item_hidden"),
        array("item_times"),
        categories,
        names,
        text("item_labels"),
        text("item_comments"),
    )
    log = FeedbackLog(
        *(array(f"feedback_{part}") for part in ("users", "items", "types", "values", "times")),
        tuple(meta["type_names"]),
        len(users),
        len(items),
    )
    return Snapshot(meta["version"], meta["taken_at"], users, items, log)


def arrays(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """Every array of a snapshot by the name of its file; what a snapshot costs is their bytes."""
    users, items, log = snapshot.users, snapshot.items, snapshot.feedback
    found = {
        "item_hidden": items.hidden,
        "item_times": items.times,
        "category_data": items.categories.data,
        "category_indices": items.categories.indices,
        "category_indptr": items.categories.indptr,
        "feedback_users": log.users,
        "feedback_items": log.items,
        "feedback_types": log.types,
        "feedback_values": log.values,
        "feedback_times": log.times,
    }
    columns = {
        "user_labels": users.labels,
        "user_comments": users.comments,
        "item_labels": items.labels,
        "item_comments": items.comments,
    }
    for name, column in columns.items():
        found |= {f"{name}_blob": column.blob, f"{name}_offsets": column.offsets}
    for name, vocabulary in {"user_ids": users.ids, "item_ids": items.ids}.items():
        found |= {f"{name}_{part}": value for part, value in vocabulary.arrays.items()}
    return found
