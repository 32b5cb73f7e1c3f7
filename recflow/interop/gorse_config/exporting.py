"""Gorse's ``[recommend]`` out of a flow document.

The flow is compared with the one that the base configuration stands for, and only what differs is written. So
everything Gorse knows and a drawing does not say stays as it is, comments included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.items import Table

from recflow.engine.flow import Node, load_flow
from recflow.interop.gorse_config.graph import SeenByGorse, kind_of
from recflow.interop.gorse_config.importing import draw, entries_of, recommend_section
from recflow.interop.gorse_config.keys import (
    ARRAYS,
    COLLABORATIVE,
    DATA_SOURCE,
    OWN_SIMILARITY,
    RANKER,
    RECOMMEND,
    Key,
    full_settings,
    lowered,
    section_of,
)

#: Gorse's ranker.type for each kind of ranker node it has.
_RANKER_TYPES = {"none": "none", "fm": "fm", "llm": "llm", "rerank": "llm"}
_NEAREST_RANKER = "fm"


def flow_to_config(document: Mapping[str, Any], base_toml: str | None = None) -> str:
    """A configuration that Gorse draws as this flow, as far as it can; ``not_expressible`` tells how far.

    Args:
        document: the flow.
        base_toml: what to write into; by default the configuration the document was once made of, if any.

    Raises:
        FlowError: the document is no flow.
        BadRecord: the base is no TOML.
    """
    if base_toml is None:
        base_toml = tomlkit.dumps(dict(section_of(document, "gorse")))
    export = _Export.of(document, base_toml)
    toml = tomlkit.parse(base_toml)
    recommend = _get(toml, "recommend", None)
    if recommend is None:
        recommend = tomlkit.table()
        export.write(recommend)
        if recommend:
            toml["recommend"] = recommend
    else:
        export.write(recommend)
    return tomlkit.dumps(toml)


def not_expressible(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing in the flow that Gorse's configuration cannot say.

    Raises:
        FlowError: the document is no flow.
    """
    export = _Export.of(document, tomlkit.dumps(dict(section_of(document, "gorse"))))
    return [*export.odd_nodes(), *export.odd_settings(), *export.odd_ways()]


