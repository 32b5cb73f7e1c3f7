"""The REST API described: as a document for programs and as a page on which it can be tried."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from dashboard.access import person_of_request
from dashboard.api.openapi import document


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document; open to everybody, as it tells nothing that is not in the source."""
    return JsonResponse(document(), json_dumps_params={"indent": 1})


def docs(request: HttpRequest) -> HttpResponse:
    """The page; whoever may not log in can still read it."""
    request.person = person_of_request(request)
    return render(request, "api_docs.html", {"page_data": {"openapi": reverse("openapi")}})
