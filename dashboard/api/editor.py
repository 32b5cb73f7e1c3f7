"""The editor's endpoints: schema, flows, drafts, versions, activation; see docs/protocol.md."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import F, Max, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.gzip import gzip_page
from ninja import NinjaAPI, Query, Schema
from ninja.errors import HttpError, ValidationError

from dashboard import activation, drafts, rollback
from dashboard import review as reviews
from dashboard.access import allow
from dashboard.api import asking, evaluation, expressions, preview, services
from dashboard.api.bodies import StrictJson, unwrapped
from dashboard.errors import NotFound, as_object, status_of
from dashboard.models import Activation, Draft, Flow, FlowVersion
from dashboard.published_schema import schema_text, schema_version
from recflow.engine.flow import load_flow
from recflow.errors import RecflowError
from recflow.nodes.starters import DEFAULT, STARTERS

api = NinjaAPI(
    title="RecFlow editor", urls_namespace="editor", docs_url=None, openapi_url=None, parser=StrictJson()
)


view, edit, publish = allow("view"), allow("edit"), allow("publish")


@api.exception_handler(RecflowError)
def refuse(request: HttpRequest, error: RecflowError) -> HttpResponse:
    return api.create_response(request, as_object(error), status=status_of(error))


@api.exception_handler(HttpError)
def refuse_body(request: HttpRequest, error: HttpError) -> HttpResponse:
    return refuse(request, unwrapped(error))


@api.exception_handler(ValidationError)
def refuse_fields(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in {"body", "data", "query", "path"})
    return api.create_response(request, {"message": f"{place}: {first['msg']}", "field": place}, status=422)


api.add_router("", preview.router, auth=view)
api.add_router("", expressions.router, auth=view)
api.add_router("", services.router, auth=publish)
api.add_router("", asking.router, auth=sync_to_async(view))
api.add_router("", evaluation.router, auth=view)


class NewFlow(Schema):
    name: str
    template: str = DEFAULT
    document: dict[str, Any] | None = None


class FlowChange(Schema):
    name: str | None = None
    archived: bool | None = None


class Document(Schema):
    document: Any


class Save(Document):
    base_revision: int


class Keep(Schema):
    note: str = ""
    revision: int


class Restore(Schema):
    version: int


class Address(Schema):
    flow_id: int
    version: int


class Activate(Schema):
    version: int | None = None
    note: str = ""
    revision: int | None = None
    replaces: Address | None = None


@api.get("/flow-schema", auth=view)
def flow_schema(request: HttpRequest) -> HttpResponse:
    return _packed_schema(request)


@gzip_page
def _packed_schema(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(schema_text(), content_type="application/json")
    kept = request.GET.get("v") == schema_version()
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable" if kept else "no-cache"
    return response


@api.get("/flows", auth=view)
def list_flows(request: HttpRequest) -> list[dict[str, Any]]:
    active = activation.active_version()
    newest = (
        Draft.objects.filter(revision=F("flow__revision"), flow__deleted_at=None)
        .defer("text")  # a megabyte each at most, of which the list shows nothing
        .select_related("flow")
        .annotate(latest=Max("flow__versions__number"))
        .order_by("flow__archived", "-saved_at", "-pk")
    )
    return [
        {
            "id": draft.flow_id,
            "name": draft.flow.name,
            "is_active": _active_number(draft.flow, active) is not None,
            "active_version": _active_number(draft.flow, active),
            "latest_version": draft.latest,
            "updated_at": draft.saved_at,
            "author": draft.author,
            "archived": draft.flow.archived,
        }
        for draft in newest
    ]


@api.post("/flows", auth=edit)
def create_flow(request: HttpRequest, body: NewFlow) -> dict[str, Any]:
    document = body.document
    if document is None:
        if body.template not in STARTERS:
            raise NotFound(f"There is no template {body.template!r}; there are {', '.join(STARTERS)}")
        document = {**STARTERS[body.template].document, "name": drafts.checked_name(body.name)}
    return _flow(drafts.create(body.name, document, request.auth.name))


@api.post("/flows/check", auth=view)
def check_flow(request: HttpRequest, body: Document) -> dict[str, Any]:
    return {"problems": drafts.problems_of(load_flow(body.document))}


@api.get("/flows/{int:flow_id}", auth=view)
def get_flow(request: HttpRequest, flow_id: int) -> dict[str, Any]:
    return _flow(drafts.find(flow_id))


@api.patch("/flows/{int:flow_id}", auth=edit)
def change_flow(request: HttpRequest, flow_id: int, body: FlowChange) -> dict[str, Any]:
    return _flow(drafts.change(flow_id, request.auth.name, name=body.name, archived=body.archived))


@api.delete("/flows/{int:flow_id}", auth=edit)
def delete_flow(request: HttpRequest, flow_id: int) -> dict[str, Any]:
    drafts.delete(flow_id, request.auth.name)
    return {"id": flow_id}


@api.post("/flows/{int:flow_id}/undelete", auth=edit)
def undelete_flow(request: HttpRequest, flow_id: int) -> dict[str, Any]:
    return _flow(drafts.undelete(flow_id))


@api.put("/flows/{int:flow_id}/draft", auth=edit)
def save_draft(request: HttpRequest, flow_id: int, body: Save) -> dict[str, Any]:
    draft = drafts.save(flow_id, body.base_revision, body.document, request.auth.name)
    return {
        "revision": draft.revision,
        "saved_at": draft.saved_at,
        "version": _number(drafts.version_of(draft)),
        "problems": drafts.problems_of(load_flow(draft.document)),
    }


@api.get("/flows/{int:flow_id}/versions", auth=view)
def list_versions(request: HttpRequest, flow_id: int) -> list[dict[str, Any]]:
    active = activation.active_version()
    versions = drafts.find(flow_id).versions.defer("text").order_by("-number")
    return [_version(version, active) for version in versions]


@api.post("/flows/{int:flow_id}/versions", auth=edit)
def keep_version(request: HttpRequest, flow_id: int, body: Keep) -> dict[str, Any]:
    version = drafts.keep(flow_id, body.note, body.revision, request.auth.name)
    return _version(version, activation.active_version())


@api.get("/flows/{int:flow_id}/versions/{int:number}", auth=view)
def get_version(request: HttpRequest, flow_id: int, number: int) -> dict[str, Any]:
    version = drafts.find_version(drafts.find(flow_id), number)
    return _version(version, activation.active_version()) | {"document": version.document}


@api.post("/flows/{int:flow_id}/restore", auth=edit)
def restore_version(request: HttpRequest, flow_id: int, body: Restore) -> dict[str, Any]:
    return _flow(drafts.restore(flow_id, body.version, request.auth.name).flow)


@api.get("/flows/{int:flow_id}/review", auth=view)
def review(request: HttpRequest, flow_id: int, version: int | None = None) -> dict[str, Any]:
    return reviews.review(flow_id, version)


@api.post("/flows/{int:flow_id}/activate", auth=publish)
def activate(request: HttpRequest, flow_id: int, body: Activate) -> dict[str, Any]:
    reviewed = body.dict(include={"revision", "replaces"}, exclude_unset=True)
    done = activation.activate(flow_id, body.version, body.note, request.auth.name, reviewed=reviewed)
    return _activation(done, newest=done) | {"activated_at": done.at}


@api.get("/activations", auth=view)
def list_activations(
    request: HttpRequest, n: int = Query(100, ge=1, le=1000), flow_id: int | None = None
) -> list[dict[str, Any]]:
    entries = activation.recorded()
    if flow_id is not None:
        entries = entries.filter(Q(version__flow__pk=flow_id) | Q(previous__flow__pk=flow_id))
    newest = activation.newest_activation()
    return [_activation(entry, newest) for entry in entries[:n]]


@api.post("/activations/{int:activation_id}/rollback", auth=publish)
def roll_back(request: HttpRequest, activation_id: int) -> dict[str, Any]:
    done = rollback.roll_back(activation_id, request.auth.name)
    return _activation(done, newest=done) | {"active": activation.address_of(activation.active_version())}


def _flow(flow: Flow) -> dict[str, Any]:
    active = activation.active_version()
    draft = drafts.draft_of(flow)
    return {
        "id": flow.pk,
        "name": flow.name,
        "archived": flow.archived,
        "is_active": _active_number(flow, active) is not None,
        "active_version": _active_number(flow, active),
        "latest_version": flow.versions.aggregate(latest=Max("number"))["latest"],
        "draft": {
            "revision": draft.revision,
            "document": draft.document,
            "saved_at": draft.saved_at,
            "author": draft.author,
            "version": _number(drafts.version_of(draft)),
        },
        "problems": drafts.problems_of(load_flow(draft.document)),
    }


def _activation(entry: Activation, newest: Activation | None) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "at": entry.at,
        "author": entry.author,
        "flow_id": entry.version.flow_id,
        "flow_name": entry.version.flow.name,
        "version": entry.version.number,
        "previous": activation.address_of(entry.previous),
        "previous_flow_name": entry.previous and entry.previous.flow.name,
        "note": entry.note,
        "is_rollback": entry.takes_back_id is not None,
        "is_newest": entry == newest,
    }


def _version(version: FlowVersion, active: FlowVersion | None) -> dict[str, Any]:
    return {
        "number": version.number,
        "note": version.note,
        "author": version.author,
        "created_at": version.created_at,
        "hash": version.hash,
        "is_active": version == active,
    }


def _active_number(flow: Flow, active: FlowVersion | None) -> int | None:
    return active.number if active and active.flow_id == flow.pk else None


def _number(version: FlowVersion | None) -> int | None:
    return version and version.number
