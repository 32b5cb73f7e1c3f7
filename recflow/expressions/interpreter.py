"""Evaluation of one item at a time: a syntax tree becomes nested Python functions, made once.

This is the meaning of the language; what vectorized.py computes over all items at once has to agree with it.
"""

from __future__ import annotations

from collections.abc import Callable

from recflow.expressions import patterns
from recflow.expressions.frame import Frame, Run
from recflow.expressions.functions import FUNCTION_BODIES, METHOD_BODIES
from recflow.expressions.loops import LOOPS, Each, truth
from recflow.expressions.static_types import FLOAT, Type
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
from recflow.expressions.values import (
    Fault,
    Groups,
    Record,
    add,
    divide,
    equal,
    is_number,
    kind_of,
    map_key,
    multiply,
    ordered,
    power,
    remainder,
    subtract,
    wrapped,
)
from recflow.expressions.vocabulary import FIELDS

_RECORD_FIELDS = {kind.name: fields for kind, fields in FIELDS.items()}
_LETTERS_PER_STEP = 64
_STEPS_PER_PATTERN = 1_000


class _Absent(Exception):
    """The base of a ``?.`` is nil, so the whole chain is."""


def compiled(root: Node) -> Run:
    """The function that evaluates a checked tree; it raises ExpressionError and nothing else."""
    run = _build(root)

    def evaluate(frame: Frame) -> object:
        try:
            return run(frame)
        except RecursionError:
            raise Fault("The values are nested too deeply.").at(root) from None

    return evaluate


def _build(node: Node) -> Run:
    return _BUILDERS[type(node)](node)


def _guarded(node: Node, run: Run) -> Run:
    """The same function, with the place of the node added to what goes wrong in it."""

    def guarded(frame: Frame) -> object:
        try:
            return run(frame)
        except Fault as fault:
            raise fault.at(node) from None

    return guarded


def _literal(node: Literal) -> Run:
    value = node.value
    return lambda frame: value


def _name(node: Name) -> Run:
    name = node.name
    match name:
        case "item":
            return lambda frame: frame.item
        case "feedback":
            return lambda frame: frame.feedback
        case "user":
            return lambda frame: frame.user
    return lambda frame: frame.variables[name]


def _pointer(node: Pointer) -> Run:
    match node.name:
        case "acc":
            return lambda frame: frame.acc
        case "index":
            return lambda frame: frame.index
    return lambda frame: frame.element


def _member(node: Member) -> Run:
    base, name, optional = _build(node.base), node.name, node.optional

    def run(frame: Frame) -> object:
        value = base(frame)
        if type(value) is dict:
            return value.get(name)
        return _fetched(value, name, optional)

    return _guarded(node, run)


def _fetched(value: object, key: object, optional: bool) -> object:
    """One field, entry or element."""
    if value is None:
        if optional:
            raise _Absent
        raise Fault(f"{_key_shown(key)} cannot be taken from nil.")
    if isinstance(value, Record):
        if type(key) is not str:
            raise Fault(f"A field has a name, this is {kind_of(key)}.")
        try:
            return value[key]
        except KeyError:
            raise Fault(f"{kind_of(value).capitalize()} has no field {key}.") from None
    if isinstance(value, Groups):
        return value.get(map_key(key))
    if type(value) is dict:
        if type(key) is not str:
            raise Fault(f"The key of a map is a text, this is {kind_of(key)}.")
        return value.get(key)
    if type(value) in (list, str) and type(key) is not str:
        return _element(value, key)
    raise Fault(f"{_key_shown(key)} cannot be taken from {kind_of(value)}.")


def _element(values: list | str, index: object) -> object:
    if type(index) is float and index == index // 1:
        index = int(index)  # label numbers are floats
    if type(index) is not int:
        raise Fault(f"An element is chosen by a whole number, this is {kind_of(index)}.")
    if not -len(values) <= index < len(values):
        raise Fault(f"There is no element {index}: {kind_of(values)} of {len(values)}.")
    return values[index]


def _key_shown(key: object) -> str:
    return f"The field {key}" if type(key) is str else "An element"


def _index(node: Index) -> Run:
    base, index, optional = _build(node.base), _build(node.index), node.optional
    return _guarded(node, lambda frame: _fetched(base(frame), index(frame), optional))


