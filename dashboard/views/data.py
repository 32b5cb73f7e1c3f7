"""Data: take files in, give everything out, take everything away."""

from __future__ import annotations

import logging
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from dashboard import exporting, overview
from dashboard.access import page
from dashboard.catalogue.purging import PURGED, purge
from dashboard.errors import BadRequest, NotAllowed, NotFound, status_of
from dashboard.importing import KINDS
from dashboard.jobs import taking_in
from dashboard.models import LIVE
from dashboard.views.pages import message
from recflow.errors import RecflowError

logger = logging.getLogger(__name__)

JSONL = "application/x-ndjson; charset=utf-8"


@page
@require_GET
def data(request: HttpRequest) -> HttpResponse:
    return _shown(request, purged=next((what for what in PURGED if what == request.GET.get("purged")), ""))


@page
@require_http_methods(["GET", "POST"])
def take_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":  # a login that was due in between leads here
        return redirect("data")
    kind = next((name for name in KINDS if name == request.POST.get("kind")), None)
    try:
        if not request.person.may("edit"):
            raise NotAllowed(f"{request.person.name} may not import data")
        if (upload := request.FILES.get("file")) is None:
            raise BadRequest("Choose a file first")
        job = taking_in.ask(upload, kind, request.person.name)
    except RecflowError as error:
        return _shown(request, status=status_of(error), import_problem=error.message, import_kind=kind)
    return redirect(f"{reverse('data')}?import={job.pk}#import")


@page
@require_GET
def rejects(request: HttpRequest, job_id: int) -> HttpResponse:
    """The rows of an import that could not be read, one JSON object a line."""
    if not request.person.may("edit"):
        return message(request, NotAllowed(f"{request.person.name} may not export data"), "data")
    try:
        path = taking_in.rejects_of(job_id)
    except NotFound as error:
        return message(request, error, "data")
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=f"rejected-{path.name}", content_type=JSONL
    )


@page
@require_GET
def export(request: HttpRequest, kind: str) -> HttpResponse:
    if not request.person.may("edit"):
        return message(request, NotAllowed(f"{request.person.name} may not export data"), "data")
    if kind not in exporting.READERS:
        return message(request, NotFound(f"There are no {kind}: export users, items or feedback"), "data")
    headers = {"Content-Disposition": f'attachment; filename="{kind}.jsonl"', "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(exporting.jsonl(kind), content_type=JSONL, headers=headers)


@page
@require_http_methods(["GET", "POST"])
def purge_data(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return redirect("data")
    what, typed = request.POST.get("what", ""), request.POST.get("typed", "").strip()
    try:
        if not request.person.may("publish"):
            raise NotAllowed(f"{request.person.name} may not delete data: that takes a publisher")
        wanted = next((one for one in PURGED if one == what), None)
        if wanted is None:
            raise BadRequest("Choose what is to be deleted")
        if typed.lower() != f"delete {wanted}":
            raise BadRequest(f"Nothing was deleted: type “delete {wanted}” to confirm, got “{typed[:40]}”")
        gone = purge(wanted)
    except RecflowError as error:
        return _shown(request, status=status_of(error), purge_problem=error.message, what=what, typed=typed)
    logger.warning("%s deleted %s: %s", request.person.name, wanted, gone)
    return redirect(f"{reverse('data')}?purged={wanted}")


def _shown(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    imports = taking_in.newest()
    context = {
        "counts": overview.counts(),
        "kinds": KINDS,
        "imports": imports,
        "is_importing": any(one.job.state in LIVE for one in imports),
        "purgeable": PURGED,
        "may_edit": request.person.may("edit"),
        "may_purge": request.person.may("publish"),
    }
    return render(request, "data.html", context | more, status=status)
