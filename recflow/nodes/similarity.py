"""What makes two items, or two users, alike: the settings that say it, and the vectors they lead to.

Not a node type; shared by Item-to-Item and User-to-User.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recflow.engine.settings import ui
from recflow.expressions.columns import embedding_matrix
from recflow.nodes.formulas import expression_problems


def column_field(scope: Literal["item", "user"], description: str) -> Any:
    """The setting that says where tags or vectors are."""
    hints = ui("expression", scope=scope, expects="any", visible_when={"similarity": ["embedding", "tags"]})
    return Field("", title="Column", description=description, json_schema_extra=hints)


def n_neighbors_field(description: str) -> Any:
    hints = ui(group="Advanced")
    return Field(100, ge=1, le=1000, title="Neighbors", description=description, json_schema_extra=hints)


def column_problems(
    similarity: str, column: str, *, without: str, scope: Literal["item", "user"]
) -> list[tuple[str, str]]:
    """What is wrong with the column of a similarity; the one called ``without`` needs none."""
    if similarity == without:
        return []
    if not column:
        return [("column", f"column must be given for similarity by {similarity}")]
    return expression_problems("column", column, expects="any", scope=scope)


def vectors_or_nan(values: Sequence[Any]) -> NDArray[np.float32]:
    """(n, n_dimensions) the vector of each row; NaN in a row without one."""
    matrix, has_vector, _ = embedding_matrix(values)
    matrix[~has_vector] = np.nan
    return matrix
