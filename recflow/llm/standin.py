"""The stand-in: an OpenAI-compatible server of our own that is no language model.

It reads history and candidates out of the prompt and ranks by how alike their texts are, so the playground
works without a key and tests speak real HTTP. It says what it is in every answer (``model``,
``system_fingerprint``). Other model names make it a control for benchmarks or a failing service:

``echo`` the order given, ``reverse`` that order backwards, ``random-<seed>``, ``oracle-<p>`` the right item
first in all but p % of prompts, ``popularity`` (both need to be told, see ``StandIn``), ``prose``, ``empty``,
``cut``, ``slow-<ms>`` and ``fail-<status>``.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from recflow.llm.chat import estimate_tokens
from recflow.llm.regions import split_regions
from recflow.llm.similarity import similarities

MODEL = "recflow-stand-in"
FINGERPRINT = "recflow-stand-in: ranks by text similarity, not a language model"

_MAX_BODY = 8 * 1024 * 1024
_ROW = re.compile(
    r"\s*(?:[-*•]\s+|\d+[.)]\s+)?[\"']?([^\s,;|\t\"':]{1,200})[\"']?\s*(?:[,;|\t:]|\s-\s)\s*(.*)"
)
_HEADERS = frozenset({"id", "item_id", "itemid", "item"})
_HISTORY = re.compile(r"<history>(.*?)</history>", re.DOTALL)
_CANDIDATES = re.compile(r"<candidates>(.*?)</candidates>", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One candidate as the prompt shows it."""

    name: str
    text: str


@dataclass(frozen=True)
class StandIn:
    """What the controls know that a prompt does not say.

    Args:
        relevance: how right a candidate is, for ``oracle``; None answers such calls with 400.
        popularity: how popular a candidate is, for ``popularity``; None answers with 400.
    """

    relevance: Callable[[Row], float] | None = None
    popularity: Callable[[Row], float] | None = None

    async def answer(self, path: str, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON for a POST."""
        model = str(document.get("model") or MODEL)
        if model.startswith("slow-"):
            await asyncio.sleep(int(model.removeprefix("slow-")) / 1000)
        if model.startswith("fail-"):
            return int(model.removeprefix("fail-")), _error("This model fails on purpose.")
        try:
            if path.endswith("/chat/completions"):
                return 200, self._chat(model, document)
            if path.endswith("/rerank"):
                return 200, _rerank(document)
        except _Refused as refusal:
            return 400, _error(str(refusal))
        return 404, _error(f"There is nothing at {path}.")

    def _chat(self, model: str, document: dict[str, Any]) -> dict[str, Any]:
        messages = document.get("messages")
        if not isinstance(messages, list) or not messages:
            raise _Refused("messages must be a list that is not empty.")
        prompt = "\n\n".join(_content(message) for message in messages if _role(message) != "system")
        rows, history = read_prompt(prompt)
        names = [row.name for row in self._ranked(model, rows, history, prompt)]
        content = _content_of(model, names, document.get("response_format"))
        tokens_in = sum(estimate_tokens(_content(message)) for message in messages)
        tokens_out = estimate_tokens(content)
        return {
            "id": "stand-in",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL if model == MODEL else f"{MODEL}/{model}",
            "system_fingerprint": FINGERPRINT,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length" if model == "cut" else "stop",
                    "message": {"role": "assistant", "content": content},
                }
            ],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }

    def _ranked(self, model: str, rows: Sequence[Row], history: str, prompt: str) -> list[Row]:
        kind, _, argument = model.partition("-")
        if model == "echo":
            return list(rows)
        if model == "reverse":
            return list(reversed(rows))
        if kind == "random":
            return random.Random(f"{argument} {prompt}").sample(rows, len(rows))
        if kind == "oracle":
            return self._oracle(float(argument or 0), rows, prompt)
        if model == "popularity":
            return sorted(rows, key=lambda row: -_told(self.popularity, model)(row))
        scores = similarities(history, [row.text or row.name for row in rows])
        return [rows[place] for place in sorted(range(len(rows)), key=lambda place: -scores[place])]

    def _oracle(self, corrupted_percent: float, rows: Sequence[Row], prompt: str) -> list[Row]:
        relevance = _told(self.relevance, "oracle")
        chance = random.Random(f"oracle {prompt}")
        if chance.random() * 100 < corrupted_percent:
            return chance.sample(rows, len(rows))
        return sorted(rows, key=lambda row: -relevance(row))

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """The ASGI application."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/")
        if scope["method"] == "GET":
            listing = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "recflow"}]}
            is_known = path.endswith("/models")
            await _send(
                send,
                200 if is_known else 404,
                listing if is_known else _error(f"There is nothing at {path}."),
            )
            return
        body = await _body(receive)
        try:
            document = json.loads(body) if body is not None else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            await _send(send, 400, _error("The body must be a JSON object of at most 8 MiB."))
            return
        await _send(send, *await self.answer(path, document))


