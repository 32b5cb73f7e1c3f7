"""The score and filter language: grammar, type check, evaluation over all items.

No Django, httpx or engine may come in: an expression knows items, users and feedback, not flows.
"""

from recflow.expressions.columns import embedding_matrix, tag_matrix
from recflow.expressions.completions import completions, help_tables
from recflow.expressions.expression import (
    Evaluation,
    Expression,
    check_expression,
    compile_expression,
)

__all__ = [
    "Evaluation",
    "Expression",
    "check_expression",
    "compile_expression",
    "completions",
    "embedding_matrix",
    "help_tables",
    "tag_matrix",
]
