"""Picks item ids out of somebody's JSON by a JMESPath expression, in bounded work.

JMESPath has no loops, but an expression may copy its input: each ``[@, @]`` doubles what the next step reads,
and thirty of them fill any memory. So the widths of all copies in one expression, multiplied, have a limit.
Functions that write long texts are not offered, and the steps that an expression takes on one answer are
counted: ``[*].[[[[@]]]]`` copies nothing and still makes four lists of each element.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult
from jmespath.visitor import Options, TreeInterpreter

MAX_LENGTH = 500
#: How often one value of the input may come to stand in the result.
MAX_COPIES = 16
#: Parts of the expression that may be worked out on one answer, each once for each element it is used on.
MAX_STEPS = 2_000_000
#: Functions whose result may be far longer than what they read.
_GROWING = {"join"}


class PathError(ValueError):
    """The expression cannot be used, or gives no ids; the message is one sentence."""


class _Functions(Functions):
    """JMESPath's own, of which one would double a text as often as it is called."""

    @signature({"types": ["string", "number", "boolean", "null"]})
    def _func_to_string(self, value: str | float | None) -> str:
        return super()._func_to_string(value)


class _Counting(TreeInterpreter):
    """Works out an expression in a limited number of steps."""

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_Functions()))
        self._left = MAX_STEPS

    def visit(self, node: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise PathError(f"The path to the ids takes more than {MAX_STEPS:,} steps on this answer")
        return super().visit(node, *args, **kwargs)


@lru_cache(maxsize=128)
def compiled(path: str) -> ParsedResult:
    """The expression, ready for use.

    Raises:
        PathError: it cannot be read, or copies too much.
    """
    if len(path) > MAX_LENGTH:
        raise PathError(f"The path to the ids may have {MAX_LENGTH} characters, got {len(path):,}")
    try:
        found = jmespath.compile(path)
    except (JMESPathError, RecursionError) as error:
        raise PathError(f"The path to the ids cannot be read: {_first_line(error)}") from error
    nodes = list(_nodes(found.parsed))
    if growing := [node["value"] for node in nodes if node["type"] == "function_expression"]:
        refused = _GROWING.intersection(growing)
        if refused:
            raise PathError(f"The path to the ids may not use {refused.pop()}()")
    if prod(_copies(node) for node in nodes) > MAX_COPIES:
        raise PathError(f"The path to the ids may copy its input {MAX_COPIES} times at most")
    return found


def ids_at(path: str, document: object) -> list[str]:
    """The ids an expression finds; whole numbers count as ids too.

    Raises:
        PathError: there is no list of ids there.
    """
    try:
        found = _Counting().visit(compiled(path).parsed, document)
    except (JMESPathError, RecursionError, TypeError) as error:
        raise PathError(f"The path {path!r} fails on this answer: {_first_line(error)}") from error
    if not isinstance(found, list):
        raise PathError(f"The path {path!r} must lead to a list of ids, it leads to {_kind(found)}")
    for place, value in enumerate(found):
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise PathError(f"The path {path!r} must lead to a list of ids, at {place} is {_kind(value)}")
    return [str(value) for value in found]


def _nodes(node: Any) -> Any:
    yield node
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _nodes(child)


def _copies(node: dict[str, Any]) -> int:
    if node["type"] in ("multi_select_list", "multi_select_dict"):
        return len(node["children"])
    return _values_in(node["value"]) if node["type"] == "literal" else 1


def _values_in(literal: object) -> int:
    """How many values a literal may turn into when it is flattened."""
    if isinstance(literal, dict):
        literal = list(literal.values())
    return max(1, sum(map(_values_in, literal))) if isinstance(literal, list) else 1


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def _first_line(error: Exception) -> str:
    if isinstance(error, JMESPathTypeError):  # its own text spells the whole value out
        return f"{error.function_name}() cannot take {_kind(error.current_value)}"
    return str(error).partition("\n")[0] or type(error).__name__
