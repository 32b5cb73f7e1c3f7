"""The list of flows, the editor, and what a page says when there is nothing to show."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from dashboard import drafts
from dashboard.access import page, person_of_request
from dashboard.errors import NotFound, status_of
from dashboard.published_schema import schema_version
from dashboard.views.miniatures import miniature
from dashboard.views.modules import imported_by
from recflow.errors import RecflowError
from recflow.nodes.starters import STARTERS

EDITOR = "js/editor/main.js"
#: Where a page that has nothing to show leads on to, by name of the route.
_PLACES = {"home": "Overview", "flows": "flows", "users": "users", "items": "items", "data": "data"}


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
        return message(request, error, "flows")
    page = {"flow": flow, "page_data": _data(request, flow_id=flow.pk), "modules": imported_by(EDITOR)}
    return render(request, "editor.html", page)


def message(request: HttpRequest, error: RecflowError, way_on: str = "home") -> HttpResponse:
    """A page that says one sentence, with the way to a page that will do."""
    return _sentence(request, error.message, status_of(error), way_on)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404: text for programs, a page for people."""
    if request.path_info.startswith("/api/"):
        return HttpResponse("no such route", status=404, content_type="text/plain; charset=utf-8")
    request.person = person_of_request(request)  # the way on, for whoever may go it
    return message(request, NotFound("There is no page at this address"))


def failed(request: HttpRequest) -> HttpResponse:
    """Django's 500; the log has the details, and nothing of them goes out."""
    text = "The server failed on this request; its log says why"
    if request.path_info.startswith("/api/"):
        return HttpResponse(text, status=500, content_type="text/plain; charset=utf-8")
    return _sentence(request, text, 500)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's answer to a form whose token does not fit: mostly a page left open over a new login."""
    text = "This form is too old, or came from somewhere else: open the page again and repeat what you did"
    request.person = person_of_request(request)
    return _sentence(request, text, 403)


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400; what is refused most often is a name that a proxy gives this server."""
    text = "This request cannot be read"
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:80]
        text = f"This server is not known as {host!r}: add that name to recflow.allowed_hosts"
    if request.path_info.startswith("/api/"):
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
    return _sentence(request, text, 400)


def _sentence(request: HttpRequest, text: str, status: int, way_on: str = "home") -> HttpResponse:
    context = {"message": text, "status": status, "way_on": way_on, "place": _PLACES[way_on]}
    return render(request, "message.html", context, status=status)


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
