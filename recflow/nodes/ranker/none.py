"""None: keeps the order that comes in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recflow.engine.blocks import BlockContext, CandidateBlock
from recflow.engine.context import RunContext
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates


class NoneSettings(NodeSettings):
    """Keeps the order that comes in."""

    kind: Literal["none"] = Field("none", title="None")


def rank(ctx: RunContext, candidates: Candidates, settings: NoneSettings) -> Candidates:
    return candidates.ranked(ctx.source, candidates.items, candidates.scores)


def rank_block(ctx: BlockContext, candidates: CandidateBlock, settings: NoneSettings) -> CandidateBlock:
    return candidates
