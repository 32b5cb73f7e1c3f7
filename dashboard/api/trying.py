"""Gorse's endpoints that try something out before it stands in a configuration: a script, a prompt.

What they send is sent and paid for like any other, so they take an editor or the administrator's key. They
are GETs with a script or a template in the address, as in Gorse; a link on somebody else's page must not make
a browser that is logged in here follow it.
"""

from __future__ import annotations

import base64
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from ninja import Router

from dashboard import access
from dashboard.active import active_flow
from dashboard.api.admin import edit
from dashboard.errors import BadRequest
from dashboard.jobs.fitting import source_settings
from dashboard.outside import preview
from recflow.errors import RecflowError
from recflow.nodes.records import history_records, item_record, user_record
from recflow.sandbox import templates

router = Router(tags=["dashboard"])

#: What a template is shown, as in Gorse: the newest positive feedback, and the latest items.
FEEDBACK, ITEMS = 10, 100
_TEXT = "text/plain; charset=utf-8"


def own_page(request: HttpRequest) -> access.Person:
    """Ninja's ``auth``: an editor whom no page of somebody else sent, or the administrator's key."""
    person = edit(request)
    access.refuse_other_sites(request)
    return person


@router.get("/dashboard/external", auth=own_page)
def try_script(request: HttpRequest) -> Any:
    """The ids a script ends in for a user; why it has none is told with status 500, as in Gorse."""
    script = _decoded(request, "script")
    if not script.strip():
        raise BadRequest("script is missing")
    settings, problems = preview.read_settings("external", {"mode": "script", "script": script})
    if not problems:
        found = async_to_sync(preview.external_answer)(settings, _scene(request), ITEMS)
        problems = found["problems"]
        if not problems:
            return found["ids"]
    return HttpResponse(problems[0]["message"], status=500, content_type=_TEXT)


@router.get("/dashboard/ranker/prompt", auth=own_page)
def try_prompt(request: HttpRequest) -> Any:
    """What templates come to for a user: one text, or since Gorse 0.5.5 a query and documents."""
    shown = _scene(request)
    items = shown.ctx.snapshot.items
    latest = shown.ctx.snapshot.latest_order[:ITEMS]
    records = [item_record(items, int(index)) for index in latest if not items.hidden[index]]
    about_user = {
        "user": user_record(shown.ctx.user),
        "feedback": history_records(shown.ctx.user, FEEDBACK),
    }
    if "prompt" in request.GET:
        text = _rendered(_decoded(request, "prompt"), about_user | {"items": records})
        return HttpResponse(text, content_type=_TEXT)
    query, document = _decoded(request, "query-template"), _decoded(request, "document-template")
    return {
        "query": _rendered(query, about_user),
        "documents": [_rendered(document, {"item": record}) for record in records] if document else [],
    }


def _scene(request: HttpRequest) -> preview.Scene:
    """The user, by the rules of the active flow."""
    user_id = request.GET.get("user-id", "")
    if not user_id:
        raise BadRequest("user-id is missing")
    return preview.scene(user_id, None, {}, source_settings(active_flow()[0]))


def _rendered(template: str, variables: dict[str, Any]) -> str:
    """As Gorse renders: a name that does not exist prints nothing.

    Raises:
        BadRequest: the template is wrong.
    """
    try:
        return templates.render(template, variables, strict=False)
    except RecflowError as error:
        raise BadRequest(error.message) from error


def _decoded(request: HttpRequest, name: str) -> str:
    """A text that stands in the query as base64, with or without its padding; "" when it is not there.

    Raises:
        BadRequest: it is no base64 of a text.
    """
    text = request.GET.get(name, "").replace(" ", "+").rstrip("=")
    try:
        standard = text.translate(str.maketrans("-_", "+/"))
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except ValueError as error:
        raise BadRequest(f"{name} must be a text in base64, got {text[:40]!r}") from error
