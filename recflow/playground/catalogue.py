"""The books of the invented library, and the hidden truth about each of them that readers react to."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recflow.playground.tastes import Taste, Theme, draw_words, names_of, sentence, tastes, title

N_DIMENSIONS = 64
N_THEMES = 4  # in each taste
HISTORY_DAYS = 730.0
_CROSSOVER_SHARE = 0.2
_CROSSOVER_WEIGHT = 0.4
_NEW_SHARE = 0.1
_NEW_DAYS = 30.0
_N_HIDDEN = 8


@dataclass(frozen=True)
class Book:
    """One item, before it becomes a record."""

    item_id: str
    title: str
    description: str
    author: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    chapters: int
    is_hidden: bool


@dataclass(frozen=True)
class Catalogue:
    """All books and what is hidden behind them.

    Args:
        books: n_items books.
        loadings: (n_items, n_tastes) how much of a taste a book offers; rows sum to 1.
        themes: (n_items,) theme of the main taste, counted over all tastes.
        popularity: (n_items,) weight, Zipf-like.
        age_days: (n_items,) days since it came out.
        embeddings: (n_items, 64) unit vectors.
        taste_vectors: (n_tastes, 64) the direction of each taste.
    """

    books: tuple[Book, ...]
    loadings: NDArray[np.float64]
    themes: NDArray[np.int64]
    popularity: NDArray[np.float64]
    age_days: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    taste_vectors: NDArray[np.float64]


def make_catalogue(n_items: int, rng: np.random.Generator) -> Catalogue:
    """Invent a catalogue."""
    all_tastes = tastes()
    main = rng.permutation(np.arange(n_items) % len(all_tastes))
    second = _second_tastes(main, all_tastes, rng)
    is_crossover = rng.random(n_items) < _CROSSOVER_SHARE
    themes = main * N_THEMES + rng.integers(0, N_THEMES, n_items)
    hidden = set(rng.choice(n_items, _N_HIDDEN, replace=False).tolist())

    loadings = np.zeros((n_items, len(all_tastes)))
    rows = np.arange(n_items)
    loadings[rows, main] = np.where(is_crossover, 1 - _CROSSOVER_WEIGHT, 1.0)
    loadings[rows[is_crossover], second[is_crossover]] = _CROSSOVER_WEIGHT

    authors = _authors(len(all_tastes) * N_THEMES, rng)
    taken: set[str] = set()
    books = []
    for i in range(n_items):
        taste = all_tastes[main[i]]
        theme = taste.themes[themes[i] % N_THEMES]
        other = all_tastes[second[i]] if is_crossover[i] else None
        author = authors[themes[i]][int(rng.integers(len(authors[themes[i]])))]
        books.append(_write(taste, theme, other, author, i in hidden, taken, rng))

    is_new = rng.random(n_items) < _NEW_SHARE
    old_ages = _NEW_DAYS + rng.random(n_items) * 1.2 * HISTORY_DAYS  # some came out before the first feedback
    vectors = _directions(len(all_tastes), rng)
    theme_vectors = _directions(len(all_tastes) * N_THEMES, rng)
    noise = rng.normal(size=(n_items, N_DIMENSIONS)) / np.sqrt(N_DIMENSIONS)
    return Catalogue(
        tuple(books),
        loadings,
        themes,
        popularity=(rng.permutation(n_items) + 5.0) ** -1.2,
        age_days=np.where(is_new, rng.random(n_items) * _NEW_DAYS, old_ages),
        embeddings=_unit(loadings @ vectors + 0.6 * theme_vectors[themes] + 0.5 * noise),
        taste_vectors=vectors,
    )


def _write(
    taste: Taste,
    theme: Theme,
    other: Taste | None,
    author: str,
    is_hidden: bool,
    taken: set[str],
    rng: np.random.Generator,
) -> Book:
    """One book whose id is not taken yet."""
    while True:
        words = draw_words(theme, rng)
        name = title(taste.titles[int(rng.integers(len(taste.titles)))], words)
        item_id = re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", "")).strip("-")
        if item_id not in taken:
            break
    taken.add(item_id)
    plot = sentence(taste.plots[int(rng.integers(len(taste.plots)))], words)
    closing = sentence(taste.closings[int(rng.integers(len(taste.closings)))], words)
    categories = (taste.shelf, taste.category)
    chosen = sorted(rng.choice(len(taste.tags), 2, replace=False).tolist())
    tags = (theme.tag, *(taste.tags[k] for k in chosen))
    if other is not None:
        echo = other.themes[int(rng.integers(N_THEMES))]
        closing = sentence(other.crossover, draw_words(echo, rng))
        categories = (*categories, other.category)
        tags = (*tags, other.tags[0])
    return Book(
        item_id, name, f"{plot} {closing}", author, categories, tags, int(rng.integers(8, 31)), is_hidden
    )


def _second_tastes(
    main: NDArray[np.int64], all_tastes: tuple[Taste, ...], rng: np.random.Generator
) -> NDArray[np.int64]:
    """(n_items,) another taste from the same shelf: fiction does not cross into cookbooks."""
    neighbors = [
        [j for j, other in enumerate(all_tastes) if other.shelf == taste.shelf and j != i]
        for i, taste in enumerate(all_tastes)
    ]
    return np.array([neighbors[i][int(rng.integers(len(neighbors[i])))] for i in main])


def _authors(n_themes: int, rng: np.random.Generator) -> list[list[str]]:
    """Four authors for each theme; nobody writes in two."""
    names = names_of("author", 4 * n_themes, rng)
    return [names[4 * i : 4 * i + 4] for i in range(n_themes)]


def _directions(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return _unit(rng.normal(size=(n, N_DIMENSIONS)))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
