"""The nodes of a syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from recflow.expressions.static_types import ANY, Type


@dataclass(eq=False, kw_only=True)
class Node:
    """A piece of an expression.

    Args:
        start: offset of its first character.
        end: offset behind its last one.
        depth: levels of nodes from here down.
        size: nodes from here down, which is what evaluating it once costs.
        type: static type, filled in by the checker.
    """

    start: int
    end: int
    depth: int = 1
    size: int = 1
    type: Type = field(default=ANY, repr=False)

    def children(self) -> Iterator[Node]:
        """The nodes directly below."""
        for value in vars(self).values():
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (part for part in value if isinstance(part, Node))


@dataclass(eq=False, kw_only=True)
class Literal(Node):
    """A number, text, true, false or nil."""

    value: object


@dataclass(eq=False, kw_only=True)
class Name(Node):
    """item, feedback, user, or what a ``let`` bound."""

    name: str


@dataclass(eq=False, kw_only=True)
class Pointer(Node):
    """What a closure stands at: "" is the element, else "acc" or "index"."""

    name: str


@dataclass(eq=False, kw_only=True)
class Member(Node):
    """``base.name``; ``?.`` when optional."""

    base: Node
    name: str
    optional: bool = False


@dataclass(eq=False, kw_only=True)
class Index(Node):
    """``base[index]``; ``?.[`` when optional."""

    base: Node
    index: Node
    optional: bool = False


@dataclass(eq=False, kw_only=True)
class Slice(Node):
    """``base[first:last]``, either bound may be missing."""

    base: Node
    first: Node | None
    last: Node | None


@dataclass(eq=False, kw_only=True)
class Chain(Node):
    """A run of members that is nil as a whole as soon as the base of one ``?.`` in it is nil."""

    inner: Node


@dataclass(eq=False, kw_only=True)
class Call(Node):
    """``name(arguments)``."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(eq=False, kw_only=True)
class Method(Node):
    """``base.name(arguments)``."""

    base: Node
    name: str
    arguments: tuple[Node, ...]
    optional: bool = False


@dataclass(eq=False, kw_only=True)
class Closure(Node):
    """``name(collection, predicate, extra)``: the predicate runs once an element."""

    name: str
    collection: Node
    predicate: Node | None
    extra: Node | None


@dataclass(eq=False, kw_only=True)
class Unary(Node):
    """``not``, ``-`` or ``+`` before an operand."""

    operator: str
    operand: Node


@dataclass(eq=False, kw_only=True)
class Binary(Node):
    """Two operands; the operator in its first spelling (``and``, not ``&&``)."""

    operator: str
    left: Node
    right: Node


@dataclass(eq=False, kw_only=True)
class Conditional(Node):
    """``condition ? yes : no`` and ``if condition {yes} else {no}``."""

    condition: Node
    yes: Node
    no: Node


@dataclass(eq=False, kw_only=True)
class Let(Node):
    """``let name = value; body``."""

    name: str
    value: Node
    body: Node


@dataclass(eq=False, kw_only=True)
class ListLiteral(Node):
    """``[a, b]``."""

    elements: tuple[Node, ...]


@dataclass(eq=False, kw_only=True)
class MapLiteral(Node):
    """``{key: value}``; plain keys are text literals."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]
