"""The description of the REST API against the routes there are, and the pages that show it."""

from __future__ import annotations

import json
import re

import pytest

from dashboard.api import admin, gorse
from dashboard.api.openapi import OPERATIONS, document
from dashboard.api.serve import PREFIX

#: Answered before Django sees it.
RAW = PREFIX.removeprefix("/api").rstrip("/")


def plain(path):
    """A path with its parameters unnamed: Python's names have no dashes."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def routes():
    for prefix, router in (*gorse.api._routers, *admin.api._routers):
        for path, view in router.path_operations.items():
            for operation in view.operations:
                yield from ((method.lower(), plain(prefix + path)) for method in operation.methods)


def test_every_route_is_described_and_every_description_has_a_route():
    described = {(entry.method, plain(entry.path)) for entry in OPERATIONS}
    raw = {("get", f"{RAW}/{{}}"), ("get", f"{RAW}/{{}}/{{}}")}
    assert described == set(routes()) | raw


def test_no_operation_has_the_name_of_another():
    names = [entry.described()["operationId"] for entry in OPERATIONS]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere():
    text = json.dumps(document())
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= set(document()["components"]["schemas"])
    assert len(names) > 10


def test_the_document_and_its_page_are_open_to_everybody(client, db):
    answer = client.get("/api/openapi.json")
    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")
    page = client.get("/docs")
    assert page.status_code == 200
    assert b"api-docs.js" in page.content


@pytest.mark.parametrize("word", ["http://", "https://", "//cdn"])
def test_the_page_loads_nothing_from_elsewhere(client, db, word):
    assert word not in client.get("/docs").content.decode().replace('"http://www.w3.org', "")


def test_an_operation_without_a_key_says_so():
    health = document()["paths"]["/api/health/live"]["get"]
    assert health["security"] == []
    assert "401" not in health["responses"]


def test_an_operation_says_whose_key_opens_it():
    paths = document()["paths"]
    assert paths["/api/restore"]["post"]["security"] == [{"adminKey": []}]
    assert "security" not in paths["/api/items"]["get"]  # the key of the data, as for the whole document
    assert set(document()["components"]["securitySchemes"]) == {"key", "adminKey"}


def test_a_question_to_a_model_is_described_with_its_bounds():
    asked = document()["components"]["schemas"]["ChatRequest"]
    assert asked["properties"]["messages"]["items"] == {"$ref": "#/components/schemas/ChatMessage"}
    assert asked["additionalProperties"] is False
