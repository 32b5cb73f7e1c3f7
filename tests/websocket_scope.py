"""The scope of a WebSocket as Channels makes it of a browser that is logged in."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.test import Client


async def websocket_scope(path: str, user: Any, address: str = "127.0.0.1") -> dict[str, Any]:
    browser = Client()
    if user.is_authenticated:
        await sync_to_async(browser.force_login)(user)
    return {
        "type": "websocket",
        "path": path,
        "headers": [],
        "user": user,
        "session": await sync_to_async(lambda: browser.session)(),
        "client": (address, 1),
    }
