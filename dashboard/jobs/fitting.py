"""Which models a flow needs, and fitting those that are missing or old."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from dashboard.artifacts import ArtifactStore
from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import Snapshot
from recflow.engine.flow import Flow
from recflow.engine.registry import FITTERS, NODE_TYPES, ModelSpec
from recflow.errors import DataError
from recflow.nodes.data_source import Settings as DataSourceSettings
from recflow.nodes.data_source import rules_of

logger = logging.getLogger(__name__)


def rules_of_flow(flow: Flow) -> FeedbackRules:
    """Which feedback counts in a flow, as its Data Source says."""
    source = next((node for node in flow.nodes if NODE_TYPES[node.type].output == "user"), None)
    return rules_of(DataSourceSettings(**source.settings) if source else DataSourceSettings())


def models_of_flow(flow: Flow) -> list[ModelSpec]:
    """Every model a flow needs, each once, in the order of its nodes."""
    rules = rules_of_flow(flow)
    needed: dict[str, ModelSpec] = {}
    for node in flow.nodes:
        entry = NODE_TYPES.get(node.type)
        if entry is None or node.disabled:
            continue
        for spec in entry.models(entry.read_settings(node.settings), rules):
            needed.setdefault(spec.key, spec)
    return list(needed.values())


def fit_missing(
    flows: Iterable[Flow],
    snapshot: Snapshot,
    artifacts: ArtifactStore,
    say: Callable[[str], None] = logger.info,
) -> None:
    """Fit every model that the flows need and that is not there yet; for the start of a new installation.

    Args:
        flows: drawings without blocking problems.
        snapshot: what to learn from.
        artifacts: where models are kept.
        say: hears one line a model.
    """
    for flow in flows:
        for spec in models_of_flow(flow):
            if artifacts.version(spec) is not None:
                continue
            label = FITTERS[spec.kind].label
            try:
                artifact = artifacts.fit(spec, snapshot.view(spec.rules))
            except DataError as error:
                say(f"{label}: {error.message}")
            else:
                say(f"{label}: fitted in {artifact.meta['seconds']:.1f} s")
