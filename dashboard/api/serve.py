"""GET /api/recommend: what a shop asks a thousand times a second, without passing through Django.

There are no middlewares here, so host, key and numbers are checked by hand. The list is made by the active
version from the user's feedback as of now; an item that was deleted or hidden a moment ago is taken out even
while the snapshot still has it.
"""

from __future__ import annotations

import logging
import math
from typing import Any
from urllib.parse import parse_qs

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from dashboard import runs
from dashboard.access import key_fits
from dashboard.activation import active_version
from dashboard.catalogue.reading import still_offered
from dashboard.errors import BadRequest, LoginNeeded, NotFound, WebError, status_of
from recflow.engine.flow import Flow, load_flow
from recflow.errors import RecflowError
from recflow.nodes.starters import DEFAULT, STARTERS

logger = logging.getLogger(__name__)

PREFIX = "/api/recommend/"
#: Items one answer holds at most; ``n=0`` asks for all of them.
MAX_ITEMS = 1_000

_flows: dict[str, Flow] = {}


class WrongMethod(WebError):
    """Something else than GET."""

    status = 405


async def recommend(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI: one request below PREFIX."""
    try:
        body, kind = await _answer(scope), b"application/json"
        status = 200
    except RecflowError as error:
        body, kind = error.message.encode("utf-8", "replace"), b"text/plain; charset=utf-8"
        status = status_of(error)
    except Exception:
        logger.exception("GET %s failed", scope["path"])
        body, kind = b"The server failed on this request; its log says why", b"text/plain; charset=utf-8"
        status = 500
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer(scope: dict[str, Any]) -> bytes:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    _check_host(headers.get(b"host", ""))
    if scope["method"] != "GET":
        raise WrongMethod("Method not allowed")
    if not key_fits(headers.get(b"x-api-key")):
        raise LoginNeeded("unauthorized")
    user_id, *path_categories = scope["path"].removeprefix(PREFIX).rstrip("/").split("/")
    if not user_id or len(path_categories) > 1:
        raise NotFound("no such route")
    if len(user_id) > runs.MAX_USER_ID:
        raise BadRequest(f"A user ID has at most {runs.MAX_USER_ID} characters, got {len(user_id):,}")
    query = parse_qs(scope["query_string"].decode("latin-1"))
    categories = path_categories or query.get("category", [])
    n = _number(query, "n", settings.CONFIGURATION.server.default_n)
    offset = _number(query, "offset", 0)
    wanted = min(n + offset, MAX_ITEMS) if n or offset else MAX_ITEMS
    flow, version = await sync_to_async(_active_flow, thread_sensitive=False)()
    found = await runs.recommend(flow, version, user_id, n=wanted, categories=categories)
    offered = await sync_to_async(still_offered, thread_sensitive=False)([item for item, _ in found.items])
    rows = [(item, score) for item, score in found.items if item in offered][offset:]
    if headers.get(b"x-api-version") == "2":
        return orjson.dumps(
            [{"Id": item, "Score": score if math.isfinite(score) else 0.0} for item, score in rows]
        )
    return orjson.dumps([item for item, _ in rows])


def _active_flow() -> tuple[Flow, str]:
    """The flow that answers, parsed once; the default one while none was ever activated."""
    active = active_version()
    label = f"{active.flow_id}@{active.number}" if active else "default"
    if label not in _flows:
        document = active.document if active else STARTERS[DEFAULT].document
        _flows.clear()  # a version is active for days; only the newest is worth keeping
        _flows[label] = load_flow(document)
    return _flows[label], label


def _check_host(host: str) -> None:
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        raise BadRequest("This server does not answer to that host name: add it to allowed_hosts")


def _number(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [""])[0]
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequest(f"{name} must be a whole number from 0, got {text[:40]!r}")
    return int(text)
