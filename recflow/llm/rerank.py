"""Rerank services: a query and documents in, a score for each document out.

Every vendor speaks a dialect. ``PROFILES`` says how to ask each of them; the answer is recognised by its
shape, because a profile chosen by mistake is common and the shapes do not overlap. Scores are only ever
compared with each other: some vendors give logits, some give 0 to 1, so no threshold means anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import orjson

from recflow.errors import ReplyUnreadable, ServiceError
from recflow.llm.chat import estimate_tokens
from recflow.llm.endpoint import Endpoint, capabilities_of, remember_refusal
from recflow.llm.envelope import token_count
from recflow.outbound.call import Attempt, Timing, call
from recflow.outbound.messages import Answer, Request
from recflow.outbound.redact import hide, redact
from recflow.outbound.retry import Decision, Hint

#: Capability under which the largest accepted batch of an endpoint is remembered.
BATCH_CAPABILITY = "documents in one call"

_SCORE_DIGITS = 6
_SHOWN = 500


@dataclass(frozen=True)
class Profile:
    """How one vendor is asked.

    Args:
        path: of the service on a bare host.
        body: the request from model, query and documents.
        batch: documents it takes at once; 0 when it names no limit.
        token_product: limit on query tokens x documents + document tokens; 0 when there is none.
    """

    path: str
    body: Callable[[str, str, Sequence[str]], dict[str, Any]]
    batch: int = 0
    token_product: int = 0


def _plain(**extra: Any) -> Callable[[str, str, Sequence[str]], dict[str, Any]]:
    def body(model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
        return {"model": model, "query": query, "documents": list(documents)} | extra

    return body


def _all(**extra: Any) -> Callable[[str, str, Sequence[str]], dict[str, Any]]:
    """The plain body for services that answer with the best few unless all are asked for."""

    def body(model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
        return _plain(top_n=len(documents), **extra)(model, query, documents)

    return body


def _tei(_model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
    return {"query": query, "texts": list(documents), "truncate": True}


def _dashscope_native(model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
    return {
        "model": model,
        "input": {"query": query, "documents": list(documents)},
        "parameters": {"top_n": len(documents), "return_documents": False},
    }


def _nim(model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
    passages = [{"text": document} for document in documents]
    return {"model": model, "query": {"text": query}, "passages": passages, "truncate": "END"}


PROFILES = MappingProxyType(
    {
        "jina": Profile("/v1/rerank", _all(return_documents=False)),
        "cohere": Profile("/v2/rerank", _all(), batch=10_000),
        "vllm": Profile("/v1/rerank", _plain()),
        "tei": Profile("/rerank", _tei, batch=32),
        "dashscope": Profile("/compatible-api/v1/reranks", _all(), batch=500, token_product=120_000),
        "dashscope-native": Profile(
            "/api/v1/services/rerank/text-rerank/text-rerank",
            _dashscope_native,
            batch=500,
            token_product=120_000,
        ),
        "llama.cpp": Profile("/v1/rerank", _all()),
        "nim": Profile("/v1/ranking", _nim),
        "infinity": Profile("/rerank", _all(return_documents=False), batch=2048),
    }
)
_KNOWN_ENDINGS = tuple({profile.path.rpartition("/")[2] for profile in PROFILES.values()} | {"reranking"})


@dataclass(frozen=True)
class RerankAnswer:
    """Scores of one batch.

    Args:
        scores: (n,) None where the service gave none that can be used.
        tokens: as reported, None when it does not say.
        raw: the answer as text, cut to what can be shown.
    """

    scores: tuple[float | None, ...]
    tokens: int | None
    raw: str
    attempts: tuple[Attempt, ...]
    sent: dict[str, Any]


class BatchTooLarge(ServiceError):
    """The service takes fewer documents at once; ``limit`` when it says how many, else None."""

    def __init__(self, error: ServiceError, limit: int | None) -> None:
        super().__init__(str(error), kind=error.kind, status=error.status, attempts=error.attempts)
        self.history = error.history
        self.limit = limit


def rerank_url(endpoint: Endpoint, profile: Profile) -> str:
    """The address as given if it names the service, else the vendor's path under it."""
    base = endpoint.base_url.strip().rstrip("/")
    path = urlsplit(base).path
    if path.rpartition("/")[2] in _KNOWN_ENDINGS:
        return base
    if path and profile.path.startswith(path + "/"):
        return base + profile.path.removeprefix(path)
    last = path.rpartition("/")[2]
    if last[:1] == "v" and last[1:].isdigit():
        return f"{base}/{profile.path.rpartition('/')[2]}"
    return base + profile.path


