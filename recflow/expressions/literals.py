"""Numbers and texts as they are written."""

from __future__ import annotations

import re

from lark import Token

from recflow.errors import ExpressionError
from recflow.expressions.values import INT_MAX

_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    r"|U(?P<big>[0-9a-fA-F]{8})|(?P<simple>.))",
    re.DOTALL,
)


def literal_value(token: Token) -> object:
    """What a number, text, true, false or nil stands for."""
    match token.type:
        case "TRUE":
            return True
        case "FALSE":
            return False
        case "NIL":
            return None
        case "STRING":
            return unquoted(token)
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


def unquoted(token: Token) -> str:
    """The text between the quotes, escapes replaced."""

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
