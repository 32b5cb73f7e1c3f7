"""The catalogue as Gorse's JSONL over HTTP: a block at a time, as it was when the download began.

Reading goes on in a thread of its own, so that a slow client holds up neither the server nor a writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from dashboard.catalogue import reading
from dashboard.catalogue.streaming import one_moment
from dashboard.store import now_us
from recflow.data.records import Record
from recflow.interop.jsonl import to_line

_BLOCK_BYTES = 256 * 1024

READERS: dict[str, Callable[[Any], Iterator[Record]]] = {
    "users": reading.all_users,
    "items": reading.all_items,
    "feedback": lambda connection: reading.all_feedback(connection, until_us=now_us()),
}


async def jsonl(kind: str) -> AsyncIterator[bytes]:
    """All users, items or feedback, one JSON object a line."""
    blocks = _blocks(kind)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="export") as thread:
        try:
            while (block := await loop.run_in_executor(thread, next, blocks, None)) is not None:
                yield block
        finally:  # also when the client is gone: the read of one moment must not stay open
            await loop.run_in_executor(thread, blocks.close)


def _blocks(kind: str) -> Iterator[bytes]:
    try:
        with one_moment() as connection:
            block = bytearray()
            for record in READERS[kind](connection):
                block += to_line(record).encode()
                if len(block) >= _BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
            yield bytes(block)
    finally:
        connections.close_all()
