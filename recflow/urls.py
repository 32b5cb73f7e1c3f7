"""Where pages and API hang."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from dashboard.api import (
    admin,
    configuration,
    editor,
    feedback,
    gorse,
    health,
    items,
    recommenders,
    users,
)
from dashboard.views import evaluation, pages

for part in (users, items, feedback, recommenders, health):
    gorse.api.add_router("", part.router)
for part in (configuration,):
    admin.api.add_router("", part.router)

urlpatterns = [
    path("", pages.home, name="home"),
    path("flows", pages.flows, name="flows"),
    path("flows/<int:flow_id>", pages.editor, name="editor"),
    path("evaluation", evaluation.page, name="evaluation"),
    path(
        "login", LoginView.as_view(template_name="login.html", redirect_authenticated_user=True), name="login"
    ),
    path("logout", LogoutView.as_view(), name="logout"),
    path("api/", editor.api.urls),
    path("api/", gorse.api.urls),
    path("api/", admin.api.urls),
]

handler404 = pages.not_found
handler500 = pages.failed
