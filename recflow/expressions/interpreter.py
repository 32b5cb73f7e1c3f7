"""Evaluation of one item at a time: a syntax tree becomes nested Python functions, made once.

This is the meaning of the language; what vectorized.py computes over all items at once has to agree with it.
"""

from __future__ import annotations

from collections.abc import Callable

from recflow.expressions import patterns
from recflow.expressions.functions import FUNCTION_BODIES, METHOD_BODIES
from recflow.expressions.static_types import FLOAT, Type
from recflow.expressions.syntax import (
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
    ItemRecord,
    Record,
    Time,
    UserRecord,
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

RECORD_FIELDS = {kind.name: fields for kind, fields in FIELDS.items()}

#: Nodes one item may evaluate, and how many more for each row of its feedback.
STEPS_PER_ITEM = 100_000
STEPS_PER_FEEDBACK = 200


class Frame:
    """Everything an expression can see while it runs for one item or user.

    Args:
        now: what now() gives.
        item: the item, None where there is none.
        feedback: its positive feedback, oldest first.
        user: the user, None where there is none.
        steps: nodes that may be evaluated inside closures, so that no expression runs for ever.
    """

    __slots__ = ("acc", "element", "feedback", "index", "item", "now", "steps", "user", "variables")

    def __init__(
        self,
        now: int,
        item: ItemRecord | None = None,
        feedback: list | None = None,
        user: UserRecord | None = None,
        steps: int | None = None,
    ) -> None:
        self.now = Time(now)
        self.item = item
        self.feedback = feedback
        self.user = user
        self.steps = STEPS_PER_ITEM + STEPS_PER_FEEDBACK * len(feedback or ()) if steps is None else steps
        self.variables: dict[str, object] = {}
        self.element: object = None
        self.acc: object = None
        self.index = 0

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Fault("The evaluation was stopped: this takes too many steps.")


Run = Callable[[Frame], object]


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
    if len(arguments) == 1:
        (only,) = arguments
        return _guarded(node, lambda frame: body(frame, only(frame)))
    return _guarded(node, lambda frame: body(frame, *[argument(frame) for argument in arguments]))


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
        return _guarded(node, lambda frame: not _truth(operand(frame), "not"))
    negative = node.operator == "-"

    def run(frame: Frame) -> object:
        value = operand(frame)
        if not is_number(value):
            raise Fault(f"{node.operator} needs a number, this is {kind_of(value)}.")
        if not negative:
            return value
        return wrapped(-value) if type(value) is int else -value

    return _guarded(node, run)


def _truth(value: object, where: str) -> bool:
    if type(value) is not bool:
        raise Fault(f"{where} needs true or false, this is {kind_of(value)}.")
    return value


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
    operate = _OPERATORS[operator]
    return _guarded(node, lambda frame: operate(left(frame), right(frame)))


def _decided(value: object, operator: str) -> bool:
    """An operand of and or or: nil counts as false, so that a missing label does."""
    return value is not None and _truth(value, operator)


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
        return needle in (RECORD_FIELDS[container.kind] if isinstance(container, Record) else container)
    raise Fault(f"in does not fit {kind_of(container)}; write contains for a part of a text.")


def _range(frame: Frame, low: object, high: object) -> list[int]:
    if type(low) is not int or type(high) is not int:
        raise Fault(
            f".. goes from one whole number to another, these are {kind_of(low)} and {kind_of(high)}."
        )
    frame.spend(max(0, high - low + 1))
    return list(range(low, high + 1))


def _about_texts(operator: str, test: Callable[[str, str], bool]) -> Callable[[object, object], bool]:
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
    "contains": _about_texts("contains", lambda text, part: part in text),
    "startsWith": _about_texts("startsWith", str.startswith),
    "endsWith": _about_texts("endsWith", str.endswith),
    "matches": _about_texts("matches", patterns.matches),
}


def _conditional(node: Conditional) -> Run:
    condition, yes, no = _build(node.condition), _build(node.yes), _build(node.no)

    def run(frame: Frame) -> object:
        return yes(frame) if _truth(condition(frame), "The condition") else no(frame)

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
    loop = _LOOPS[node.name]
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


Each = Callable[[Frame, object, int], object]


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


def _hits(frame: Frame, values: list, each: Each):
    """Place of each element that meets the condition, found as they are asked for."""
    for index, element in enumerate(values):
        if _truth(each(frame, element, index), "The condition"):
            yield index


def _zero_of(kind: Type) -> Run:
    zero = 0.0 if kind == FLOAT else 0
    return lambda frame: zero


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
    return all(_truth(each(frame, element, i), "The condition") for i, element in enumerate(values))


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


_LOOPS: dict[str, Callable[..., object]] = {
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
