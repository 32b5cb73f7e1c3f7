"""A small line without axes, for a template to draw: it tells a direction, the numbers stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 220, 44
#: Room that the line keeps from the upper and the lower edge.
_EDGE = 3


@dataclass(frozen=True)
class Sparkline:
    """Marks, in pixels with y growing down.

    Args:
        path: the line.
        area: the same, closed along the bottom.
    """

    path: str
    area: str
    width: int = WIDTH
    height: int = HEIGHT


def draw(values: Sequence[float]) -> Sparkline:
    """The line through at least two values, oldest first; what never changes stands in the middle."""
    low, high = min(values), max(values)
    step = WIDTH / (len(values) - 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE), 1)

    path = "M" + "L".join(f"{round(place * step, 1)} {y(value)}" for place, value in enumerate(values))
    return Sparkline(path, f"{path}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z")
