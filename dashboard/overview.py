"""How the installation is: what it holds, what is live, which models it has, what is wrong.

Everything here is read from the snapshot in memory, from small tables, or from the models' own notes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.urls import reverse

from dashboard import drafts
from dashboard.activation import active_version
from dashboard.active import active_flow
from dashboard.item_feedback import count_by_type, latest, popular
from dashboard.jobs import fitting, refreshing
from dashboard.jobs.snapshots import data_version
from dashboard.models import LIVE, Activation, FlowVersion, Job, JobState, PreparedList
from dashboard.moments import moment
from dashboard.runs import models
from dashboard.sparkline import Sparkline, draw
from dashboard.store import catalogue_version, store
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import Snapshot
from recflow.engine.check import label_of
from recflow.engine.flow import Flow
from recflow.engine.registry import FITTERS

SHOWN_ITEMS = 8


@dataclass(frozen=True)
class Counts:
    """What the catalogue holds.

    Args:
        feedback: all rows.
        by_type: type and its rows, the most frequent first.
        is_behind: rows were written that the snapshot, and so these numbers, do not know yet.
    """

    users: int
    items: int
    feedback: int
    by_type: list[tuple[str, int]]
    is_behind: bool

    @property
    def is_empty(self) -> bool:
        return not (self.users or self.items or self.feedback)


@dataclass(frozen=True)
class Live:
    """The version that answers, and how it came to.

    Args:
        flow: the drawing.
        label: "flow id@number", or the name of the one from the configuration file.
        version: its row; None while the configuration file rules.
        activation: who made it active, when, with which note.
    """

    flow: Flow
    label: str
    version: FlowVersion | None
    activation: Activation | None


@dataclass(frozen=True)
class ModelState:
    """One model that the active flow needs.

    Args:
        label: what kind it is.
        nodes: names of the nodes that use it.
        fitted_at: None while it is missing.
        metrics: name and value of what is known of its quality.
        before: the first metric in older versions, newest first.
        job: the job that fits it now.
    """

    label: str
    nodes: list[str]
    fitted_at: datetime | None
    n_positive: int = 0
    metrics: list[tuple[str, float]] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    job: Job | None = None

    @property
    def values(self) -> list[float]:
        """The first metric of each version, oldest first."""
        return [*reversed(self.before), *(value for _, value in self.metrics[:1])]

    @property
    def trend(self) -> Sparkline | None:
        """Its line; None before there are two."""
        return draw(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Trouble:
    """Something that somebody should look at.

    Args:
        severity: "blocking" or "warning".
        text: one sentence.
        href: where it can be mended, "" where nothing can be done from here.
    """

    severity: str
    text: str
    href: str = ""


@dataclass(frozen=True)
class ListState:
    """The lists made in advance for the version that is live.

    Args:
        ready: users who have one.
        job: the newest job that makes them, None before the first.
    """

    ready: int
    job: Job | None


@dataclass(frozen=True)
class ShownItem:
    """An item in a short list: ``count`` likes or the moment it came, whichever the list is about."""

    item_id: str
    title: str
    count: int = 0
    at: datetime | None = None


def counts() -> Counts:
    """What is stored, as of the snapshot."""
    snapshot = store.snapshot()
    return Counts(
        snapshot.n_users,
        snapshot.n_items,
        len(snapshot.feedback),
        count_by_type(snapshot),
        data_version(snapshot.version) != catalogue_version(),
    )


def live() -> Live:
    """What answers requests this moment."""
    flow, label = active_flow()
    version = active_version()
    activation = Activation.objects.order_by("-pk").first() if version else None
    return Live(flow, label, version, activation)


def model_states(flow: Flow) -> list[ModelState]:
    """Every model that a flow needs, in the order of its nodes."""
    jobs = {job.key: job for job in Job.objects.filter(kind=fitting.KIND, state__in=LIVE)}
    users: dict[str, list[str]] = {}
    for node in flow.nodes:
        for spec in [] if node.disabled else fitting.models_of_node(flow, node):
            users.setdefault(spec.key, []).append(label_of(node))
    states = []
    for spec in fitting.models_of_flow(flow):
        label, job = FITTERS[spec.kind].label, jobs.get(fitting.key_of(spec))
        history = models.history(spec)
        if not history:
            states.append(ModelState(label, users[spec.key], None, job=job))
            continue
        quality = [
            [
                (shown, meta["metrics"][name])
                for name, shown in fitting.SHOWN_METRICS.items()
                if name in meta["metrics"]
            ]
            for meta in history
        ]
        states.append(
            ModelState(
                label,
                users[spec.key],
                datetime.fromtimestamp(history[0]["fitted_at"], UTC),
                history[0]["n_positive"],
                quality[0],
                [found[0][1] for found in quality[1:] if found],
                job,
            )
        )
    return states


def troubles(live: Live, states: list[ModelState]) -> list[Trouble]:
    """What is wrong with what is live, worst first."""
    editor = reverse("editor", args=[live.version.flow_id]) if live.version else reverse("flows")
    found = [Trouble(problem.severity, problem.message, editor) for problem in drafts.all_problems(live.flow)]
    for state in states:
        if state.fitted_at is None:
            doing = "it is being trained" if state.job else f"{', '.join(state.nodes)} may stay empty"
            found.append(Trouble("warning", f"{state.label} is not trained yet: {doing}."))
    ended = {job.key: job for job in Job.objects.exclude(state__in=LIVE).order_by("pk")}  # 200 at most
    found += [
        Trouble("warning", f"{job.title} failed: {job.error}")
        for job in ended.values()
        if job.state == JobState.FAILED
    ]
    return sorted(found, key=lambda trouble: trouble.severity != "blocking")


def list_state(live: Live) -> ListState:
    """How far the lists of the active version are."""
    ready = PreparedList.objects.filter(version=live.label).count()
    return ListState(ready, Job.objects.filter(kind=refreshing.KIND).order_by("-pk").first())


def popular_items(rules: FeedbackRules) -> list[ShownItem]:
    """What most people like."""
    snapshot = store.snapshot()
    return [_shown(snapshot, item, count=count) for item, count in popular(snapshot, rules, SHOWN_ITEMS)]


def latest_items(rules: FeedbackRules) -> list[ShownItem]:
    """What came last."""
    snapshot = store.snapshot()
    return [_shown(snapshot, item) for item in latest(snapshot, rules, SHOWN_ITEMS)]


def _shown(snapshot: Snapshot, item: int, count: int = 0) -> ShownItem:
    (title,) = snapshot.titles([item])
    return ShownItem(snapshot.items.ids[item], title, count, moment(int(snapshot.items.times[item])))
