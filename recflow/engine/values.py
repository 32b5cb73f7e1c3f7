"""What travels along the edges: Candidates with their provenance, and the context of the run's user.

Provenance is recorded while running and never rebuilt. A node adds one Step to the trail of the list it hands
on: arrays, not one object an item, so that five hundred candidates cost no more than five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recflow.data.feedback import UserHistory
from recflow.data.snapshot import Snapshot, TrainingView
from recflow.data.types import BoolVector, IndexVector

#: (n,) float64: `latest` scores in Unix seconds, which float32 would round to two minutes.
Scores = NDArray[np.float64]

StepKind = Literal["proposed", "ranked", "dropped"]

#: Why an item was dropped; the words the screen explains.
REASONS = {
    "read": "the user has feedback on it already",
    "negative": "the user gave negative feedback",
    "hidden": "it is hidden",
    "expired": "it is older than the item time to live",
    "unknown": "it is not in the catalogue",
    "category": "it is not in the categories asked for",
    "filtered": "the filter let it not pass",
    "limit": "the list was full",
    "duplicate": "another input proposed it already",
    "diversity": "too many like it stand above",
    "omitted": "the model left it out",
    "invented": "the model made it up",
}


@dataclass(frozen=True, eq=False)
class Step:
    """What one node did to a list.

    Args:
        source: signature of the node that did it; the run maps it to node ids.
        kind: "proposed": put forward here; "ranked": given a new place; "dropped": taken out.
        items: (n,) item indices.
        ranks: (n,) place after the step, first is 1; for "dropped" the place it had, 0 for none.
        scores: (n,) score after the step, NaN where there is none.
        ranks_before: (n,) place before the step, only for "ranked".
        reason: why, only for "dropped": a key of REASONS.
        unknown_ids: outside ids that are not in the catalogue, only for "dropped".
        note: one word for how, such as "appended" for items a model left out.
    """

    source: str
    kind: StepKind
    items: IndexVector
    ranks: IndexVector
    scores: Scores
    ranks_before: IndexVector | None = None
    reason: str = ""
    unknown_ids: tuple[str, ...] = ()
    note: str = ""


def _empty_items() -> IndexVector:
    return np.zeros(0, dtype=np.int32)


def _empty_scores() -> Scores:
    return np.zeros(0, dtype=np.float64)


def places(n: int) -> IndexVector:
    """(n,) the ranks 1 to n."""
    return np.arange(1, n + 1, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Items put forward, best first, without repeats, with the trail of how they came here.

    Args:
        items: (n,) item indices.
        scores: (n,) higher is better; comparable only within this list.
        trail: steps, oldest first; of merged lists the trails of all.
        warnings: sentences the run shows beside the node.
        details: what the node wants to show of its work, as JSON-like values (an LLM's answer, a request).
    """

    items: IndexVector = field(default_factory=_empty_items)
    scores: Scores = field(default_factory=_empty_scores)
    trail: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict | None = None

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def proposed(
        cls,
        source: str,
        items: IndexVector,
        scores: Scores,
        *,
        drops: Sequence[Step] = (),
        warnings: Sequence[str] = (),
        details: dict | None = None,
    ) -> Candidates:
        """A recommender's list."""
        items = np.asarray(items, dtype=np.int32)
        scores = np.asarray(scores, dtype=np.float64)
        step = Step(source, "proposed", items, places(len(items)), scores)
        return cls(items, scores, (*drops, step), tuple(warnings), details)

    def ranked(
        self,
        source: str,
        items: IndexVector,
        scores: Scores,
        *,
        drops: Sequence[Step] = (),
        warnings: Sequence[str] = (),
        details: dict | None = None,
        note: str = "",
    ) -> Candidates:
        """This list in another order, or with new scores; items that are gone need a step in ``drops``."""
        items = np.asarray(items, dtype=np.int32)
        scores = np.asarray(scores, dtype=np.float64)
        before = self.rank_of(items)
        step = Step(source, "ranked", items, places(len(items)), scores, ranks_before=before, note=note)
        return Candidates(
            items,
            scores,
            (*self.trail, *drops, step),
            (*self.warnings, *warnings),
            details,
        )

    @classmethod
    def merged(
        cls, source: str, lists: Sequence[Candidates], items: IndexVector, scores: Scores, *, note: str
    ) -> Candidates:
        """Several lists as one, in a new order; every item is in one of them."""
        items = np.asarray(items, dtype=np.int32)
        scores = np.asarray(scores, dtype=np.float64)
        step = Step(source, "ranked", items, places(len(items)), scores, note=note)
        return cls(items, scores, (*join_trails(lists), step))

    def rank_of(self, items: IndexVector) -> IndexVector:
        """(n,) the place of each item in this list, 0 for one that is not in it."""
        place = {int(item): rank for rank, item in enumerate(self.items, start=1)}
        return np.array([place.get(int(item), 0) for item in items], dtype=np.int32)

    def dropped(self, source: str, mask: BoolVector, reason: str) -> Step:
        """The step that takes the masked items out of this list."""
        return Step(
            source,
            "dropped",
            self.items[mask],
            places(len(self))[mask],
            self.scores[mask],
            reason=reason,
        )

    def without(self, source: str, mask: BoolVector, reason: str) -> Candidates:
        """This list less the masked items."""
        if not mask.any():
            return self
        return replace(
            self,
            items=self.items[~mask],
            scores=self.scores[~mask],
            trail=(*self.trail, self.dropped(source, mask, reason)),
        )

    def cut(self, source: str, n: int) -> Candidates:
        """The best n of this list."""
        return self.without(source, np.arange(len(self)) >= n, "limit")


