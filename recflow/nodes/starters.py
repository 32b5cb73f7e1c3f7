"""Flows to start from: each a whole drawing, explained in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

THIS_WEEK = "count(feedback, (now() - .Timestamp).Hours() < 168)"

#: Canvas pixels between columns and rows.
COLUMN, ROW = 320, 130


@dataclass(frozen=True)
class Starter:
    """One flow to start from."""

    id: str
    label: str
    summary: str
    document: dict[str, Any]


def _node(node_id: str, kind: str, column: float, row: float, name: str = "", /, **settings: Any) -> dict:
    return {
        "id": node_id,
        "type": kind,
        "name": name,
        "position": {"x": column * COLUMN, "y": row * ROW},
        "settings": settings,
        "disabled": False,
        "pin": None,
    }


def _edges(*chains: str) -> list[dict]:
    """Edges of chains such as "source > latest > merge", each numbered among those into its target."""
    edges: list[dict] = []
    for chain in chains:
        names = chain.split(" > ")
        for source, target in pairwise(names):
            if any(edge["source"] == source and edge["target"] == target for edge in edges):
                continue
            order = sum(edge["target"] == target for edge in edges)
            edges.append({"id": f"{source}-{target}", "source": source, "target": target, "order": order})
    return edges


def _document(name: str, nodes: list[dict], edges: list[dict]) -> dict[str, Any]:
    return {"format": 1, "name": name, "nodes": nodes, "edges": edges, "notes": []}


def _popular(column: float, row: float) -> dict:
    return _node("popular", "non-personalized", column, row, "popular", score="len(feedback)")


def _popular_this_week(column: float, row: float) -> dict:
    return _node(
        "popular-week",
        "non-personalized",
        column,
        row,
        "popular this week",
        score=THIS_WEEK,
        filter=f"{THIS_WEEK} > 0",
    )


def _classic(name: str) -> dict[str, Any]:
    return _document(
        name,
        [
            _node("source", "data-source", 0, 2.5),
            _popular_this_week(1, 0),
            _node("collaborative", "collaborative", 1, 1),
            _node("similar-items", "item-to-item", 1, 2, "liked together", similarity="users"),
            _node("similar-users", "user-to-user", 1, 3, "similar taste", similarity="items"),
            _node("latest", "latest", 1, 4),
            _popular(1, 5),
            _node("merge", "merge", 2, 2),
            _node("ranker", "ranker", 3, 2, kind="mf"),
            _node("fallback", "fallback", 3, 4),
            _node("recommend", "recommend", 4, 2.5),
        ],
        _edges(
            "source > popular-week > merge > ranker > recommend",
            "source > collaborative > merge",
            "source > similar-items > merge",
            "source > similar-users > merge",
            "source > latest > merge",
            "latest > fallback > recommend",
            "source > popular > fallback",
        ),
    )


def _popular_only() -> dict[str, Any]:
    return _document(
        "Popular only",
        [
            _node("source", "data-source", 0, 0.5),
            _popular_this_week(1, 0),
            _popular(1, 1),
            _node("fallback", "fallback", 2, 1),
            _node("recommend", "recommend", 3, 0.5),
        ],
        _edges("source > popular-week > recommend", "source > popular > fallback > recommend"),
    )


def _llm_on_top() -> dict[str, Any]:
    return _document(
        "LLM on top",
        [
            _node("source", "data-source", 0, 1.5),
            _node("collaborative", "collaborative", 1, 0),
            _node("similar-items", "item-to-item", 1, 1, "liked together", similarity="users"),
            _node("latest", "latest", 1, 2),
            _popular(1, 3),
            _node("merge", "merge", 2, 1, "best fifty", limit=50),
            _node("mf", "ranker", 3, 1, "by taste", kind="mf"),
            _node("llm", "ranker", 4, 1, "by a language model", kind="llm"),
            _node("fallback", "fallback", 4, 3),
            _node("recommend", "recommend", 5, 1.5),
        ],
        _edges(
            "source > latest > merge > mf > llm > recommend",
            "source > collaborative > merge",
            "source > similar-items > merge",
            "latest > fallback > recommend",
            "source > popular > fallback",
        ),
    )


def _newest() -> dict[str, Any]:
    return _document(
        "Newest",
        [
            _node("source", "data-source", 0, 0),
            _node("latest", "latest", 1, 0),
            _node("recommend", "recommend", 2, 0),
        ],
        _edges("source > latest > recommend"),
    )


STARTERS: dict[str, Starter] = {
    starter.id: starter
    for starter in (
        Starter(
            "classic",
            "Several ways, one ranker",
            "Five recommenders propose, their lists are fused, and matrix factorization has the last word.",
            _classic("Home feed"),
        ),
        Starter(
            "popular",
            "Popular only",
            "What most people liked this week; needs no training and suits the first day.",
            _popular_only(),
        ),
        Starter(
            "llm",
            "LLM ranker on top of MF",
            "Matrix factorization orders the best fifty, and a language model has the last word on them.",
            _llm_on_top(),
        ),
        Starter(
            "gorse",
            "Gorse's default",
            "The newest items, the same for everybody: what Gorse answers until it is told more.",
            _newest(),
        ),
    )
}

DEFAULT = "classic"
