"""The editor's panels of nodes that ask other machines: what would be sent, what came back, which endpoints
there are.

These wait for others, so they are async; whoever closes the page ends the call upstream.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from dashboard.access import allow
from dashboard.errors import BadRequest
from dashboard.outside import call_log, preview
from dashboard.outside.directory import current_soon
from dashboard.what_if import WhatIf
from recflow.nodes.outside import endpoint_problem

router = Router()
#: Whoever may only look runs previews, within their budgets; to send what they wrote they need to be editors.
may_send = sync_to_async(allow("edit"))

#: Days whose calls may be counted.
_DAYS = (1, 7, 30)


class Shown(Schema):
    """A node's settings, and for whom it is looked at.

    Args:
        items: candidates by id, best first; without them the newest that the user has not seen.
        sources: item id -> names of the nodes that proposed it.
        data_source: settings of the flow's Data Source, which say what positive feedback is.
        what_if: as in a run: feedback added or left out, or somebody without a name.
    """

    settings: dict[str, Any]
    user_id: str
    items: list[str] | None = None
    sources: dict[str, list[str]] = Field(default_factory=dict)
    data_source: dict[str, Any] = Field(default_factory=dict)
    what_if: WhatIf | None = None


class Pasted(Shown):
    answer: str = Field(max_length=2_000_000)
    finish_reason: str | None = None


class ShownExternal(Shown):
    n: int = Field(100, ge=1, le=10_000)


@router.get("/endpoints")
async def list_endpoints(request: HttpRequest) -> list[dict[str, Any]]:
    """Names for the form of a node, and what stands beside them."""
    found = await current_soon()
    known = {name: named.endpoint for name, named in found.endpoints.items()}
    return [
        {
            "name": name,
            "model": named.endpoint.model,
            "origin": found.origins[name],
            "notice": named.notice,
            "has_key": bool(named.endpoint.key),
            "problem": endpoint_problem(name, known),
            "context_tokens": named.endpoint.context_tokens,
            "price_known": named.endpoint.price is not None,
            "currency": found.limits.currency,
        }
        for name, named in found.endpoints.items()
    ]


@router.post("/preview/prompt")
async def show_prompt(request: HttpRequest, body: Shown) -> dict[str, Any]:
    """The messages as they would be sent; nothing is sent."""
    _, shown = await _rendered(body)
    return shown


@router.post("/preview/prompt/send", auth=may_send)
async def send_prompt(request: HttpRequest, body: Shown) -> dict[str, Any]:
    """The same, and what came of sending it; null when there is something in the way."""
    panel, shown = await _rendered(body)
    if panel is None or shown["problems"]:
        return shown | {"outcome": None}
    return shown | {"outcome": await panel.sent()}


@router.post("/preview/prompt/read")
async def read_answer(request: HttpRequest, body: Pasted) -> dict[str, Any]:
    """What an answer is read as; nobody is asked."""
    panel, problems = await _panel(body)
    if panel is None:
        raise BadRequest(problems[0]["message"])
    if panel.settings.kind != "llm":
        raise BadRequest("Only the answer of a language model can be read; a reranker gives scores")
    return await sync_to_async(panel.read, thread_sensitive=False)(body.answer, body.finish_reason)


@router.post("/preview/external", auth=may_send)
async def show_external(request: HttpRequest, body: ShownExternal) -> dict[str, Any]:
    """The request as it was sent, with secrets hidden, and what came back."""
    settings, problems = await _settings("external", body.settings)
    if problems:
        return {"requests": [], "logs": [], "ids": [], "items": [], "unknown_ids": [], "problems": problems}
    return await preview.external_answer(settings, await _scene(body), body.n)


@router.get("/calls")
async def list_calls(
    request: HttpRequest, flow: str = "", node_id: str = "", n: int = Query(20, ge=1, le=200)
) -> list[dict[str, Any]]:
    """What nodes asked lately, newest first, as far as it is kept."""
    return await sync_to_async(call_log.newest)(n, flow=flow, node_id=node_id)


@router.get("/calls/failing")
async def list_failing(request: HttpRequest, flow: str) -> list[dict[str, Any]]:
    """Nodes of the flow of that name that fail more often than Settings accept."""
    return await sync_to_async(call_log.failing)(flow)


@router.get("/calls/nodes")
async def count_calls(request: HttpRequest, days: int = 7) -> list[dict[str, Any]]:
    """Outcomes, tokens, money and times of each node."""
    if days not in _DAYS:  # a Literal of numbers takes no text, which is all that an address holds
        raise BadRequest(f"days must be 1, 7 or 30, got {days}")
    return await sync_to_async(call_log.by_node)(days)


async def _rendered(body: Shown) -> tuple[preview.PromptPreview | None, dict[str, Any]]:
    panel, problems = await _panel(body)
    if panel is None:
        return None, {"messages": [], "estimate": None, "problems": problems}
    shown = await panel.rendered()
    known = {(problem["field"], problem["line"]) for problem in problems}
    fresh = [entry for entry in shown["problems"] if (entry["field"], entry["line"]) not in known]
    return panel, shown | {"problems": problems + fresh}


async def _panel(body: Shown) -> tuple[preview.PromptPreview | None, list[dict[str, Any]]]:
    """The panel, None when the settings cannot be read or are of another kind of ranker."""
    settings, problems = await _settings("ranker", body.settings)
    if settings is None:
        return None, problems
    if settings.kind not in ("llm", "rerank"):
        raise BadRequest(f"A ranker of kind {settings.kind} asks nobody")
    return await preview.PromptPreview.of(settings, await _scene(body)), problems


async def _settings(node_type: str, raw: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    return await sync_to_async(preview.read_settings, thread_sensitive=False)(node_type, raw)


async def _scene(body: Shown) -> preview.Scene:
    make = sync_to_async(preview.scene, thread_sensitive=False)
    return await make(body.user_id, body.items, body.sources, body.data_source, body.what_if)
