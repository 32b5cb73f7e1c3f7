"""Expressions in settings: what is wrong with one, as a node's check says it.

Not a node type; shared by all that have a column, a score or a condition among their settings.
"""

from __future__ import annotations

from typing import Literal

from recflow.errors import ExpressionError
from recflow.expressions import compile_expression


def expression_problems(
    field: str,
    text: str,
    *,
    expects: Literal["number", "bool", "any"],
    scope: Literal["score", "item", "user"],
) -> list[tuple[str, str]]:
    """The field and a sentence, or nothing when the expression is good or empty."""
    try:
        if text:
            compile_expression(text, expects=expects, scope=scope)
    except ExpressionError as error:
        return [(field, f"{field}: {error.message}")]
    return []
