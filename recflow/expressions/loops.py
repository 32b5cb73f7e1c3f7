"""The loops of count, filter, map and their kin, over one list.

Each gets the frame, the list, the function that evaluates the body for an element and its place, and the
third argument as a function of the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from recflow.expressions.frame import Frame, Run
from recflow.expressions.values import Fault, Groups, add, kind_of, map_key, ordered

Each = Callable[[Frame, object, int], object]


def truth(value: object, where: str) -> bool:
    if type(value) is not bool:
        raise Fault(f"{where} needs true or false, this is {kind_of(value)}.")
    return value


def _hits(frame: Frame, values: list, each: Each) -> Iterator[int]:
    """Place of each element that meets the condition, found as they are asked for."""
    for index, element in enumerate(values):
        if truth(each(frame, element, index), "The condition"):
            yield index


def _sum(frame: Frame, values: list, each: Each, zero: Run) -> object:
    total = zero(frame)
    for index, element in enumerate(values):
        total = add(each(frame, element, index), total)
    return total


def _reduce(frame: Frame, values: list, each: Each, extra: Run | None) -> object:
    if extra is not None:
        total, rest = extra(frame), enumerate(values)
    elif values:
        total, rest = values[0], list(enumerate(values))[1:]
    else:
        raise Fault("reduce of an empty list needs a third argument to start from.")
    for index, element in rest:
        frame.acc = total
        total = each(frame, element, index)
    return total


def _group_by(frame: Frame, values: list, each: Each, extra: None) -> Groups:
    groups = Groups()
    for index, element in enumerate(values):
        groups.setdefault(map_key(each(frame, element, index)), []).append(element)
    return groups


def _sort_by(frame: Frame, values: list, each: Each, extra: Run | None) -> list:
    order = extra(frame) if extra is not None else "asc"
    if order not in ("asc", "desc"):
        raise Fault("The order is 'asc' or 'desc'.")
    keyed = [(each(frame, element, index), element) for index, element in enumerate(values)]
    for key, _ in keyed[:1]:
        ordered("<", key, key)  # even one element has to be of a kind that can be sorted
    frame.spend(len(keyed) * max(1, len(keyed).bit_length()))
    return [
        element for _, element in sorted(keyed, key=lambda pair: _SortKey(pair[0]), reverse=order == "desc")
    ]


class _SortKey:
    """Compares by the rules of the language, which refuse what cannot be compared."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __lt__(self, other: _SortKey) -> bool:
        return ordered("<", self.value, other.value)


def _count(frame: Frame, values: list, each: Each, extra: None) -> int:
    return sum(1 for _ in _hits(frame, values, each))


def _any(frame: Frame, values: list, each: Each, extra: None) -> bool:
    return any(True for _ in _hits(frame, values, each))


def _all(frame: Frame, values: list, each: Each, extra: None) -> bool:
    return all(truth(each(frame, element, i), "The condition") for i, element in enumerate(values))


def _none(frame: Frame, values: list, each: Each, extra: None) -> bool:
    return not _any(frame, values, each, extra)


def _one(frame: Frame, values: list, each: Each, extra: None) -> bool:
    return _count(frame, values, each, extra) == 1


def _filter(frame: Frame, values: list, each: Each, extra: None) -> list:
    return [values[index] for index in _hits(frame, values, each)]


def _map(frame: Frame, values: list, each: Each, extra: None) -> list:
    return [each(frame, element, index) for index, element in enumerate(values)]


def _find(frame: Frame, values: list, each: Each, extra: None) -> object:
    return next((values[index] for index in _hits(frame, values, each)), None)


def _find_index(frame: Frame, values: list, each: Each, extra: None) -> int | None:
    return next(_hits(frame, values, each), None)


#: Name of the closure function -> its loop.
LOOPS: dict[str, Callable[..., object]] = {
    "count": _count,
    "any": _any,
    "all": _all,
    "none": _none,
    "one": _one,
    "filter": _filter,
    "map": _map,
    "sum": _sum,
    "find": _find,
    "findIndex": _find_index,
    "reduce": _reduce,
    "groupBy": _group_by,
    "sortBy": _sort_by,
}
