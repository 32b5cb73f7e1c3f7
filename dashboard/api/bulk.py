"""Gorse's endpoints for files: import and export of JSONL, backups, and taking everything away."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router

from dashboard import bulk, exporting
from dashboard.api.admin import edit, publish
from dashboard.catalogue.purging import purge
from dashboard.errors import BadRequest, NotFound
from dashboard.importing import KINDS
from recflow.interop.jsonl import Kind

logger = logging.getLogger(__name__)
router = Router(tags=["bulk"])

#: What has to be typed, all of it, before everything is deleted.
CHECK_LIST = ("delete_users", "delete_items", "delete_feedback", "delete_cache")


@router.get("/bulk/{kind}", auth=edit)
def export(request: HttpRequest, kind: str) -> HttpResponse:
    return StreamingHttpResponse(
        exporting.jsonl(_kind(kind)),
        content_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{kind}.jsonl"'},
    )


@router.post("/bulk/{kind}", auth=publish)
def take_in(request: HttpRequest, kind: str) -> dict[str, int]:
    known = _kind(kind)
    upload = request.FILES.get("file")
    if upload is None:
        raise BadRequest("The form has no field file")
    return {"RowAffected": bulk.take_in(known, upload.file)}


@router.get("/dump", auth=edit)
def dump(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(
        exporting.backup(),
        content_type="application/octet-stream",
        headers={"Content-Disposition": 'attachment; filename="backup.bin"'},
    )


@router.post("/restore", auth=publish)
def restore(request: HttpRequest) -> dict[str, int]:
    """The body is the backup itself; its length in nanoseconds goes with the counts, as in Gorse."""
    began = time.monotonic_ns()
    return bulk.restore(request) | {"Duration": time.monotonic_ns() - began}


@router.post("/purge", auth=publish)
def purge_everything(request: HttpRequest) -> dict[str, Any]:
    checked = {word.strip() for word in request.POST.get("check_list", "").split(",")}
    missing = [word for word in CHECK_LIST if word not in checked]
    if missing:
        raise BadRequest(f"Nothing was deleted: check_list has to name {', '.join(missing)} too")
    gone = purge("everything")
    logger.warning("%s deleted everything: %s", request.auth.name, gone)
    return {}


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if kind == text:
            return kind
    raise NotFound(f"There are no {text[:40]}: name users, items or feedback")
