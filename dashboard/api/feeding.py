"""POST and PUT /api/feedback: what a shop writes a hundred times a second, without passing through Django.

The rows are read and checked as by Ninja's endpoints (feedback.py); what is different is the way, and that
requests which come together are stored together (dashboard/serving/incoming.py).
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import orjson

from dashboard.api import serve
from dashboard.api.bodies import parse_json
from dashboard.api.feedback import write_of
from dashboard.api.front_door import Doors, failure, headers_of, outcome, send_whole
from dashboard.api.gorse import list_of_objects
from dashboard.catalogue.writing import FeedbackWrite
from dashboard.serving.memory import Headers

PATH = "/api/feedback"
#: Bytes of a body that is read in the event loop, which takes a millisecond; 9 MB take 1.3 s, and everybody
#: else would wait.
READ_HERE = 16 * 1024

_doors = Doors(for_admins=False)


def takes(scope: dict[str, Any]) -> bool:
    """Whether this request is one of ours."""
    return scope["method"] in {"POST", "PUT"} and scope["path"].rstrip("/") == PATH


async def feed(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI: one request that ``takes`` lets in; asgi.py puts the limit for bodies and the log around it.

    Whoever is not let in is told so before anything of the body is kept; uvicorn throws away what still comes
    of it, and the connection goes on.
    """
    headers = dict(scope["headers"])
    try:
        _doors.check(headers)
    except Exception as error:
        await send_whole(send, failure(scope, error))
        return
    body = await _body_of(receive)
    if body is not None:
        await send_whole(send, await outcome(scope, functools.partial(_feed, scope, headers, body)))


async def _feed(scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> tuple[Headers, bytes]:
    kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    read = functools.partial(_read, body, kind, encoding, scope["method"] == "PUT")
    is_small = len(body) <= READ_HERE and encoding == "identity"
    write = read() if is_small else await asyncio.to_thread(read)
    await serve.incoming().put(write)
    said = orjson.dumps({"RowAffected": len(write.feedback)})
    return headers_of(b"application/json", said), said


def _read(body: bytes, kind: str, encoding: str, overwrite: bool) -> FeedbackWrite:
    return write_of(list_of_objects(parse_json(body, kind, encoding)), overwrite=overwrite)


async def _body_of(receive: Any) -> bytes | None:
    """All of it; None when the client has gone before it was there."""
    parts = []
    while (message := await receive())["type"] != "http.disconnect":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
    return None