@dataclass(frozen=True)
class _Export:
    """One export on its way.

    Args:
        now, before: the flow, and the one the base configuration stands for.
        given_names: by node id of ``before``, what Gorse's lists call it.
        base: the base's ``[recommend]``, its keys in lower case.
    """

    now: SeenByGorse
    before: SeenByGorse
    given_names: Mapping[str, str]
    base: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any], base_toml: str) -> _Export:
        flow = load_flow(dict(document))
        base = lowered(recommend_section(base_toml))
        drawing = draw(base)
        before = load_flow(drawing.document())
        names = {node_id: name for name, node_id in drawing.by_name.items()}
        return cls(SeenByGorse(flow, before), SeenByGorse(before, before), names, base)

    def write(self, recommend: MutableMapping[str, Any]) -> None:
        """Write what differs into the base's section."""
        if (source := self.now.first("data-source")) is not None:
            self._update(DATA_SOURCE, recommend, self.base, source)
        if (end := self.now.first("recommend")) is not None:
            self._update(RECOMMEND, recommend, self.base, end)
        self._write_collaborative(recommend)
        for kind in ARRAYS:
            self._write_array(kind, recommend)
        self._write_ranker(recommend)
        for section, now, before in (
            ("ranker", self._names(self.now.main()), self._names(self.before.main())),
            ("fallback", self._names(self.now.fallback()), self._names(self.before.fallback())),
        ):
            names = now if section == "fallback" or self.now.rankers() else now[:1]
            if names != before:
                _set(recommend, f"{section}.recommenders", names)

    def odd_nodes(self) -> Iterator[str]:
        """Nodes Gorse does not have."""
        known = {"data-source", "latest", "collaborative", "ranker", "fallback", "recommend", *ARRAYS}
        passed = {node.id for node in self.now.passed()}
        for node in self.now.flow.nodes:
            what = _label(node)
            if node.disabled and not self.now.is_on(node):
                yield f"{what} is disabled; Gorse has no such switch, so nothing leads through it"
            elif node.type == "merge" and node.id in passed:
                method = full_settings(node.type, node.settings).get("method")
                if method != "concatenate":
                    how = str(method).replace("_", " ")
                    yield f"{what} merges by {how}; in Gorse the first proposal wins"
            elif node.type not in known and node.type != "merge":
                yield f"{what} is a {node.type} node, which Gorse does not have"
            elif node.type == "external" and node.settings.get("mode") != "script":
                yield f"{what} sends a request; Gorse knows scripts only"
            if node.pin is not None:
                yield f"{what} has pinned results"
        if self.now.flow.notes:
            yield "Gorse keeps no notes on the canvas"

    def odd_settings(self) -> Iterator[str]:
        """Settings that were changed and that Gorse does not have."""
        keys = {"data-source": DATA_SOURCE, "recommend": RECOMMEND, "collaborative": COLLABORATIVE, **ARRAYS}
        for node in self.now.flow.nodes:
            twin = self.now.twin(node)
            known = {key.setting for key in RANKER.get(kind_of(node), ()) if node.type == "ranker"}
            known |= {key.setting for key in keys.get(node.type, ())} | {"kind", "mode"}
            given = {name: value for name, value in node.settings.items() if name in known}
            usual = full_settings(node.type, given) | (dict(twin.settings) if twin else {})
            for name, value in full_settings(node.type, node.settings).items():
                if node.type in ("ranker", *keys) and name not in known and value != usual.get(name):
                    yield f"{name} of {_label(node)} is not a setting of Gorse"

    def odd_ways(self) -> Iterator[str]:
        """What is drawn in a way that Gorse's lists cannot tell."""
        rankers, main = self.now.rankers(), self.now.main()
        for ranker in rankers[1:]:
            yield f"Gorse has one ranker; {_label(ranker)} comes before it and is left out"
        if rankers and kind_of(rankers[0]) not in _RANKER_TYPES:
            yield f"Gorse has no ranker by {kind_of(rankers[0])}; {_NEAREST_RANKER} is the nearest it has"
        if rankers and kind_of(rankers[0]) == "llm" and not rankers[0].settings.get("prompt"):
            yield f"{_label(rankers[0])} has no prompt of its own; without one Gorse does not rank"
        if not rankers:
            for node in main[1:]:
                yield f"without a ranker Gorse takes one recommender; {_label(node)} is left out"
        if not main:
            yield "No recommender leads to Recommend, which Gorse refuses"

    def _update(
        self,
        keys: tuple[Key, ...],
        table: MutableMapping[str, Any],
        base: Mapping[str, Any],
        node: Node,
        section: str = "",
    ) -> None:
        """Write the settings that differ from what the base was drawn with, or else from what it says.

        Args:
            table: written into, at ``section`` below it.
            base: the values of that section as they were.
        """
        twin = self.now.twin(node)
        now = full_settings(node.type, node.settings)
        before = full_settings(twin.type, twin.settings) if twin else {}
        for key in keys:
            if key.setting in now and now[key.setting] != before.get(key.setting, key.read(base)):
                _set(table, section + key.path, now[key.setting])

    def _write_collaborative(self, recommend: MutableMapping[str, Any]) -> None:
        node = self.now.first("collaborative")
        kind = "none" if node is None else "mf"
        if kind != ("none" if self.before.first("collaborative") is None else "mf"):
            _set(recommend, "collaborative.type", kind)
        if node is not None:
            base = section_of(self.base, "collaborative")
            self._update(COLLABORATIVE, recommend, base, node, "collaborative.")

    def _write_ranker(self, recommend: MutableMapping[str, Any]) -> None:
        now, before = (next(iter(seen.rankers()), None) for seen in (self.now, self.before))
        kind = "none" if now is None else _RANKER_TYPES.get(kind_of(now), _NEAREST_RANKER)
        if kind != ("none" if before is None else _RANKER_TYPES[kind_of(before)]):
            _set(recommend, "ranker.type", kind)
        if now is not None:
            keys = RANKER.get(kind_of(now), ())
            self._update(keys, recommend, section_of(self.base, "ranker"), now, "ranker.")

    def _write_array(self, kind: str, recommend: MutableMapping[str, Any]) -> None:
        """One of the lists of recommenders: the base's own sections where it has them, brought up to date."""
        nodes = [node for node in self.now.flow.nodes if node.type == kind]
        drawn = [node.id for node in self.before.flow.nodes if node.type == kind]
        tables = dict(zip(drawn, _get(recommend, kind, ()), strict=True))
        entries = dict(zip(drawn, entries_of(self.base, kind), strict=True))
        rows = []
        for node in nodes:
            twin = self.now.twin(node)
            row = tables[twin.id] if twin else tomlkit.table()
            if twin is None or twin.name != node.name:
                _set(row, "name", self._name(node))
            self._update(ARRAYS[kind], row, entries[twin.id] if twin else {}, node)
            if _get(row, "type", "") == OWN_SIMILARITY.get(kind, " "):
                _delete(row, "column")  # Gorse fails on a column where none is looked at
            rows.append(row)
        if [id(row) for row in rows] != [id(row) for row in tables.values()]:
            _delete(recommend, kind)
            if rows:
                recommend[kind] = tomlkit.aot()
                for row in rows:
                    recommend[kind].append(row if isinstance(row, Table) else _table(row))

    def _names(self, nodes: list[Node]) -> list[str]:
        """The nodes as Gorse's lists call them."""
        names = []
        for node in nodes:
            twin = self.now.twin(node)
            if twin is not None and twin.name == node.name:
                names.append(self.given_names[twin.id])
            else:
                names.append(f"{node.type}/{self._name(node)}" if node.type in ARRAYS else node.type)
        return names

    def _name(self, node: Node) -> str:
        """A name that Gorse can tell it by: its own, or else its id."""
        return node.name or node.id


def _label(node: Node) -> str:
    return f"{node.type} {node.name!r}" if node.name else f"{node.type} {node.id!r}"


def _spelling(table: Mapping[str, Any], name: str) -> str:
    """The name as the table spells it: keys match in any case."""
    return next((key for key in table if key.lower() == name), name)


def _get(table: Mapping[str, Any], name: str, default: Any) -> Any:
    return table.get(_spelling(table, name), default)


def _set(table: MutableMapping[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        table = _section(table, parent)
    table[_spelling(table, name)] = value


def _delete(table: MutableMapping[str, Any], name: str) -> None:
    table.pop(_spelling(table, name), None)


def _section(table: MutableMapping[str, Any], name: str) -> MutableMapping[str, Any]:
    """The section of that name, made where it is missing."""
    key = _spelling(table, name)
    if key not in table:
        table[key] = tomlkit.table()
    return table[key]


def _table(values: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    table.update(values)
    return table
