"""Where pages and API hang."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from dashboard.api import (
    admin,
    bulk,
    chatting,
    configuration,
    editor,
    feedback,
    gorse,
    health,
    inspection,
    items,
    recommenders,
    statistics,
    tasks,
    trying,
    users,
)
from dashboard.views import api_docs, data, evaluation, metrics_page, overview, pages, settings_page
from dashboard.views import items as items_page
from dashboard.views import tasks as tasks_page
from dashboard.views import users as users_page
from dashboard.views.login import Login

for part in (users, items, feedback, recommenders, health):
    gorse.api.add_router("", part.router)
editor.api.add_router("", tasks.router)
for part in (configuration, statistics, inspection, bulk, trying, chatting):
    admin.api.add_router("", part.router)

urlpatterns = [
    path("", overview.home, name="home"),
    path("flows", pages.flows, name="flows"),
    path("flows/<int:flow_id>", pages.editor, name="editor"),
    path("users", users_page.users, name="users"),
    path("user", users_page.user, name="user"),
    path("items", items_page.items, name="items"),
    path("item", items_page.item, name="item"),
    path("data", data.data, name="data"),
    path("data/import", data.take_in, name="import"),
    path("data/rejects/<int:job_id>.jsonl", data.rejects, name="rejects"),
    path("data/export/<str:kind>.jsonl", data.export, name="export"),
    path("data/purge", data.purge_data, name="purge"),
    path("tasks", tasks_page.page, name="tasks"),
    path("evaluation", evaluation.page, name="evaluation"),
    path("settings", settings_page.settings, name="settings"),
    path("login", Login.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("metrics", metrics_page.page, name="metrics"),
    path("docs", api_docs.docs, name="docs"),
    path("api/openapi.json", api_docs.openapi, name="openapi"),
    path("api/", editor.api.urls),
    path("api/", gorse.api.urls),
    path("api/", admin.api.urls),
]

handler400 = pages.refused
handler404 = pages.not_found
handler500 = pages.failed
