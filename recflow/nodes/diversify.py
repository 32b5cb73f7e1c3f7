"""Diversify: not too much of the same at the top.

**At most k a category** lets the first k items of each category stand and drops later ones, an item with
several categories counting in each. **Maximal marginal relevance** picks items one by one, weighing how
well an item stood against how near its vector lies to those already picked.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from recflow.algorithms.diversity import cap_per_category, maximal_marginal_relevance
from recflow.engine.context import RunContext
from recflow.engine.registry import node
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import Candidates
from recflow.expressions import compile_expression
from recflow.expressions.columns import embedding_matrix
from recflow.nodes.formulas import expression_problems


class Settings(NodeSettings):
    """What counts as the same, and how much of it is too much."""

    method: Literal["category", "mmr"] = Field(
        "category", title="Method", description="What counts as too much of the same."
    )
    per_category: int = Field(
        3,
        ge=1,
        title="At most",
        description="Items of one category.",
        json_schema_extra=ui(visible_when={"method": ["category"]}),
    )
    column: str = Field(
        "item.Labels.embedding",
        title="Column",
        description="Where the vector of an item is.",
        json_schema_extra=ui("expression", scope="item", expects="any", visible_when={"method": ["mmr"]}),
    )
    relevance: float = Field(
        0.7,
        ge=0,
        le=1,
        title="Relevance",
        description="1 keeps the order that came in, 0 looks at variety only.",
        json_schema_extra=ui(visible_when={"method": ["mmr"]}),
    )


def check(settings: Settings) -> list[tuple[str, str]]:
    if settings.method != "mmr":
        return []
    return expression_problems("column", settings.column, expects="any", scope="item")


@node(
    "diversify",
    label="Diversify",
    icon="spread",
    family="combine",
    settings=Settings,
    card=("method",),
    check=check,
)
def run(ctx: RunContext, candidates: Candidates, settings: Settings) -> Candidates:
    if settings.method == "category":
        kept = cap_per_category(candidates.items, ctx.snapshot.items.categories, settings.per_category)
        return candidates.without(ctx.source, ~np.isin(candidates.items, kept), "diversity")
    column = compile_expression(settings.column, expects="any", scope="item")
    matrix = ctx.shared(
        ("vectors", settings.column),
        lambda: embedding_matrix(column.evaluate_column(ctx.snapshot.items))[0],
        keep_s=600.0,
    )
    order = maximal_marginal_relevance(
        candidates.scores, matrix[candidates.items], len(candidates), relevance_weight=settings.relevance
    )
    return candidates.ranked(
        ctx.source, candidates.items[order], candidates.scores[order], note="marginal relevance"
    )
