"""The Evaluation page's WebSocket: how far evaluations are, told whenever that changes.

What is told is read from the rows, so any web process can tell of a job that runs in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error, close_old_connections
from django.utils import timezone

from dashboard import access
from dashboard.evaluation import runs
from dashboard.models import LIVE, Evaluation, Job

logger = logging.getLogger(__name__)

#: Seconds between two looks at the rows.
LOOK_EVERY_S = 0.5
#: A page may have been made so long before its socket is open.
LATELY = timedelta(seconds=30)


class EvaluationConsumer(AsyncWebsocketConsumer):
    """One browser tab: gets ``[{id, state, share, text, error}]`` of what changed since the last message."""

    async def connect(self) -> None:
        self.tasks: list[asyncio.Task] = []
        if not await access.may_preview(self.scope):
            await self.close(access.NOT_ALLOWED)
            return
        await self.accept()
        self.tasks = [
            asyncio.create_task(self._tell()),
            asyncio.create_task(access.close_when_locked_out(self)),
        ]

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()

    async def _tell(self) -> None:
        # What was over long before this page was opened is in the page already. Anything else is told when it
        # is first seen, in whatever state: a short run begins and ends between two looks.
        told, opened_at, is_failing = None, timezone.now(), False
        with contextlib.suppress(RuntimeError):  # the socket closed meanwhile
            while True:
                try:
                    if told is None:
                        told = await sync_to_async(_over_before)(opened_at - LATELY)
                    found = await sync_to_async(_states)()
                except Error:
                    if not is_failing:
                        logger.exception("How far evaluations are cannot be read; tried until it can")
                    is_failing = True
                    await sync_to_async(close_old_connections)()  # one that was cut off is made anew
                else:
                    is_failing = False
                    fresh = [state for state in found if told.get(state["id"]) != state]
                    told = {state["id"]: state for state in found}
                    if fresh:
                        await self.send(text_data=json.dumps(fresh))
                await asyncio.sleep(LOOK_EVERY_S)


def _over_before(moment: datetime) -> dict[int, dict[str, Any]]:
    return {
        row.pk: _state(row, job)
        for row, job in runs.newest()
        if row.state not in LIVE and (row.finished_at or row.created_at) < moment
    }


def _states() -> list[dict[str, Any]]:
    return [_state(row, job) for row, job in runs.newest()]


def _state(row: Evaluation, job: Job | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "state": str(row.state),
        "share": job.share if job else float(row.state == "done"),
        "text": job.text if job else "",
        "error": row.error,
    }
