"""Finds the line and column a template error is about.

Jinja2 keeps line numbers only. Its lexer, though, hands out every piece of the source in order, so the
column of each token can be counted, and the token an error names can be looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError

_NEWLINE = re.compile(r"\r\n|\r")
_BEGINS = ("variable_begin", "block_begin")
# In the words of Jinja2's messages, what the parser met and did not want.
_UNWANTED = re.compile(r"(?:got|unknown tag|unexpected|named) '([^']+)'")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of template source; line and column count from 1."""

    line: int
    column: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a template."""

    line: int
    column: int


def tokens_of(environment: Environment, source: str) -> list[Token]:
    """The tokens inside ``{{ }}`` and ``{% %}``, as far as the source can be read."""
    source = _NEWLINE.sub("\n", source)
    found: list[Token] = []
    at, line, line_start = 0, 1, 0
    try:
        for _, kind, text in environment.lexer.tokeniter(source, None):
            start = source.find(text, at)
            newlines = source.count("\n", at, start)
            if newlines:
                line, line_start = line + newlines, source.rfind("\n", 0, start) + 1
            if kind not in ("data", "whitespace"):
                found.append(Token(line, start - line_start + 1, kind, text))
            at = start
    except TemplateSyntaxError:
        pass  # what came before is still right
    return found


def spot_of_name(tokens: list[Token], line: int, name: str | None) -> Spot:
    """Where a variable or field is read in the expression that starts on ``line``."""
    for token in tokens:
        if token.line >= line and name is not None and _names(token, name):
            return Spot(token.line, token.column)
    return spot_of_expression(tokens, line)


def spot_of_expression(tokens: list[Token], line: int) -> Spot:
    """Where the first expression or statement of a line starts."""
    for index, token in enumerate(tokens):
        if token.line == line and token.kind in _BEGINS:
            inner = tokens[index + 1] if index + 1 < len(tokens) else token
            return Spot(line, (inner if inner.line == line else token).column)
    on_line = next((token for token in tokens if token.line == line), None)
    return Spot(line, on_line.column if on_line else 1)


def spot_of_syntax_error(source: str, tokens: list[Token], error: TemplateSyntaxError) -> Spot:
    """Where a syntax error lies: at the word its message says was met."""
    unwanted = _UNWANTED.search(error.message or "")
    if unwanted is None:
        return spot_of_expression(tokens, error.lineno)
    on_line = [token for token in tokens if token.line == error.lineno]
    met = next((token for token in on_line if token.text == unwanted[1]), None)
    if met is not None:
        return Spot(met.line, met.column)
    # The lexer stopped at it: it comes after the last token.
    line = _NEWLINE.sub("\n", source).split("\n")[error.lineno - 1]
    column = line.find(unwanted[1], on_line[-1].column if on_line else 0)
    return Spot(error.lineno, column + 1) if column >= 0 else spot_of_expression(tokens, error.lineno)


def _names(token: Token, name: str) -> bool:
    return (token.kind == "name" and token.text == name) or (
        token.kind == "string" and token.text[1:-1] == name
    )
