"""Merge: several lists made into one.

**Concatenate** takes the inputs in their order, an item keeping its first place. **Round robin** takes one
item of each in turn. **Reciprocal rank fusion** adds up 1 / (60 + rank): what several inputs place well
comes first, and scores, which cannot be compared between recommenders, do not matter. **Weighted scores**
brings each input's scores to 0 to 1 and adds them up.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from recflow.algorithms import fusion
from recflow.engine.context import RunContext
from recflow.engine.registry import node
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import Candidates


class Settings(NodeSettings):
    """How the lists become one."""

    method: Literal["reciprocal_rank_fusion", "concatenate", "round_robin", "weighted_scores"] = Field(
        "reciprocal_rank_fusion", title="Method", description="How the lists become one."
    )
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(
        (),
        title="Weights",
        description="One number for each input, in their order; an input without one counts 1.",
        json_schema_extra=ui("list", visible_when={"method": ["reciprocal_rank_fusion", "weighted_scores"]}),
    )
    limit: int = Field(
        0, ge=0, le=10_000, title="Limit", description="Items kept. 0: all of them.", json_schema_extra=ui()
    )


@node("merge", label="Merge", family="combine", settings=Settings, card=("method",))
def run(ctx: RunContext, lists: tuple[Candidates, ...], settings: Settings) -> Candidates:
    ranked = [(part.items, part.scores) for part in lists]
    weights = [*settings.weights[: len(lists)], *[1.0] * (len(lists) - len(settings.weights))]
    match settings.method:
        case "concatenate":
            items, scores = fusion.concatenate(ranked)
        case "round_robin":
            items, scores = fusion.round_robin(ranked)
        case "reciprocal_rank_fusion":
            items, scores = fusion.reciprocal_rank_fusion(ranked, weights)
        case "weighted_scores":
            items, scores = fusion.weighted_scores(ranked, weights)
    note = settings.method.replace("_", " ")
    merged = Candidates.merged(ctx.source, lists, items, scores, note=note)
    return merged.cut(ctx.source, settings.limit) if settings.limit else merged
