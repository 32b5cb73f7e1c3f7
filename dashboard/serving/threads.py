"""Work that blocks, done in a thread while the event loop goes on.

Django looks after the connections of its own requests only. A thread of ours may find that its connection
was cut since the last time, as by a restart of PostgreSQL, and every answer it worked on would fail.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

T = TypeVar("T")


async def in_thread(call: Callable[..., T], *args: Any, executor: Executor | None = None) -> T:
    """What the call returns; its connections to the database are tried first.

    Args:
        call: may block.
        args: for it.
        executor: whose thread; without one any that is free.
    """
    return await sync_to_async(_with_connections, thread_sensitive=False, executor=executor)(call, *args)


def _with_connections(call: Callable[..., T], *args: Any) -> T:
    for connection in connections.all(initialized_only=True):
        if connection.vendor != "sqlite":  # a file is not cut off, and opening it takes longer than reading
            connection.close_if_unusable_or_obsolete()
    return call(*args)
