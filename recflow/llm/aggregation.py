"""Arithmetic on ranked lists: where windows begin, how several rankings become one, how much they agree."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import combinations


def window_starts(n: int, size: int, step: int) -> list[int]:
    """First places of windows from the end of a list to its front, the last window at 0.

    A window moves up by ``step``, so the best of each takes part in the next.

    Source: Sun et al., "Is ChatGPT Good at Search?", EMNLP 2023 (size 20, step 10).
    """
    return [*range(n - size, 0, -max(1, min(step, size))), 0]


def borda(rankings: Sequence[tuple[Sequence[int], int]], n: int) -> list[int]:
    """One ranking out of several, by points: n for the first place, n - 1 for the second ...

    Args:
        rankings: (order, n_ranked) of each; places behind ``n_ranked`` were not decided, so they share the
            mean of what is left.
        n: candidates in each.

    Returns:
        Candidates by points; ties keep the incoming order.
    """
    points = [0.0] * n
    for order, n_ranked in rankings:
        undecided = (n - n_ranked + 1) / 2  # mean of the points 1 ... n - n_ranked
        for place, position in enumerate(order):
            points[position] += n - place if place < n_ranked else undecided
    return sorted(range(n), key=lambda position: -points[position])


def agreement(orders: Sequence[Sequence[int]]) -> float | None:
    """Mean Kendall tau over all pairs of orders: 1 is the same order, 0 no relation, -1 reversed.

    None when there is nothing to compare.
    """
    if len(orders) < 2 or len(orders[0]) < 2:
        return None
    taus = [_kendall_tau(one, other) for one, other in combinations(orders, 2)]
    return sum(taus) / len(taus)


def _kendall_tau(one: Sequence[int], other: Sequence[int]) -> float:
    place = {position: rank for rank, position in enumerate(other)}
    seen: list[int] = []
    swapped = 0
    for position in one:
        rank = place[position]
        swapped += len(seen) - bisect_left(seen, rank)
        insort(seen, rank)
    n_pairs = len(one) * (len(one) - 1) / 2
    return 1 - 2 * swapped / n_pairs
