"""The list of flows, the editor, and what a page says when there is nothing to show."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from dashboard import drafts
from dashboard.access import page
from dashboard.errors import NotFound, status_of
from dashboard.published_schema import schema_version
from dashboard.views.miniatures import miniature
from dashboard.views.modules import imported_by
from recflow.errors import RecflowError
from recflow.nodes.starters import STARTERS

EDITOR = "js/editor/main.js"


@page
@ensure_csrf_cookie
def flows(request: HttpRequest) -> HttpResponse:
    templates = [(starter, miniature(starter.document)) for starter in STARTERS.values()]
    return render(request, "flows.html", {"templates": templates, "page_data": _data(request)})


@page
@ensure_csrf_cookie
def editor(request: HttpRequest, flow_id: int) -> HttpResponse:
    try:
        flow = drafts.find(flow_id)
    except NotFound as error:
        return message(request, error)
    page = {"flow": flow, "page_data": _data(request, flow_id=flow.pk), "modules": imported_by(EDITOR)}
    return render(request, "editor.html", page)


def message(request: HttpRequest, error: RecflowError) -> HttpResponse:
    """A page that says one sentence."""
    status = status_of(error)
    return render(request, "message.html", {"message": error.message, "status": status}, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404: text for programs, a page for people."""
    if request.path_info.startswith("/api/"):
        return HttpResponse("no such route", status=404, content_type="text/plain; charset=utf-8")
    return message(request, NotFound("There is no page at this address"))


def failed(request: HttpRequest) -> HttpResponse:
    """Django's 500; the log has the details, and nothing of them goes out."""
    text = "The server failed on this request; its log says why"
    if request.path_info.startswith("/api/"):
        return HttpResponse(text, status=500, content_type="text/plain; charset=utf-8")
    return render(request, "message.html", {"message": text, "status": 500}, status=500)


def _data(request: HttpRequest, **more: object) -> dict[str, object]:
    """What the page's script starts from; see docs/protocol.md."""
    return {
        "schema_url": f"{reverse('editor:flow_schema')}?v={schema_version()}",
        "api": "/api",
        "ws_path": "/ws/preview",
        "static_version": settings.STATIC_VERSION,
        "user": {"name": request.person.name, "role": request.person.role},
        **more,
    }
