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
    tasks,
    users,
)
from dashboard.views import evaluation, pages, settings_page
from dashboard.views import tasks as tasks_page

for part in (users, items, feedback, recommenders, health):
    gorse.api.add_router("", part.router)
editor.api.add_router("", tasks.router)
for part in (configuration,):
    admin.api.add_router("", part.router)

urlpatterns = [
    path("", pages.home, name="home"),
    path("flows", pages.flows, name="flows"),
    path("flows/<int:flow_id>", pages.editor, name="editor"),
    path("tasks", tasks_page.page, name="tasks"),
    path("evaluation", evaluation.page, name="evaluation"),
    path("settings", settings_page.settings, name="settings"),
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
