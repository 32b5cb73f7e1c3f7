"""How people take what is live: the share of seen items that they like, by day and by active version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from dashboard.activation import address_of
from dashboard.evaluation.datasets import DEFAULT_RULES
from dashboard.jobs.fitting import rules_of_flow
from dashboard.models import Activation, ActiveVersion
from recflow.data.feedback import FeedbackRules, matching
from recflow.data.snapshot import Snapshot
from recflow.engine.flow import load_flow
from recflow.evaluation.online import Meetings, Rate, day_starts, meetings, rate_by_period


def online_rates(snapshot: Snapshot, *, days: int) -> dict[str, Any]:
    """Positive feedback rates; docs/protocol.md says what the parts mean."""
    rules = _active_rules()
    met = meetings_of(snapshot, rules)
    starts = day_starts(snapshot.taken_at, days)
    activations = list(Activation.objects.select_related("version__flow").order_by("at"))
    since = np.array([_microseconds(entry.at) for entry in activations], dtype=np.int64)
    return {
        "rules": {
            "positive": [str(rule) for rule in rules.positive],
            "read": [str(rule) for rule in rules.read],
        },
        "days": [
            {"date": _date(start), **_described(rate)}
            for start, rate in zip(starts.tolist(), rate_by_period(met, starts), strict=True)
        ],
        "versions": [
            {
                **(address_of(entry.version) or {}),
                "flow_name": entry.version.flow.name,
                "since": entry.at,
                "author": entry.author,
                **_described(rate),
            }
            for entry, rate in zip(activations, rate_by_period(met, since), strict=True)
        ],
    }


def meetings_of(snapshot: Snapshot, rules: FeedbackRules) -> Meetings:
    """Every pair of user and item that read or positive feedback joins, up to the moment of the snapshot."""
    log = snapshot.feedback
    positive = matching(rules.positive, log.type_names, log.types, log.values)
    counts = (positive | matching(rules.read, log.type_names, log.types, log.values)) & (
        log.times <= snapshot.taken_at
    )
    pairs = log.users.astype(np.int64) * max(1, snapshot.n_items) + log.items
    return meetings(pairs[counts], log.times[counts], positive[counts])


def _active_rules() -> FeedbackRules:
    pointer = ActiveVersion.objects.select_related("version").first()
    return rules_of_flow(load_flow(pointer.version.document)) if pointer else DEFAULT_RULES


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _date(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).date().isoformat()


def _described(rate: Rate) -> dict[str, float | int | None]:
    shares = {"rate": rate.share, "low": rate.low, "high": rate.high}
    return {"seen": rate.seen, "positive": rate.positive} | {
        name: None if value != value else round(value, 5) for name, value in shares.items()
    }
