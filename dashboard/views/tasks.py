"""The Tasks page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from dashboard import access


@access.page
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    data = {"api": "/api", "may_edit": request.person.may("edit")}
    return render(request, "tasks.html", {"page_data": data})
