"""What every request passes on its way in and out.

All of it is plain functions: one that is not async keeps Django from hopping between event loop and thread
at each step.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from dashboard import request_log

Handler = Callable[[HttpRequest], HttpResponse]


def any_trailing_slash(get_response: Handler) -> Handler:
    """/api/users/ is /api/users: clients send both, and a redirect would lose the body of a POST."""

    def handle(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/"):
            request.path_info = request.path_info.rstrip("/")
        return get_response(request)

    return handle


def no_null_characters(get_response: Handler) -> Handler:
    """No address of ours holds one, no text in a form needs one, and PostgreSQL can look for none."""

    def handle(request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            sentence = "An address may not hold a null character (%00)"
            return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
        return get_response(request)

    return handle


def known_host(get_response: Handler) -> Handler:
    """Only names in ALLOWED_HOSTS: else a page of a stranger could give our address a name of its own.

    Django checks the name only where somebody asks for it.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        request.get_host()
        return get_response(request)

    return handle


def request_id(get_response: Handler) -> Handler:
    """A name for the request where Django runs without our front door, which gives one itself."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request_log.request_id.get():
            response.headers["X-Request-ID"] = str(uuid.uuid4())
        return response

    return handle


def content_security_policy(get_response: Handler) -> Handler:
    """Pages load nothing but our own files; the nonce admits the import map of this one answer.

    Inline styles stay allowed: React Flow places every node by a style attribute.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        request.csp_nonce = secrets.token_urlsafe(16)
        response = get_response(request)
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'self'; "
            f"script-src 'self' 'nonce-{request.csp_nonce}'; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        )
        return response

    return handle


def cross_origin(get_response: Handler) -> Handler:
    """Pages of other origins may read what Gorse's endpoints answer, as they may with Gorse.

    Only that: without an answer to preflight requests such a page can neither send a key nor write.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.resolver_match is not None and request.resolver_match.namespace == "gorse":
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return handle
