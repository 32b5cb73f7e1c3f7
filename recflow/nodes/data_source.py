"""Data Source: the user the flow runs for, and which feedback counts.

Every flow starts here. Feedback types say what a user did: **positive** ones (a like, a star, a rating of
four) train the models and are the taste that recommenders look at; **read** ones only say that the item was
seen; **negative** ones keep an item away for good. A type may carry a bound on its value, such as
`rating>=4`.

An item the user has any feedback on, of whatever type, is not recommended to that user again, unless
the Recommend node allows it.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field
from scipy import sparse

from recflow.data.feedback import FeedbackRule, FeedbackRules, matching
from recflow.engine.blocks import BlockContext, UserBlock, history_of
from recflow.engine.context import RunContext
from recflow.engine.registry import in_blocks, node
from recflow.engine.settings import NodeSettings, ui
from recflow.engine.values import UserContext
from recflow.errors import DataError

#: Seconds a user is kept for the next run: long enough for a change of the drawing. It holds its snapshot,
#: and under a stream of writes there is a new one every few seconds.
KEEP_S = 30.0


def _rule(text: str) -> str:
    try:
        FeedbackRule.parse(text)
    except DataError as error:
        raise ValueError(error.message) from error
    return text


Rule = Annotated[str, AfterValidator(_rule)]


class Settings(NodeSettings):
    """Which feedback counts, and for how long."""

    positive: tuple[Rule, ...] = Field(
        ("star", "like", "rating>=4"),
        title="Positive feedback",
        description='Says "more of this". Trains the models.',
        json_schema_extra=ui("rules"),
    )
    read: tuple[Rule, ...] = Field(
        ("read", "rating"),
        title="Read feedback",
        description='Says "seen". Not shown again, but no sign of liking it.',
        json_schema_extra=ui("rules"),
    )
    negative: tuple[Rule, ...] = Field(
        (),
        title="Negative feedback",
        description='Says "never again". Overrules positive feedback on the same item.',
        json_schema_extra=ui("rules"),
    )
    positive_ttl_days: int = Field(
        0,
        ge=0,
        title="Feedback counts for",
        description="Older feedback no longer trains models. 0 means for ever.",
        json_schema_extra=ui(unit="days"),
    )
    item_ttl_days: int = Field(
        0,
        ge=0,
        title="Items live for",
        description="Older items are no longer recommended. 0 means for ever.",
        json_schema_extra=ui(unit="days"),
    )


def rules_of(settings: Settings) -> FeedbackRules:
    """The settings as the data room knows them."""

    def parsed(texts: tuple[str, ...]) -> tuple[FeedbackRule, ...]:
        return tuple(FeedbackRule.parse(text) for text in texts)

    return FeedbackRules(
        parsed(settings.positive),
        parsed(settings.read),
        parsed(settings.negative),
        settings.positive_ttl_days,
        settings.item_ttl_days,
    )


@node(
    "data-source",
    label="Data Source",
    icon="database",
    family="input",
    settings=Settings,
    at_least=1,
    at_most=1,
    card=("positive",),
    keep_s=lambda settings: KEEP_S,
)
def run(ctx: RunContext, settings: Settings) -> UserContext:
    rules = rules_of(settings)
    history = ctx.request.history
    view = ctx.snapshot.view(rules)
    current = history.times <= ctx.now + ctx.clock_error_us
    known = current & (history.items >= 0)
    negative = known & history.matching(rules.negative)
    disliked = _mask(history.items[negative], ctx)
    positive = known & history.matching(rules.positive)
    positive[known] &= ~disliked[history.items[known]]
    seen = positive | (known & history.matching(rules.read))
    return UserContext(
        user_id=history.user_id,
        user_index=ctx.snapshot.users.ids.find(history.user_id),
        history=history,
        view=view,
        liked=history.items[positive],
        liked_times=history.times[positive],
        liked_types=tuple(np.array(history.types, dtype=object)[positive]),
        excluded=_mask(history.items[known], ctx),
        disliked=disliked,
        read=_mask(history.items[seen], ctx),
    )


def _mask(items: np.ndarray, ctx: RunContext) -> np.ndarray:
    mask = np.zeros(ctx.snapshot.n_items, dtype=bool)
    mask[items] = True
    return mask


@in_blocks("data-source")
def run_block(ctx: BlockContext, settings: Settings) -> UserBlock:
    rules, log, n_users = rules_of(settings), ctx.snapshot.feedback, len(ctx.indices)
    counts = np.diff(log.user_starts)[ctx.indices]
    place = np.repeat(np.arange(n_users), counts)
    starts = log.user_starts[ctx.indices] - np.concatenate([[0], np.cumsum(counts)[:-1]])
    rows = np.arange(int(counts.sum())) + np.repeat(starts, counts)
    newest_first = np.lexsort((log.types[rows], log.items[rows], -log.times[rows], place))
    rows, place = rows[newest_first], place[newest_first]
    current = log.times[rows] <= ctx.now + ctx.clock_error_us
    rows, place = rows[current], place[current]
    items = log.items[rows]

    def said(which: tuple[FeedbackRule, ...]) -> np.ndarray:
        return matching(which, log.type_names, log.types[rows], log.values[rows])

    pairs = place * np.int64(ctx.snapshot.n_items) + items
    negative = said(rules.negative)
    positive = said(rules.positive) & ~np.isin(pairs, pairs[negative])
    excluded = sparse.csr_matrix(
        (np.ones(len(items), dtype=bool), (place, items)), shape=(n_users, ctx.snapshot.n_items)
    )
    seen_singly: dict[int, UserContext] = {}

    def context_of(one: int) -> UserContext:
        if one not in seen_singly:
            history = history_of(ctx.snapshot, int(ctx.indices[one]))
            seen_singly[one] = run(ctx.run_context(history, None), settings)
        return seen_singly[one]

    return UserBlock(
        users=ctx.indices,
        view=ctx.snapshot.view(rules),
        offsets=np.searchsorted(place[positive], np.arange(n_users + 1)),
        liked=items[positive],
        excluded=excluded,
        context_of=context_of,
    )
