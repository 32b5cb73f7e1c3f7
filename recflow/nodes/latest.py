"""Latest: the newest items of the catalogue.

Knows nothing about the user, so it suits cold start and the fallback slot. The score is the item's
timestamp in Unix seconds; items without a timestamp are left out.
"""

from __future__ import annotations

import numpy as np

from recflow.data.types import NO_TIME, TimeVector
from recflow.engine.blocks import BlockContext, CandidateBlock, UserBlock
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.nodes.proposing import propose, propose_alike


class Settings(NodeSettings):
    """Nothing to set."""


@node("latest", label="Latest", icon="clock", family="recommender", settings=Settings, at_most=1)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    return propose(ctx, user, _scores(ctx.snapshot.items.times))


@in_blocks("latest")
def run_block(ctx: BlockContext, user: UserBlock, settings: Settings) -> CandidateBlock:
    return propose_alike(ctx, user, _scores(ctx.snapshot.items.times))


def _scores(times: TimeVector) -> np.ndarray:
    return np.where(times == NO_TIME, np.nan, times / 1e6)
