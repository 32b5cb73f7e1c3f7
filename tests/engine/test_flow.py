import pytest

from recflow.engine import flow as flows
from recflow.engine.flow import load_flow
from recflow.errors import FlowError, FlowTooLarge


def test_what_is_unknown_survives_load_and_save():
    document = {
        "format": 1,
        "name": "x",
        "nodes": [
            {
                "id": "n",
                "type": "from-the-future",
                "name": "",
                "position": {"x": 1.0, "y": 2.0},
                "settings": {"deep": {"er": [1]}},
                "disabled": False,
                "pin": None,
                "color": "teal",
            }
        ],
        "edges": [{"id": "e", "source": "n", "target": "n", "order": 0, "label": "?"}],
        "notes": [],
        "theme": {"dark": True},
    }
    assert load_flow(document).document() == document


@pytest.mark.parametrize("document", [[], "x", None, 3, True])
def test_only_an_object_is_a_flow(document):
    with pytest.raises(FlowError, match="A flow document is a JSON object"):
        load_flow(document)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"nodes": [{"id": "a"}]}, r"nodes\.0\.type"),
        ({"nodes": 3}, "nodes"),
        ({"nodes": [{"id": "a", "type": "t", "position": {"x": "left"}}]}, r"nodes\.0\.position\.x"),
        ({"edges": [{"id": "e", "source": "a"}]}, r"edges\.0\.target"),
    ],
)
def test_a_broken_document_says_where(document, place):
    with pytest.raises(FlowError, match=place):
        load_flow(document)


def test_limits_have_messages_of_their_own():
    with pytest.raises(FlowTooLarge, match=r"1,048,576 bytes, got 10,000,0"):
        load_flow({"name": "x" * 10_000_000})
    with pytest.raises(FlowTooLarge, match="500 nodes, got 501"):
        load_flow({"nodes": [{}] * 501})
    with pytest.raises(FlowTooLarge, match="2,000 edges, got 2,001"):
        load_flow({"edges": [{}] * 2001})


def test_what_is_nested_too_deeply_to_be_saved_is_refused():
    def settings_of(levels):
        value = "x"
        for _ in range(levels):
            value = [value]
        return {"nodes": [{"id": "a", "type": "t", "settings": {"deep": value}}]}

    # The document, its nodes, the node and its settings are four levels.
    assert load_flow(settings_of(96)).document()["nodes"][0]["settings"]["deep"]
    with pytest.raises(FlowTooLarge, match="may have 100 lists and objects inside each other"):
        load_flow(settings_of(97))
    with pytest.raises(FlowTooLarge):
        load_flow(settings_of(100_000))


def test_two_nodes_of_one_id_are_refused():
    with pytest.raises(FlowError, match="Two nodes have the id 'a'"):
        load_flow({"nodes": [{"id": "a", "type": "t"}, {"id": "a", "type": "t"}]})


def test_a_format_of_the_future_is_refused_and_one_of_the_past_is_migrated(monkeypatch):
    with pytest.raises(FlowError, match="has format 99"):
        load_flow({"format": 99})
    monkeypatch.setattr(flows, "FORMAT", 2)
    monkeypatch.setitem(flows.MIGRATIONS, 1, lambda old: {**old, "format": 2, "name": old["title"]})
    assert load_flow({"format": 1, "title": "Old"}).name == "Old"


def test_the_hash_ignores_key_order():
    one = load_flow({"name": "x", "nodes": [{"id": "a", "type": "t", "settings": {"a": 1, "b": 2}}]})
    two = load_flow({"nodes": [{"type": "t", "settings": {"b": 2, "a": 1}, "id": "a"}], "name": "x"})
    assert one.content_hash() == two.content_hash()
