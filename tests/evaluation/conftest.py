"""MovieLens for tests that measure quality, read from beside the repository; skipped where it is absent."""

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from recflow.algorithms.words import word_labels
from recflow.data.types import NO_TIME

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "ml-latest-small"


def labels(lists):
    """(n_items, n_labels) 1 where an item has a label."""
    names = {name: place for place, name in enumerate(sorted(set().union(*lists)))}
    rows = np.repeat(np.arange(len(lists)), [len(own) for own in lists])
    columns = [names[name] for own in lists for name in own]
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(lists), len(names)))


def rows_of(name):
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


@pytest.fixture(scope="session")
def movielens():
    """Ratings as arrays, split at 3.5 into positives and the rest, with genres, title words and years."""
    if not FOLDER.exists():
        pytest.skip(f"{FOLDER.name} is not there")
    movies = list(rows_of("movies.csv"))
    place = {movie["movieId"]: index for index, movie in enumerate(movies)}
    # A damaged line is left out: one copy of the file has a web address inside a timestamp.
    ratings = [row for row in rows_of("ratings.csv") if row["timestamp"].isdigit()]
    years = [re.search(r"\((\d{4})\)\s*$", movie["title"]) for movie in movies]
    users = np.array([int(row["userId"]) - 1 for row in ratings])
    items = np.array([place[row["movieId"]] for row in ratings])
    values = np.array([float(row["rating"]) for row in ratings], dtype=np.float32)
    times = np.array([int(row["timestamp"]) * 1_000_000 for row in ratings])
    likes = values >= 3.5
    return SimpleNamespace(
        n_users=int(users.max()) + 1,
        n_items=len(movies),
        users=users[likes],
        items=items[likes],
        times=times[likes],
        values=sparse.csr_matrix(
            (values[likes], (users[likes], items[likes])), (users.max() + 1, len(movies))
        ),
        seen_users=users[~likes],
        seen_items=items[~likes],
        genres=labels([set(movie["genres"].split("|")) - {"(no genres listed)"} for movie in movies]),
        words=word_labels(movie["title"] for movie in movies),
        item_times=np.array(
            [
                int(datetime(int(year[1]), 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 if year else NO_TIME
                for year in years
            ]
        ),
    )
