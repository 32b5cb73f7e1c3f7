"""Static types: everything that can be refused before an item is looked at.

``item``, ``feedback`` and ``user`` have fixed fields; what hangs below ``Labels`` is untyped, fits
everywhere and is checked again at run time. After an error the checker goes on with an untyped value, so
that one mistake gives one message and the next mistake its own.

Source: the checker of the Expr language, version 1.17.7, as far as the reference lists the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from recflow.errors import ExpressionError
from recflow.expressions import patterns
from recflow.expressions.static_types import (
    ANY,
    BOOL,
    DURATION,
    FEEDBACK,
    FLOAT,
    INT,
    ITEM,
    LIST,
    MAP,
    NIL,
    STRING,
    TIME,
    USER,
    Type,
    can_be_equal,
    common,
    list_of,
)
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
from recflow.expressions.vocabulary import CLOSURES, FIELDS, FUNCTIONS, HINTS, METHODS, Function, Parameter

SCOPES: dict[str, dict[str, Type]] = {
    "score": {"item": ITEM, "feedback": list_of(FEEDBACK)},
    "item": {"item": ITEM},
    "user": {"user": USER},
}

_ORDERED = ((INT, FLOAT), (STRING,), (TIME,), (DURATION,))
_LITERAL_TYPES = {bool: BOOL, int: INT, float: FLOAT, str: STRING, type(None): NIL}


def check(root: Node, scope: str) -> list[ExpressionError]:
    """Give every node its type; the mistakes, in the order they are met.

    Args:
        root: a tree fresh from the parser.
        scope: "score", "item" or "user": which names exist.
    """
    checker = _Checker(SCOPES[scope])
    checker.visit(root)
    return checker.errors


@dataclass
class _Scope:
    """What # and its kin mean inside a closure."""

    element: Type
    pointers: dict[str, Type]


