"""GET /api/recommend: what a shop asks a thousand times a second, without passing through Django.

There are no middlewares here, so host, key and numbers are checked by hand. An answer is kept until anything
is written to the databases, by whichever process: the same question then costs a look at two counters. Where
the database cannot tell (PostgreSQL), every answer is made afresh.
"""

from __future__ import annotations

import functools
import logging
import math
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.signals import setting_changed
from django.http.request import split_domain_port, validate_host
from django.utils.http import http_date

from dashboard import metrics, runs
from dashboard.access import is_admin_key, key_fits
from dashboard.catalogue import writing
from dashboard.errors import BadRequest, LoginNeeded, NotFound, WebError, status_of
from dashboard.request_log import name_of, note, request_id
from dashboard.serving.answers import Answer, Answerer, Question
from dashboard.serving.rows import Mark
from dashboard.serving.waiting import WaitingList
from dashboard.store import now_us
from recflow.data.records import MAX_ID, FeedbackRecord
from recflow.engine.executor import steps_of, whole_trail
from recflow.errors import RecflowError

logger = logging.getLogger(__name__)

PREFIX = "/api/recommend/"
#: Answers kept in memory; some hundred bytes each.
MAX_KEPT = 50_000
#: Pairs of host name and key remembered; with an open API a client may send any key.
MAX_DOORS = 100

_DELAY = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)")
_UNIT_US = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}

Headers = list[tuple[bytes, bytes]]


class WrongMethod(WebError):
    """Something else than GET."""

    status = 405


@dataclass(frozen=True)
class _Request:
    """What a query asks for.

    Args:
        question: who asks for how much.
        with_scores: version 2 of the answer.
        explain: with the reasons; for the administrator.
        write_back: type of the feedback to be stored for each item, "" for none.
        delay_us: how far ahead that feedback is dated.
    """

    question: Question
    with_scores: bool
    explain: bool
    write_back: str
    delay_us: int

    @property
    def is_plain(self) -> bool:
        """Asking changes nothing and tells nothing secret: its answer may be kept."""
        return not (self.explain or self.write_back)


@dataclass(frozen=True)
class _Kept:
    """An answer as it went out."""

    headers: Headers
    body: bytes
    good_until_us: int


class _Memory:
    """Answers by question, all of them forgotten as soon as anything was written."""

    def __init__(self) -> None:
        self._mark: Mark | None = None
        self._kept: dict[tuple, _Kept] = {}

    def find(self, key: tuple, mark: Mark | None) -> _Kept | None:
        if mark is None or mark != self._mark:
            self._kept.clear()
            self._mark = mark
            return None
        kept = self._kept.get(key)
        return kept if kept is not None and now_us() < kept.good_until_us else None

    def keep(self, key: tuple, kept: _Kept, mark: Mark | None) -> None:
        """Keep an answer that was begun at a mark; it is worth nothing if something was written since."""
        if mark is None or mark != self._mark:
            return
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = kept


class _Doors:
    """Host names and keys that have been let in, so that the usual ones are looked up and not worked out."""

    def __init__(self) -> None:
        self._good: set[tuple[bytes, bytes]] = set()
        # Looking at the settings at each request would take as long as all the rest of it.
        setting_changed.connect(self.forget)

    def forget(self, **_: object) -> None:
        """Settings have changed, as they do in tests."""
        self._good.clear()

    def check(self, host: bytes, key: bytes) -> None:
        """
        Raises:
            BadRequest: the server does not go by that name.
            LoginNeeded: the key is wrong.
        """
        if (host, key) in self._good:
            return
        _check_host(host.decode("latin-1"))
        text = key.decode("latin-1")
        if not key_fits(text) and not is_admin_key(text):
            raise LoginNeeded("unauthorized")
        if len(self._good) < MAX_DOORS:
            self._good.add((host, key))


_answerer: Answerer | None = None
_memory = _Memory()
_doors = _Doors()


def answerer() -> Answerer:
    """The one of this process, made at its first request."""
    global _answerer
    if _answerer is None:
        _answerer = Answerer(WaitingList().add)
    return _answerer


def forget() -> None:
    """Start afresh, as after the databases were exchanged."""
    global _answerer
    if _answerer is not None:
        _answerer.rows.close()
    _answerer = None
    _memory.find((), None)


