"""What Gorse can see of a flow: which recommenders feed ranker and fallback, and which ranker there is."""

from __future__ import annotations

from dataclasses import dataclass

from recflow.engine.flow import Flow, Node
from recflow.interop.gorse_config.keys import ARRAYS, full_settings

#: Nodes that hand on what comes in, changed or not.
PASSING = ("merge", "filter", "diversify", "ranker")
RECOMMENDERS = ("latest", "collaborative", *ARRAYS)


@dataclass(frozen=True)
class SeenByGorse:
    """One flow, read as Gorse would.

    Args:
        flow: the drawing.
        before: the flow that the base configuration stands for. What the import drew disabled, because it
            cannot run here, still counts for Gorse.
    """

    flow: Flow
    before: Flow

    def twin(self, node: Node) -> Node | None:
        """The same node in ``before``: by id, else by name."""
        same = [other for other in self.before.nodes if other.type == node.type]
        by_id = next((other for other in same if other.id == node.id), None)
        return by_id or next((other for other in same if other.name == node.name), None)

    def is_on(self, node: Node) -> bool:
        twin = self.twin(node)
        return not node.disabled or (twin is not None and twin.disabled)

    def first(self, node_type: str) -> Node | None:
        """The one node of its type that is on."""
        return next((node for node in self.flow.nodes if node.type == node_type and self.is_on(node)), None)

    def main(self) -> list[Node]:
        """Recommenders that lead to Recommend, in the order of the edges."""
        return [node for node in self._leading_to_recommend(by_fallback=False) if node.type in RECOMMENDERS]

    def fallback(self) -> list[Node]:
        """Recommenders that lead to the fallback, in the order of the edges."""
        return [node for node in self._leading_to_recommend(by_fallback=True) if node.type in RECOMMENDERS]

    def passed(self) -> list[Node]:
        """What lies between the recommenders and Recommend, nearest to Recommend first."""
        ways = (*self._leading_to_recommend(by_fallback=False), *self._leading_to_recommend(by_fallback=True))
        return [node for node in ways if node.type in PASSING]

    def rankers(self) -> list[Node]:
        """Rankers on the main way that do something, nearest to Recommend first."""
        main = self._leading_to_recommend(by_fallback=False)
        return [node for node in main if node.type == "ranker" and kind_of(node) != "none"]

    def _leading_to_recommend(self, *, by_fallback: bool) -> list[Node]:
        """Nodes that are on and lead there, one way or the other, depth first from there, each once."""
        known = {node.id: node for node in self.flow.nodes}
        found: dict[str, Node] = {}

        def visit(node: Node) -> None:
            for edge in self.flow.inputs_of(node.id):
                source = known.get(edge.source)
                if source is None or source.id in found:
                    continue
                if (source.type == "fallback") != (by_fallback and node.type == "recommend"):
                    continue
                found[source.id] = source
                if source.type in PASSING or (source.type == "fallback" and self.is_on(source)):
                    visit(source)

        for node in self.flow.nodes:
            if node.type == "recommend":
                visit(node)
        return [node for node in found.values() if self.is_on(node)]


def kind_of(ranker: Node) -> str:
    """The kind of a ranker node, the one it is by default where it says none."""
    return str(full_settings(ranker.type, ranker.settings).get("kind", ""))
