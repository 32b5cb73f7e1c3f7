"""How far an evaluation is, who hears it, and who may stop it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from recflow.outbound.client import close_clients

T = TypeVar("T")

#: Seconds between two looks at whether to go on.
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Step:
    """How far an evaluation is.

    Args:
        share: in [0, 1], of all of it.
        text: what it is at.
    """

    share: float
    text: str


@dataclass(frozen=True)
class Watcher:
    """Who hears how far it is, and may stop it.

    Args:
        on_step: hears each step.
        check: raises to stop.
    """

    on_step: Callable[[Step], None] = field(default=lambda step: None)
    check: Callable[[], None] = field(default=lambda: None)


#: Nobody.
UNWATCHED = Watcher()


def run_watched(work: Callable[[Callable[[Step], None]], Coroutine[Any, Any, T]], watcher: Watcher) -> T:
    """Run a coroutine to its end while this thread tells the watcher and asks whether to go on.

    The coroutine has a loop in a thread of its own: a watcher writes rows, which must not hold up a loop.

    Args:
        work: gives the coroutine; what it is given hears steps, of which the newest is told.
        watcher: only ever called from this thread.

    Raises:
        BaseException: whatever the work or the watcher's check raises; the work is cancelled first.
    """
    newest: list[Step] = []
    started = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task]] = []

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        started.set()
        try:
            return await work(lambda step: newest.__setitem__(slice(None), [step]))
        finally:
            await close_clients()  # connections belong to this loop, which ends here

    def tell() -> None:
        if newest:
            watcher.on_step(newest.pop())

    with ThreadPoolExecutor(1, thread_name_prefix="evaluation") as thread:
        future = thread.submit(lambda: asyncio.run(main()))
        try:
            while not wait([future], LOOK_EVERY_S).done:
                tell()
                watcher.check()
            tell()
        except BaseException:
            started.wait()
            loop, task = running[0]
            with contextlib.suppress(RuntimeError):  # it came to its end meanwhile, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)
            raise
        return future.result()
