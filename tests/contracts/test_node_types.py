"""What every node type owes, written once and run over the registry."""

import json

import pytest
from pydantic import ValidationError

import recflow.nodes  # noqa: F401  fills the registry
from recflow.engine.check import check
from recflow.engine.flow import load_flow
from recflow.engine.registry import FAMILIES, NODE_TYPES, schema
from recflow.nodes.starters import STARTERS

TYPES = list(NODE_TYPES.values())
every_type = pytest.mark.parametrize("entry", TYPES, ids=lambda entry: entry.type)


def objects(settings_schema):
    """The object schemas of a type's settings: one, or one for each kind."""
    definitions = settings_schema.get("$defs", {})
    if "oneOf" in settings_schema:
        return [definitions[part["$ref"].rsplit("/", 1)[-1]] for part in settings_schema["oneOf"]]
    return [settings_schema]


@every_type
def test_has_help_a_summary_and_a_family(entry):
    assert len(entry.help) > 40
    assert 10 < len(entry.summary) < 110
    assert entry.family in FAMILIES


@every_type
def test_schema_survives_json_and_every_setting_explains_itself(entry):
    (published,) = [item for item in schema()["types"] if item["type"] == entry.type]
    assert json.loads(json.dumps(published)) == published
    for part in objects(published["settings"]):
        for name, field in part.get("properties", {}).items():
            if name in entry.implied:
                continue
            assert field.get("description"), f"{name} has no description"
            assert field.get("title"), f"{name} has no title"


@every_type
def test_defaults_are_valid_settings(entry):
    (published,) = [item for item in schema()["types"] if item["type"] == entry.type]
    try:
        entry.read_settings(published["defaults"])
    except ValidationError as error:
        assert {fault["type"] for fault in error.errors()} == {"missing"}


@every_type
def test_an_unknown_setting_is_a_problem_and_not_lost(entry):
    node = {"id": "x", "type": entry.type, "settings": {"surely_unknown": 1}}
    flow = load_flow({"nodes": [node]})
    assert any(p.field and "surely_unknown" in p.field for p in check(flow))
    assert flow.document()["nodes"][0]["settings"] == {"surely_unknown": 1}


@every_type
def test_every_setting_on_the_card_exists(entry):
    known = {name for part in objects(entry.adapter.json_schema()) for name in part.get("properties", {})}
    assert set(entry.card) <= known


@pytest.mark.parametrize("starter", STARTERS.values(), ids=lambda starter: starter.id)
def test_every_starter_is_a_flow_without_problems(starter):
    assert [problem.message for problem in check(load_flow(starter.document))] == []
    assert starter.summary.endswith(".")