class _Refused(Exception):
    """The request cannot be answered; the message goes to the caller."""


def _told(knowledge: Callable[[Row], float] | None, model: str) -> Callable[[Row], float]:
    if knowledge is None:
        raise _Refused(f"The model {model} was not told what it needs to know.")
    return knowledge


def read_prompt(prompt: str) -> tuple[list[Row], str]:
    """Candidates and history of a prompt: ours, or one in the manner of Gorse's.

    The candidates are the rows between <candidates> tags, else of the fenced block with most rows, else of
    the last longest run of lines that look like "id, text". The history is the text that is left.
    """
    if found := _CANDIDATES.search(prompt):
        history = _HISTORY.search(prompt)
        return _rows(found[1]), history[1] if history else prompt[: found.start()]
    blocks = [region for region in split_regions(prompt) if region.is_fenced]
    if blocks:
        best = max(blocks, key=lambda block: len(_rows(block.text)))
        if len(_rows(best.text)) > 1:
            return _rows(best.text), prompt.replace(best.text, "\n")
    lines = prompt.split("\n")
    start, stop = _longest_run([bool(_ROW.match(line)) for line in lines])
    return _rows("\n".join(lines[start:stop])), "\n".join(lines[:start] + lines[stop:])


def _rows(text: str) -> list[Row]:
    rows: dict[str, Row] = {}
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith(("```", "~~~")):
            continue
        found = _ROW.match(line)
        name, described = (found[1], found[2]) if found else (line, "")
        if name.casefold() in _HEADERS and not rows:
            continue
        rows.setdefault(name, Row(name, described))
    return list(rows.values())


def _longest_run(flags: Sequence[bool]) -> tuple[int, int]:
    best, start = (0, 0), 0
    for place, flag in enumerate([*flags, False]):
        if flag:
            continue
        if place - start >= best[1] - best[0]:
            best = (start, place)
        start = place + 1
    return best


def _content_of(model: str, names: Sequence[str], response_format: object) -> str:
    if model == "prose":
        return "What a fine list. I would not dare to put one above another."
    if model == "empty":
        return ""
    if isinstance(response_format, dict) and response_format.get("type") in ("json_object", "json_schema"):
        content = json.dumps({"ranking": list(names)}, ensure_ascii=False)
    else:
        content = "\n".join(["```csv", *names, "```"])
    return content[: len(content) // 2] if model == "cut" else content


def _rerank(document: dict[str, Any]) -> dict[str, Any]:
    query, documents = document.get("query"), document.get("documents", document.get("texts"))
    if not isinstance(query, str) or not isinstance(documents, list) or not documents:
        raise _Refused("query must be a text and documents a list that is not empty.")
    texts = [entry.get("text", "") if isinstance(entry, dict) else str(entry) for entry in documents]
    scores = similarities(query, texts)
    order = sorted(range(len(texts)), key=lambda place: -scores[place])
    return {
        "model": MODEL,
        "usage": {"total_tokens": estimate_tokens(query) + sum(map(estimate_tokens, texts))},
        "results": [{"index": place, "relevance_score": scores[place]} for place in order],
    }


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _role(message: object) -> str:
    return str(message.get("role")) if isinstance(message, dict) else ""


def _error(sentence: str) -> dict[str, Any]:
    return {"error": {"message": sentence, "type": "stand_in"}}


async def _lifespan(receive: Callable, send: Callable) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


async def _body(receive: Callable[[], Awaitable[dict]]) -> bytes | None:
    """The request's body, None when it is too long."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if len(body) > _MAX_BODY:
            return None
        if not event.get("more_body"):
            return bytes(body)


async def _send(send: Callable, status: int, document: dict[str, Any]) -> None:
    body = orjson.dumps(document)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serve(stand_in: StandIn | None = None, host: str = "127.0.0.1", port: int = 0):
    """Runs the stand-in in a thread of its own; yields its base URL.

    A port of 0 takes a free one.
    """
    import uvicorn

    listener = socket.create_server((host, port))
    config = uvicorn.Config(
        stand_in or StandIn(),
        log_level="error",
        access_log=False,
        ws="none",
        timeout_keep_alive=60,  # longer than any client waits, so that none meets a connection just closed
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    server_startup = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await server_startup(sockets)
        started.set()

    server.startup = startup
    thread = threading.Thread(target=server.run, args=([listener],), name="stand-in", daemon=True)
    thread.start()
    started.wait(timeout=10)
    try:
        yield f"http://{host}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
