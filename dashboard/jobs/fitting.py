"""Job kind "fit": which models a flow needs, and fitting one of them.

A model is fitted where arithmetic runs, in one piece: its progress is that of its epochs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from dashboard.artifacts import Artifact, ArtifactStore
from dashboard.jobs import ledger
from dashboard.jobs.work import Reporter, Work
from dashboard.models import Job
from dashboard.runs import models
from dashboard.store import store
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import Snapshot, TrainingView
from recflow.engine.flow import Flow, Node
from recflow.engine.registry import FITTERS, NODE_TYPES, ModelSpec
from recflow.engine.settings import duration_seconds
from recflow.errors import DataError
from recflow.nodes.data_source import Settings as DataSourceSettings
from recflow.nodes.data_source import rules_of

logger = logging.getLogger(__name__)

KIND = "fit"
#: A model is measured, which takes another fit, when a fit takes about so many seconds at most.
MEASURED_S = 60.0
#: Time between fits for nodes that have no setting for it.
USUAL_PERIOD_S = 3600.0


def rules_of_flow(flow: Flow) -> FeedbackRules:
    """Which feedback counts in a flow, as its Data Source says."""
    return rules_of(DataSourceSettings(**source_settings(flow)))


def source_settings(flow: Flow) -> dict[str, Any]:
    """What the Data Source of a flow says; nothing when it has none."""
    source = next((node for node in flow.nodes if NODE_TYPES[node.type].output == "user"), None)
    return dict(source.settings) if source else {}


def models_of_flow(flow: Flow) -> list[ModelSpec]:
    """Every model a flow needs, each once, in the order of its nodes."""
    return [spec for spec, _ in models_with_periods(flow)]


def models_with_periods(flow: Flow) -> list[tuple[ModelSpec, float]]:
    """Every model a flow needs, and the seconds between its fits: the shortest that any node asks for."""
    specs: dict[str, ModelSpec] = {}
    periods: dict[str, float] = {}
    for node in flow.nodes:
        if node.disabled:
            continue
        for spec in models_of_node(flow, node):
            settings = NODE_TYPES[node.type].read_settings(node.settings)
            period = getattr(settings, "fit_period", None)
            period_s = USUAL_PERIOD_S if period is None else duration_seconds(period)
            specs.setdefault(spec.key, spec)
            periods[spec.key] = min(period_s, periods.get(spec.key, period_s))
    return [(spec, periods[key]) for key, spec in specs.items()]


def models_of_node(flow: Flow, node: Node) -> list[ModelSpec]:
    """The models one node of a flow needs; none for a type this server does not have."""
    entry = NODE_TYPES.get(node.type)
    return entry.models(entry.read_settings(node.settings), rules_of_flow(flow)) if entry else []


def fit_missing(
    flows: Iterable[Flow],
    snapshot: Snapshot,
    artifacts: ArtifactStore,
    say: Callable[[str], None] = logger.info,
    check: Callable[[], None] = lambda: None,
    *,
    measure: bool = False,
) -> None:
    """Fit every model that the flows need and that is not there yet; for the start of a new installation.

    Args:
        flows: drawings without blocking problems.
        snapshot: what to learn from.
        artifacts: where models are kept.
        say: hears one line a model.
        check: called while a model is fitted; raises to stop.
        measure: measure each first, as jobs do, so that the overview tells from the start how good it is.
    """
    fit = functools.partial(_fit_measured, artifacts) if measure else artifacts.fit
    for flow in flows:
        for spec in models_of_flow(flow):
            if artifacts.version(spec) is not None:
                continue
            label = FITTERS[spec.kind].label
            try:
                artifact = fit(spec, snapshot.view(spec.rules), check=check)
            except DataError as error:
                say(f"{label}: {error.message}")
            else:
                say(f"{label}: {_told(artifact.meta)}")


def ask(spec: ModelSpec, asked_by: str = "") -> Job:
    """A job that fits a model anew."""
    title = f"Train {FITTERS[spec.kind].label.lower()}"
    return ledger.enqueue(KIND, key_of(spec), title, as_parameters(spec), asked_by=asked_by)


def key_of(spec: ModelSpec) -> str:
    """What a job that fits this model is called in the ledger."""
    return f"{KIND}:{spec.key}"


def as_parameters(spec: ModelSpec) -> dict[str, Any]:
    """A model as plain values that JSON can hold."""
    positive, read, negative, positive_ttl_days, item_ttl_days = spec.rules.key()
    return {
        "kind": spec.kind,
        "params": dict(spec.params),
        "rules": {
            "positive": positive,
            "read": read,
            "negative": negative,
            "positive_ttl_days": positive_ttl_days,
            "item_ttl_days": item_ttl_days,
        },
    }


def as_spec(parameters: Mapping[str, Any]) -> ModelSpec:
    """The model that ``as_parameters`` wrote down."""
    rules = rules_of(DataSourceSettings(**parameters["rules"]))
    return ModelSpec(parameters["kind"], parameters["params"], rules)


def about(spec: ModelSpec) -> str:
    """What tells a model from others of its kind, in a few words."""
    shown = {"similarity": "by {}", "column": "of {}", "n_factors": "{} factors", "n_neighbors": "{} each"}
    return ", ".join(
        words.format(spec.params[name]) for name, words in shown.items() if spec.params.get(name)
    )


def run(work: Work) -> str:
    """Fit the model; returns how long it took and how well it ranks."""
    said = _told(work.call("fitting:fit_here", work.job.parameters))
    work.say(said)
    return said


#: Fields of models that tell how good they are -> what the screen calls them.
SHOWN_METRICS = {"ndcg_at_10": "NDCG@10", "auc": "AUC", "precision": "precision", "recall": "recall"}


def _told(meta: dict[str, Any]) -> str:
    """How long a fit took, on what, and how good its model is, from what ``meta.json`` says."""
    shown = [
        f"{text} {meta['metrics'][name]:.3f}"
        for name, text in SHOWN_METRICS.items()
        if name in meta["metrics"]
    ]
    return ", ".join(
        [f"fitted in {meta['seconds']:.1f} s on {meta['n_positive']:,} positive feedback", *shown]
    )


def fit_here(job_id: int, worker: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Measure and fit a model in this process; what its ``meta.json`` says."""
    reporter = Reporter(job_id, worker)
    spec = as_spec(parameters)
    view = store.snapshot(fresh=True).view(spec.rules)
    return _fit_measured(models, spec, view, progress=reporter.progress, check=reporter.check).meta


def _fit_measured(
    artifacts: ArtifactStore,
    spec: ModelSpec,
    view: TrainingView,
    *,
    progress: Callable[[float, str], None] = lambda share, text: None,
    check: Callable[[], None],
) -> Artifact:
    """Measure a model, where that does not take long, and fit it."""
    fitter = FITTERS[spec.kind]
    metrics: dict[str, float] = {}
    if fitter.measure and fitter.cost(view, spec.params) <= MEASURED_S:
        progress(0.0, "measuring on held-out feedback")
        metrics = fitter.measure(view, dict(spec.params), np.random.default_rng(0), check)
    return artifacts.fit(spec, view, progress=progress, check=check, metrics=metrics)
