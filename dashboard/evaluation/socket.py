"""The Evaluation page's WebSocket: how far evaluations are, told whenever that changes.

What is told is read from the rows, so any web process can tell of a job that runs in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard import access
from dashboard.evaluation import runs
from dashboard.models import LIVE

#: Seconds between two looks at the rows.
LOOK_EVERY_S = 0.5
NOT_ALLOWED = 4403


class EvaluationConsumer(AsyncWebsocketConsumer):
    """One browser tab: gets ``[{id, state, share, text, error}]`` of what changed since the last message."""

    async def connect(self) -> None:
        self.telling: asyncio.Task | None = None
        if not await access.may_preview(self.scope):
            await self.close(NOT_ALLOWED)
            return
        await self.accept()
        self.telling = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        if self.telling is not None:
            self.telling.cancel()

    async def _tell(self) -> None:
        told: dict[int, dict[str, Any]] = {}
        watched: set[int] = set()
        with contextlib.suppress(RuntimeError):  # the socket closed meanwhile
            while True:
                found = await sync_to_async(_states)()
                fresh = [state for state in found if told.get(state["id"], _unseen(state)) != state]
                told = {state["id"]: state for state in found}
                # What was over before this page was opened is in the page already.
                fresh = [state for state in fresh if state["state"] in LIVE or state["id"] in watched]
                watched |= {state["id"] for state in found if state["state"] in LIVE}
                if fresh:
                    await self.send(text_data=json.dumps(fresh))
                await asyncio.sleep(LOOK_EVERY_S)


def _unseen(state: dict[str, Any]) -> dict[str, Any]:
    return {} if state["state"] in LIVE else state


def _states() -> list[dict[str, Any]]:
    return [
        {
            "id": row.pk,
            "state": str(row.state),
            "share": job.share if job else float(row.state == "done"),
            "text": job.text if job else "",
            "error": row.error,
        }
        for row, job in runs.newest()
    ]
