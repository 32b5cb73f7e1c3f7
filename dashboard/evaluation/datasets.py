"""What can be measured on: the installation's own data, or a folder of MovieLens without a database.

A data set is a function that gives a snapshot; one more is one more function in ``DATASETS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dashboard.bench.preview import movielens_snapshot
from dashboard.store import store
from recflow.data.feedback import FeedbackRules, UserHistory
from recflow.data.snapshot import Snapshot, TrainingView
from recflow.errors import BadRecord, NoFeedback
from recflow.evaluation.splits import Split, leave_last_out
from recflow.interop.records import Rejected
from recflow.nodes.data_source import Settings as DataSourceSettings
from recflow.nodes.data_source import rules_of

#: What the installation's own data are called.
OWN = "database"
DEFAULT_RULES = rules_of(DataSourceSettings())


def _own(place: str, on_rejected: Callable[[Rejected], None]) -> Snapshot:
    return store.snapshot(fresh=True)


def _movielens(place: str, on_rejected: Callable[[Rejected], None]) -> Snapshot:
    folder = Path(place)
    if not folder.is_dir():
        raise BadRecord(f"There is no data set {place!r}: name a folder of MovieLens, or {OWN}")
    return movielens_snapshot(folder, on_rejected)


#: Name -> what opens it. A place that is no name is a folder.
DATASETS: dict[str, Callable[[str, Callable[[Rejected], None]], Snapshot]] = {OWN: _own}


def open_dataset(place: str = OWN, on_rejected: Callable[[Rejected], None] = lambda row: None) -> Snapshot:
    """The data of that name, or in that folder.

    Args:
        place: key of DATASETS, or a folder.
        on_rejected: hears of each row of a file that cannot be read.

    Raises:
        BadRecord: the folder holds no data set.
    """
    return DATASETS.get(place, _movielens)(place, on_rejected)


@dataclass(frozen=True, eq=False)
class Measured:
    """A snapshot and which feedback counts: everything that rankers and questions are made of."""

    snapshot: Snapshot
    rules: FeedbackRules

    @property
    def view(self) -> TrainingView:
        return self.snapshot.view(self.rules)

    def split(self, *, shots: int | None, seed: int, n_negatives: int = 99, n_users: int | None) -> Split:
        """The newest positive of each user among items that user never touched.

        Raises:
            NoFeedback: nobody has positive feedback.
        """
        positive, log = self.view.positive, self.snapshot.feedback
        if len(positive) == 0:
            wanted = ", ".join(map(str, self.rules.positive)) or "none"
            raise NoFeedback(f"There is no positive feedback to measure on; the types that count: {wanted}")
        return leave_last_out(
            positive.users,
            positive.items,
            positive.times,
            n_items=self.snapshot.n_items,
            n_users=self.snapshot.n_users,
            shots=shots,
            rng=np.random.default_rng(seed),
            n_negatives=n_negatives,
            max_users=n_users,
            seen_users=log.users,
            seen_items=log.items,
        )

    def described(self) -> dict[str, int | str]:
        """What to write beside a result."""
        return {
            "version": self.snapshot.version,
            "users": self.snapshot.n_users,
            "items": self.snapshot.n_items,
            "feedback": len(self.snapshot.feedback),
            "positive": len(self.view.positive),
        }


def history_in(snapshot: Snapshot, user_index: int) -> UserHistory:
    """A user's feedback as the snapshot has it, newest first, with what is known of the user."""
    log, users = snapshot.feedback, snapshot.users
    rows = np.arange(len(log))[log.rows_of(user_index)][::-1]
    return UserHistory(
        users.ids[user_index],
        log.items[rows],
        tuple(snapshot.items.ids.texts(log.items[rows])),
        tuple(log.type_names[kind] for kind in log.types[rows]),
        log.values[rows],
        log.times[rows],
        is_known=True,
        labels=users.labels_of(user_index),
        comment=users.comments[user_index],
    )
