"""From text to a syntax tree; the grammar itself is in grammar.lark.

Neither the parser nor the builder of the tree recurses over what a stranger wrote, and a tree that would be
too deep for the recursive passes behind it is refused while it grows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

from lark import Lark, Token, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from recflow.errors import ExpressionError
from recflow.expressions.static_types import ANY, Type

MAX_LENGTH = 10_000
MAX_DEPTH = 150
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_ORDERINGS = {"<", "<=", ">", ">="}
_SPELLINGS = {"&&": "and", "||": "or", "!": "not", "**": "^"}
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    r"|U(?P<big>[0-9a-fA-F]{8})|(?P<simple>.))",
    re.DOTALL,
)


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


def parse(text: str) -> Node:
    """The syntax tree of an expression.

    Raises:
        ExpressionError: it is not an expression; with position.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"An expression may have {MAX_LENGTH:,} characters, this one has {len(text):,}.",
            position=MAX_LENGTH,
            length=len(text) - MAX_LENGTH,
        )
    try:
        return _Builder().transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None
    except VisitError as error:
        raise error.orig_exc from None


def _syntax_error(error: UnexpectedInput, text: str) -> ExpressionError:
    if not text.strip():
        return ExpressionError("The expression is empty.", position=0, length=0)
    if isinstance(error, UnexpectedEOF) or (
        isinstance(error, UnexpectedToken) and error.token.type == "$END"
    ):
        return ExpressionError(
            "The expression ends too early: something is missing here.", position=len(text), length=0
        )
    position = error.pos_in_stream or 0
    if isinstance(error, UnexpectedCharacters):
        at_fault = text[position]
        if at_fault in "'\"`":
            return ExpressionError(
                f"The text that begins with {at_fault} here is not closed.",
                position=position,
                length=len(text) - position,
            )
        return ExpressionError(f"The character {at_fault!r} cannot stand here.", position=position)
    found = str(error.token)
    if error.token.type == "CLOSURE" or found in {"let", "if"}:
        return ExpressionError(f"{found} cannot stand here.", position=position, length=len(found))
    if found in {".", "#"} or found.startswith("#"):
        return ExpressionError(f"Something must stand before {found!r} here.", position=position)
    return ExpressionError(f"{found!r} is not expected here.", position=position, length=len(found))


@cache
def _parser() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=True,
    )


def _with_meta(function: Callable) -> Callable:
    return v_args(meta=True)(function)


class _Builder(Transformer_NonRecursive):
    """Makes nodes out of grammar rules, one method a rule, from the leaves up."""

    def start(self, children: list) -> Node:
        return children[0]

    @_with_meta
    def literal(self, meta: Meta, children: list) -> Node:
        return _node(Literal, meta, value=_literal_value(children[0]))

    @_with_meta
    def name(self, meta: Meta, children: list) -> Node:
        return _node(Name, meta, name=str(children[0]))

    @_with_meta
    def pointer(self, meta: Meta, children: list) -> Node:
        return _node(Pointer, meta, name=str(children[0])[1:])

    @_with_meta
    def element_field(self, meta: Meta, children: list) -> Node:
        dot, name = children
        element = Pointer(start=dot.start_pos, end=dot.end_pos, name="")
        return _node(Member, meta, base=element, name=str(name))

    @_with_meta
    def group(self, meta: Meta, children: list) -> Node:
        node = children[0]
        node.start, node.end = meta.start_pos, meta.end_pos  # how "(a ?? b) + c" is told from "a ?? b + c"
        return node

    @_with_meta
    def list_literal(self, meta: Meta, children: list) -> Node:
        return _node(ListLiteral, meta, elements=_present(children))

    @_with_meta
    def map_literal(self, meta: Meta, children: list) -> Node:
        pairs = _present(children)
        return _node(
            MapLiteral, meta, keys=tuple(key for key, _ in pairs), values=tuple(value for _, value in pairs)
        )

    def pair(self, children: list) -> tuple[Node, Node]:
        key, value = children
        text = _unquote(key) if key.type == "STRING" else str(key)
        return Literal(start=key.start_pos, end=key.end_pos, value=text), value

    def computed_pair(self, children: list) -> tuple[Node, Node]:
        return children[0], children[1]

    def arguments(self, children: list) -> tuple[Node, ...]:
        return _present(children)

    @_with_meta
    def call(self, meta: Meta, children: list) -> Node:
        name, arguments = children
        return _node(Call, meta, name=str(name), arguments=arguments)

    @_with_meta
    def piped_call(self, meta: Meta, children: list) -> Node:
        piped, name, arguments = children
        return _node(Call, meta, name=str(name), arguments=(piped, *arguments))

    @_with_meta
    def closure(self, meta: Meta, children: list) -> Node:
        name, collection, *rest = children
        predicate, extra = (*rest, None, None)[:2]
        return _node(Closure, meta, name=str(name), collection=collection, predicate=predicate, extra=extra)

    @_with_meta
    def piped_closure(self, meta: Meta, children: list) -> Node:
        collection, name, *rest = children
        predicate, extra = (*rest, None, None)[:2]
        return _node(Closure, meta, name=str(name), collection=collection, predicate=predicate, extra=extra)

    @_with_meta
    def member(self, meta: Meta, children: list) -> Node:
        base, dot, name = children
        optional = dot == "?."
        link = _node(Member, meta, base=_unchained(base), name=str(name), optional=optional)
        return _chained(link, meta, optional or isinstance(base, Chain))

    @_with_meta
    def method(self, meta: Meta, children: list) -> Node:
        base, dot, name, arguments = children
        optional = dot == "?."
        link = _node(
            Method, meta, base=_unchained(base), name=str(name), arguments=arguments, optional=optional
        )
        return _chained(link, meta, optional or isinstance(base, Chain))

    @_with_meta
    def index(self, meta: Meta, children: list) -> Node:
        base, dot, index = children
        optional = dot is not None
        if optional and dot != "?.":
            raise ExpressionError("Write ?.[ here, or [ alone.", position=dot.start_pos)
        return _chained(_node(Index, meta, base=base, index=index, optional=optional), meta, optional)

    @_with_meta
    def slice(self, meta: Meta, children: list) -> Node:
        base, first, last = children
        return _node(Slice, meta, base=base, first=first, last=last)

    @_with_meta
    def unary(self, meta: Meta, children: list) -> Node:
        operator, operand = children
        return _node(Unary, meta, operator=_spelling(operator), operand=operand)

    @_with_meta
    def binary(self, meta: Meta, children: list) -> Node:
        left, operator, right = children
        return _binary(left, operator, right)

    def comparator(self, children: list) -> tuple[bool, Token]:
        return len(children) == 2, children[-1]

    @_with_meta
    def chain(self, meta: Meta, children: list) -> Node:
        """``a < b < c`` means ``a < b and b < c``; other comparisons group from the left."""
        result: Node = children[0]
        previous: Node | None = None  # right operand of the ordering before, when there was one
        for (negated, operator), right in zip(children[1::2], children[2::2], strict=True):
            is_ordering = str(operator) in _ORDERINGS
            if is_ordering and previous is not None:
                result = _join("and", result, _binary(previous, operator, right))
            else:
                result = _binary(result, operator, right)
            if negated:
                result = _sized(Unary(start=result.start, end=result.end, operator="not", operand=result))
            previous = right if is_ordering else None
        return result

    @_with_meta
    def choose(self, meta: Meta, children: list) -> Node:
        condition, yes, no = children
        return _node(Conditional, meta, condition=condition, yes=yes, no=no)

    @_with_meta
    def choose_self(self, meta: Meta, children: list) -> Node:
        condition, no = children
        return _node(Conditional, meta, condition=condition, yes=condition, no=no)

    @_with_meta
    def conditional(self, meta: Meta, children: list) -> Node:
        _, condition, yes, _, no = children
        return _node(Conditional, meta, condition=condition, yes=yes, no=no)

    @_with_meta
    def let(self, meta: Meta, children: list) -> Node:
        _, name, value, body = children
        return _node(Let, meta, name=str(name), value=value, body=body)


