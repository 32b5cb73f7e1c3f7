"""Latest: the newest items of the catalogue.

Knows nothing about the user, so it suits cold start and the fallback slot. The score is the item's
timestamp in Unix seconds; items without a timestamp are left out.
"""

from __future__ import annotations

import numpy as np

from recflow.data.types import NO_TIME
from recflow.engine.context import RunContext
from recflow.engine.registry import node
from recflow.engine.settings import NodeSettings
from recflow.engine.values import Candidates, UserContext
from recflow.nodes.proposing import propose


class Settings(NodeSettings):
    """Nothing to set."""


@node("latest", label="Latest", icon="clock", family="recommender", settings=Settings, at_most=1)
def run(ctx: RunContext, user: UserContext, settings: Settings) -> Candidates:
    times = ctx.snapshot.items.times
    return propose(ctx, user, np.where(times == NO_TIME, np.nan, times / 1e6))
