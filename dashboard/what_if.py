"""What if the user had done something else: feedback added or left out for one preview, and runs for nobody.

Nothing of it is stored. The changes make another history, and the history is what a node's signature begins
with, so results of such a run are never taken for those of the true user, nor the other way round.
"""

from __future__ import annotations

from datetime import UTC
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from dashboard.jobs.fitting import rules_of_flow
from recflow.data.feedback import FeedbackRule, UserHistory
from recflow.data.snapshot import Snapshot
from recflow.engine.flow import Flow
from recflow.errors import FlowError

#: Changes of one preview; more would be another user.
MOST_CHANGES = 100


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Added(_Strict):
    """Feedback the user did not give.

    Args:
        item_id: on which item.
        sense: what it says; the Data Source of the drawing decides which type of feedback says that.
        time: when; the moment of the run where it is missing, and never later than that.
    """

    item_id: str = Field(min_length=1, max_length=256)
    sense: Literal["positive", "read", "negative"] = "positive"
    time: AwareDatetime | None = None


class Removed(_Strict):
    """Feedback the user gave, to be left out."""

    item_id: str
    type: str


class WhatIf(_Strict):
    """The changes of one preview.

    Args:
        anonymous: somebody without a name, whose only history is what is added.
        add: feedback that counts beside what there is; it replaces the same type on the same item.
        remove: feedback that does not count.
    """

    anonymous: bool = False
    add: tuple[Added, ...] = Field((), max_length=MOST_CHANGES)
    remove: tuple[Removed, ...] = Field((), max_length=MOST_CHANGES)

    @classmethod
    def read(cls, raw: object) -> WhatIf | None:
        """What a message says, None when it says nothing.

        Raises:
            FlowError: it is of another form.
        """
        if raw is None:
            return None
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in ("what_if", *first["loc"]))
            raise FlowError(f"{place}: {first['msg']}") from error

    def applied(self, history: UserHistory, flow: Flow, snapshot: Snapshot, now: int) -> UserHistory:
        """The history as if it had been so.

        Args:
            history: the true one.
            flow: the drawing, whose Data Source says which types of feedback are positive.
            snapshot: numbers the items.
            now: microseconds since 1970.

        Raises:
            FlowError: an item or a feedback that is named does not exist.
        """
        base = UserHistory("") if self.anonymous else history
        there = set(zip(base.types, base.item_ids, strict=True))
        for row in self.remove:
            if (row.type, row.item_id) not in there:
                whose = base.user_id or "An anonymous session"
                raise FlowError(f"{whose} has no feedback {row.type!r} on {row.item_id!r} to leave out")
        without = {(row.type, row.item_id) for row in self.remove}
        return base.amended(without=without, added=[self._row(row, flow, snapshot, now) for row in self.add])

    def _row(self, row: Added, flow: Flow, snapshot: Snapshot, now: int) -> tuple[int, str, str, float, int]:
        index = snapshot.items.ids.find(row.item_id)
        if index is None:
            raise FlowError(f"No item has the id {row.item_id!r}")
        rule = _rule_for(row.sense, flow)
        time = now if row.time is None else int(row.time.astimezone(UTC).timestamp() * 1_000_000)
        return index, row.item_id, rule.type, rule.passing_value, min(time, now)


def _rule_for(sense: str, flow: Flow) -> FeedbackRule:
    """The first type of feedback that says it in this drawing."""
    try:
        rules = getattr(rules_of_flow(flow), sense)
    except ValidationError as error:
        raise FlowError("The settings of the Data Source are wrong, so no feedback can be added") from error
    if not rules:
        raise FlowError(f"The Data Source counts no feedback as {sense}: add a type there first")
    return rules[0]
