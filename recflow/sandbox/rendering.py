"""Renders templates; runs inside the child process only.

Jinja2's sandbox keeps a template from reaching Python's insides. It is no limit on time or memory: those
are the child's, set from outside. Compiling happens here too, because Jinja2 computes constants while it
compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from types import TracebackType

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.exceptions import (
    SecurityError,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from recflow.sandbox.field_use import field_uses
from recflow.sandbox.frames import whole_text
from recflow.sandbox.gorse_values import printed, to_json, wrap
from recflow.sandbox.locations import (
    Spot,
    spot_of_expression,
    spot_of_name,
    spot_of_syntax_error,
    tokens_of,
)

_LONGEST_TEXT = 10_000_000  # characters one operator may make; more is an attack, and this error has a line
_LARGEST_POWER = 10_000  # bits
_SHOWN = 300
_FORBIDDEN = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
}


class _Limit(TemplateError):
    """The template wants more than it may have."""


class _MissingName(UndefinedError):
    """An undefined name was used; knows which."""

    def __init__(self, message: str, name: str | None) -> None:
        super().__init__(message)
        self.name = name


class _Named:
    """Gives undefined values an error that knows the name, and a message in plain words."""

    __slots__ = ()

    def __init__(self, hint=None, obj=missing, name=None, exc=UndefinedError) -> None:
        super().__init__(hint, obj, name, exc)
        if exc is UndefinedError:
            self._undefined_exception = partial(_MissingName, name=name if isinstance(name, str) else None)

    @property
    def _undefined_message(self) -> str:
        name, owner = self._undefined_name, self._undefined_obj
        if self._undefined_hint:
            return self._undefined_hint
        if owner is missing:
            return f"'{name}' is not defined"
        return f"there is no field '{name}' here"  # which there are it cannot tell: only those used were sent


class _Strict(_Named, StrictUndefined):
    """An unknown name is an error wherever it is used."""

    __slots__ = ()


class _Blank(_Named, Undefined):
    """As in Gorse: an unknown name prints nothing, a field of an unknown name is an error."""

    __slots__ = ()


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2 as Gorse's templates expect it, without loader, so without files."""

    # Intercepted operators are not computed while compiling, and can be refused with a line number.
    intercepted_binops = frozenset(("+", "*", "**"))

    def __init__(self, undefined: type[Undefined]) -> None:
        super().__init__(
            undefined=undefined, finalize=printed, keep_trailing_newline=True, autoescape=False, cache_size=0
        )
        del self.globals["lipsum"]
        self.filters["tojson"] = to_json
        self.filters["default"] = self.filters["d"] = _default

    def call_binop(self, context, operator, left, right):
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * max(right, 0) > _LARGEST_POWER:
                raise _Limit("the power is too large a number")
        elif operator == "*":
            text, times = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(text, str | list | tuple) and isinstance(times, int):
                _refuse_longer_than(_LONGEST_TEXT, len(text) * times)
        elif operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            _refuse_longer_than(_LONGEST_TEXT, len(left) + len(right))
        return super().call_binop(context, operator, left, right)


def _refuse_longer_than(limit: int, length: int) -> None:
    if length > limit:
        raise _Limit(f"the result would be {length:,} long; at most {limit:,} is allowed")


def _default(value: object, default_value: object = "", boolean: bool = False) -> object:
    """As Jinja2's, and for null values too, as in Gorse."""
    unset = isinstance(value, Undefined) or value is None
    return default_value if unset or (boolean and not value) else value


_ENVIRONMENTS = {True: _Environment(_Strict), False: _Environment(_Blank)}


def handle(job: dict, channel: object) -> dict:
    """One job from the parent: ``render``, ``check`` or ``fields``."""
    task: Callable[[dict], object] = _TASKS[job["do"]]
    try:
        return {"ok": task(job)}
    except _Failure as failure:
        return {"error": failure.as_reply()}


class _Failure(Exception):
    """An error with its place, ready for the parent."""

    def __init__(self, message: str, spot: Spot | None, *, is_limit: bool = False) -> None:
        super().__init__(message)
        self.message, self.spot, self.is_limit = message, spot, is_limit
        self.part: int | None = None

    def as_reply(self) -> dict:
        line, column = (self.spot.line, self.spot.column) if self.spot else (None, None)
        place = {"line": line, "column": column, "part": self.part}
        return {"message": self.message, "limit": self.is_limit, **place}


def _render(job: dict) -> list[str]:
    """One text for each pair of a template's number and its variables; all have the shared ones."""
    shared = wrap(job["shared"])
    texts, left = [], job["output_chars"]
    for number, variables in job["each"]:
        source = job["templates"][number]
        try:
            template = _compiled(source, job["strict"])
            text = _render_one(template, source, {**shared, **wrap(variables)}, left, job["output_chars"])
        except _Failure as failure:
            failure.part = number
            raise
        left -= len(text)
        texts.append(text)
    return texts


