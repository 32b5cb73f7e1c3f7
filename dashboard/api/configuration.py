"""Gorse's endpoints for its configuration: the active flow in the words of ``config.toml``."""

from __future__ import annotations

from typing import Any

import tomlkit
from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from dashboard import activation, active
from dashboard.api.admin import publish
from dashboard.api.gorse import body_object
from recflow.configuration import keys_of_gorse
from recflow.interop.gorse_config import config_to_flow
from recflow.interop.gorse_config.schema import Recommend, read_recommend, values_of

router = Router(tags=["configuration"])


@router.get("/dashboard/config")
def get_config(request: HttpRequest) -> dict[str, Any]:
    return _whole()


@router.post("/dashboard/config", auth=publish)
def set_config(request: HttpRequest) -> dict[str, Any]:
    """Make a version of the document's ``recommend`` and activate it; other sections are passed over."""
    body = {name.lower(): value for name, value in body_object(request).items()}
    section = body.get("recommend")
    checked = read_recommend(section if isinstance(section, dict) else {})
    given = checked.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    document, notes = config_to_flow(tomlkit.dumps({"recommend": given}))
    author = request.auth.name
    version = active.keep_as_version(document, author, f"Sent as a configuration; {len(notes)} notes")
    activation.activate(version.flow_id, version.number, "Sent as a configuration", author)
    return _whole()


@router.delete("/dashboard/config", auth=publish)
def reset_config(request: HttpRequest) -> dict[str, Any]:
    """Let the configuration file rule again."""
    active.reset(request.auth.name)
    return {}


@router.get("/dashboard/config/schema")
def config_schema(request: HttpRequest) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"recommend": {"$ref": "#/$defs/Recommend"}},
        **_with_definitions(),
    }


def _with_definitions() -> dict[str, Any]:
    whole = Recommend.model_json_schema(by_alias=True)
    definitions = whole.pop("$defs")
    return {"$defs": {**definitions, "Recommend": whole}}


def _whole() -> dict[str, Any]:
    """Every section but keys and passwords, durations as texts."""
    flow, _ = active.active_flow()
    return {**{name: _section(name) for name in keys_of_gorse()}, "recommend": values_of(flow.document())}


def _section(name: str) -> dict[str, Any]:
    section = getattr(settings.CONFIGURATION, name)
    shown: dict[str, Any] = {}
    for field, info in type(section).model_fields.items():
        value = getattr(section, field)
        if hasattr(value, "get_secret_value"):
            continue
        is_seconds = field.endswith("_s")
        shown[info.alias or field] = f"{value:g}s" if is_seconds else value
    return shown
