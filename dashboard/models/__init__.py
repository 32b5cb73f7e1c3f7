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

__all__ = [
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
    "User",
]
