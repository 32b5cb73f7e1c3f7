"""Data as they were before each sampled user's newest like: what a flow may know while it is measured.

The newest positive item of a sampled user is taken out with all feedback of that user on it, a read or a
second like as well: one row left would give the item away, or keep it off the list as already seen.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace

import numpy as np

from dashboard.evaluation.datasets import Measured
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import Snapshot
from recflow.data.types import IndexVector


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Sampled users, what each is to find, and the data without it.

    Args:
        snapshot: all data but the items to be found.
        rules: which feedback counts.
        users: (n,) user indices, ascending.
        items: (n,) the item each of them is to find.
    """

    snapshot: Snapshot
    rules: FeedbackRules
    users: IndexVector
    items: IndexVector

    def __len__(self) -> int:
        return len(self.users)


def hold_out_last(measured: Measured, *, n_users: int | None, seed: int) -> HeldOut:
    """The newest positive of a sample of users, and the data without it.

    Args:
        measured: all data.
        n_users: size of the sample; None asks everybody who has positive feedback.
        seed: of the sample, and of the order of equal times.
    """
    # The split's own draws: the sample is the one that an evaluation of rankers with this seed asks.
    split = measured.split(shots=None, seed=seed, n_negatives=1, n_users=n_users)
    items = np.concatenate([split.relevant[row] for row in range(len(split))])
    snapshot, log = measured.snapshot, measured.snapshot.feedback
    pairs = log.users.astype(np.int64) * snapshot.n_items + log.items
    hidden = np.isin(pairs, split.users.astype(np.int64) * snapshot.n_items + items)
    digest = hashlib.blake2b(np.flatnonzero(hidden).tobytes(), digest_size=8).hexdigest()
    without = replace(
        snapshot,
        version=f"{snapshot.version}-without-{digest}",
        feedback=log.select(~hidden),
        _views={},
        _lock=threading.Lock(),
    )
    return HeldOut(without, measured.rules, split.users, items)
