"""What somebody should know before a version goes live: what is in the way, what changes, who changed it,
which models have to be fitted first.

How lists change and what preparing them costs takes longer to find out, and is asked for by itself.
"""

from __future__ import annotations

from typing import Any

from dashboard import drafts
from dashboard.activation import active_version, address_of
from dashboard.active import active_flow
from dashboard.authorship import with_authors
from dashboard.jobs import fitting
from dashboard.models import Draft, Job
from dashboard.runs import models
from dashboard.store import store
from recflow.engine.block_run import nodes_that_wait
from recflow.engine.changes import changes
from recflow.engine.check import blocking, label_of
from recflow.engine.flow import Flow, load_flow
from recflow.engine.registry import FITTERS


def review(flow_id: int, number: int | None) -> dict[str, Any]:
    """What activating a version (or the draft) would change, and what keeps it from being activated.

    Before the first activation, and after a reset, the configuration's flow is what is live.
    """
    saved = drafts.saved_drawing(flow_id, number)
    after = load_flow(saved.document)
    active = address_of(active_version())  # before the drawing: who activates in between is then refused
    before, _ = active_flow()
    problems = drafts.all_problems(after)
    can_run = not blocking(problems)
    return {
        "problems": [problem.as_dict() for problem in problems],
        "changes": with_authors(changes(before, after), saved),
        "revision": saved.revision if isinstance(saved, Draft) else None,
        "active": active,
        "models": missing_models(after) if can_run else [],
        "asks_others": _asking(before, after) if can_run else [],
    }


def missing_models(flow: Flow) -> list[dict[str, Any]]:
    """The models a flow needs and that were never fitted; activation has them fitted in the background.

    ``seconds`` is an estimate from the amount of data; ``job`` is the newest one that was to fit it.
    """
    missing = [spec for spec in fitting.models_of_flow(flow) if models.version(spec) is None]
    users_of = {
        spec.key: [
            label_of(node)
            for node in flow.nodes
            if not node.disabled and spec.key in {own.key for own in fitting.models_of_node(flow, node)}
        ]
        for spec in missing
    }
    return [
        {
            "key": spec.key,
            "label": FITTERS[spec.kind].label,
            "about": fitting.about(spec),
            "nodes": users_of[spec.key],
            "seconds": round(FITTERS[spec.kind].cost(store.snapshot().view(spec.rules), spec.params), 1),
            "job": _job_of(fitting.key_of(spec)),
        }
        for spec in missing
    ]


def _job_of(key: str) -> dict[str, Any] | None:
    job = Job.objects.filter(key=key).order_by("-pk").first()
    return job and {name: getattr(job, name) for name in ("id", "state", "share", "text", "error")}


def _asking(before: Flow, after: Flow) -> list[str]:
    """Names of the nodes that ask other machines when lists of the two are compared."""
    return list(dict.fromkeys([*nodes_that_wait(after), *nodes_that_wait(before)]))
