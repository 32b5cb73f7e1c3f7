"""The types of the language: what can be known of a value before any item is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """A static type.

    Args:
        name: what error messages call it.
        element: type of the elements of a list, or of what a map holds.
    """

    name: str
    element: Type | None = None

    def __str__(self) -> str:
        of_one_type = self.is_list and self.element not in (None, ANY)
        return f"list of {self.element}" if of_one_type else self.name

    @property
    def is_number(self) -> bool:
        return self in (INT, FLOAT)

    @property
    def is_list(self) -> bool:
        return self.name == "list"

    @property
    def is_map(self) -> bool:
        return self.name in ("map", "groups")

    def may_be(self, *wanted: Type) -> bool:
        """The type is one of these, or untyped and may turn out to be."""
        return self == ANY or self in wanted


ANY = Type("untyped")
NIL = Type("nil")
BOOL = Type("bool")
INT = Type("int")
FLOAT = Type("float")
STRING = Type("string")
TIME = Type("time")
DURATION = Type("duration")
MONTH = Type("month")
WEEKDAY = Type("weekday")
ITEM = Type("item")
USER = Type("user")
FEEDBACK = Type("feedback")
FEEDBACK_KEY = Type("feedback key")
MAP = Type("map", ANY)


def list_of(element: Type) -> Type:
    return Type("list", element)


def groups_of(element: Type) -> Type:
    """What groupBy makes: lists of elements by key."""
    return Type("groups", list_of(element))


LIST = list_of(ANY)


def can_be_equal(left: Type, right: Type) -> bool:
    """Whether comparing the two for equality says anything."""
    return (
        ANY in (left, right)
        or NIL in (left, right)
        or (left.is_number and right.is_number)
        or (left.is_list and right.is_list)
        or (left.is_map and right.is_map)
        or left == right
    )


def common(left: Type, right: Type) -> Type:
    """The type of a value that is one or the other: untyped where they differ."""
    if left == NIL:
        return right
    if right == NIL or left == right:
        return left
    return LIST if left.is_list and right.is_list else ANY