def _node(kind: type[Node], meta: Meta, **fields: object) -> Node:
    return _sized(kind(start=meta.start_pos, end=meta.end_pos, **fields))


def _sized(node: Node) -> Node:
    for child in node.children():
        node.depth = max(node.depth, child.depth + 1)
        node.size += child.size
    if node.depth > MAX_DEPTH:
        raise ExpressionError(
            f"The expression is nested more than {MAX_DEPTH} levels deep here.",
            position=node.start,
            length=node.end - node.start,
        )
    return node


def _join(operator: str, left: Node, right: Node) -> Node:
    return _sized(Binary(start=left.start, end=right.end, operator=operator, left=left, right=right))


def _binary(left: Node, operator: Token, right: Node) -> Node:
    name = _spelling(operator)
    is_bare_coalesce = isinstance(left, Binary) and left.operator == "??" and left.start == left.left.start
    if is_bare_coalesce and name != "??":
        raise ExpressionError(
            f"Put parentheses around the ?? or around the {operator}, so that it is clear which comes first.",
            position=operator.start_pos,
            length=len(operator),
        )
    return _join(name, left, right)


def _spelling(operator: Token) -> str:
    return _SPELLINGS.get(str(operator), str(operator))


def _present(children: list) -> tuple:
    return tuple(child for child in children if child is not None)


def _unchained(base: Node) -> Node:
    return base.inner if isinstance(base, Chain) else base


def _chained(link: Node, meta: Meta, is_chain: bool) -> Node:
    return _node(Chain, meta, inner=link) if is_chain else link


def _literal_value(token: Token) -> object:
    match token.type:
        case "TRUE":
            return True
        case "FALSE":
            return False
        case "NIL":
            return None
        case "STRING":
            return _unquote(token)
        case "RAW_STRING":
            return str(token)[1:-1]
    return _number(token)


def _number(token: Token) -> int | float:
    digits = token.replace("_", "").lower()
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2])
    try:
        if base:
            value: int | float = int(digits[2:], base)
        elif "." in digits or "e" in digits:
            value = float(digits)
        else:
            value = int(digits)
    except ValueError:
        raise ExpressionError(
            f"{token} is not a number.", position=token.start_pos, length=len(token)
        ) from None
    if value > INT_MAX and (isinstance(value, int) or value == float("inf")):
        raise ExpressionError(
            f"The number {_shortened(token)} is too large.", position=token.start_pos, length=len(token)
        )
    return value


def _shortened(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}…"


def _unquote(token: Token) -> str:
    def replaced(match: re.Match) -> str:
        digits = match["x"] or match["u"] or match["braced"] or match["big"]
        if match["octal"] or digits:
            code = int(match["octal"], 8) if match["octal"] else int(digits, 16)
            is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
            return chr(code) if is_character else "\ufffd"
        simple = match["simple"]
        if simple in ("\\", token[0]):
            return simple
        if simple not in _SIMPLE_ESCAPES:
            raise ExpressionError(
                f"\\{simple} has no meaning in a text; write \\\\ for a backslash.",
                position=token.start_pos + 1 + match.start(),
                length=2,
            )
        return _SIMPLE_ESCAPES[simple]

    return _ESCAPE.sub(replaced, token[1:-1])
