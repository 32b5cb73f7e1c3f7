"""A flow that several windows have open: they tell each other that they are there, and hear what was saved.

Everything goes over the channel layer, so that windows served by different processes see each other too. No
list of all windows is kept anywhere: each says every few seconds that it is there, and whoever says nothing
any more is forgotten. So nothing has to be cleaned up when a server dies.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from dashboard.presence import Roster, Window

#: Seconds between two signs of life, of a window to the others and of a browser to its server.
BEAT_S = 5.0
#: Seconds after which a browser that does not answer is taken to be gone: the lid is shut, the line is cut.
SILENT_S = 15.0
NO_ANSWER = 4408
MAX_NODE_ID = 256
_LARGEST_ID = 2**63 - 1


def tell(flow_id: int, what: str, by: str, revision: int) -> None:
    """Let every window that has a flow open hear of a change, once it is committed.

    A channel layer that is away keeps nobody from saving: windows also look by themselves now and then.
    """
    news = {"type": "flow.changed", "what": what, "by": by, "revision": revision}
    transaction.on_commit(
        lambda: async_to_sync(get_channel_layer().group_send)(_group(flow_id), news), robust=True
    )


class SharedFlow:
    """The part of a window's consumer that knows who else looks at the flow it shows."""

    scope: dict[str, Any]
    channel_layer: Any
    channel_name: str
    close: Callable[[int], Awaitable[None]]
    _send: Callable[[list[dict[str, Any]]], Awaitable[None]]
    group: str | None = None  # the channel layer's name for the windows of one flow

    async def open_flow(self, message: dict[str, Any]) -> None:
        """Join the windows of a flow, and ask them who they are."""
        flow_id = message.get("flow_id")
        if not isinstance(flow_id, int) or not 0 < flow_id <= _LARGEST_ID:
            return
        await self.leave_flow()
        user = self.scope["user"]
        account = user.get_username() if user.is_authenticated else ""
        name = (user.get_full_name() or account) if account else ""
        self.window = _looking(Window(uuid.uuid4().hex, account, name), message)
        self.roster, self.told, self.group = Roster(), None, _group(flow_id)
        self.hear_browser()
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self._say_here(ask=True)
        await self._tell_people()
        self.beat = asyncio.create_task(self._beat())

    async def look(self, message: dict[str, Any]) -> None:
        """What this window is at now; browsers also answer a ping with this."""
        if self.group is None:
            return
        before, self.window = self.window, _looking(self.window, message)
        if self.window != before:
            await self._say_here()

    async def leave_flow(self) -> None:
        if self.group is None:
            return
        self.beat.cancel()
        await self._say_gone()

    def hear_browser(self) -> None:
        """The browser said something, whatever it was: it is there."""
        self.heard_at = time.monotonic()

    async def window_here(self, message: dict[str, Any]) -> None:
        """Another window says that it is there; a new one wants to be told who was there before it."""
        other = Window(**message["window"])
        if self.group is None or other.window_id == self.window.window_id:
            return
        self.roster.hear(other, time.monotonic())
        await self._tell_people()
        if message["ask"]:
            await self.channel_layer.send(message["channel"], self._here(ask=False))

    async def window_gone(self, message: dict[str, Any]) -> None:
        if self.group is None:
            return
        self.roster.forget(message["window_id"])
        await self._tell_people()

    async def flow_changed(self, message: dict[str, Any]) -> None:
        """Somebody saved, kept or activated something of this flow; the browser asks for what it lacks."""
        news = {key: message[key] for key in ("what", "by", "revision")}
        await self._send([{"event": "flow.changed", **news}])

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.monotonic()
            if now - self.heard_at > SILENT_S:
                await self._say_gone()
                await self.close(NO_ANSWER)
                return
            await self._say_here()
            self.roster.forget_silent(now)
            await self._tell_people()
            # A page in the background has slow timers, but answers at once: so it is the server that asks.
            await self._send([{"event": "ping"}])

    async def _say_here(self, *, ask: bool = False) -> None:
        await self.channel_layer.group_send(self.group, self._here(ask=ask))

    async def _say_gone(self) -> None:
        group, self.group = self.group, None
        await self.channel_layer.group_discard(group, self.channel_name)
        await self.channel_layer.group_send(
            group, {"type": "window.gone", "window_id": self.window.window_id}
        )

    def _here(self, *, ask: bool) -> dict[str, Any]:
        return {
            "type": "window.here",
            "window": asdict(self.window),
            "channel": self.channel_name,
            "ask": ask,
        }

    async def _tell_people(self) -> None:
        people = self.roster.people(self.window)
        if people != self.told:
            self.told = people
            await self._send([{"event": "presence", "people": people}])


def _looking(window: Window, message: dict[str, Any]) -> Window:
    node_id = message.get("node_id")
    return replace(
        window,
        is_editing=message.get("is_editing") is True,
        node_id=node_id if isinstance(node_id, str) and len(node_id) <= MAX_NODE_ID else None,
    )


def _group(flow_id: int) -> str:
    return f"flow-{flow_id}"