def drop_step(source: str, items: ArrayLike, reason: str, *, unknown_ids: tuple[str, ...] = ()) -> Step:
    """The step of items that never got a place.

    Args:
        source: signature of the node that dropped them.
        items: (n,) item indices.
        reason: a key of REASONS.
        unknown_ids: outside ids that are not in the catalogue.
    """
    items = np.asarray(items, dtype=np.int32)
    nothing = np.full(len(items), np.nan)
    no_places = np.zeros(len(items), np.int32)
    return Step(source, "dropped", items, no_places, nothing, reason=reason, unknown_ids=unknown_ids)


def join_trails(lists: Sequence[Candidates]) -> tuple[Step, ...]:
    """The steps of several lists, each once: lists that share an ancestor share its steps."""
    seen: dict[int, Step] = {}
    for candidates in lists:
        for step in candidates.trail:
            seen.setdefault(id(step), step)
    return tuple(seen.values())


def first_wins(source: str, lists: Sequence[Candidates]) -> Candidates:
    """Several lists as one, in their order; an item keeps the place and score of its first proposal."""
    if len(lists) == 1:
        return lists[0]
    items = np.concatenate([c.items for c in lists]) if lists else _empty_items()
    scores = np.concatenate([c.scores for c in lists]) if lists else _empty_scores()
    _, first = np.unique(items, return_index=True)
    keep = np.zeros(len(items), dtype=bool)
    keep[first] = True
    warnings = tuple(dict.fromkeys(w for c in lists for w in c.warnings))
    return Candidates(items[keep], scores[keep], join_trails(lists), warnings)


@dataclass(frozen=True)
class RunOptions:
    """What holds for a whole run, as the Recommend node says it.

    Args:
        pool_size: items each list may hold.
        context_size: positive feedback rows that item-to-item and the rankers look at.
        replace_seen: items the user has seen may be recommended again.
        positive_decay: factor on the score of a liked item that is recommended again.
        read_decay: factor on the score of a read item that is recommended again.
    """

    pool_size: int = 100
    context_size: int = 100
    replace_seen: bool = False
    positive_decay: float = 0.8
    read_decay: float = 0.6


@dataclass(frozen=True, eq=False)
class UserContext:
    """The user a run is for, seen through the rules of the Data Source.

    Args:
        user_id: the outside id.
        user_index: row in the snapshot, None for a user it does not know.
        history: all feedback of the user as of now, newest first.
        view: what models and expressions may learn from.
        liked: (n,) item indices of positive feedback, newest first, one entry a row, only known items.
        liked_times: (n,) microseconds since 1970, of the same rows.
        liked_types: feedback types, of the same rows.
        excluded: (n_items,) items the user has any feedback on, never to be recommended again.
        disliked: (n_items,) items with negative feedback; they stay out even with replacement on.
        read: (n_items,) items with positive or read feedback, for replacement.
    """

    user_id: str
    user_index: int | None
    history: UserHistory
    view: TrainingView
    liked: IndexVector
    liked_times: np.ndarray
    liked_types: tuple[str, ...]
    excluded: BoolVector
    disliked: BoolVector
    read: BoolVector

    @property
    def snapshot(self) -> Snapshot:
        return self.view.snapshot

    @property
    def is_cold_start(self) -> bool:
        """No positive feedback yet."""
        return len(self.liked) == 0
