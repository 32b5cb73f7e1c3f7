"""Make the playground: who read what, when, and how much they liked it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.playground.catalogue import Catalogue, make_catalogue
from recflow.playground.readers import Readers, make_readers
from recflow.playground.tastes import tastes

DEFAULT_SEED = 7
N_ITEMS, N_USERS, N_COLD, N_SPARSE = 1500, 800, 36, 60
N_READS, N_LIKES, N_STARS = 40_000, 14_000, 6_000
_N_SLICES = 8  # the taste of a reader is held still within one of them
_SECONDS_PER_DAY = 86_400
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Playground:
    """The invented library as records, ready to be stored like anybody's data."""

    items: tuple[ItemRecord, ...]
    users: tuple[UserRecord, ...]
    feedback: tuple[FeedbackRecord, ...]


@dataclass(frozen=True)
class _Reads:
    """(n_reads,) each: user, item, seconds before now, how well the book suits the reader."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    seconds_ago: NDArray[np.int64]
    appeal: NDArray[np.float64]


def make_playground(*, seed: int = DEFAULT_SEED, now_us: int) -> Playground:
    """The same library for the same seed, moved so that its last feedback is of this moment.

    Args:
        seed: another seed, another library.
        now_us: microseconds since 1970; every timestamp is at or before it, to the second.
    """
    rng = np.random.default_rng(seed)
    now_s = now_us // _MICROSECONDS
    catalogue = make_catalogue(N_ITEMS, rng)
    readers = make_readers(N_USERS, N_COLD, N_SPARSE, len(tastes()), N_READS, rng)
    users = _user_records(readers, catalogue, rng)
    reads = _reads(catalogue, readers, rng)
    feedback = _feedback_records(catalogue, users, reads, now_s, rng)
    return Playground(_item_records(catalogue, now_s), users, feedback)


def _reads(catalogue: Catalogue, readers: Readers, rng: np.random.Generator) -> _Reads:
    """Who read what and when: by taste of the moment, popularity and novelty, no book twice."""
    n_items = len(catalogue.books)
    log_popularity = np.log(catalogue.popularity)
    main_affinity = readers.theme_weights[:, catalogue.themes]
    columns: list[tuple[NDArray, ...]] = []
    for user in np.flatnonzero(readers.n_pairs):
        unread = np.ones(n_items, dtype=bool)
        edges = np.linspace(readers.first_day[user], readers.last_day[user], _N_SLICES + 1)
        quota = np.diff(np.arange(_N_SLICES + 1) * readers.n_pairs[user] // _N_SLICES)
        for k in np.flatnonzero(quota):
            start, end = edges[k], edges[k + 1]
            late_share = (k + 0.5) / _N_SLICES
            mix = (1 - late_share) * readers.early[user] + late_share * readers.late[user]
            affinity = (catalogue.loadings @ mix) * main_affinity[user]
            novelty = 1 + 3 * np.exp(-np.maximum(0.0, catalogue.age_days - end) / 25)
            utility = 1.2 * np.log(affinity + 0.02) + 1.5 * log_popularity + np.log(novelty)
            available = unread & (catalogue.age_days > end)
            drawn = np.where(available, utility + rng.gumbel(size=n_items), -np.inf)
            chosen = np.argpartition(-drawn, quota[k])[: quota[k]]
            unread[chosen] = False
            oldest = np.minimum(start, catalogue.age_days[chosen])
            days_ago = end + rng.random(len(chosen)) * (oldest - end)
            appeal = np.log(affinity[chosen] + 0.05)
            columns.append((np.full(len(chosen), user), chosen, days_ago, appeal))
    user_column, item_column, days_ago, appeal = (
        np.concatenate(parts) for parts in zip(*columns, strict=True)
    )
    return _Reads(user_column, item_column, (days_ago * _SECONDS_PER_DAY).astype(np.int64), appeal)


def _feedback_records(
    catalogue: Catalogue,
    users: tuple[UserRecord, ...],
    reads: _Reads,
    now_s: int,
    rng: np.random.Generator,
) -> tuple[FeedbackRecord, ...]:
    """Reads, and the likes and stars that followed from the best of them, oldest first."""
    n = len(reads.users)
    mood = reads.appeal + rng.logistic(0, 0.4, n)
    chapters = np.array([book.chapters for book in catalogue.books])[reads.items]
    finished = 1 / (1 + np.exp(-(mood - np.median(mood) + rng.normal(0, 0.5, n)) * 1.5))
    values = np.clip(np.ceil(chapters * finished * 1.15), 1, chapters)
    best_first = np.argsort(-mood, kind="stable")
    liked = best_first[:N_LIKES]
    starred = np.argsort(-(mood + rng.logistic(0, 0.4, n)), kind="stable")[:N_STARS]

    ids = [user.user_id for user in users]
    rows = [("read", i, float(values[i]), int(reads.seconds_ago[i])) for i in range(n)]
    for name, chosen in (("like", liked), ("star", starred)):
        delays = rng.integers(60, _SECONDS_PER_DAY, len(chosen))
        ago = np.maximum(0, reads.seconds_ago[chosen] - delays)
        rows += [(name, int(i), 1.0, int(s)) for i, s in zip(chosen, ago, strict=True)]
    rows.sort(key=lambda row: (-row[3], row[1], row[0]))
    records = []
    for name, i, value, seconds_ago in rows:
        time_us = (now_s - seconds_ago) * _MICROSECONDS
        item_id = catalogue.books[reads.items[i]].item_id
        records.append(FeedbackRecord(name, ids[reads.users[i]], item_id, value, time_us, time_us))
    return tuple(records)


def _item_records(catalogue: Catalogue, now_s: int) -> tuple[ItemRecord, ...]:
    embeddings = np.round(catalogue.embeddings, 4).tolist()
    return tuple(
        ItemRecord(
            book.item_id,
            book.is_hidden,
            book.categories,
            (now_s - int(catalogue.age_days[i] * _SECONDS_PER_DAY)) * _MICROSECONDS,
            {
                "description": book.description,
                "author": book.author,
                "tags": list(book.tags),
                "chapters": book.chapters,
                "embedding": embeddings[i],
            },
            book.title,
        )
        for i, book in enumerate(catalogue.books)
    )


def _user_records(readers: Readers, catalogue: Catalogue, rng: np.random.Generator) -> tuple[UserRecord, ...]:
    """Users with the interests they named when they signed up: honest, but only one or two of them."""
    all_tastes = tastes()
    records = []
    for name, mix in zip(readers.names, readers.early, strict=True):
        n_named = min(int(rng.integers(1, 3)), int(np.count_nonzero(mix)))
        named = np.argsort(-mix, kind="stable")[:n_named]
        vector = catalogue.taste_vectors[named].sum(axis=0)
        labels = {
            "tags": [all_tastes[k].tags[0] for k in named],
            "embedding": np.round(vector / np.linalg.norm(vector), 4).tolist(),
        }
        records.append(UserRecord(name.lower().replace(" ", "-"), labels, name))
    return tuple(records)
