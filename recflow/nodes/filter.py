"""Filter: only items that pass a condition.

The condition looks at the `item` and at its positive `feedback`, as in `item.Labels.year >= 1990`; items
for which it cannot be worked out do not pass. Categories are a shorthand: an item must carry all of them.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from recflow.engine.context import RunContext
from recflow.engine.registry import node
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import Candidates
from recflow.expressions import compile_expression
from recflow.nodes.formulas import expression_problems


class Settings(NodeSettings):
    """Which items pass."""

    condition: str = Field(
        "",
        title="Condition",
        description="True for items that pass. Empty: all of them.",
        json_schema_extra=ui("expression", scope="score", expects="bool"),
    )
    categories: tuple[str, ...] = Field(
        (),
        title="Categories",
        description="An item must carry all of these.",
        json_schema_extra=ui("list"),
    )


def check(settings: Settings) -> list[tuple[str, str]]:
    return expression_problems("condition", settings.condition, expects="bool", scope="score")


@node(
    "filter",
    label="Filter",
    icon="funnel",
    family="combine",
    settings=Settings,
    card=("condition",),
    check=check,
)
def run(ctx: RunContext, candidates: Candidates, settings: Settings) -> Candidates:
    assert ctx.user is not None
    passes = np.ones(ctx.snapshot.n_items, dtype=bool)
    warnings: tuple[str, ...] = ()
    if settings.condition:
        condition = compile_expression(settings.condition, expects="bool", scope="score")
        found = condition.evaluate_items(ctx.user.view, ctx.now)
        passes &= found.values.astype(bool)
        if found.n_errors:
            warnings = (f"{found.n_errors} items could not be checked: {found.errors[0][1]}",)
    if settings.categories:
        passes &= ctx.snapshot.items.in_categories(settings.categories)
    kept = candidates.without(ctx.source, ~passes[candidates.items], "filtered")
    return Candidates(kept.items, kept.scores, kept.trail, warnings)
