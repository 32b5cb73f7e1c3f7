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
from recflow.engine.blocks import BlockContext, CandidateBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
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
    items, scores = _fused([(part.items, part.scores) for part in lists], settings)
    note = settings.method.replace("_", " ")
    merged = Candidates.merged(ctx.source, lists, items, scores, note=note)
    return merged.cut(ctx.source, settings.limit) if settings.limit else merged


@in_blocks("merge")
def run_block(ctx: BlockContext, lists: tuple[CandidateBlock, ...], settings: Settings) -> CandidateBlock:
    rows = []
    for place in range(len(ctx.indices)):
        rows.append(_fused([part.row(place) for part in lists], settings))
    merged = CandidateBlock.from_rows(rows)
    return merged.cut(settings.limit) if settings.limit else merged


def _fused(lists: list[fusion.RankedList], settings: Settings) -> fusion.RankedList:
    weights = [*settings.weights[: len(lists)], *[1.0] * (len(lists) - len(settings.weights))]
    match settings.method:
        case "concatenate":
            return fusion.concatenate(lists)
        case "round_robin":
            return fusion.round_robin(lists)
        case "reciprocal_rank_fusion":
            return fusion.reciprocal_rank_fusion(lists, weights)
        case "weighted_scores":
            return fusion.weighted_scores(lists, weights)
