"""Whose taste new feedback changes, by the rules of the live flow; their prepared lists are then behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.active import active_flow
from dashboard.jobs import prepared
from dashboard.jobs.fitting import rules_of_flow
from recflow.data.feedback import FeedbackRule
from recflow.data.records import FeedbackRecord

#: Users of one write whose lists are noted; after an import all lists are made anew anyway.
MOST_NOTED = 1_000


def note_new_taste(parts: Sequence[Sequence[FeedbackRecord]]) -> None:
    """Let users who said what they like or dislike be answered by the flow itself until their list is new.

    Feedback that only says "seen" changes no taste: what was seen is left out of the list as it stands. This
    belongs into the transaction that stores the feedback: who notices the one has to find the other.

    Args:
        parts: the feedback of each write.
    """
    flow, _ = active_flow()
    rules = rules_of_flow(flow)
    telling = (*rules.positive, *rules.negative)
    users: set[str] = set()
    for feedback in parts:
        of_part = {row.user_id for row in feedback if _tells(row, telling)}
        if len(of_part) <= MOST_NOTED:
            users |= of_part
    if users:
        prepared.fell_behind(sorted(users))


def _tells(row: FeedbackRecord, rules: Sequence[FeedbackRule]) -> bool:
    return any(rule.type == row.type and rule.matches(np.array([row.value]))[0] for rule in rules)
