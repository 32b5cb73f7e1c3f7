"""From text to a syntax tree; the grammar itself is in grammar.lark.

Neither the parser nor the builder of the tree recurses over what a stranger wrote, and a tree that would be
too deep for the recursive passes behind it is refused while it grows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from lark import Lark, Token, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from recflow.errors import ExpressionError
from recflow.expressions.literals import literal_value, unquoted
from recflow.expressions.tree import (
    Binary,
    Call,
    Chain,
    Closure,
    Conditional,
    Index,
    Let,
    ListLiteral,
    Literal,
    MapLiteral,
    Member,
    Method,
    Name,
    Node,
    Pointer,
    Slice,
    Unary,
)

MAX_LENGTH = 10_000
MAX_DEPTH = 150
MAX_SIZE = MAX_LENGTH  # a < b < c holds b twice, and what stands in b is held twice at every level

_ORDERINGS = {"<", "<=", ">", ">="}
_SPELLINGS = {"&&": "and", "||": "or", "!": "not", "**": "^"}


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
        return _node(Literal, meta, value=literal_value(children[0]))

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
        text = unquoted(key) if key.type == "STRING" else str(key)
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
    if node.size > MAX_SIZE:
        raise ExpressionError(
            f"The expression has more than {MAX_SIZE:,} parts here; in a < b < c, b counts twice.",
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
