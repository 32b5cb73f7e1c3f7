"""The positive feedback rate by day as a picture: where its marks stand, in pixels with y growing down.

A template draws them, so the page needs no script. Colors are the style sheet's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 1040, 230
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 12, 18, HEIGHT - 30
_LABEL_WIDTH = 72
#: Pixels of a label at a mark: one character at most, the room to its mark, and a line of labels.
_CHARACTER, _MARK_GAP, _MARK_ROW = 7, 4, 14
#: Characters of a flow's name at a mark.
_NAME = 24


@dataclass(frozen=True)
class Chart:
    """Marks, ready to be drawn.

    Args:
        ticks: ``y`` and ``text`` of each line across.
        labels: ``x`` and ``text`` below.
        bands: paths of the 95 % intervals, one for each run of days without a gap.
        lines: paths of the rate, likewise.
        points: ``x``, ``y`` and ``title`` of each day with a rate.
        marks: ``x``, ``text`` and ``title`` of each activation, and where the text stands:
            ``text_x``, ``text_y`` and ``anchor``.
    """

    ticks: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    bands: list[str]
    lines: list[str]
    points: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def draw(days: list[dict[str, Any]], versions: list[dict[str, Any]]) -> Chart:
    """The chart of what ``online_rates`` found; ``days`` must not be empty."""
    step = (RIGHT - LEFT) / len(days)
    ticks = ticks_to(max((day["high"] or 0.0 for day in days), default=0.0))

    def x(place: float) -> float:
        return round(LEFT + (place + 0.5) * step, 1)

    def y(rate: float) -> float:
        return round(BOTTOM - rate / ticks[-1] * (BOTTOM - TOP), 1)

    digits = 0 if all(round(tick * 100, 6).is_integer() for tick in ticks) else 1
    every = max(1, ceil(len(days) * _LABEL_WIDTH / (RIGHT - LEFT)))
    runs = _unbroken(days)
    first = datetime.combine(date.fromisoformat(days[0]["date"]), datetime.min.time(), UTC)
    return Chart(
        ticks=[{"y": y(tick), "text": f"{tick * 100:.{digits}f} %"} for tick in ticks],
        labels=[
            {"x": x(place), "text": _day(date.fromisoformat(day["date"]))}
            for place, day in enumerate(days)
            if (len(days) - 1 - place) % every == 0
        ],
        bands=[
            _path(
                [(x(place), y(days[place]["high"])) for place in run]
                + [(x(place), y(days[place]["low"])) for place in reversed(run)]
            )
            + "Z"
            for run in runs
        ],
        lines=[_path([(x(place), y(days[place]["rate"])) for place in run]) for run in runs],
        points=[
            {"x": x(place), "y": y(days[place]["rate"]), "title": _title(days[place])}
            for run in runs
            for place in run
        ],
        marks=_stacked(
            {
                "x": round(LEFT + place * step, 1),
                "text": f"{_shortened(version['flow_name'])} v{version['version']}",
                "title": f"{version['flow_name']}, version {version['version']}, live since "
                f"{_day(version['since'])} {version['since']:%Y, %H:%M}",
            }
            for version in versions
            if 0 <= (place := (version["since"] - first).total_seconds() / 86_400) <= len(days)
        ),
    )


def ticks_to(top: float, wanted: int = 4) -> list[float]:
    """Round numbers from 0 to at least ``top``, about so many."""
    if not top > 0:
        return [0.0, 0.5, 1.0]
    rough = top / wanted
    size = 10 ** floor(log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * 0.999)
    return [round(number * step, 10) for number in range(ceil(top / step - 1e-9) + 1)]


def _stacked(marks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks with their texts below each other where they would lie on each other, to the left near the end.

    A text that finds no place in the upper half is left out; the mark still has its title.
    """
    rows: list[list[tuple[float, float]]] = [[] for _ in range((BOTTOM - TOP) // 2 // _MARK_ROW)]
    placed = []
    for mark in sorted(marks, key=lambda mark: mark["x"]):
        x, width = mark["x"], len(mark["text"]) * _CHARACTER + 2 * _MARK_GAP
        is_left = x + width > RIGHT
        left, right = (x - width, x) if is_left else (x, x + width)
        free = (row for row, spans in enumerate(rows) if all(right <= a or left >= b for a, b in spans))
        row = next(free, None)
        if row is not None:
            rows[row].append((left, right))
        where = {
            "text_x": round(x - _MARK_GAP if is_left else x + _MARK_GAP, 1),
            "text_y": TOP + 10 + (row or 0) * _MARK_ROW,
            "anchor": "end" if is_left else "start",
        }
        placed.append(mark | where | ({"text": ""} if row is None else {}))
    return placed


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _unbroken(days: list[dict[str, Any]]) -> list[list[int]]:
    """Places of days that have a rate, in runs: a day without one is a gap and no zero."""
    runs: list[list[int]] = []
    for place, day in enumerate(days):
        if day["rate"] is None:
            continue
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _day(moment: date) -> str:
    """1 Mar, as everywhere else."""
    return f"{moment.day} {moment:%b}"


def _title(day: dict[str, Any]) -> str:
    rate, low, high = (f"{day[name] * 100:.1f} %" for name in ("rate", "low", "high"))
    return f"{day['date']}: {rate} of {day['seen']:,} seen items, 95 % interval {low} to {high}"
