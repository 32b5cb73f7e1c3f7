"""The catalogue as Gorse's JSONL or backup over HTTP: a block at a time, as it was when the download began.

Reading goes on in a thread of its own, so that a slow client holds up neither the server nor a writer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from dashboard.catalogue import reading
from dashboard.catalogue.streaming import one_moment
from dashboard.store import now_us
from recflow.data.records import Record
from recflow.interop.gorse_dump import dump
from recflow.interop.jsonl import Kind, to_line

_BLOCK_BYTES = 256 * 1024

READERS: dict[Kind, Callable[[Any], Iterator[Record]]] = {
    "users": reading.all_users,
    "items": reading.all_items,
    "feedback": lambda connection: reading.all_feedback(connection, until_us=now_us()),
}


def jsonl(kind: Kind) -> AsyncIterator[bytes]:
    """All users, items or feedback, one JSON object a line."""
    return _streamed(lambda connection: map(_line, READERS[kind](connection)))


def backup() -> AsyncIterator[bytes]:
    """Everything as Gorse's binary backup, and behind its end, as in Gorse, how much that was as JSON."""
    began = time.monotonic_ns()
    counts = dict.fromkeys(READERS, 0)

    def counted(kind: Kind, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            counts[kind] += 1
            yield record

    def pieces(connection: Any) -> Iterator[bytes]:
        yield from dump((kind, counted(kind, read(connection))) for kind, read in READERS.items())
        stats = {name.title(): count for name, count in counts.items()}
        yield json.dumps(stats | {"Duration": time.monotonic_ns() - began}).encode()

    return _streamed(pieces)


async def _streamed(pieces: Callable[[Any], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """What is made of a connection that sees one moment, in blocks of a fair size."""
    blocks = _blocks(pieces)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="export") as thread:
        try:
            while (block := await loop.run_in_executor(thread, next, blocks, None)) is not None:
                yield block
        finally:  # also when the client is gone: the read of one moment must not stay open
            await loop.run_in_executor(thread, blocks.close)


def _line(record: Record) -> bytes:
    return to_line(record).encode()


def _blocks(pieces: Callable[[Any], Iterator[bytes]]) -> Iterator[bytes]:
    try:
        with one_moment() as connection:
            block = bytearray()
            for piece in pieces(connection):
                block += piece
                if len(block) >= _BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
            yield bytes(block)
    finally:
        connections.close_all()
