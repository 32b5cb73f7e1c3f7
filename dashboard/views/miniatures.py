"""A flow as a picture of a few centimeters: boxes and lines where the document has nodes and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recflow.engine.registry import FAMILIES, NODE_TYPES

#: Canvas pixels of a box; wider than a card, so that it is still seen when it is small.
WIDTH, HEIGHT = 190, 76
MARGIN = 20


@dataclass(frozen=True)
class Miniature:
    """What the template draws.

    Args:
        view_box: of the SVG, around everything.
        boxes: corner and color family of each node.
        lines: an SVG path for each edge.
    """

    view_box: str
    boxes: list[dict[str, Any]]
    lines: list[str]


def miniature(document: Mapping[str, Any]) -> Miniature:
    """The picture of a flow with at least one node."""
    corners = {node["id"]: (node["position"]["x"], node["position"]["y"]) for node in document["nodes"]}
    families = list(FAMILIES)
    boxes = [
        {
            "x": corners[node["id"]][0],
            "y": corners[node["id"]][1],
            "family": families.index(NODE_TYPES[node["type"]].family),
        }
        for node in document["nodes"]
    ]
    left, top = (min(corner[axis] for corner in corners.values()) - MARGIN for axis in (0, 1))
    right = max(x for x, _ in corners.values()) + WIDTH + MARGIN
    bottom = max(y for _, y in corners.values()) + HEIGHT + MARGIN
    lines = [_line(corners[edge["source"]], corners[edge["target"]]) for edge in document["edges"]]
    return Miniature(f"{left:g} {top:g} {right - left:g} {bottom - top:g}", boxes, lines)


def _line(source: tuple[float, float], target: tuple[float, float]) -> str:
    x1, y1 = source[0] + WIDTH, source[1] + HEIGHT / 2
    x2, y2 = target[0], target[1] + HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
