"""Non-personalized: items ordered by an expression, the same for everybody.

The score says how good an item is, the filter which items take part. Both may look at the `item` and at its
positive `feedback`, for example `count(feedback, (now() - .Timestamp).Hours() < 168)`. Start from a preset
and change it. It suits cold start and the fallback slot.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from recflow.engine.blocks import BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import Candidates, UserContext
from recflow.expressions import compile_expression
from recflow.nodes.formulas import expression_problems
from recflow.nodes.proposing import propose, propose_alike

#: Seconds the scores of all items are kept; "this week" does not change within a minute.
KEEP_S = 60.0

PRESETS = [
    {"label": "Popular", "values": {"score": "len(feedback)", "filter": "len(feedback) > 0"}},
    {
        "label": "Popular this week",
        "values": {
            "score": "count(feedback, (now() - .Timestamp).Hours() < 168)",
            "filter": "count(feedback, (now() - .Timestamp).Hours() < 168) > 0",
        },
    },
    {
        "label": "Trending (Hacker News)",
        "values": {
            "score": "(len(feedback) - 1) / ((now() - item.Timestamp).Hours() + 2) ^ 1.8",
            "filter": "len(feedback) > 0 and item.Timestamp.Year() > 1970",
        },
    },
    {
        "label": "Best rated",
        "values": {
            "score": "sum(feedback, .Value) / (len(feedback) + 5)",
            "filter": "len(feedback) > 0",
        },
    },
]


class Settings(NodeSettings):
    """Which items, in which order."""

    score: str = Field(
        "len(feedback)",
        min_length=1,
        title="Score",
        description="A number for each item; the highest come first.",
        json_schema_extra=ui("expression", scope="score", expects="number", presets=PRESETS),
    )
    filter: str = Field(
        "",
        title="Filter",
        description="True for items that take part. Empty: all of them.",
        json_schema_extra=ui("expression", scope="score", expects="bool"),
    )


def check(settings: Settings) -> list[tuple[str, str]]:
    return [
        *expression_problems("score", settings.score, expects="number", scope="score"),
        *expression_problems("filter", settings.filter, expects="bool", scope="score"),
    ]


@node(
    "non-personalized",
    label="Non-personalized",
    icon="flame",
    family="recommender",
    settings=Settings,
    card=("score",),
    check=check,
)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    scores, warnings = _shared_scores(ctx, user, settings)
    return propose(ctx, user, scores, warnings=warnings)


@in_blocks("non-personalized")
def run_block(ctx: BlockContext, user: UserBlock, settings: Settings) -> CandidateBlock:
    scores, warnings = _shared_scores(ctx, user, settings)
    ctx.warnings += warnings
    return propose_alike(ctx, user, scores)


def _shared_scores(
    ctx: RunContext | BlockContext, user: UserContext | UserBlock, settings: Settings
) -> tuple[np.ndarray, list[str]]:
    """(n_items,) scores that all users share, and a warning when some item has none for an error."""
    scores, failed, example = ctx.shared(
        ("non-personalized", settings.score, settings.filter), lambda: _scores(ctx, user, settings), KEEP_S
    )
    return scores, [f"{failed} items were left out, the first because {example}"] if failed else []


def _scores(
    ctx: RunContext | BlockContext, user: UserContext | UserBlock, settings: Settings
) -> tuple[np.ndarray, int, str]:
    """(n_items,) scores, NaN where an item does not take part; how many failed, and why the first did."""
    score = compile_expression(settings.score, expects="number", scope="score")
    found = score.evaluate_items(user.view, ctx.now)
    values, errors = found.values.astype(np.float64), found.errors
    n_failed = found.n_errors
    if settings.filter:
        keep = compile_expression(settings.filter, expects="bool", scope="score").evaluate_items(
            user.view, ctx.now
        )
        passes = keep.values.astype(bool)
        values = np.where(passes, values, np.nan)
        errors = [(index, text) for index, text in errors if passes[index]] + list(keep.errors)
        n_failed = len(errors) if n_failed == len(found.errors) else n_failed
    return values, n_failed, errors[0][1] if errors else ""
