"""Who takes part in an evaluation of rankers: rankers by name, and the ranker nodes of saved flows.

A node is measured with its own settings: the parameters of its model, or its prompt and its endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.errors import NotFound
from dashboard.evaluation.asking import AskedRanker
from dashboard.evaluation.datasets import Measured
from dashboard.evaluation.kept_answers import KeptAnswers
from dashboard.evaluation.model_askers import ChatAsker, RerankAsker
from dashboard.evaluation.rankers import (
    ASKED,
    CONTROLS,
    LABELS,
    MODEL_RANKERS,
    ItemTables,
    keeping_order,
    named_ranker,
)
from dashboard.evaluation.ranking_runs import Contestant
from dashboard.models import Flow as FlowRow
from dashboard.outside import directory
from recflow.engine.check import label_of
from recflow.engine.flow import Flow, Node, load_flow
from recflow.engine.registry import NODE_TYPES
from recflow.errors import RecflowError
from recflow.llm.endpoint import Endpoint
from recflow.nodes.outside import DEFAULT_ENDPOINT, Outside

_NUMBERED = re.compile(r"#\d+\Z")
#: Type of the nodes that are measured.
RANKER = "ranker"
#: Longest a question stands in line for its endpoint, seconds: a line that does not move is a fault.
PATIENCE_S = 3600.0
#: Where answers of models are kept, one file for each model and way of asking.
ANSWERS = settings.DATA_DIR / "evaluation" / "answers"


@dataclass(frozen=True, eq=False)
class Entrants:
    """What contestants are made with.

    Args:
        measured: the data.
        seed: of all randomness.
        endpoint: what "llm" asks; None: the default endpoint.
        outside: endpoints that nodes name, and what may be spent.
        in_flight: questions that may wait for one endpoint at the same time.
        answers: folder of kept answers; None keeps none.
    """

    measured: Measured
    seed: int = 0
    endpoint: Endpoint | None = None
    outside: Outside = field(default_factory=Outside)
    in_flight: int = 32
    answers: Path | None = None
    _tables: list[ItemTables] = field(default_factory=list, repr=False)

    @property
    def tables(self) -> ItemTables:
        if not self._tables:
            self._tables.append(ItemTables(self.measured))
        return self._tables[0]

    def named(self, name: str) -> Contestant:
        """A ranker of the table.

        Raises:
            NotFound: there is none of that name.
        """
        if name not in LABELS:
            raise NotFound(f"There is no ranker {name!r}; there are {', '.join(LABELS)}")
        if name != ASKED:
            return Contestant(name, LABELS[name], named_ranker(name, self.tables, self.seed))
        try:
            endpoint = self.endpoint or self.outside.endpoint(DEFAULT_ENDPOINT).endpoint
        except RecflowError as error:
            return Contestant(name, LABELS[name], None, error.message)
        return Contestant(name, f"{LABELS[name]} ({endpoint.model})", self._chat(endpoint))

    def nodes_of(self, saved: SavedFlow) -> list[Contestant]:
        """The ranker nodes of a flow, or the one that was named.

        Raises:
            NotFound: it has none that is switched on.
        """
        rankers = [node for node in saved.flow.nodes if node.type == RANKER and not node.disabled]
        nodes = [node for node in rankers if saved.node_id in ("", node.id)]
        if not nodes:
            which = f"ranker node {saved.node_id!r}" if saved.node_id else "ranker node"
            raise NotFound(f"{saved.title} has no {which} to measure")
        is_only = len(rankers) == 1
        return [
            self._node(node, saved.title if is_only else f"{saved.title}: {label_of(node)}") for node in nodes
        ]

    def _node(self, node: Node, name: str) -> Contestant:
        entry = NODE_TYPES[node.type]
        try:
            chosen = entry.read_settings(node.settings)
            return Contestant(name, f"{name} ({chosen.kind})", self._of_kind(chosen))
        except (RecflowError, ValueError) as error:
            return Contestant(name, name, None, str(error))

    def _of_kind(self, chosen: Any) -> Any:
        if chosen.kind in MODEL_RANKERS:
            (spec,) = NODE_TYPES[RANKER].models(chosen, self.measured.rules)
            return MODEL_RANKERS[chosen.kind](self.tables, spec.params, self.seed)
        if chosen.kind == "none":
            return keeping_order()
        endpoint = self.outside.endpoint(chosen.endpoint).endpoint
        if chosen.kind == "rerank":
            return self._asked(RerankAsker(**self._shown(endpoint), settings=chosen))
        return self._chat(endpoint, template=chosen.template(), settings=chosen)

    def _chat(self, endpoint: Endpoint, **how: Any) -> AskedRanker:
        return self._asked(ChatAsker(**self._shown(endpoint), **how))

    def _shown(self, endpoint: Endpoint) -> dict[str, Any]:
        """What every asker is given; an endpoint without a width of its own, or with a wider one, gets ours.
        Thousands of questions stand in one line, so a call's deadline begins at its head."""
        policy = endpoint.call_policy
        width = min(policy.concurrency or self.in_flight, self.in_flight)
        wide = replace(policy, concurrency=width, patience_s=PATIENCE_S)
        return {
            "endpoint": replace(endpoint, policy=wide),
            "snapshot": self.measured.snapshot,
            "positive": self.measured.view.positive,
            "budget": self.outside.budget,
        }

    def _asked(self, asker: ChatAsker | RerankAsker) -> AskedRanker:
        file = self.answers / f"{asker.settings_key}.jsonl" if self.answers else None
        return AskedRanker(asker, KeptAnswers(file), asker.endpoint.call_policy.concurrency)


