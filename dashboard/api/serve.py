"""GET /api/recommend: what a shop asks a thousand times a second, without passing through Django.

An answer is kept until something is written that it depends on, by whichever process
(dashboard/serving/memory.py): the same question then costs a look at how far the writes are.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson
from django.conf import settings
from django.utils.http import http_date

from dashboard import metrics, runs
from dashboard.access import is_admin_key
from dashboard.api.front_door import Doors, WrongMethod, answer, headers_of
from dashboard.catalogue.writing import FeedbackWrite
from dashboard.errors import BadRequest, LoginNeeded, NotFound
from dashboard.serving.answers import Answer, Answerer, Question
from dashboard.serving.incoming import Incoming
from dashboard.serving.memory import Headers, Kept, Memory
from dashboard.serving.plan import Plan
from dashboard.serving.rows import Position
from dashboard.serving.waiting import WaitingList
from dashboard.store import now_us
from recflow.data.records import MAX_ID, FeedbackRecord
from recflow.engine.outcome import steps_of, whole_trail

PREFIX = "/api/recommend/"
#: Characters of an address whose answer is kept, and of a query that is not taken apart anew: memory is
#: counted by answers, not by what was asked.
LONGEST_KEPT = 1_024

_DELAY = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)")
_UNIT_US = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}


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


_answerer: Answerer | None = None
_memory: Memory | None = None
_incoming: Incoming | None = None
_doors = Doors(for_admins=True)


def answerer() -> Answerer:
    """The one of this process, made at its first request."""
    global _answerer
    if _answerer is None:
        _answerer = Answerer(WaitingList().add)
    return _answerer


def memory() -> Memory:
    """The answers kept in this process."""
    global _memory
    if _memory is None:
        _memory = Memory(answerer().rows)
    return _memory


def incoming() -> Incoming:
    """Where feedback goes that comes into this process."""
    global _incoming
    if _incoming is None:
        _incoming = Incoming()
    return _incoming


def forget() -> None:
    """Start afresh, as after the databases were exchanged."""
    global _answerer, _memory, _incoming
    if _answerer is not None:
        _answerer.rows.close()
    if _incoming is not None:
        _incoming.close()
    _answerer = _memory = _incoming = None


async def recommend(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI: one request below PREFIX."""
    await answer(scope, send, functools.partial(_recommend, scope))


async def _recommend(scope: dict[str, Any]) -> tuple[Headers, bytes]:
    headers = dict(scope["headers"])
    _doors.check(headers)
    if scope["method"] != "GET":
        raise WrongMethod("Method not allowed")
    with_scores = headers.get(b"x-api-version") == b"2"
    kept_here = _memory or memory()
    place = (scope["path"], scope["query_string"], with_scores)
    position = await kept_here.catch_up()
    kept = kept_here.find(place)
    if kept is None:
        asked = _read(scope, with_scores)
        if asked.explain and not is_admin_key(headers.get(b"x-api-key", b"").decode("latin-1")):
            raise LoginNeeded("explain asks for the key of the administrator")
        with kept_here.asking(asked.question.user_id) as asking:
            kept, source = await _made(asked, position)
            metrics.answers.add(source)
            if asked.is_plain and len(scope["path"]) + len(scope["query_string"]) <= LONGEST_KEPT:
                kept_here.keep(asking, place, kept)
    else:
        metrics.answers.add("memory")
    return kept.headers, kept.body


async def _made(asked: _Request, position: Position) -> tuple[Kept, str]:
    """The answer, and where it comes from."""
    serving = answerer()
    made = await serving.answer(asked.question, position)
    if asked.write_back:
        await incoming().put(_write_back(asked, made))
    body = _body(made, asked.with_scores)
    if asked.explain:
        body = await _explained(serving, asked, made, await serving.plan(position))
    headers = [
        *headers_of(b"application/json", body),
        (b"x-flow-version", made.version.encode()),
        (b"last-modified", http_date(made.made_at_us // 1_000_000).encode()),
    ]
    return Kept(headers, body, made.good_until_us), made.source


def _read(scope: dict[str, Any], with_scores: bool) -> _Request:
    user_id, *path_categories = scope["path"].removeprefix(PREFIX).rstrip("/").split("/")
    if not user_id or len(path_categories) > 1:
        raise NotFound("no such route")
    if len(user_id) > runs.MAX_USER_ID:
        raise BadRequest(f"A user ID has at most {runs.MAX_USER_ID} characters, got {len(user_id):,}")
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        raise BadRequest("An address may not hold a null character (%00)")
    text = scope["query_string"]
    parse = _parsed if len(text) <= LONGEST_KEPT else _parsed.__wrapped__  # long ones are kept nowhere
    query = parse(text, settings.CONFIGURATION.server.default_n)
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


def _body(made: Answer, with_scores: bool) -> bytes:
    if with_scores:
        return orjson.dumps([{"Id": item, "Score": _finite(score)} for item, score in made.items])
    return orjson.dumps([item for item, _ in made.items])


async def _explained(serving: Answerer, asked: _Request, made: Answer, plan: Plan) -> bytes:
    """The same items, each with what happens to it in a run made now; no other machine is asked."""
    run, snapshot = await serving.explain(asked.question, plan, made.source)
    asked_nobody = f", without {', '.join(plan.waiting)}, which asks other machines" if plan.waiting else ""
    names = {node.id: node.name or node.id for node in plan.flow.nodes}
    trail = whole_trail(run)
    rows = []
    for item_id, score in made.items:
        index = snapshot.items.ids.find(item_id)
        steps = [] if index is None else steps_of(run, trail, index)
        for step in steps:
            step["nodes"] = [names[node_id] for node_id in step["node_ids"]]
        rows.append({"Id": item_id, "Score": _finite(score), "Steps": steps})
    return orjson.dumps(
        {
            "Source": made.source,
            "FlowVersion": made.version,
            "Degraded": run.degraded,
            "Note": run.note,
            "StepsOf": f"a run made now{asked_nobody}",
            "Items": rows,
        }
    )


def _write_back(asked: _Request, made: Answer) -> FeedbackWrite:
    """That the items were shown; where user or item is unknown nothing is stored."""
    time_us = now_us() + asked.delay_us
    user_id = asked.question.user_id
    shown = [FeedbackRecord(asked.write_back, user_id, item, time_us=time_us) for item, _ in made.items]
    return FeedbackWrite(shown, overwrite=False, insert_users=False, insert_items=False)


def _finite(score: float) -> float:
    return score if math.isfinite(score) else 0.0


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
