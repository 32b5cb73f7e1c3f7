"""How long scores over a large catalogue take, over arrays and one item at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import sparse

from dashboard.bench.generated import NOW, drawn_feedback
from dashboard.bench.memory import peak_mb
from recflow.data.feedback import FeedbackLog, FeedbackRule, FeedbackRules
from recflow.data.snapshot import ItemTable, Snapshot, UserTable
from recflow.data.types import TextColumn, Vocabulary
from recflow.expressions import compile_expression

EXPRESSIONS = (
    "item.Timestamp.Unix()",
    "len(feedback)",
    "count(feedback, .FeedbackType == 'like')",
    "count(feedback, (now() - .Timestamp).Hours() < 168)",
    "(count(feedback, .FeedbackType == 'like') - 1) / ((now() - item.Timestamp).Seconds() + 2) ^ 0.5",
    "float(item.Labels.year) + len(feedback)",
)


def run(say: Callable[[str], None], n_items: int) -> None:
    """Print seconds for each of some expressions, with ten likes an item.

    Args:
        say: prints a line.
        n_items: items of the catalogue.
    """
    view = _catalogue(n_items).view(FeedbackRules(positive=(FeedbackRule("like"),)))
    view.positive.by_item  # noqa: B018  grouped once for all, as in a running server
    say(f"{n_items:,} items, {len(view.positive):,} likes")
    for text in EXPRESSIONS:
        expression = compile_expression(text, expects="number", scope="score")
        began = time.perf_counter()
        expression.evaluate_items(view, NOW)
        how = "over arrays" if expression.is_vectorized else "one by one"
        say(f"{time.perf_counter() - began:7.3f} s  {how:12}  {text}")
    say(f"peak {peak_mb():,.0f} MB")


def _catalogue(n_items: int) -> Snapshot:
    n_users = n_items // 10 or 1
    users, items, times = drawn_feedback(10 * n_items, n_users, n_items)
    log = FeedbackLog.from_rows(
        users,
        items,
        np.zeros(len(users), np.int16),
        np.ones(len(users), np.float32),
        times,
        type_names=("like",),
        n_users=n_users,
        n_items=n_items,
    )
    blank = TextColumn.from_texts([""] * n_items)
    table = ItemTable(
        Vocabulary.from_ids([f"item-{n}" for n in range(n_items)]),
        np.zeros(n_items, dtype=bool),
        NOW - np.arange(n_items, dtype=np.int64) * 3_600_000_000,
        sparse.csr_matrix((n_items, 0), dtype=bool),
        (),
        TextColumn.from_texts([f'{{"year": {1950 + n % 70}}}' for n in range(n_items)]),
        blank,
    )
    people = UserTable(
        Vocabulary.from_ids([f"user-{n}" for n in range(n_users)]),
        TextColumn.from_texts(["null"] * n_users),
        TextColumn.from_texts([""] * n_users),
    )
    return Snapshot("generated", NOW, people, table, log)