def contestants_of(names: Sequence[str], flows: Sequence[str], entrants: Entrants) -> list[Contestant]:
    """Models first, then nodes of flows, then controls, each in the order it was named."""
    named = [entrants.named(name) for name in names]
    controls = [one for one in named if one.name in CONTROLS]
    found = [find_flow(name) for name in flows]
    nodes = [one for saved in found for one in entrants.nodes_of(saved)]
    return [one for one in named if one.name not in CONTROLS] + nodes + controls


@dataclass(frozen=True)
class SavedFlow:
    """A drawing as it was saved.

    Args:
        flow_id: of its row.
        version: None for the draft.
        title: "Home feed@3", or "Home feed" for the draft.
        flow: the drawing.
        node_id: the one node that was named; "" for none in particular.
    """

    flow_id: int
    version: int | None
    title: str
    flow: Flow
    node_id: str = ""


def find_flow(name: str) -> SavedFlow:
    """A saved flow: "Home feed@3" is version 3 of it, "Home feed" its draft; "#12@3" names it by number.

    Behind a slash, which no flow has in its name, may stand the id of one of its nodes: "Home feed@3/ranker".

    Raises:
        NotFound: there is none.
    """
    of_flow, _, node_id = name.partition("/")
    title, number = _parted(of_flow)
    rows = FlowRow.objects.filter(pk=int(title[1:])) if _NUMBERED.match(title) else None
    rows = rows if rows is not None and rows.exists() else FlowRow.objects.filter(name=title)
    row = rows.order_by("archived", "-pk").first()
    if row is None:
        known = ", ".join(FlowRow.objects.filter(archived=False).values_list("name", flat=True)) or "none"
        raise NotFound(f"There is no flow {title!r}; there are: {known}")
    if number is None:
        draft = row.drafts.get(revision=row.revision)
        return SavedFlow(row.pk, None, row.name, load_flow(draft.document), node_id)
    version = row.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"{row.name} has no version {number}")
    return SavedFlow(row.pk, number, f"{row.name}@{number}", load_flow(version.document), node_id)


def _parted(name: str) -> tuple[str, int | None]:
    """The flow's name and the version's number behind the last @, if there is one."""
    title, at, number = name.rpartition("@")
    return (title, int(number)) if at and number.isdecimal() else (name, None)


def outside_now() -> Outside:
    """What may be asked now, within what may be spent on one day; a run's own limit is for one user."""
    found = directory.current()
    return Outside(endpoints=found.endpoints, budget=directory.budget_of_today(found.limits))
