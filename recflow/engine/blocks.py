"""What travels along the edges when a flow runs for many users at once: their lists side by side.

A refresh of everybody must give each user the very list of a single run, only without the story of how it
came about. So a block holds what a single run's values hold, less the trail, and a node that has no block
form of its own is run user by user with the values of a single run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recflow.data.feedback import UserHistory
from recflow.data.snapshot import Snapshot, TrainingView
from recflow.data.types import BoolVector, IndexVector
from recflow.engine.context import CLOCK_ERROR_US, ModelStore, RunContext, RunRequest
from recflow.engine.memo import Memo
from recflow.engine.registry import ModelSpec
from recflow.engine.values import Candidates, RunOptions, UserContext
from recflow.errors import RecflowError, RunCancelled

#: Stands where a row has no more items.
NO_ITEM = -1


@dataclass(frozen=True, eq=False)
class CandidateBlock:
    """One list a user, best first, without repeats.

    Args:
        items: (n_users, k) int32 item indices, padded at the end of each row with NO_ITEM.
        scores: (n_users, k) float64, NaN where padded; a NaN elsewhere is an item without a score.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls, n_users: int) -> CandidateBlock:
        return cls(np.empty((n_users, 0), np.int32), np.empty((n_users, 0)))

    @classmethod
    def of(cls, items: NDArray[np.integer], scores: NDArray[np.floating]) -> CandidateBlock:
        """Padded items as algorithms give them, and their scores, whatever these pad with."""
        items = np.asarray(items, dtype=np.int32)
        return cls(items, np.where(items == NO_ITEM, np.nan, np.asarray(scores, dtype=np.float64)))

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[NDArray, NDArray]]) -> CandidateBlock:
        """Items and scores of each user."""
        width = max((len(items) for items, _ in rows), default=0)
        items = np.full((len(rows), width), NO_ITEM, np.int32)
        scores = np.full((len(rows), width), np.nan)
        for place, (own_items, own_scores) in enumerate(rows):
            items[place, : len(own_items)] = own_items
            scores[place, : len(own_items)] = own_scores
        return cls(items, scores)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_users, k) where there is an item."""
        return self.items != NO_ITEM

    def row(self, place: int) -> tuple[IndexVector, NDArray[np.float64]]:
        """Items and scores of one user, without the padding."""
        n = int(np.count_nonzero(self.items[place] != NO_ITEM))
        return self.items[place, :n], self.scores[place, :n]

    def where(self, keep: NDArray[np.bool_]) -> CandidateBlock:
        """Only the items where the mask is true, in the same order."""
        keep = keep & self.present
        counts = keep.sum(axis=1)
        width = int(counts.max(initial=0))
        items = np.full((len(self), width), NO_ITEM, np.int32)
        scores = np.full((len(self), width), np.nan)
        filled = np.arange(width) < counts[:, None]
        items[filled], scores[filled] = self.items[keep], self.scores[keep]
        return CandidateBlock(items, scores)

    def cut(self, n: int) -> CandidateBlock:
        """The best n of each user."""
        return CandidateBlock(self.items[:, :n], self.scores[:, :n])

    def in_order_of(self, scores: NDArray[np.floating]) -> CandidateBlock:
        """Each list by new scores; ties, and behind all others items without a score, keep their order."""
        scores = np.asarray(scores, dtype=np.float64)
        worth = np.where(np.isnan(scores) | ~self.present, -np.inf, scores)
        order = np.argsort(-worth, axis=1, kind="stable")  # stable: the padding stays behind
        ordered = np.take_along_axis(self.items, order, axis=1)
        return CandidateBlock.of(ordered, np.take_along_axis(scores, order, axis=1))


def first_of(blocks: Sequence[CandidateBlock]) -> CandidateBlock:
    """Several lists of each user as one, in their order; an item keeps the place of its first proposal."""
    if len(blocks) == 1:
        return blocks[0]
    joined = CandidateBlock(
        np.concatenate([block.items for block in blocks], axis=1),
        np.concatenate([block.scores for block in blocks], axis=1),
    )
    order = np.argsort(joined.items, axis=1, kind="stable")
    ordered = np.take_along_axis(joined.items, order, axis=1)
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    keep = np.empty_like(is_first)
    np.put_along_axis(keep, order, is_first, axis=1)
    return joined.where(keep)


@dataclass(frozen=True, eq=False)
class UserBlock:
    """Some users seen through the rules of the Data Source.

    Args:
        users: (n,) rows in the snapshot.
        view: what models and expressions may learn from.
        offsets: (n + 1,) the liked items of user i are ``liked[offsets[i]:offsets[i + 1]]``.
        liked: item indices of positive feedback, newest first, one entry a row of feedback.
        excluded: (n, n_items) bool, what a user has any feedback on.
        context_of: (place) -> the same user as a single run sees them.
    """

    users: IndexVector
    view: TrainingView
    offsets: NDArray[np.int64]
    liked: IndexVector
    excluded: sparse.csr_matrix
    context_of: Callable[[int], UserContext] = field(repr=False)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def is_cold_start(self) -> BoolVector:
        """(n,) who has no positive feedback yet."""
        return np.diff(self.offsets) == 0

    def newest_liked(self, n: int) -> sparse.csr_matrix:
        """(n_users, n_items) float64 the n newest likes in order; one that stands twice counts twice."""
        age = np.arange(len(self.liked)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        kept = age < n
        offsets = np.concatenate([[0], np.cumsum(np.minimum(np.diff(self.offsets), n))])
        shape = (len(self), self.view.snapshot.n_items)
        return sparse.csr_matrix((np.ones(int(offsets[-1])), self.liked[kept], offsets), shape=shape)


@dataclass(eq=False)
class BlockContext:
    """One node's window on a run for many users.

    Args:
        node_id: the node in the drawing.
        node_name: what sentences call it.
        snapshot: the data.
        options: what the Recommend node says about the whole run.
        n: items wanted; 0 for all.
        now: microseconds since 1970.
        users: the Data Source's output; None before it ran.
        indices: (n_users,) rows of the users in the snapshot.
        models: fitted models.
        resources: other services by name.
        memo: what blocks share.
        pool: threads for arithmetic.
        check: raises when the work has to stop.
        of_block: what nodes of this block share.
        warnings: sentences on what went wrong.
        clock_error_us: feedback dated up to this far ahead counts as now.
    """

    node_id: str
    node_name: str
    snapshot: Snapshot
    options: RunOptions
    n: int
    now: int
    users: UserBlock | None
    indices: IndexVector
    models: ModelStore
    resources: Mapping[str, Any]
    memo: Memo
    pool: Executor
    check: Callable[[], None]
    of_block: dict[tuple, Any]
    warnings: list[str] = field(default_factory=list)
    clock_error_us: int = CLOCK_ERROR_US

    @property
    def pool_size(self) -> int:
        return self.options.pool_size

    def model(self, spec: ModelSpec) -> Any:
        """A fitted model.

        Raises:
            NotTrained: there is none and it is too costly to fit now.
        """
        assert self.users is not None
        return self.models.get(
            spec, self.users.view, progress=lambda share, text: self.check(), check=self.check
        )

    def shared(self, key: tuple, compute: Callable[[], Any], keep_s: float = 600.0) -> Any:
        """Something that is the same for every user, computed once and kept for the other blocks."""
        assert self.users is not None
        whole = repr((self.snapshot.version, self.users.view.rules.key(), self.now, key))
        found = self.memo.find(whole)
        if found is None:
            found = compute()
            self.memo.keep(whole, found, keep_s)
        return found

    def once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        """Something about the users of this block that several nodes need."""
        if key not in self.of_block:
            self.of_block[key] = compute()
        return self.of_block[key]

    def run_context(self, history: UserHistory, user: UserContext | None) -> RunContext:
        """The window a single run would give this node."""
        return RunContext(
            source=self.node_id,
            node_id=self.node_id,
            node_name=self.node_name,
            request=RunRequest(history, n=self.n, now=self.now, use_pins=False),
            snapshot=self.snapshot,
            options=self.options,
            user=user,
            models=self.models,
            resources=self.resources,
            memo=self.memo,
            pool=self.pool,
            cancelled=threading.Event(),
            clock_error_us=self.clock_error_us,
        )

    def by_user(
        self, call: Callable[..., Candidates], arguments: Mapping[str, Any] | None = None
    ) -> CandidateBlock:
        """Run a node's single form for each user.

        Args:
            call: (RunContext, one value for each argument) -> Candidates.
            arguments: blocks, of which each user gets their part; a tuple of blocks gives a tuple.

        Returns:
            The lists; who made the call fail has an empty one, as in a single run.
        """
        assert self.users is not None
        rows = []
        for place in range(len(self.users)):
            self.check()
            user = self.users.context_of(place)
            own = {name: _part(value, place, user) for name, value in (arguments or {}).items()}
            try:
                found = call(self.run_context(user.history, user), **own)
            except RunCancelled:
                raise
            except Exception as error:
                self.warnings.append(error.message if isinstance(error, RecflowError) else repr(error))
                found = Candidates()
            self.warnings += found.warnings
            rows.append((found.items, found.scores))
        return CandidateBlock.from_rows(rows)


def _part(value: Any, place: int, user: UserContext) -> Any:
    match value:
        case CandidateBlock():
            return Candidates(*value.row(place))
        case UserBlock():
            return user
        case tuple():
            return tuple(_part(inner, place, user) for inner in value)
    return value


def history_of(snapshot: Snapshot, user_index: int) -> UserHistory:
    """A user's feedback as of the snapshot, newest first, in the order in which the rows would give it."""
    log = snapshot.feedback
    own = log.rows_of(user_index)
    newest_first = np.lexsort((log.types[own], log.items[own], -log.times[own]))
    rows = np.arange(own.start, own.stop)[newest_first]
    return UserHistory(
        snapshot.users.ids[user_index],
        log.items[rows],
        tuple(snapshot.items.ids.texts(log.items[rows])),
        tuple(log.type_names[number] for number in log.types[rows]),
        log.values[rows],
        log.times[rows],
        is_known=True,
        labels=snapshot.users.labels_of(user_index),
        comment=snapshot.users.comments[user_index],
    )