async def recommend(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI: one request below PREFIX, with its name and its line in the log, as observed() gives others."""
    began = time.perf_counter()
    name = name_of(scope)
    token = request_id.set(name)
    try:
        kept = await _answer(scope)
        status, headers, body = 200, kept.headers, kept.body
    except RecflowError as error:
        status, body = status_of(error), error.message.encode("utf-8", "replace")
        headers = _headers(b"text/plain; charset=utf-8", body)
    except Exception:
        logger.exception("GET %r failed", scope["path"])
        status, body = 500, b"The server failed on this request; its log says why"
        headers = _headers(b"text/plain; charset=utf-8", body)
    headers = [*headers, (b"x-request-id", name.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    note(scope, status, time.perf_counter() - began)
    request_id.reset(token)


async def _answer(scope: dict[str, Any]) -> _Kept:
    headers = dict(scope["headers"])
    key = headers.get(b"x-api-key", b"")
    _doors.check(headers.get(b"host", b""), key)
    if scope["method"] != "GET":
        raise WrongMethod("Method not allowed")
    with_scores = headers.get(b"x-api-version") == b"2"
    serving = _answerer or answerer()
    mark = serving.rows.mark()
    place = (scope["path"], scope["query_string"], with_scores)
    kept = _memory.find(place, mark)
    if kept is not None:
        metrics.answers.add("memory")
        return kept
    asked = _read(scope, with_scores)
    if asked.explain and not is_admin_key(key.decode("latin-1")):
        raise LoginNeeded("explain asks for the key of the administrator")
    answer = await serving.answer(asked.question, mark)
    metrics.answers.add(answer.source)
    if asked.write_back:
        await sync_to_async(_write_back, thread_sensitive=False)(asked, answer)
    body = await _explained(serving, asked, answer) if asked.explain else _body(answer, with_scores)
    fresh = _Kept(_headers(b"application/json", body, answer), body, answer.good_until_us)
    if asked.is_plain:
        _memory.keep(place, fresh, mark)
    return fresh


def _read(scope: dict[str, Any], with_scores: bool) -> _Request:
    user_id, *path_categories = scope["path"].removeprefix(PREFIX).rstrip("/").split("/")
    if not user_id or len(path_categories) > 1:
        raise NotFound("no such route")
    if len(user_id) > runs.MAX_USER_ID:
        raise BadRequest(f"A user ID has at most {runs.MAX_USER_ID} characters, got {len(user_id):,}")
    query = _parsed(scope["query_string"], settings.CONFIGURATION.server.default_n)
    question = Question(user_id, tuple(path_categories) or query.categories, query.n, query.offset)
    return _Request(question, with_scores, query.explain, query.write_back, query.delay_us)


@dataclass(frozen=True)
class _Query:
    """The part of a request that is the same for many users."""

    n: int
    offset: int
    categories: tuple[str, ...]
    explain: bool
    write_back: str
    delay_us: int


@functools.lru_cache(maxsize=1024)
def _parsed(query_string: bytes, default_n: int) -> _Query:
    query = parse_qs(query_string.decode("latin-1"))
    return _Query(
        _number(query, "n", default_n),
        _number(query, "offset", 0),
        tuple(query.get("category", ())),
        query.get("explain", [""])[0].lower() in {"true", "1"},
        _feedback_type(query.get("write-back-type", [""])[0]),
        _delay(query.get("write-back-delay", [""])[0]),
    )


def _body(answer: Answer, with_scores: bool) -> bytes:
    if with_scores:
        return orjson.dumps([{"Id": item, "Score": _finite(score)} for item, score in answer.items])
    return orjson.dumps([item for item, _ in answer.items])


async def _explained(serving: Answerer, asked: _Request, answer: Answer) -> bytes:
    """The same items, each with what happened to it in a run of the active flow as of now."""
    run, snapshot = await serving.explain(asked.question)
    plan = await serving.plan()
    names = {node.id: node.name or node.id for node in plan.flow.nodes}
    trail = whole_trail(run)
    rows = []
    for item_id, score in answer.items:
        index = snapshot.items.ids.find(item_id)
        steps = [] if index is None else steps_of(run, trail, index)
        for step in steps:
            step["nodes"] = [names[node_id] for node_id in step["node_ids"]]
        rows.append({"Id": item_id, "Score": _finite(score), "Steps": steps})
    return orjson.dumps(
        {
            "Source": answer.source,
            "FlowVersion": answer.version,
            "Degraded": run.degraded,
            "Note": run.note,
            "Items": rows,
        }
    )


def _write_back(asked: _Request, answer: Answer) -> None:
    """Store that the items were shown; where user or item is unknown nothing is stored."""
    time_us = now_us() + asked.delay_us
    writing.put_feedback(
        [
            FeedbackRecord(asked.write_back, asked.question.user_id, item_id, time_us=time_us)
            for item_id, _ in answer.items
        ],
        overwrite=False,
        insert_users=False,
        insert_items=False,
    )


def _headers(kind: bytes, body: bytes, answer: Answer | None = None) -> Headers:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"access-control-allow-origin", b"*"),
    ]
    if answer is not None:
        headers += [
            (b"x-flow-version", answer.version.encode()),
            (b"last-modified", http_date(answer.made_at_us // 1_000_000).encode()),
        ]
    return headers


def _finite(score: float) -> float:
    return score if math.isfinite(score) else 0.0


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


def _feedback_type(text: str) -> str:
    if len(text) > MAX_ID or "\0" in text:
        raise BadRequest(f"write-back-type may have {MAX_ID} characters, got {len(text):,}")
    return text


def _delay(text: str) -> int:
    """Microseconds of a Go duration such as 10m or 1h30m; days are none."""
    if not text or text == "0":
        return 0
    negative, parts = text.startswith("-"), text.lstrip("+-")
    total, place = 0.0, 0
    while place < len(parts) and (match := _DELAY.match(parts, place)):
        number = match[0].rstrip("nuµμmsh")
        total += float(number) * _UNIT_US[match[0][len(number) :]]
        place = match.end()
    if place < len(parts) or place == 0 or len(text) - len(parts) > 1 or total > 1e17:
        raise BadRequest(f"write-back-delay must be a duration such as 10m or 1h30m, got {text[:40]!r}")
    return int(-total if negative else total)