@dataclass
class _Checker:
    names: dict[str, Type]
    variables: dict[str, Type] = field(default_factory=dict)
    scopes: list[_Scope] = field(default_factory=list)
    errors: list[ExpressionError] = field(default_factory=list)

    def visit(self, node: Node) -> Type:
        node.type = getattr(self, f"_{type(node).__name__.lower()}")(node)
        return node.type

    def _refuse(self, node: Node, message: str) -> Type:
        message = message.replace("?.", "?")  # a suggestion ends the sentence itself
        self.errors.append(ExpressionError(message, position=node.start, length=node.end - node.start))
        return ANY

    def _misfit(self, node: Node, rule: str, found: Type) -> Type:
        return self._refuse(node, f"{rule}, this is {_article(found, small=True)}.")

    # Leaves

    def _literal(self, node: Literal) -> Type:
        return _LITERAL_TYPES[type(node.value)]

    def _name(self, node: Name) -> Type:
        known = self.variables | self.names
        if node.name in known:
            return known[node.name]
        if node.name in FUNCTIONS or node.name in CLOSURES:
            return self._refuse(node, f"{node.name} is a function: write {node.name}(...).")
        if node.name in {"item", "feedback", "user"}:
            return self._refuse(node, f"{node.name} does not exist here; {_listed(self.names)} does.")
        return self._refuse(node, f"The name {node.name} is unknown{self._suggestion(node.name, [*known])}.")

    def _pointer(self, node: Pointer) -> Type:
        if not self.scopes:
            shown = f"#{node.name}" if node.name else "# or a field without a name before it"
            return self._refuse(node, f"{shown} only has a meaning inside count, filter, map and their kin.")
        scope = self.scopes[-1]
        if not node.name:
            return scope.element
        if node.name not in scope.pointers:
            return self._refuse(node, f"#{node.name} is unknown here; # is the element.")
        return scope.pointers[node.name]

    # Members

    def _member(self, node: Member) -> Type:
        return self._field(node, self.visit(node.base), node.name)

    def _field(self, node: Node, base: Type, name: str) -> Type:
        if base == ANY:
            return ANY
        if base.is_map:
            return base.element or ANY
        if base in FIELDS:
            fields = FIELDS[base]
            if name in fields:
                return fields[name].type
            hint = _closest(name, fields)
            return self._refuse(
                node, f"{_article(base)} has no field {name}{hint or '; it has ' + _listed(fields)}."
            )
        if name in METHODS.get(base, {}):
            return self._refuse(node, f"{name} is a method: write {name}().")
        if base.is_list:
            return self._refuse(node, f"A list has no field {name}; take one element, or map(list, .{name}).")
        return self._refuse(node, f"{_article(base)} has no field {name}.")

    def _method(self, node: Method) -> Type:
        base = self.visit(node.base)
        arguments = [self.visit(argument) for argument in node.arguments]
        if base == ANY:
            return ANY
        methods = METHODS.get(base, {})
        if node.name not in methods:
            hint = _closest(node.name, methods)
            return self._refuse(node, f"{_article(base)} has no method {node.name}{hint}.")
        return self._called(node, node.name, methods[node.name], node.arguments, arguments)

    def _index(self, node: Index) -> Type:
        base, index = self.visit(node.base), self.visit(node.index)
        if base == ANY:
            return ANY
        if base in FIELDS:
            if isinstance(node.index, Literal) and isinstance(node.index.value, str):
                return self._field(node, base, node.index.value)
            return self._refuse(
                node.index, f"Only the name of a field can be taken from {_article(base, small=True)}."
            )
        if base.is_map:
            if base == MAP and not index.may_be(STRING):
                return self._misfit(node.index, "The key of a map is a text", index)
            return base.element or ANY
        if base.is_list or base == STRING:
            if not index.may_be(INT):
                return self._misfit(node.index, "An element is chosen by a whole number", index)
            return (base.element or ANY) if base.is_list else STRING
        return self._refuse(node, f"{_article(base)} has no elements.")

    def _slice(self, node: Slice) -> Type:
        base = self.visit(node.base)
        for bound in (node.first, node.last):
            if bound is not None and not self.visit(bound).may_be(INT):
                self._misfit(bound, "A slice goes from one whole number to another", bound.type)
        if base in (ANY, STRING) or base.is_list:
            return base
        return self._refuse(node, f"{_article(base)} cannot be sliced.")

    def _chain(self, node: Chain) -> Type:
        return self.visit(node.inner)

    # Functions

    def _call(self, node: Call) -> Type:
        arguments = [self.visit(argument) for argument in node.arguments]
        function = FUNCTIONS.get(node.name)
        if function is None:
            return self._refuse(
                node,
                f"There is no function {node.name}{self._suggestion(node.name, [*FUNCTIONS, *CLOSURES])}.",
            )
        return self._called(node, node.name, function, node.arguments, arguments)

    def _called(
        self, node: Node, name: str, function: Function, arguments: Sequence[Node], types: Sequence[Type]
    ) -> Type:
        most = len(function.parameters)
        least = most - function.optional
        if len(types) < least or (len(types) > most and not function.repeats):
            expected = str(most) if least == most else f"{least} or {most}"
            if function.repeats:
                expected = f"at least {least}"
            return self._refuse(
                node,
                f"{name} takes {expected} argument{'s' if expected != '1' else ''}, got {len(types)}: "
                f"{function.signature}.",
            )
        for i, (argument, found) in enumerate(zip(arguments, types, strict=True)):
            allowed = function.parameters[min(i, most - 1)]
            if not _accepts(allowed, found):
                return self._misfit(argument, f"{name} takes {_alternatives(allowed)}", found)
        return function.result_for(types)

    def _closure(self, node: Closure) -> Type:
        closure = CLOSURES[node.name]
        collection = self.visit(node.collection)
        if not (collection == ANY or collection.is_list):
            self._misfit(node.collection, f"{node.name} takes a list", collection)
            collection = LIST
        element = collection.element or ANY
        body = element
        if node.predicate is not None:
            self.scopes.append(_Scope(element, dict(closure.pointers)))
            body = self.visit(node.predicate)
            self.scopes.pop()
        elif closure.needs_predicate:
            return self._refuse(node, f"{node.name} needs a second argument: {closure.signature}.")
        if node.extra is not None:
            extra = self.visit(node.extra)
            if not closure.extra:
                return self._refuse(node.extra, f"{node.name} takes two arguments: {closure.signature}.")
            if not _accepts(closure.extra, extra):
                return self._misfit(node.extra, "The order is 'asc' or 'desc'", extra)
        if node.predicate is not None and closure.is_predicate and not body.may_be(BOOL):
            return self._misfit(node.predicate, f"The condition of {node.name} must be true or false", body)
        if node.name == "sum" and not body.may_be(INT, FLOAT):
            return self._refuse(node, f"sum adds numbers, these are of type {body}.")
        return closure.result(element, body)

    # Operators

    def _unary(self, node: Unary) -> Type:
        operand = self.visit(node.operand)
        if node.operator == "not":
            if not operand.may_be(BOOL):
                return self._misfit(node, "not needs true or false", operand)
            return BOOL
        if not operand.may_be(INT, FLOAT):
            return self._misfit(node, f"{node.operator} needs a number", operand)
        return operand

    def _binary(self, node: Binary) -> Type:
        left, right = self.visit(node.left), self.visit(node.right)
        result = _binary_type(node.operator, left, right)
        if result is None:
            hint = ""
            if {left.name, right.name} & {"month", "weekday"}:
                hint = "; wrap the month or weekday in int(...)"
            elif node.operator == "in" and right == STRING:
                hint = "; write text contains part"
            elif DURATION in (left, right):
                hint = "; make the duration a number with .Hours() or .Seconds()"
            return self._refuse(node, f"{node.operator} does not fit {left} and {right}{hint}.")
        if node.operator == "%" and isinstance(node.right, Literal) and node.right.value == 0:
            return self._refuse(node, "% by zero has no result.")
        if (
            node.operator == "matches"
            and isinstance(node.right, Literal)
            and isinstance(node.right.value, str)
        ):
            reason = patterns.problem(node.right.value)
            if reason:
                return self._refuse(node.right, f"The pattern cannot be read: {reason}.")
        return result

    def _conditional(self, node: Conditional) -> Type:
        condition = self.visit(node.condition)
        if not condition.may_be(BOOL):
            self._misfit(node.condition, "The condition must be true or false", condition)
        return common(self.visit(node.yes), self.visit(node.no))

    # Bindings and literals

    def _let(self, node: Let) -> Type:
        value = self.visit(node.value)
        taken = node.name in self.variables or node.name in self.names
        if taken or node.name in FUNCTIONS or node.name in CLOSURES:
            self._refuse(node, f"The name {node.name} is taken; choose another for let.")
            return self.visit(node.body)
        self.variables[node.name] = value
        result = self.visit(node.body)
        del self.variables[node.name]
        return result

    def _listliteral(self, node: ListLiteral) -> Type:
        types = [self.visit(element) for element in node.elements]
        same = bool(types) and all(found == types[0] for found in types)
        return list_of(types[0]) if same else LIST

    def _mapliteral(self, node: MapLiteral) -> Type:
        for key in node.keys:
            if not self.visit(key).may_be(STRING):
                self._misfit(key, "The key of a map is a text", key.type)
        for value in node.values:
            self.visit(value)
        return MAP

    def _suggestion(self, name: str, known: Sequence[str]) -> str:
        if name in HINTS:
            return f"; write {HINTS[name]}"
        return _closest(name, known)


