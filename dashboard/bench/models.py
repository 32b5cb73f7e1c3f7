"""How well the fitted models rank MovieLens, and how long factorization takes beside a well-known peer."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from dashboard.bench.generated import drawn_feedback
from dashboard.bench.memory import peak_mb
from dashboard.bench.preview import movielens_snapshot
from recflow.algorithms.als import AlsParams, fit_als
from recflow.algorithms.words import word_labels
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.evaluation.compare import compare
from recflow.evaluation.controls import Echo, Popularity, RandomOrder
from recflow.evaluation.model_rankers import Hybrid, MatrixFactorization
from recflow.evaluation.splits import Split, leave_last_out

SHOTS = (1, 5, 10, 20, 50)
ROUNDS = 3
#: Positives by the protocol of the figures in the literature on this data set.
RULES = FeedbackRules(positive=(FeedbackRule("rating", ">=", 3.5),), read=(FeedbackRule("rating"),))


def run(say: Callable[[str], None], data: Path, n_seeds: int) -> None:
    """Print NDCG@10 by training samples a user, then seconds of a fit beside implicit's.

    Args:
        say: prints a line.
        data: a MovieLens folder.
        n_seeds: splits that the figures are the mean of.
    """
    view = movielens_snapshot(data).view(RULES)
    _quality(say, view, n_seeds)
    say("")
    _speed(say, "MovieLens", view.positive.matrix)
    users, items, _ = drawn_feedback(1_000_000, 30_000, 41_000)
    ones = np.ones(len(users), np.float32)
    _speed(say, "generated", sparse.csr_matrix((ones, (users, items)), shape=(30_000, 41_000)))
    say(f"peak {peak_mb():,.0f} MB")


def _quality(say: Callable[[str], None], view: TrainingView, n_seeds: int) -> None:
    say(f"NDCG@10, latest item among 99 unseen ones, mean of {n_seeds} seeds")
    say(f"{'ranker':12}" + "".join(f"{f's={shots}':>8}" for shots in SHOTS))
    tables: list[dict[str, list[float]]] = []
    for seed in range(n_seeds):
        rankers = {
            "random": RandomOrder(seed),
            "echo": Echo(),
            "popularity": Popularity(),
            "mf": MatrixFactorization(seed=seed),
            "hybrid": _hybrid(view, seed),
        }
        results = compare([_split(view, shots, seed) for shots in SHOTS], rankers)
        tables.append(
            {
                name: [float(found.ndcg.mean()) for s in SHOTS if (found := results.result(name, s))]
                for name in rankers
            }
        )
    for name in tables[0]:
        means = np.mean([table[name] for table in tables], axis=0)
        say(f"{name:12}" + "".join(f"{mean:8.3f}" for mean in means))


def _split(view: TrainingView, shots: int, seed: int) -> Split:
    return leave_last_out(
        view.positive.users,
        view.positive.items,
        view.positive.times,
        n_items=view.snapshot.n_items,
        shots=shots,
        rng=np.random.default_rng(seed),
        seen_users=view.read.users,
        seen_items=view.read.items,
    )


def _hybrid(view: TrainingView, seed: int) -> Hybrid:
    items, log = view.snapshot.items, view.positive
    shape = (view.snapshot.n_users, len(items))
    return Hybrid(
        item_times=items.times,
        labels={"genres": items.categories.astype(np.float32), "title": word_labels(items.comments.all())},
        values=sparse.csr_matrix((log.values, (log.users, log.items)), shape=shape),
        seed=seed,
    )


def _speed(say: Callable[[str], None], name: str, positives: sparse.csr_matrix) -> None:
    params = replace(AlsParams(), n_factors=64, n_epochs=10)
    fit_als(positives, replace(params, n_epochs=1), rng=np.random.default_rng(0))  # compiles
    ours = [_seconds(lambda: fit_als(positives, params, rng=np.random.default_rng(0)))]
    say(f"{name}: {positives.nnz:,} positives, 64 factors, 10 epochs: {ours[0].wall:.2f} s")
    if importlib.util.find_spec("implicit") is None:
        say("  implicit is not installed: no ratio")
        return
    from implicit.als import AlternatingLeastSquares

    theirs = []
    for _ in range(ROUNDS):  # in turn, so that a busy neighbor slows both down
        peer = AlternatingLeastSquares(factors=64, iterations=10, random_state=0)
        theirs.append(_seconds(lambda peer=peer: peer.fit(positives, show_progress=False)))
        ours.append(_seconds(lambda: fit_als(positives, params, rng=np.random.default_rng(0))))
    wall = min(run.wall for run in ours) / min(run.wall for run in theirs)
    processor = min(run.processor for run in ours) / min(run.processor for run in theirs)
    say(f"  beside implicit: {wall:.2f} of its time, {processor:.2f} of its processor time")


class _Run(NamedTuple):
    """Seconds on the clock, and of the processors."""

    wall: float
    processor: float


def _seconds(work: Callable[[], object]) -> _Run:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return _Run(time.perf_counter() - wall, time.process_time() - processor)
