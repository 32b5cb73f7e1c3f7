"""What the review lists as changed: values as they count, and nodes that are meant by each other."""

from __future__ import annotations

from itertools import pairwise

import recflow.nodes  # noqa: F401 - registers the node types
from recflow.engine.changes import changes
from recflow.engine.flow import load_flow


def drawing(*nodes):
    """Nodes (id, type, settings) in a chain."""
    edges = [
        {"id": f"{one[0]}-{other[0]}", "source": one[0], "target": other[0]} for one, other in pairwise(nodes)
    ]
    parts = [{"id": name, "type": kind, "settings": settings} for name, kind, settings in nodes]
    return load_flow({"nodes": parts, "edges": edges})


def changed(before, after):
    found = changes(drawing(*before), drawing(*after))["changed"]
    return [(entry["node_id"], entry["field"], entry["before"], entry["after"]) for entry in found]


def test_a_setting_that_is_left_out_is_its_default():
    none, said = [("r", "recommend", {})], [("r", "recommend", {"cache_size": 100})]
    other = [("r", "recommend", {"cache_size": 50})]
    assert changed(none, said) == changed(said, none) == []
    assert changed(other, none) == [("r", "settings.cache_size", 50, 100)]
    assert changed(none, other) == [("r", "settings.cache_size", 100, 50)]


def test_lists_are_compared_as_they_stand_in_documents():
    usual = ["star", "like", "rating>=4"]
    said, none = [("s", "data-source", {"positive": usual})], [("s", "data-source", {})]
    assert changed(said, none) == []
    assert changed(none, [("s", "data-source", {"positive": ["like"]})]) == [
        ("s", "settings.positive", usual, ["like"])
    ]


def test_another_kind_is_a_change_and_its_defaults_are_none():
    none = [("k", "ranker", {"kind": "none"})]
    usual = changed(none, [("k", "ranker", {"kind": "mf", "n_factors": 64, "old": 1})])
    assert usual == [("k", "settings.kind", "none", "mf"), ("k", "settings.old", None, 1)]
    assert changed(none, [("k", "ranker", {"n_factors": 16})]) == [
        ("k", "settings.kind", "none", "mf"),
        ("k", "settings.n_factors", None, 16),
    ]


def test_settings_that_nobody_can_read_are_compared_as_they_are():
    odd = [("k", "ranker", {"kind": "odd", "n": 1}), ("x", "from-the-future", {"a": 1})]
    assert changed(odd, [("k", "ranker", {"kind": "odd"}), ("x", "from-the-future", {})]) == [
        ("k", "settings.n", 1, None),
        ("x", "settings.a", 1, None),
    ]


def test_of_a_type_that_there_is_once_the_nodes_of_both_drawings_are_meant_by_each_other():
    """As when the configuration's flow is laid beside a drawing: no node has the id of the other's."""
    before = drawing(
        ("a", "data-source", {}), ("b", "latest", {}), ("c", "filter", {}), ("d", "recommend", {})
    )
    after = drawing(
        ("s", "data-source", {"positive": ["like"]}),
        ("l", "latest", {}),
        ("f", "filter", {}),
        ("r", "recommend", {}),
    )
    found = changes(before, after)
    assert [(entry["node_id"], entry["field"]) for entry in found["changed"]] == [("s", "settings.positive")]
    assert [entry["node_id"] for entry in found["added"]] == ["f"]  # of filters there may be many
    assert [entry["node_id"] for entry in found["removed"]] == ["c"]
    ends = [(edge["source"], edge["target"]) for edge in found["edges_added"]]
    assert ends == [("l", "f"), ("f", "r")]  # from the Data Source to Latest there was an edge before
