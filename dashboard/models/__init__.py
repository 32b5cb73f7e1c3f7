"""Rows: columns, constraints, questions about one row.

No arithmetic and no HTTP: what happens to rows is told in drafts.py, activation.py and catalogue/.
"""

from dashboard.models.catalogue import (
    CatalogueVersion,
    Feedback,
    FeedbackType,
    ImportProgress,
    Item,
    User,
)
from dashboard.models.flows import Activation, ActiveVersion, Draft, Flow, FlowVersion
from dashboard.models.jobs import LIVE, Job, JobState, Shard
from dashboard.models.prepared import PreparedList

__all__ = [
    "LIVE",
    "Activation",
    "ActiveVersion",
    "CatalogueVersion",
    "Draft",
    "Feedback",
    "FeedbackType",
    "Flow",
    "FlowVersion",
    "ImportProgress",
    "Item",
    "Job",
    "JobState",
    "PreparedList",
    "Shard",
    "User",
]
