"""Positions for a drawing that has none: columns from left to right, as far on as the longest way there."""

from __future__ import annotations

from collections.abc import Sequence

#: Canvas pixels between columns and between rows.
COLUMN, ROW = 300, 130


def layered(node_ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Upper left corner of each node.

    Every edge leads to the right, nodes of a column keep the order given, columns are centered on one line.

    Args:
        node_ids: top to bottom where they share a column.
        edges: (source, target) pairs without a circle.
    """
    columns = dict.fromkeys(node_ids, 0)
    for _ in node_ids:  # a longest way has at most that many steps
        for source, target in edges:
            columns[target] = max(columns[target], columns[source] + 1)
    heights = [list(columns.values()).count(column) for column in range(max(columns.values(), default=0) + 1)]
    tallest = max(heights, default=0)
    places: dict[str, tuple[float, float]] = {}
    rows = [(tallest - height) / 2 for height in heights]
    for node_id in node_ids:
        column = columns[node_id]
        places[node_id] = (column * COLUMN, rows[column] * ROW)
        rows[column] += 1
    return places