def _slice(node: Slice) -> Run:
    base = _build(node.base)
    first, last = (_build(bound) if bound is not None else None for bound in (node.first, node.last))

    def run(frame: Frame) -> object:
        values = base(frame)
        if type(values) not in (list, str):
            raise Fault(f"Only a list or a string can be sliced, this is {kind_of(values)}.")
        low = _bound(first(frame)) if first else 0
        high = _bound(last(frame)) if last else len(values)
        frame.spend(len(values) if type(values) is list else 0)
        return values[low:high]

    return _guarded(node, run)


def _bound(value: object) -> int:
    if type(value) is not int:
        raise Fault(f"A slice goes from one whole number to another, this is {kind_of(value)}.")
    return value


def _chain(node: Chain) -> Run:
    inner = _build(node.inner)

    def run(frame: Frame) -> object:
        try:
            return inner(frame)
        except _Absent:
            return None

    return run


def _call(node: Call) -> Run:
    body = FUNCTION_BODIES[node.name]
    arguments = [_build(argument) for argument in node.arguments]

    def run(frame: Frame) -> object:
        values = [argument(frame) for argument in arguments]
        _spend_for_texts(frame, *values)
        return body(frame, *values)

    return _guarded(node, run)


def _spend_for_texts(frame: Frame, *values: object) -> None:
    """Long texts cost more to work on than short ones."""
    for value in values:
        if type(value) is str and len(value) >= _LETTERS_PER_STEP:
            frame.spend(len(value) // _LETTERS_PER_STEP)


def _method(node: Method) -> Run:
    base, name, optional = _build(node.base), node.name, node.optional
    arguments = [_build(argument) for argument in node.arguments]

    def run(frame: Frame) -> object:
        value = base(frame)
        if value is None and optional:
            raise _Absent
        bodies = METHOD_BODIES.get(type(value), {})
        if name not in bodies:
            raise Fault(f"{kind_of(value).capitalize()} has no method {name}.")
        body, n_arguments = bodies[name]
        if len(arguments) != n_arguments:  # of an untyped base the checker could not count them
            raise Fault(f"{name} takes {n_arguments} arguments, got {len(arguments)}.")
        return body(value, *[argument(frame) for argument in arguments])

    return _guarded(node, run)


def _unary(node: Unary) -> Run:
    operand = _build(node.operand)
    if node.operator == "not":
        return _guarded(node, lambda frame: not truth(operand(frame), "not"))
    negative = node.operator == "-"

    def run(frame: Frame) -> object:
        value = operand(frame)
        if not is_number(value):
            raise Fault(f"{node.operator} needs a number, this is {kind_of(value)}.")
        if not negative:
            return value
        return wrapped(-value) if type(value) is int else -value

    return _guarded(node, run)


def _binary(node: Binary) -> Run:
    left, right, operator = _build(node.left), _build(node.right), node.operator
    match operator:
        case "??":

            def coalesce(frame: Frame) -> object:
                value = left(frame)
                return right(frame) if value is None else value

            return coalesce
        case "and":
            return _guarded(
                node, lambda frame: _decided(left(frame), "and") and _decided(right(frame), "and")
            )
        case "or":
            return _guarded(node, lambda frame: _decided(left(frame), "or") or _decided(right(frame), "or"))
        case "==":
            return _guarded(node, lambda frame: equal(left(frame), right(frame), frame.spend))
        case "!=":
            return _guarded(node, lambda frame: not equal(left(frame), right(frame), frame.spend))
        case "<" | "<=" | ">" | ">=":
            return _guarded(node, lambda frame: ordered(operator, left(frame), right(frame)))
        case "in":
            return _guarded(node, lambda frame: _contains(frame, right(frame), left(frame)))
        case "..":
            return _guarded(node, lambda frame: _range(frame, left(frame), right(frame)))
        case "+" | "contains" | "startsWith" | "endsWith" | "matches":
            return _about_texts(node, left, right)
    operate = _OPERATORS[operator]
    return _guarded(node, lambda frame: operate(left(frame), right(frame)))


def _about_texts(node: Binary, left: Run, right: Run) -> Run:
    operate = _OPERATORS[node.operator]
    # A pattern that is written down was read when the expression was checked; others have to be read anew.
    is_new_pattern = node.operator == "matches" and not isinstance(node.right, Literal)

    def run(frame: Frame) -> object:
        first, second = left(frame), right(frame)
        _spend_for_texts(frame, first, second)
        if is_new_pattern:
            frame.spend(_STEPS_PER_PATTERN)
        return operate(first, second)

    return _guarded(node, run)


def _decided(value: object, operator: str) -> bool:
    """An operand of and or or: nil counts as false, so that a missing label does."""
    return value is not None and truth(value, operator)


def _contains(frame: Frame, container: object, needle: object) -> bool:
    if container is None:
        return False
    if type(container) is list:
        frame.spend(len(container))
        return any(equal(element, needle, frame.spend) for element in container)
    if isinstance(container, Groups):
        return map_key(needle) in container
    if isinstance(container, dict):
        if type(needle) is not str:
            raise Fault(f"in looks for a text in {kind_of(container)}, this is {kind_of(needle)}.")
        return needle in (_RECORD_FIELDS[container.kind] if isinstance(container, Record) else container)
    raise Fault(f"in does not fit {kind_of(container)}; write contains for a part of a text.")


def _range(frame: Frame, low: object, high: object) -> list[int]:
    if type(low) is not int or type(high) is not int:
        raise Fault(
            f".. goes from one whole number to another, these are {kind_of(low)} and {kind_of(high)}."
        )
    frame.spend(max(0, high - low + 1))
    return list(range(low, high + 1))


def _between_texts(operator: str, test: Callable[[str, str], bool]) -> Callable[[object, object], bool]:
    def run(left: object, right: object) -> bool:
        if left is None or right is None:
            return False
        if type(left) is not str or type(right) is not str:
            raise Fault(f"{operator} needs two strings, these are {kind_of(left)} and {kind_of(right)}.")
        return test(left, right)

    return run


_OPERATORS: dict[str, Callable[[object, object], object]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "^": power,
    "contains": _between_texts("contains", lambda text, part: part in text),
    "startsWith": _between_texts("startsWith", str.startswith),
    "endsWith": _between_texts("endsWith", str.endswith),
    "matches": _between_texts("matches", patterns.matches),
}


def _conditional(node: Conditional) -> Run:
    condition, yes, no = _build(node.condition), _build(node.yes), _build(node.no)

    def run(frame: Frame) -> object:
        return yes(frame) if truth(condition(frame), "The condition") else no(frame)

    return _guarded(node, run)


def _let(node: Let) -> Run:
    name, value, body = node.name, _build(node.value), _build(node.body)

    def run(frame: Frame) -> object:
        frame.variables[name] = value(frame)
        return body(frame)

    return run


def _list_literal(node: ListLiteral) -> Run:
    elements = [_build(element) for element in node.elements]
    return lambda frame: [element(frame) for element in elements]


def _map_literal(node: MapLiteral) -> Run:
    pairs = [(_build(key), _build(value)) for key, value in zip(node.keys, node.values, strict=True)]

    def run(frame: Frame) -> dict:
        made = {}
        for key, value in pairs:
            name = key(frame)
            if type(name) is not str:
                raise Fault(f"The key of a map is a text, this is {kind_of(name)}.")
            made[name] = value(frame)
        return made

    return _guarded(node, run)


# Closures


def _closure(node: Closure) -> Run:
    collection = _build(node.collection)
    each = _each(node.predicate)
    extra = _build(node.extra) if node.extra is not None else None
    loop = LOOPS[node.name]
    if node.name == "sum":  # an empty sum is 0 of the type it would have had, as in vectorized.py
        extra = _zero_of(node.type)

    def run(frame: Frame) -> object:
        values = collection(frame)
        if type(values) is not list:
            raise Fault(f"{node.name} takes a list, this is {kind_of(values)}.")
        above = frame.element, frame.acc, frame.index
        try:
            return loop(frame, values, each, extra)
        finally:
            frame.element, frame.acc, frame.index = above

    return _guarded(node, run)


def _each(predicate: Node | None) -> Each:
    """The function that evaluates the predicate for one element; the element itself where there is none."""
    if predicate is None:

        def element_itself(frame: Frame, element: object, index: int) -> object:
            frame.spend(1)
            return element

        return element_itself
    run, cost = _build(predicate), predicate.size

    def each(frame: Frame, element: object, index: int) -> object:
        frame.steps -= cost
        if frame.steps < 0:
            frame.spend(0)
        frame.element = element
        frame.index = index
        return run(frame)

    return each


def _zero_of(kind: Type) -> Run:
    zero = 0.0 if kind == FLOAT else 0
    return lambda frame: zero


_BUILDERS: dict[type[Node], Callable[..., Run]] = {
    Literal: _literal,
    Name: _name,
    Pointer: _pointer,
    Member: _member,
    Index: _index,
    Slice: _slice,
    Chain: _chain,
    Call: _call,
    Method: _method,
    Unary: _unary,
    Binary: _binary,
    Conditional: _conditional,
    Let: _let,
    ListLiteral: _list_literal,
    MapLiteral: _map_literal,
    Closure: _closure,
}
