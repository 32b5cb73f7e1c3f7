"""Reads the body of an answer, and never more of it than was agreed.

A library inflates a whole network chunk before anybody can count: 64 KB of gzip are up to 67 MB of zeros.
Here the decoder itself stops one byte past the cap.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import httpcore

from recflow.errors import ServiceError

ACCEPT_ENCODING = "gzip, deflate"  # what this file decodes, and nothing else

_RAW_DEFLATE = -zlib.MAX_WBITS
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


async def read_body(
    response: httpcore.Response,
    headers: Mapping[str, str],
    cap: int,
    *,
    is_head: bool,
    on_piece: Callable[[bytes], object] | None = None,
) -> bytes:
    """The decoded body.

    Args:
        headers: of the answer, names in lower case.
        is_head: the answer is to a HEAD request, whose length is that of a body which does not come.
        on_piece: told each decoded piece as it comes, never more than ``cap`` bytes of them.

    Raises:
        ServiceError: it is longer than ``cap`` bytes (``too_large``), ends early (``cut_reply``) or comes in
            an encoding nobody asked for (``unreadable``).
    """
    announced = int(headers.get("content-length") or 0)
    if announced > cap and not is_head:
        raise _too_large(cap)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        decoder = None
    elif encoding in ("gzip", "x-gzip", "deflate"):
        decoder = _Inflater(cap)
    else:
        raise ServiceError(
            f"The answer comes in the encoding {encoding[:40]!r}, which was not asked for.", kind="unreadable"
        )
    body = bytearray()
    async for chunk in response.aiter_stream():
        piece = chunk if decoder is None else decoder.feed(chunk)
        body += piece
        if len(body) > cap:
            raise _too_large(cap)
        if on_piece is not None:
            on_piece(piece)
    if decoder is not None and not decoder.is_complete:
        raise ServiceError("The compressed answer ends early.", kind="cut_reply", retryable=True)
    return bytes(body)


class _Inflater:
    """zlib's decoder under a cap; also takes the headerless deflate that some servers send."""

    def __init__(self, cap: int) -> None:
        self._left = cap + 1
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._fed = False

    @property
    def is_complete(self) -> bool:
        return self._stream.eof or not self._fed  # no body at all (HEAD, 204) is complete too

    def feed(self, chunk: bytes) -> bytes:
        if not chunk or self._stream.eof:
            return b""
        try:
            data = self._stream.decompress(chunk, self._left)
        except zlib.error as error:
            if self._fed:
                raise ServiceError(
                    "The compressed answer is damaged.", kind="cut_reply", retryable=True
                ) from error
            self._stream = zlib.decompressobj(_RAW_DEFLATE)
            data = self._restarted(chunk)
        self._fed = True
        self._left = max(1, self._left - len(data))  # 0 would mean "no limit" to zlib
        return data

    def _restarted(self, chunk: bytes) -> bytes:
        try:
            return self._stream.decompress(chunk, self._left)
        except zlib.error as error:
            raise ServiceError(
                "The compressed answer is damaged.", kind="cut_reply", retryable=True
            ) from error


def _too_large(cap: int) -> ServiceError:
    return ServiceError(f"The answer is longer than {cap:,} bytes.", kind="too_large")
