"""The server's front door: who answers lifespan, static files, the hot route, pages and WebSockets.

What is asked most passes fewest hands: static files, ``GET /api/recommend`` and feedback that is posted never
reach Django.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recflow.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()  # sets Django up: what follows imports models

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings

from dashboard.api import feeding, serve
from dashboard.lifespan import lifespan
from dashboard.limits import for_import, limit_body
from dashboard.origins import from_own_pages
from dashboard.request_log import observed
from dashboard.routing import websocket_urlpatterns
from dashboard.static_files import StaticForEver

#: Where the Data page and programs send files; views have the same addresses in urls.py.
IMPORTS = ("/data/import", "/api/bulk/", "/api/restore")

static_files = observed(StaticForEver(settings.STATIC_DIR, settings.STATIC_URL))
pages = observed(limit_body(django))
feedback = observed(limit_body(feeding.feed))
imports = observed(AuthMiddlewareStack(limit_body(django, for_import)))
sockets = from_own_pages(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One connection."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await sockets(scope, receive, send)
    elif scope["path"].startswith(serve.PREFIX):
        await serve.recommend(scope, receive, send)
    elif feeding.takes(scope):
        await feedback(scope, receive, send)
    elif scope["path"].startswith("/static/"):
        await static_files(scope, receive, send)
    elif scope["path"].startswith(IMPORTS):
        await imports(scope, receive, send)
    else:
        await pages(scope, receive, send)
