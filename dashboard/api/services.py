"""Settings of other machines: endpoints, secrets, prices, limits, the allow-list. No key ever comes out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema

from dashboard.access import allow
from dashboard.outside import changes
from dashboard.outside.changes import EndpointForm, LimitsForm, PriceForm
from dashboard.outside.trial import try_endpoint

router = Router()


class SecretValue(Schema):
    value: str


class AskedAs(Schema):
    """``way`` is "chat" or the dialect of a rerank service."""

    way: str = "chat"


class Networks(Schema):
    networks: list[str]


@router.get("/settings")
def get_settings(request: HttpRequest) -> dict[str, Any]:
    return changes.shown_settings()


@router.put("/settings/endpoints/{name}")
def put_endpoint(request: HttpRequest, name: str, body: EndpointForm) -> dict[str, Any]:
    changes.save_endpoint(name, body)
    return changes.shown_endpoint(name)


@router.delete("/settings/endpoints/{name}")
def delete_endpoint(request: HttpRequest, name: str) -> dict[str, Any]:
    changes.delete_endpoint(name)
    return changes.shown_settings()


@router.post("/settings/endpoints/{name}/reset")
def reset_endpoint(request: HttpRequest, name: str) -> dict[str, Any]:
    """Close its circuit, and try again what it refused."""
    changes.reset_endpoint(name)
    return changes.shown_settings()


@router.post("/settings/endpoints/{name}/test", auth=sync_to_async(allow("publish")))
async def test_endpoint(request: HttpRequest, name: str, body: AskedAs) -> dict[str, Any]:
    """Asks it one small question, which is paid for; whoever leaves ends the call upstream."""
    return asdict(await try_endpoint(name, body.way))


@router.put("/settings/secrets/{name}")
def put_secret(request: HttpRequest, name: str, body: SecretValue) -> dict[str, Any]:
    changes.save_secret(name, body.value)
    return changes.shown_settings()


@router.delete("/settings/secrets/{name}")
def delete_secret(request: HttpRequest, name: str) -> dict[str, Any]:
    changes.delete_secret(name)
    return changes.shown_settings()


@router.put("/settings/prices")
def put_price(request: HttpRequest, body: PriceForm) -> dict[str, Any]:
    changes.save_price(body)
    return changes.shown_settings()


@router.delete("/settings/prices/{path:model}")
def delete_price(request: HttpRequest, model: str) -> dict[str, Any]:
    changes.delete_price(model)
    return changes.shown_settings()


@router.put("/settings/limits")
def put_limits(request: HttpRequest, body: LimitsForm) -> dict[str, Any]:
    changes.save_limits(body)
    return changes.shown_settings()


@router.put("/settings/networks")
def put_networks(request: HttpRequest, body: Networks) -> dict[str, Any]:
    changes.save_networks(body.networks)
    return changes.shown_settings()
