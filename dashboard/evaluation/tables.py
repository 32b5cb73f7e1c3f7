"""Reports as text for a terminal and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

_HEAD = ("ranker", "NDCG@{k}", "HR@{k}", "MRR", "to MF", "cover", "part", "fail", "tokens", "cost", "s/user")
_WIDTHS = (34, 17, 8, 8, 18, 7, 8, 8, 11, 9, 8)


def ranking_table(report: Mapping[str, Any]) -> str:
    """A report on rankers, one block for each number of shots; intervals are 95 %."""
    lines = []
    for shots in dict.fromkeys(row["shots"] for row in report["rows"]):
        rows = [row for row in report["rows"] if row["shots"] == shots]
        k = report["settings"]["k"]
        lines += ["", f"{shots} shots, {report['users']:,} users"]
        lines.append(_line([name.format(k=k) for name in _HEAD]))
        lines += [_line(_cells(row)) for row in rows]
    return "\n".join([*lines, ""])


def _cells(row: Mapping[str, Any]) -> list[str]:
    if "not_measured" in row:
        return [row["label"], f"not measured: {row['not_measured']}"]
    tokens = row.get("usage_prompt_tokens", 0) + row.get("usage_completion_tokens", 0)
    seconds = row.get("usage_seconds", row["seconds_per_user"] * row["users"]) / row["users"]
    cost = row.get("usage_cost")
    is_asked = "usage_calls" in row
    return [
        row["label"],
        _interval(row, "ndcg"),
        _number(row["hit_rate"]),
        _number(row["mrr"]),
        _interval(row, "ndcg_difference", sign="+"),
        _share(row["coverage"]),
        _share(row["partial_rate"]),
        _share(row["failed_rate"]),
        f"{tokens:,}" if is_asked else "",
        ("unknown" if cost is None else f"{cost:.2f}") if is_asked else "",
        f"{seconds:.4f}",
    ]


def _interval(row: Mapping[str, Any], name: str, sign: str = "") -> str:
    if row.get(name) is None:
        return ""
    mean = f"{row[name]:{sign}.4f}"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return mean if low is None else f"{mean} ±{(high - low) / 2:.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _line(cells: Sequence[str]) -> str:
    first, *others = cells
    padded = [f"{first[: _WIDTHS[0] - 1]:<{_WIDTHS[0]}}"]
    if len(others) == 1:
        return padded[0] + others[0]
    return "".join([*padded, *(f"{cell:>{width}}" for cell, width in zip(others, _WIDTHS[1:], strict=True))])


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Flat columns of every row; a cell that holds more than one value is left out."""
    flat = [
        {name: value for name, value in row.items() if not isinstance(value, dict | list | tuple)}
        for row in rows
    ]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in flat)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value
