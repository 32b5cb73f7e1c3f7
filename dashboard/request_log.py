"""Every HTTP request gets a name, is counted and timed, and may leave a line in the log.

The name is in the answer's X-Request-ID and in every log line written on its behalf. A proxy in front may
choose it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from dashboard import metrics

logger = logging.getLogger("dashboard.requests")

#: Name of the request that this task or thread works for, "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

#: A request that takes longer is worth a line even where requests are not logged.
SLOW_S = 5.0
_GIVEN = re.compile(rb"[A-Za-z0-9_.:-]{8,64}\Z")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class WithRequestId(logging.Filter):
    """Gives each record the name of its request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get() or "-"
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line, for whoever collects logs."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if getattr(record, "request_id", "-") != "-":
            line["request_id"] = record.request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def observed(app: Any) -> Any:
    """ASGI: the app, each of its requests named, counted and timed."""

    async def watch(scope: dict[str, Any], receive: Any, send: Any) -> None:
        name = name_of(scope)
        token = request_id.set(name)
        began = time.perf_counter()
        status = 500

        async def send_named(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await app(scope, receive, send_named)
        finally:
            note(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    return watch


def part_of(path: str) -> str:
    """Which part of the server a path belongs to: few words, because each becomes a time series."""
    for prefix, part in (
        ("/api/recommend/", "recommend"),
        ("/static/", "static"),
        ("/api/dashboard/", "admin"),
        ("/api/bulk/", "admin"),
        ("/api/health/", "health"),
        ("/api/", "api"),
    ):
        if path.startswith(prefix):
            return part
    return "metrics" if path == "/metrics" else "page"


def name_of(scope: dict[str, Any]) -> str:
    """What a proxy in front calls the request, or a name of its own."""
    for header, value in scope["headers"]:
        if header == b"x-request-id" and _GIVEN.match(value):
            return value.decode()
    # Not uuid4(): a name need not be secret, and this takes a quarter of the time.
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def note(scope: dict[str, Any], status: int, seconds: float) -> None:
    """Count a request that was answered, and log it if it is odd or if all are logged."""
    part = part_of(scope["path"])
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    metrics.requests.add(method, part, str(status))
    metrics.request_seconds.add(part, seconds=seconds)
    is_odd = status >= 500 or seconds > SLOW_S
    level = logging.WARNING if is_odd else logging.INFO
    if logger.isEnabledFor(level):  # settings.py lets INFO through where every request is to be logged
        fields = {
            "method": method,
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 2),
            "client": (scope.get("client") or [""])[0],
        }
        # %r: a path may hold line breaks, which would forge lines of the log.
        logger.log(
            level,
            "%s %r %d in %.1f ms",
            method,
            scope["path"],
            status,
            seconds * 1000,
            extra={"fields": fields},
        )
