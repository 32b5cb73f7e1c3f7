"""What came out of a run, and how it is told: the final list, and what happened to each item on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recflow.data.snapshot import Snapshot
from recflow.data.types import IndexVector
from recflow.engine.values import REASONS, Candidates, Scores, Step, UserContext, join_trails


@dataclass(eq=False)
class Run:
    """What came out.

    Args:
        result: the final list; its trail tells how each item came there.
        outputs: what each node gave.
        signatures: of each node.
        degraded: sentences on what went wrong on the way.
        note: a sentence on the user or an empty result, "" when there is nothing to say.
        ms: milliseconds in all.
    """

    result: Candidates
    outputs: dict[str, Candidates | UserContext]
    signatures: dict[str, str]
    degraded: list[str]
    note: str
    ms: float

    def node_ids_of(self, signature: str) -> list[str]:
        return [node_id for node_id, other in self.signatures.items() if other == signature]


def described_list(items: IndexVector, scores: Scores, snapshot: Snapshot) -> list[dict[str, Any]]:
    """A node's list as the screen shows it: {item_id, title, score}; there may be more scores than items."""
    ids, titles = snapshot.items.ids.texts(items), snapshot.titles(items)
    return [
        {"item_id": item_id, "title": title, "score": _number(score)}
        for item_id, title, score in zip(ids, titles, scores, strict=False)
    ]


def _number(score: float) -> float | None:
    """A score as JSON can hold it."""
    return round(float(score), 6) if np.isfinite(score) else None


def described(run: Run, snapshot: Snapshot) -> list[dict[str, Any]]:
    """The final list as the screen shows it, each item with its steps."""
    items = run.result.items
    titles = snapshot.titles(items)
    return [
        {
            "item_id": snapshot.items.ids[int(item)],
            "title": title,
            "rank": rank,
            "score": _number(score),
            "categories": snapshot.items.categories_of(int(item)),
            "steps": steps_of(run, run.result.trail, int(item)),
        }
        for rank, (item, title, score) in enumerate(
            zip(items, titles, run.result.scores, strict=True), start=1
        )
    ]


def steps_of(run: Run, trail: tuple[Step, ...], item: int) -> list[dict[str, Any]]:
    """What happened to one item, oldest first."""
    steps = []
    for step in trail:
        for place in np.flatnonzero(step.items == item):
            before = step.ranks_before
            steps.append(
                {
                    "node_ids": run.node_ids_of(step.source),
                    "kind": step.kind,
                    "rank": int(step.ranks[place]) or None,
                    "rank_before": None if before is None else int(before[place]) or None,
                    "score": _number(step.scores[place]),
                    "reason": step.reason,
                    "why": REASONS.get(step.reason, ""),
                    "note": step.note,
                }
            )
    return steps


def whole_trail(run: Run) -> tuple[Step, ...]:
    """Every step of every node, also of lists that did not reach the result."""
    return join_trails([output for output in run.outputs.values() if isinstance(output, Candidates)])