def _binary_type(operator: str, left: Type, right: Type) -> Type | None:
    """Type of the result, None where the operator does not fit."""

    def both(*allowed: Type) -> bool:
        return left.may_be(*allowed) and right.may_be(*allowed)

    untyped = ANY in (left, right)
    match operator:
        case "==" | "!=":
            return BOOL if can_be_equal(left, right) else None
        case "and" | "or":
            return BOOL if both(BOOL) else None
        case "<" | "<=" | ">" | ">=":
            return BOOL if any(both(*group) for group in _ORDERED) else None
        case "/" | "^":
            return FLOAT if both(INT, FLOAT) else None
        case "%":
            return INT if both(INT) else None
        case "..":
            return list_of(INT) if both(INT) else None
        case "contains" | "startsWith" | "endsWith" | "matches":
            return BOOL if both(STRING) else None
        case "??":
            if NIL in (left, right):
                return common(left, right)
            return left if left == right else ANY
        case "in":
            return BOOL if _may_contain(right, left) else None
    if both(INT, FLOAT) and not untyped:
        return FLOAT if FLOAT in (left, right) else INT
    if (operator, left, right) in _TIME_ARITHMETIC:
        return _TIME_ARITHMETIC[operator, left, right]
    if untyped:
        other = right if left == ANY else left
        return ANY if other.may_be(*_UNTYPED_OPERANDS[operator]) else None
    return None


_TIME_ARITHMETIC = {
    ("-", TIME, TIME): DURATION,
    ("-", TIME, DURATION): TIME,
    ("-", DURATION, DURATION): DURATION,
    ("+", TIME, DURATION): TIME,
    ("+", DURATION, TIME): TIME,
    ("+", DURATION, DURATION): DURATION,
    ("+", STRING, STRING): STRING,
    ("*", INT, DURATION): DURATION,
    ("*", FLOAT, DURATION): ANY,  # a number at run time, as in Expr
    ("*", DURATION, INT): DURATION,
    ("*", DURATION, FLOAT): ANY,
    ("*", DURATION, DURATION): DURATION,
}
_UNTYPED_OPERANDS = {
    "+": (INT, FLOAT, STRING, TIME, DURATION),
    "-": (INT, FLOAT, TIME, DURATION),
    "*": (INT, FLOAT, DURATION),
}


def _may_contain(container: Type, needle: Type) -> bool:
    if container == ANY:
        return True
    if container.is_list:
        return can_be_equal(needle, container.element or ANY)
    if container == MAP or container in FIELDS:
        return needle.may_be(STRING)
    return container.is_map


def _accepts(allowed: Parameter, found: Type) -> bool:
    if ANY in allowed or found == ANY:
        return True
    if found.is_list and list_of(STRING) in allowed:
        return found.element in (STRING, ANY)
    return any(found.name == one.name for one in allowed)


def _closest(name: str, known: Sequence[str] | dict) -> str:
    by_small_letters = {word.lower(): word for word in known}
    close = get_close_matches(name.lower(), by_small_letters, n=1)
    return f"; did you mean {by_small_letters[close[0]]}?" if close else ""


def _listed(words: Sequence[str] | dict) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _alternatives(allowed: Parameter) -> str:
    """The types of a parameter in words; both kinds of number are a number, both kinds of map a map."""
    names = [_article(one, small=True) for one in allowed if one.name != "groups"]
    if INT in allowed and FLOAT in allowed:
        names = ["a number", *(name for name in names if name not in ("an int", "a float"))]
    *most, last = dict.fromkeys(names)
    return f"{', '.join(most)} or {last}" if most else last


def _article(found: Type, *, small: bool = False) -> str:
    """The type with its article, at the start of a sentence or within one."""
    if found in (ANY, NIL):
        text = str(found)
    else:
        text = f"{'an' if str(found)[0] in 'aeiou' else 'a'} {found}"
    return text if small else text[0].upper() + text[1:]
