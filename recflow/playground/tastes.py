"""The word list of the invented library: tastes, their themes, and how sentences are made of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

_SMALL_WORDS = re.compile(r"(a|an|and|at|below|beyond|by|for|from|in|of|on|the|to|under|who|with)\Z")


@dataclass(frozen=True)
class Theme:
    """A corner of a taste: railway mysteries, books on bread."""

    tag: str
    people: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]


@dataclass(frozen=True)
class Taste:
    """What a reader can have a taste for.

    Args:
        shelf: "Fiction" or "Nonfiction", the wider category.
        titles, plots, closings: templates; a description is a plot and a closing.
        crossover: the closing of a book of another taste that crosses into this one.
    """

    name: str
    category: str
    shelf: str
    tags: tuple[str, ...]
    titles: tuple[str, ...]
    plots: tuple[str, ...]
    closings: tuple[str, ...]
    crossover: str
    themes: tuple[Theme, ...]


@cache
def tastes() -> tuple[Taste, ...]:
    """All tastes, in the order of the file."""
    return tuple(
        Taste(**_frozen({**taste, "themes": [Theme(**_frozen(theme)) for theme in taste["themes"]]}))
        for taste in _words()["taste"]
    )


def names_of(kind: str, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` full names of "author" or "reader", no two alike."""
    first, last = _words()["names"][f"{kind}_first"], _words()["names"][f"{kind}_last"]
    chosen = rng.permutation(len(first) * len(last))[:n]
    return [f"{first[i // len(last)]} {last[i % len(last)]}" for i in chosen]


def draw_words(theme: Theme, rng: np.random.Generator) -> dict[str, str]:
    """Values for every placeholder a template may hold."""
    person, place, thing = (_pick(words, rng) for words in (theme.people, theme.places, theme.things))
    return {
        "tag": theme.tag,
        "person": person,
        "place": place,
        "thing": thing,
        "a_person": with_article(person),
        "a_thing": with_article(thing),
    }


def sentence(template: str, words: dict[str, str]) -> str:
    """The template filled in, with a capital at the start."""
    return _capital(_one_article(template.format(**words)))


def title(template: str, words: dict[str, str]) -> str:
    """The template filled in, in title case."""
    parts = _one_article(template.format(**words)).split(" ")
    return _capital(" ".join(part if _SMALL_WORDS.match(part) else _capital(part) for part in parts))


def with_article(noun: str) -> str:
    """The noun with "a" or "an"; by its first letter, which is right for every noun in the list."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@cache
def _words() -> dict:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _pick(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _one_article(text: str) -> str:
    return re.sub(r"\b(The|the|a|A) the\b", r"\1", text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _frozen(table: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
