"""Fallback: fills the list when the main way came out short.

Its inputs answer in the order shown on the canvas: the second is asked for what the first could not fill.
Good inputs need no history, such as Latest or a popular list, so that a user nobody knows gets something.
"""

from __future__ import annotations

import numpy as np

from recflow.algorithms.fusion import concatenate
from recflow.engine.blocks import BlockContext, CandidateBlock, first_of
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates


class Settings(NodeSettings):
    """None of its own: what counts is the order of the inputs."""


@node(
    "fallback",
    label="Fallback",
    icon="lifebuoy",
    family="output",
    settings=Settings,
    at_most=1,
    output="fallback",
)
def run(ctx: RunContext, lists: tuple[Candidates, ...], settings: Settings) -> Candidates:
    items, scores = concatenate([(part.items, part.scores) for part in lists])
    return Candidates.merged(ctx.source, lists, items, scores, note="in order of the inputs")


@in_blocks("fallback")
def run_block(ctx: BlockContext, lists: tuple[CandidateBlock, ...], settings: Settings) -> CandidateBlock:
    joined = first_of(lists) if lists else CandidateBlock.empty(len(ctx.indices))
    return CandidateBlock(joined.items, joined.scores.astype(np.float32).astype(np.float64))