def _render_one(template: Template, source: str, variables: dict, left: int, cap: int) -> str:
    pieces = []
    try:
        for piece in template.root_render_func(template.new_context(variables)):
            left -= len(piece)
            if left < 0:
                raise _Failure(f"It writes more than {cap:,} characters.", None, is_limit=True)
            pieces.append(piece)
    except (_Failure, MemoryError):
        raise
    except Exception as error:
        raise _explained(error, template, source) from None
    return whole_text("".join(pieces))


def _explained(error: Exception, template: Template, source: str) -> _Failure:
    """A run-time error with line and column."""
    line = _line_in(template, error.__traceback__)
    tokens = tokens_of(template.environment, source)
    if isinstance(error, _MissingName):
        return _failure(str(error.message), spot_of_name(tokens, line, error.name))
    spot = spot_of_expression(tokens, line)
    match error:
        case RecursionError():
            return _failure("it calls itself too often", spot, is_limit=True)
        case OverflowError() | _Limit():
            return _failure(str(error), spot, is_limit=True)
        case SecurityError():
            return _failure(f"this is not allowed: {error.message}", spot)
        case TemplateError():
            return _failure(str(error.message), spot)
        case _:
            return _failure(f"{type(error).__name__}: {error}", spot)


def _failure(reason: str, spot: Spot, *, is_limit: bool = False) -> _Failure:
    reason = reason if len(reason) <= _SHOWN else reason[: _SHOWN - 1] + "…"
    where = f"Line {spot.line}, column {spot.column}: "
    return _Failure(f"{where}{reason.rstrip('.')}.", spot, is_limit=is_limit)


def _line_in(template: Template, trace: TracebackType | None) -> int:
    """The line of the template that was being run; the innermost one."""
    line = 1
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


@lru_cache(maxsize=64)
def _compiled(source: str, strict: bool) -> Template:
    environment = _ENVIRONMENTS[strict]
    tree = _parsed(environment, source)
    problems = _forbidden(environment, source, tree)
    if problems:
        raise problems[0]
    return Template.from_code(environment, _code(environment, source, tree), environment.make_globals(None))


def _parsed(environment: _Environment, source: str) -> nodes.Template:
    try:
        return environment.parse(source)
    except TemplateSyntaxError as error:
        raise _syntax_failure(environment, source, error) from None
    except RecursionError:
        raise _Failure("It is nested too deeply.", None, is_limit=True) from None


def _code(environment: _Environment, source: str, tree: nodes.Template):
    try:
        return environment.compile(tree, filename="<template>")
    except TemplateSyntaxError as error:
        raise _syntax_failure(environment, source, error) from None
    except (RecursionError, SyntaxError, OverflowError):
        raise _Failure("It is nested too deeply.", None, is_limit=True) from None


def _syntax_failure(environment: _Environment, source: str, error: TemplateSyntaxError) -> _Failure:
    spot = spot_of_syntax_error(source, tokens_of(environment, source), error)
    return _failure(error.message or "it cannot be read", spot)


def _forbidden(environment: _Environment, source: str, tree: nodes.Template) -> list[_Failure]:
    found = []
    for node in tree.find_all(tuple(_FORBIDDEN)):
        word = _FORBIDDEN[type(node)]
        spot = spot_of_name(tokens_of(environment, source), node.lineno, word)
        found.append(_failure(f"a template stands alone, so '{word}' is not allowed", spot))
    return found


def _check(job: dict) -> list[dict]:
    """All that can be said without data: syntax, filters, tests, and names unknown to ``known``."""
    environment, source, known = _ENVIRONMENTS[True], job["template"], job["known"]
    try:
        tree = _parsed(environment, source)
        failures = _forbidden(environment, source, tree)
        if not failures:
            _code(environment, source, tree)
    except _Failure as failure:
        return [failure.as_reply()]
    if known is not None:
        failures += _unknown_names(environment, source, tree, known)
    failures.sort(key=lambda failure: (failure.spot.line, failure.spot.column))
    return [failure.as_reply() for failure in failures]


def _unknown_names(
    environment: _Environment, source: str, tree: nodes.Template, known: dict[str, list[str] | None]
) -> list[_Failure]:
    tokens = tokens_of(environment, source)
    found = []
    for name, use in field_uses(tree, frozenset(environment.globals)).items():
        if name not in known:
            text = f"'{name}' is not defined; there are {', '.join(sorted(known))}"
            found.append(_failure(text, spot_of_name(tokens, use.first_line, name)))
            continue
        fields = known[name]
        for field, line in use.lines.items():
            if fields is not None and field not in fields:
                text = f"{name} has no field '{field}'; there are {', '.join(fields)}"
                found.append(_failure(text, spot_of_name(tokens, line, field)))
    return found


def _fields(job: dict) -> dict[str, dict]:
    environment, source = _ENVIRONMENTS[True], job["template"]
    tree = _parsed(environment, source)
    try:
        uses = field_uses(tree, frozenset(environment.globals))
    except TemplateSyntaxError as error:  # an unknown filter
        raise _syntax_failure(environment, source, error) from None
    return {
        name: {"fields": None if use.is_whole else sorted(use.lines), "counts_keys": use.counts_keys}
        for name, use in uses.items()
    }


_TASKS = {"render": _render, "check": _check, "fields": _fields}
