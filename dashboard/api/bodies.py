"""Request bodies as strict JSON: no NaN, no half characters, and a sentence when it is none."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser
from ninja.types import DictStrAny

from dashboard.errors import BadRequest, TooLarge
from recflow.errors import RecflowError


class StrictJson(Parser):
    """Ninja's parser with our sentences; bodies may come packed as gzip or deflate."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        body = read_json(request)
        if (place := place_of_null(body)) is not None:
            raise BadRequest(f"{place or 'The body'} may not hold a null character", field=place)
        return body


def unwrapped(error: HttpError) -> RecflowError:
    """What read_json raised, which Ninja hides behind a sentence of its own."""
    return error.__cause__ if isinstance(error.__cause__, RecflowError) else BadRequest(str(error))


def read_json(request: HttpRequest) -> Any:
    """The body of a request, as ``parse_json``."""
    encoding = request.headers.get("Content-Encoding", "identity")
    return parse_json(request.body, request.content_type, encoding)


def parse_json(body: bytes, kind: str, encoding: str) -> Any:
    """The value that a body holds; its size has been checked by limits.py.

    Args:
        body: as it came.
        kind: what it is declared to be.
        encoding: how it is packed, "identity" for not at all.

    Raises:
        TooLarge: it has more bytes than this server reads.
        BadRequest: it is no JSON.
    """
    if kind != "application/json":
        raise BadRequest(f"The body must be application/json, got {kind or 'no content type'}")
    try:
        return orjson.loads(_unpacked(body, encoding.lower()))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}") from error


def place_of_null(body: Any) -> str | None:
    """Where, as ``nodes.0.name``, a text or a name holds the one character that PostgreSQL cannot keep."""
    left = [("", body)]
    while left:
        place, value = left.pop()
        if isinstance(value, str):
            if "\0" in value:
                return place
        elif isinstance(value, dict):
            if any("\0" in name for name in value):
                return place
            left += [(f"{place}.{name}".lstrip("."), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            left += [(f"{place}.{number}".lstrip("."), inner) for number, inner in enumerate(value)]
    return None


def _unpacked(body: bytes, encoding: str) -> bytes:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "deflate"}:
        raise BadRequest(f"The body may be packed as gzip or deflate, got {encoding!r}")
    # One byte more than allowed is enough to know: a small packet may hold gigabytes.
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS if encoding == "gzip" else zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is not {encoding}: {error}") from error
    if len(plain) > most:
        raise TooLarge(too_large())
    return plain


def too_large() -> str:
    """What is said about a body over the limit."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
    return f"A request may have {most} MB: send the rows in smaller batches"
