"""One evaluation of rankers: what was chosen, carried out, and told as a report that JSON can hold.

All rankers get the same users, histories and candidates; see recflow.evaluation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from dashboard.evaluation.asking import AskedRanker
from dashboard.evaluation.datasets import Measured
from dashboard.evaluation.rankers import BASELINE, CONTROLS, LABELS, MODELS
from dashboard.evaluation.watching import UNWATCHED, Step, Watcher
from recflow.evaluation.compare import Comparison, Progress, compare
from recflow.evaluation.intervals import Estimate
from recflow.evaluation.questions import Question, Ranker, questions_of
from recflow.evaluation.splits import Split

DEFAULT_SHOTS = (1, 5, 10, 20, 50)


class RankingPlan(BaseModel):
    """What is to be measured.

    Flows are named like "Home feed@3", or "Home feed" for the draft; the ranker nodes of each are measured,
    or the one whose id stands behind a slash: "Home feed@3/ranker".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rankers: tuple[str, ...] = (*MODELS, *CONTROLS)
    flows: tuple[str, ...] = ()
    shots: tuple[int, ...] = Field(DEFAULT_SHOTS, min_length=1, max_length=20)
    users: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    k: int = Field(10, ge=1, le=100)
    negatives: int = Field(99, ge=1, le=10_000)


@dataclass(frozen=True)
class Contestant:
    """One line of the chart.

    Args:
        name: unique in its report.
        label: what people call it.
        ranker: None when it cannot be measured.
        why_not: then, the sentence that says why.
    """

    name: str
    label: str
    ranker: Ranker | None
    why_not: str = ""


def splits_of(plan: RankingPlan, measured: Measured) -> list[Split]:
    """One split per number of shots, over the same users and candidates."""
    shots = sorted(set(plan.shots))
    widest = measured.split(shots=shots[-1], seed=plan.seed, n_negatives=plan.negatives, n_users=plan.users)
    return [widest.with_shots(wanted) for wanted in shots]


def all_questions(splits: Sequence[Split]) -> list[Question]:
    return [question for split in splits for question in questions_of(split)]


def measure_rankers(
    plan: RankingPlan,
    measured: Measured,
    contestants: Sequence[Contestant],
    splits: Sequence[Split],
    watcher: Watcher = UNWATCHED,
) -> dict[str, Any]:
    """Every contestant on every split, as a report: settings, data, and one row for each of the two.

    Args:
        plan: what was chosen.
        measured: the data.
        contestants: in the order of the table.
        splits: of ``splits_of``.
        watcher: hears progress.
    """
    began = time.perf_counter()
    running = {one.name: one.ranker for one in contestants if one.ranker is not None}
    asked = {name: ranker for name, ranker in running.items() if isinstance(ranker, AskedRanker)}
    busy: dict[str, Any] = {}
    # Waiting for others comes first and all at once: so the endpoint stays busy.
    for place, (name, ranker) in enumerate(asked.items()):

        def tell_asked(step: Step, place: int = place) -> None:
            watcher.on_step(Step(0.9 * (place + step.share) / len(asked), step.text))

        done = ranker.ask_all(all_questions(splits), Watcher(tell_asked, watcher.check))
        busy[name] = done.described()
    start = 0.9 if asked else 0.0
    turns = {(name, split.shots): turn for turn, (split, name) in enumerate(_turns(splits, running))}

    def tell(progress: Progress) -> None:
        turn = turns[progress.ranker, progress.shots] + progress.done / max(progress.total, 1)
        text = f"{_label(contestants, progress.ranker)}, {progress.shots} shots"
        watcher.on_step(Step(start + (1 - start) * turn / max(len(turns), 1), text))

    found = compare(splits, running, k=plan.k, on_progress=tell, check=watcher.check)
    baseline = BASELINE if BASELINE in running else None
    return {
        "kind": "rankers",
        "settings": plan.model_dump(mode="json"),
        "data": measured.described() | {"rules": measured.rules.key()},
        "baseline": baseline,
        "users": len(splits[0]),
        "asked": busy,
        "rows": _rows(found, contestants, splits, baseline),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _turns(splits: Sequence[Split], running: Mapping[str, Ranker]) -> list[tuple[Split, str]]:
    return [(split, name) for split in splits for name in running]


def _label(contestants: Sequence[Contestant], name: str) -> str:
    return next((one.label for one in contestants if one.name == name), LABELS.get(name, name))


def _rows(
    found: Comparison, contestants: Sequence[Contestant], splits: Sequence[Split], baseline: str | None
) -> list[dict[str, Any]]:
    measured = {(row["ranker"], row["shots"]): row for row in found.rows(baseline)}
    rows = []
    for split in splits:
        for one in contestants:
            head = {"ranker": one.name, "label": one.label, "shots": split.shots}
            result = found.result(one.name, split.shots)
            if result is None:
                rows.append(head | {"not_measured": one.why_not})
                continue
            slots = [_estimate(part) for part in result.ndcg_by_slot()]
            rows.append(
                head | measured[one.name, split.shots] | {"reasons": dict(result.reasons), "slots": slots}
            )
    return rows


def _estimate(estimate: Estimate) -> dict[str, float | int | None]:
    parts = {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
    return {name: None if value != value else value for name, value in parts.items()} | {"n": estimate.n}
