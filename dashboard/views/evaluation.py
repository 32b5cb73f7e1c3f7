"""The Evaluation page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from dashboard import access
from dashboard.evaluation.ranking_runs import DEFAULT_SHOTS, RankingPlan


@access.page
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    defaults = RankingPlan()
    data = {
        "api": "/api",
        "ws_path": "/ws/evaluations",
        "user": {"name": request.person.name, "role": request.person.role},
        "defaults": {"rankers": defaults.rankers, "shots": DEFAULT_SHOTS, "seed": defaults.seed},
    }
    return render(request, "evaluation.html", {"page_data": data})
