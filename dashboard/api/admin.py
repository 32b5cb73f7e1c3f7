"""What Gorse's endpoints for its dashboard share: who may call them.

A login to the dashboard opens them, or ``X-API-Key`` with the key of the administrator. Gorse opens them to
everybody where neither is configured; here they stay closed.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError

from dashboard import access
from dashboard.api.gorse import Orjson, as_text
from dashboard.errors import BadRequest, LoginNeeded
from recflow.errors import RecflowError

ADMINISTRATOR = access.Person("API key", "publisher")


def allow(action: access.Action) -> Callable[[HttpRequest], access.Person]:
    """Ninja's ``auth``: a person who may do this, or the administrator's key."""

    def guard(request: HttpRequest) -> access.Person:
        if access.is_admin_key(request.headers.get("X-API-Key")):
            return ADMINISTRATOR
        try:
            return access.allowed(request, action)
        except LoginNeeded:
            raise LoginNeeded("unauthorized") from None  # in Gorse's words

    return guard


view, edit, publish = allow("view"), allow("edit"), allow("publish")

api = NinjaAPI(
    title="RecFlow administration",
    urls_namespace="admin",
    docs_url=None,
    openapi_url=None,
    auth=view,
    renderer=Orjson(),
)


@api.exception_handler(RecflowError)
def refuse(request: HttpRequest, error: RecflowError) -> HttpResponse:
    return as_text(error)


@api.exception_handler(HttpError)
def refuse_request(request: HttpRequest, error: HttpError) -> HttpResponse:
    return as_text(BadRequest(str(error)))
