"""The preview's WebSocket: run, cancel, resume, explain, output; see docs/protocol.md.

Each run is pumped to the browser by a task of its own, in frames of all that has come since the last one, so
that a slow browser gets larger frames and never holds up a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard import access, runs
from dashboard.shared_flow import SharedFlow
from dashboard.what_if import WhatIf
from recflow.engine.flow import MAX_BYTES
from recflow.errors import FlowError

#: Seconds a run goes on without anybody watching it.
UNWATCHED_S = 30.0


class PreviewConsumer(SharedFlow, AsyncWebsocketConsumer):
    """One browser tab."""

    guard: asyncio.Task | None = None  # closes the socket of somebody who is locked out
    person: access.Person  # who sent the message that is being handled

    async def connect(self) -> None:
        self.pumps: dict[str, asyncio.Task] = {}
        if not await access.may_preview(self.scope):
            await self.close(access.NOT_ALLOWED)
            return
        await self.accept()
        self.guard = asyncio.create_task(access.close_when_locked_out(self))

    async def disconnect(self, code: int) -> None:
        if self.guard is not None:
            self.guard.cancel()
        for run_id, pump in self.pumps.items():
            pump.cancel()
            live = runs.find(run_id)
            if live is not None and not live.is_over:
                runs.cancel_unless_watched(live, UNWATCHED_S)
        await self.leave_flow()  # last, for a channel layer that is away fails it

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.hear_browser()
        if text_data is None or len(text_data) > 2 * MAX_BYTES:
            await self._reject(None, "A message is JSON text of at most 2 MiB")
            return
        try:
            message = json.loads(text_data)
            kind = message["type"]
            handle = {
                "run": self._start,
                "cancel": self._cancel,
                "resume": self._resume,
                "explain": self._explain,
                "output": self._output,
                "open": self.open_flow,
                "look": self.look,
            }[kind]
        except (ValueError, KeyError, TypeError, RecursionError):
            await self._reject(
                None,
                "A message is a JSON object whose type is run, cancel, resume, explain, output, open or look",
            )
            return
        person = await access.person_now(self.scope)
        if person is None or not person.may("view"):  # locked out since the last look
            await self.close(access.NOT_ALLOWED)
            return
        self.person = person
        await handle(message)

    async def _start(self, message: dict[str, Any]) -> None:
        request_id = str(message.get("request_id", ""))
        categories = message.get("categories") or []
        if not isinstance(categories, list):
            await self._reject(request_id, f"categories must be a list, got {str(categories)[:64]!r}")
            return
        try:
            live = await runs.start(
                message.get("flow"),
                str(message.get("user_id", "")),
                n=_count(message.get("n", 10)),
                categories=[str(name) for name in categories],
                until=message.get("until"),
                request_id=request_id,
                what_if=WhatIf.read(message.get("what_if")),
                asked_by=self.scope["user"].get_username(),
                only_saved=not self.person.may("edit"),
            )
        except runs.Rejected as error:
            await self._send(
                [{"event": "run.rejected", "request_id": request_id, "problems": error.problems}]
            )
            return
        except FlowError as error:
            await self._reject(request_id, error.message, node_id=error.node_id, field=error.field)
            return
        self._watch(live, after_seq=0)

    async def _cancel(self, message: dict[str, Any]) -> None:
        live = runs.find(str(message.get("run_id")))
        if live is not None:
            await runs.cancel(live)

    async def _resume(self, message: dict[str, Any]) -> None:
        live = runs.find(str(message.get("run_id")))
        if live is None:
            await self._reject(None, "This run is over and forgotten; press Run again", code="gone")
            return
        after_seq = message.get("after_seq")
        self._watch(live, after_seq=max(after_seq, 0) if isinstance(after_seq, int) else 0)

    async def _explain(self, message: dict[str, Any]) -> None:
        live = runs.find(str(message.get("run_id")))
        if live is None:
            await self._reject(None, "This run is over and forgotten; press Run again", code="gone")
            return
        found = runs.explain(live, str(message.get("item_id", "")))
        await self._send([{"event": "run.explained", "run_id": live.run_id, **found}])

    async def _output(self, message: dict[str, Any]) -> None:
        """A run that is forgotten is said in the answer: the browser waits for this one, not for the run."""
        node_id = str(message.get("node_id"))
        answer = {"event": "node.output", "run_id": str(message.get("run_id")), "node_id": node_id}
        live = runs.find(answer["run_id"])
        await self._send([answer | {"items": None if live is None else runs.output_of(live, node_id)}])

    def _watch(self, live: runs.LiveRun, after_seq: int) -> None:
        if (old := self.pumps.pop(live.run_id, None)) is not None:
            old.cancel()
        self.pumps = {run_id: pump for run_id, pump in self.pumps.items() if not pump.done()}
        self.pumps[live.run_id] = asyncio.create_task(self._pump(live, after_seq))

    async def _pump(self, live: runs.LiveRun, sent: int) -> None:
        live.watchers += 1
        try:
            while True:
                changed = live.changed
                if fresh := live.messages[sent:]:
                    sent += len(fresh)
                    await self._send(fresh)
                    await asyncio.sleep(1 / runs.FRAMES_PER_S)
                elif live.is_over:
                    return
                else:
                    await changed.wait()
        finally:
            live.watchers -= 1

    async def _reject(
        self, request_id: str | None, message: str, *, code: str = "refused", **where: Any
    ) -> None:
        problem = {"severity": "blocking", "code": code, "message": message, "node_id": None, "field": None}
        problem |= {"edge_id": None, **where}
        await self._send([{"event": "run.rejected", "request_id": request_id, "problems": [problem]}])

    async def _send(self, messages: list[dict[str, Any]]) -> None:
        with contextlib.suppress(RuntimeError):  # the socket closed while the run went on
            await self.send(text_data=json.dumps(messages))


def _count(value: object) -> int:
    return (
        min(max(int(value), 1), 1000) if isinstance(value, int | float | str) and str(value).isdigit() else 10
    )