async def rerank(
    endpoint: Endpoint,
    profile_name: str,
    query: str,
    documents: Sequence[str],
    *,
    timing: Timing | None = None,
) -> RerankAnswer:
    """Scores one batch of documents.

    Raises:
        BatchTooLarge: ask again with fewer.
        ServiceError: no usable answer came.
    """
    profile = PROFILES[profile_name]
    payload = rerank_payload(endpoint, profile, query, documents)
    attempts: list[Attempt] = []
    stated_limit: int | None = None

    def adapt(decision: Decision, _answer: Answer, request: Request) -> Request | None:
        nonlocal payload, stated_limit
        if decision.hint is Hint.SPLIT_BATCH:
            stated_limit = decision.batch_limit
        if decision.hint is not Hint.DROP_PARAMETER or decision.parameter not in payload:
            return None
        remember_refusal(endpoint, decision.parameter, None)
        payload = {name: value for name, value in payload.items() if name != decision.parameter}
        return replace(request, body=orjson.dumps(payload))

    secrets = endpoint.secrets
    request = Request.json(rerank_url(endpoint, profile), payload, endpoint.headers, secrets=secrets)
    estimate = sum(map(estimate_tokens, documents)) + estimate_tokens(query) * len(documents)
    try:
        called = await call(
            endpoint.call_policy,
            request,
            tokens=estimate,
            tokens_used=_tokens_used,
            adapt=adapt,
            on_attempt=attempts.append,
            timing=timing,
        )
    except ServiceError as error:
        if error.kind == "batch_too_large":
            raise BatchTooLarge(error, stated_limit) from error
        raise
    scores, tokens = read_scores(called.answer.body, len(documents), secrets)
    sent = {
        name: value for name, value in payload.items() if name in ("model", "top_n", "truncate", "parameters")
    }
    return RerankAnswer(scores, tokens, hide(called.answer.text, secrets)[:4000], tuple(attempts), sent)


def rerank_payload(
    endpoint: Endpoint, profile: Profile, query: str, documents: Sequence[str]
) -> dict[str, Any]:
    """The body of the request, without what this endpoint is known to refuse."""
    # several vendors answer 400 to an empty text
    payload = profile.body(endpoint.model, query, [document.strip() or "-" for document in documents])
    for parameter in capabilities_of(endpoint):
        payload.pop(parameter, None)
    return payload


def read_scores(
    body: bytes, n_documents: int, secrets: tuple[str, ...] = ()
) -> tuple[tuple[float | None, ...], int | None]:
    """(n,) scores and the tokens used, out of an answer of any known shape.

    Args:
        secrets: texts that no error may show.

    Raises:
        ReplyUnreadable: there is no list of results in it.
    """
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        document = None
    entries = _entries(document)
    if entries is None:
        raise ReplyUnreadable(
            "The answer holds no list of scores.",
            kind="no_scores",
            status=200,
            raw=redact(body.decode("utf-8", "replace"), secrets)[:_SHOWN],
        )
    scores: list[float | None] = [None] * n_documents
    seen: set[int] = set()
    for entry in entries:
        index = entry.get("index") if isinstance(entry, dict) else None
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < n_documents:
            continue
        if index not in seen:
            seen.add(index)
            scores[index] = _score(entry)
    return tuple(scores), _tokens(document)


def order_by_score(scores: Sequence[float | None]) -> list[int]:
    """Positions by score, best first; scores within 1e-6 and missing ones keep the incoming order."""
    scored = [place for place, score in enumerate(scores) if score is not None]
    unscored = [place for place, score in enumerate(scores) if score is None]
    return sorted(scored, key=lambda place: -round(scores[place], _SCORE_DIGITS)) + unscored


def _entries(document: object) -> list | None:
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    for name in ("results", "data", "rankings"):
        if isinstance(document.get(name), list):
            return document[name]
    return _entries(document["output"]) if isinstance(document.get("output"), dict) else None


def _score(entry: dict) -> float | None:
    value = next((entry[name] for name in ("relevance_score", "score", "logit") if name in entry), None)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        score = float(value)
    except (ValueError, OverflowError):
        return None
    return score if math.isfinite(score) else None


def _tokens(document: object) -> int | None:
    usage = document.get("usage") if isinstance(document, dict) else None
    if not isinstance(usage, dict):
        return None
    for name in ("total_tokens", "prompt_tokens"):
        if (tokens := token_count(usage.get(name))) is not None:
            return tokens
    return None


def _tokens_used(answer: Answer) -> float | None:
    try:
        return _tokens(json.loads(answer.body))
    except (ValueError, RecursionError):
        return None
