"""Rows: columns, constraints, questions about one row.

No arithmetic and no HTTP: what happens to rows is told in drafts.py, activation.py and catalogue/.
"""

from dashboard.models.access import ApiKey
from dashboard.models.catalogue import (
    CatalogueChange,
    CatalogueVersion,
    Feedback,
    FeedbackType,
    ImportProgress,
    Item,
    User,
)
from dashboard.models.evaluation import Evaluation
from dashboard.models.flows import Activation, ActiveVersion, Draft, Flow, FlowVersion
from dashboard.models.jobs import LIVE, DailyCount, Job, JobState, Shard
from dashboard.models.prepared import ListVersion, PreparedList, WantedList
from dashboard.models.services import (
    CallCount,
    CallLogEntry,
    ModelPrice,
    OutsideLimits,
    Secret,
    ServiceEndpoint,
)

__all__ = [
    "LIVE",
    "Activation",
    "ActiveVersion",
    "ApiKey",
    "CallCount",
    "CallLogEntry",
    "CatalogueChange",
    "CatalogueVersion",
    "DailyCount",
    "Draft",
    "Evaluation",
    "Feedback",
    "FeedbackType",
    "Flow",
    "FlowVersion",
    "ImportProgress",
    "Item",
    "Job",
    "JobState",
    "ListVersion",
    "ModelPrice",
    "OutsideLimits",
    "PreparedList",
    "Secret",
    "ServiceEndpoint",
    "Shard",
    "User",
    "WantedList",
]
