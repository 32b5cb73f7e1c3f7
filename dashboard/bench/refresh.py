"""Lists for everybody: the best items of many users from factors, and the default flow over MovieLens."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import sparse

from dashboard.artifacts import ArtifactStore
from dashboard.bench.memory import peak_mb
from dashboard.bench.preview import movielens_snapshot
from dashboard.jobs.fitting import fit_missing
from recflow.algorithms.retrieval import best_items_for_users
from recflow.engine.block_run import BlockServices, block_users, run_block
from recflow.engine.flow import load_flow
from recflow.nodes.starters import DEFAULT, STARTERS

N_FACTORS, N_BEST, N_SEEN = 64, 100, 50
#: Users ranked by one and then by the other.
SLICE = 3_000
SEED = 0


def run(say: Callable[[str], None], data: Path, n_users: int, n_items: int) -> None:
    """Print both.

    Args:
        say: prints a line.
        data: a MovieLens folder; where it is missing, the second part is left out.
        n_users, n_items: of the generated factors.
    """
    measure_retrieval(say, n_users, n_items)  # first, for the peak of memory is that of the whole process
    if data.exists():
        say("")
        measure_flow(say, data)


def measure_flow(say: Callable[[str], None], data: Path) -> None:
    """The default flow for all users of MovieLens, in blocks."""
    snapshot = movielens_snapshot(data)
    flow = load_flow(STARTERS[DEFAULT].document)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        models = ArtifactStore(Path(folder))
        fit_missing([flow], snapshot, models, say)
        size = block_users(snapshot.n_items)
        for what in ("first time", "again"):  # the first maps models and makes what all blocks share
            services = BlockServices(models, pool)
            began, found = time.perf_counter(), 0
            for start in range(0, snapshot.n_users, size):
                users = np.arange(start, min(start + size, snapshot.n_users), dtype=np.int32)
                lists, degraded = run_block(flow, users, snapshot, services, n=N_BEST, now=snapshot.taken_at)
                found += int(lists.present.sum())
                for sentence in degraded:
                    say(sentence)
            seconds = time.perf_counter() - began
            each_ms = seconds / snapshot.n_users * 1000
            say(f"default flow, {snapshot.n_users:,} users, {found:,} items in lists, {what}: ")
            say(f"  {seconds:.2f} s, {each_ms:.2f} ms a user (target 5 s in all)")
    say(f"peak memory {peak_mb():,.0f} MB")


def measure_retrieval(say: Callable[[str], None], n_users: int, n_items: int) -> None:
    """The best items of every user from factors, beside implicit where it is installed."""
    rng = np.random.default_rng(SEED)
    users, items = (
        rng.standard_normal((n, N_FACTORS), dtype=np.float32) / np.float32(8) for n in (n_users, n_items)
    )
    columns = rng.integers(n_items, size=n_users * N_SEEN, dtype=np.int32)
    offsets = np.arange(0, n_users * N_SEEN + 1, N_SEEN)
    seen = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, offsets), shape=(n_users, n_items))
    say(f"{n_users:,} users x {n_items:,} items x {N_FACTORS} factors, the best {N_BEST}, seen ones left out")
    ours = Contender("RecFlow", lambda rows: best_items_for_users(users[rows], items, N_BEST, seen[rows])[0])
    contenders = [ours, *_implicit(users, items, seen)]
    for contender in contenders:
        contender.rank(slice(0, 64))  # compiles and warms what is done once
    # In turns, so that whatever else the machine does meets both alike.
    for start in range(0, n_users, SLICE):
        for contender in contenders:
            contender.measure(slice(start, start + SLICE))
    for contender in contenders:
        memory = f"peak memory {contender.peak_mb:,.0f} MB after it" if contender.peak_mb else ""
        say(f"{contender.name:9}{contender.wall_s:7.2f} s, {contender.cpu_s:7.2f} s of processors, {memory}")
    if len(contenders) == 1:
        say("implicit is not installed: nothing to compare with")
        return
    other = contenders[1]
    same = np.mean([len(np.intersect1d(*pair)) / N_BEST for pair in zip(ours.last, other.last, strict=True)])
    wall, cpu = ours.wall_s / other.wall_s, ours.cpu_s / other.cpu_s
    say(f"ratio {wall:.2f} (target 0.80), of processors' time {cpu:.2f}")
    say(f"{same:.1%} of the items of the last {len(ours.last):,} users are the same")


@dataclass(eq=False)
class Contender:
    """One way to rank, and what it has taken so far.

    Args:
        name: what the lines call it.
        rank: (rows of users) -> (n, N_BEST) items.
    """

    name: str
    rank: Callable[[slice], np.ndarray]
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    last: np.ndarray | None = None

    def measure(self, rows: slice) -> None:
        """Rank some users and add up the time; the first time, note the peak of memory too."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.last = self.rank(rows)
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu
        self.peak_mb = self.peak_mb or peak_mb()


def _implicit(users: np.ndarray, items: np.ndarray, seen: sparse.csr_matrix) -> list[Contender]:
    """The library beside ours, with the same factors; nothing where it is not installed."""
    if find_spec("implicit") is None:
        return []
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=N_FACTORS)
    model.user_factors, model.item_factors = users, items
    everybody = np.arange(len(users))

    def rank(rows: slice) -> np.ndarray:
        return model.recommend(everybody[rows], seen[rows], N=N_BEST, filter_already_liked_items=True)[0]

    return [Contender("implicit", rank)]
