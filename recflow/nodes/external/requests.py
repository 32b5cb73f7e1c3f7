"""Request mode: one HTTP request made of templates, and a path to the ids in its JSON answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from time import perf_counter
from typing import Literal

from pydantic import ConfigDict, Field

from recflow.engine.settings import Duration, NodeSettings, duration_seconds, ui
from recflow.errors import NoUsableAnswer, SandboxError
from recflow.nodes.external.id_path import PathError, compiled, ids_at
from recflow.nodes.external.question import (
    Exchange,
    InThread,
    KeepAnswers,
    Question,
    Secrets,
    Trace,
    guard_for,
)
from recflow.nodes.outside import Outside
from recflow.nodes.records import FEEDBACK_FIELDS, USER_FIELDS
from recflow.outbound.call import EndpointPolicy, call
from recflow.outbound.client import Guard
from recflow.outbound.messages import Answer, Request
from recflow.outbound.redact import hide
from recflow.sandbox import templates
from recflow.sandbox.workers import Limits

#: What a template may use: variable -> its fields, None for one of which any may come.
VARIABLES: dict[str, tuple[str, ...] | None] = {
    "user": USER_FIELDS,
    "feedback": FEEDBACK_FIELDS,
    "n": (),
    "secrets": None,
}
_TEMPLATE = ui("template", variables=VARIABLES)
#: One more try, as far as the time allows: a user is waiting.
_RETRIES = 1
_SHORTEST_S = 0.001  # an alarm of 0 never rings


class RequestSettings(NodeSettings):
    """One HTTP request whose JSON answer holds a list of item ids."""

    model_config = ConfigDict(json_schema_extra=ui(panel="request"))

    mode: Literal["request"] = Field("request", title="Request")
    url: str = Field(
        min_length=1,
        max_length=4_000,
        title="URL",
        description="Jinja2 template over user, feedback (newest first), n (items wanted) and secrets, such "
        "as https://example.org/for/{{ user.UserId | urlencode }}?n={{ n }}",
        json_schema_extra=_TEMPLATE,
    )
    method: Literal["GET", "POST", "PUT", "PATCH"] = Field(
        "GET", title="Method", description="GET sends no body."
    )
    headers: str = Field(
        "",
        max_length=10_000,
        title="Headers",
        description="One a line, such as Authorization: Bearer {{ secrets.NAME }}. Secrets are kept in "
        "Settings; they are put in last and never shown.",
        json_schema_extra=_TEMPLATE,
    )
    body: str = Field(
        "",
        max_length=50_000,
        title="Body",
        description="Template of the body; write values as {{ user.UserId | tojson }}. Sent as JSON unless "
        "a Content-Type header says otherwise.",
        json_schema_extra=ui(
            "template", variables=VARIABLES, visible_when={"method": ["POST", "PUT", "PATCH"]}
        ),
    )
    ids: str = Field(
        "@",
        min_length=1,
        max_length=500,
        title="Path to the ids",
        description="Where the ids are in the answer, in JMESPath: items[*].id, or @ for an answer that is "
        "the list itself.",
    )
    timeout: Duration = Field(
        "5s",
        title="Timeout",
        description="For everything together; then the list is empty and the run goes on.",
        json_schema_extra=ui("duration"),
    )
    keep: KeepAnswers = "10m"


def check(settings: RequestSettings) -> list[tuple[str, str]]:
    faults = []
    for field, text in (("url", settings.url), ("body", settings.body)):
        faults += _faults(field, text)
    for number, line in enumerate(settings.headers.splitlines(), start=1):
        name, colon, _ = line.partition(":")
        if line.strip() and (not colon or not name.strip()):
            faults.append(("headers", f"Line {number}: a header is written Name: value, got {line[:60]!r}"))
    for _, value in _headers(settings.headers):
        faults += _faults("headers", value)
    try:
        compiled(settings.ids)
    except PathError as error:
        faults.append(("ids", str(error)))
    return faults


def _faults(field: str, template: str) -> list[tuple[str, str]]:
    return [(field, problem.message) for problem in templates.check(template, known=VARIABLES)]


def _headers(text: str) -> list[tuple[str, str]]:
    """Names and the templates of their values, each set off by as much as stands before it in the field: so
    the places in messages are those of the field."""
    found = []
    for number, line in enumerate(text.splitlines()):
        name, colon, value = line.partition(":")
        if line.strip():
            found.append((name.strip(), "\n" * number + " " * len(name + colon) + value))
    return found


async def ids_of(
    question: Question,
    settings: RequestSettings,
    outside: Outside,
    trace: Trace,
    *,
    in_thread: InThread,
    exchange: Exchange | None = None,
) -> list[str]:
    """The ids another machine answers with.

    Args:
        exchange: sends the request; by default with the retries and the circuit that a run has.

    Raises:
        RecflowError: no list of ids came.
    """
    secrets = Secrets(outside.secrets)
    guard = guard_for(outside, duration_seconds(settings.timeout))
    began = perf_counter()
    try:
        request = await asyncio.wait_for(
            in_thread(_request, settings, question, secrets, guard.total_s), guard.total_s
        )
    except TimeoutError:
        raise _late(settings) from None
    left_s = guard.total_s - (perf_counter() - began)
    if left_s <= 0:
        raise _late(settings)
    answer = await trace.send(exchange or _called_as(settings), request, replace(guard, total_s=left_s))
    return await in_thread(_read, settings, answer, outside.hidden)


def _called_as(settings: RequestSettings) -> Exchange:
    # The circuit belongs to these very settings: whoever mends them is let through at once.
    name = f"external {settings.method} {hash((settings.url, settings.headers, settings.body)):x}"

    async def exchange(request: Request, guard: Guard) -> Answer:
        called = await call(EndpointPolicy(name, guard, max_retries=_RETRIES), request, expects="any")
        return called.answer

    return exchange


def _late(settings: RequestSettings) -> NoUsableAnswer:
    return NoUsableAnswer(
        f"The templates were not filled in within {settings.timeout}", field="timeout", attempts=0
    )


def _request(settings: RequestSettings, question: Question, secrets: Secrets, total_s: float) -> Request:
    """The request with everything filled in; blocks.

    Args:
        total_s: what all templates may take together; never longer than one may elsewhere.

    Raises:
        NoUsableAnswer: a template fails on this user.
    """
    variables = {
        "user": question.user,
        "feedback": question.feedback,
        "n": question.n,
        "secrets": dict(secrets.marks),
    }
    templates_of = [("url", settings.url), *(("headers", value) for _, value in _headers(settings.headers))]
    if has_body := settings.method != "GET" and bool(settings.body):
        templates_of.append(("body", settings.body))
    limits = Limits(seconds=max(_SHORTEST_S, min(Limits().seconds, total_s)))
    try:
        texts = templates.render_all(
            [(text, {}) for _, text in templates_of], shared=variables, limits=limits
        )
    except SandboxError as error:
        field = None if error.part is None else templates_of[error.part][0]
        told = f"{field}: {error.message}" if field else error.message
        raise NoUsableAnswer(told, field=field, attempts=0) from error
    url, *values = [secrets.put_into(text) for text in texts]
    body = values.pop().encode("utf-8", "replace") if has_body else b""
    names = [name for name, _ in _headers(settings.headers)]
    headers = [(name, value.strip()) for name, value in zip(names, values, strict=True)]
    if has_body and not any(name.lower() == "content-type" for name in names):
        headers.append(("Content-Type", "application/json"))
    return Request(url.strip(), settings.method, tuple(headers), body, secrets.values)


def _read(settings: RequestSettings, answer: Answer, hidden: tuple[str, ...]) -> list[str]:
    if not 200 <= answer.status <= 299:
        raise NoUsableAnswer(f"The answer has status {answer.status}", status=answer.status)
    try:
        document = json.loads(answer.body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        head = " ".join(hide(answer.text, hidden)[:80].split()) or "nothing"
        raise NoUsableAnswer(f"The answer is not JSON but begins with {head!r}") from error
    try:
        return ids_at(settings.ids, document)
    except PathError as error:
        raise NoUsableAnswer(str(error), field="ids") from error
