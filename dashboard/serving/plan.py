"""What the active flow means for serving, worked out once a version."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.active import UNSAVED, active_flow
from dashboard.models import Activation
from recflow.data.feedback import FeedbackRules
from recflow.engine.block_run import nodes_that_wait
from recflow.engine.flow import Flow, Node
from recflow.engine.registry import NODE_TYPES
from recflow.engine.settings import duration_seconds
from recflow.nodes.data_source import Settings as DataSourceSettings
from recflow.nodes.data_source import rules_of
from recflow.nodes.recommend import Settings as RecommendSettings

#: Types whose lists are the same for everybody, up to what each user has seen.
IMPERSONAL = {"data-source", "latest", "non-personalized", "merge", "filter", "diversify", "fallback"}


@dataclass(frozen=True)
class Plan:
    """The active flow, read for serving.

    Args:
        flow: the drawing.
        label: its name, "flow id@number".
        before: name of the version that was active before; its lists serve until there are newer ones.
        rules: which feedback counts.
        recommend: settings of the end of the flow.
        fallback: node that fills up short lists, None where there is none.
        is_fallback_shared: what it gives depends on no user.
        waiting: names of the nodes that ask other machines; with one the flow is never run inside a request.
    """

    flow: Flow
    label: str
    before: str | None
    rules: FeedbackRules
    recommend: RecommendSettings
    fallback: str | None
    is_fallback_shared: bool
    waiting: tuple[str, ...]

    @property
    def waits(self) -> bool:
        """The flow asks other machines."""
        return bool(self.waiting)

    @property
    def labels(self) -> list[str]:
        """Versions whose lists may serve, the best first."""
        return [self.label, *([self.before] if self.before else [])]

    @property
    def expire_us(self) -> int:
        """How long a prepared list is good."""
        return int(duration_seconds(self.recommend.cache_expire) * 1e6)


def current_plan(known: Plan | None = None) -> Plan:
    """The plan of the flow that is active now; ``known`` itself when that is still it."""
    flow, label = active_flow()
    before = _label_before(label)
    if known is not None and (known.flow, known.label, known.before) == (flow, label, before):
        return known
    return plan_of(flow, label, before)


def plan_of(flow: Flow, label: str, before: str | None = None) -> Plan:
    """A flow without blocking problems, read for serving."""
    fallback = _fallback_of(flow)
    source = next((node for node in flow.nodes if node.type == "data-source"), None)
    end = next((node for node in flow.nodes if node.type == "recommend"), None)
    return Plan(
        flow,
        label,
        before,
        rules_of(DataSourceSettings(**source.settings) if source else DataSourceSettings()),
        RecommendSettings(**end.settings) if end else RecommendSettings(),
        fallback,
        fallback is not None and all(node.type in IMPERSONAL for node in _leading_to(flow, fallback)),
        tuple(nodes_that_wait(flow)),
    )


def _label_before(label: str) -> str | None:
    """What answered until the last activation; before the first it was the configuration's flow."""
    last = Activation.objects.select_related("previous").order_by("-pk").first()
    if last is None:
        return None
    before = f"{last.previous.flow_id}@{last.previous.number}" if last.previous else UNSAVED
    return before if before != label else None


def _fallback_of(flow: Flow) -> str | None:
    for node in flow.nodes:
        is_used = any(edge.source == node.id for edge in flow.edges)
        if NODE_TYPES[node.type].output == "fallback" and is_used and not node.disabled:
            return node.id
    return None


def _leading_to(flow: Flow, node_id: str) -> list[Node]:
    found: dict[str, Node] = {}
    todo = [node_id]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = flow.node(name)
            todo += [edge.source for edge in flow.inputs_of(name)]
    return list(found.values())
