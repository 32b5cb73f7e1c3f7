"""What both ways of asking another machine share: the question, the record of what was said, hidden keys."""

from __future__ import annotations

import secrets as random_text
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any, Protocol

from pydantic import Field

from recflow.engine.settings import Duration, ui
from recflow.errors import RecflowError
from recflow.nodes.outside import Outside, masked
from recflow.nodes.records import Record
from recflow.outbound.client import Guard
from recflow.outbound.messages import Answer, Request

#: Characters of a body that are shown.
BODY_HEAD = 4_000
MAX_HOPS = 3

Exchange = Callable[[Request, Guard], Awaitable[Answer]]
KeepAnswers = Annotated[
    Duration,
    Field(
        title="Keep answers for",
        description="How long an answer for the same user and history is used again. 0s asks every time.",
        json_schema_extra=ui("duration"),
    ),
]


def guard_for(outside: Outside, total_s: float) -> Guard:
    """Where a request may go, and how long it may take in all."""
    return Guard(
        addresses=outside.addresses,
        total_s=total_s,
        connect_s=min(5.0, total_s),
        idle_s=total_s,
        max_hops=MAX_HOPS,
    )


class InThread(Protocol):
    """Runs something that blocks, off the event loop."""

    def __call__(self, call: Callable[..., Any], *args: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True)
class Question:
    """For whom items are wanted, and how many.

    Args:
        user, feedback: records with Gorse's field names; feedback positive only, newest first.
        n: items the list may hold.
    """

    user: Record
    feedback: list[Record]
    n: int

    @property
    def user_id(self) -> str:
        return str(self.user["UserId"])


class Secrets:
    """Secrets on their way into a request: templates only ever see marks, and keys replace them at the end.

    Args:
        values: name -> secret.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        # Not to be guessed: a text from outside that looks like a mark must not turn into a key.
        self._marks = {name: f"secret-{random_text.token_hex(12)}" for name in values}

    @property
    def marks(self) -> Mapping[str, str]:
        """Name -> what stands for the secret while a template is rendered."""
        return self._marks

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self._values.values())

    def put_into(self, text: str) -> str:
        for name, mark in self._marks.items():
            text = text.replace(mark, self._values[name])
        return text


@dataclass
class Trace:
    """Everything that was said, in order, with secrets hidden.

    Args:
        secrets: texts that are masked.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    async def send(self, exchange: Exchange, request: Request, guard: Guard) -> Answer:
        """One request, noted whatever becomes of it."""
        noted: dict[str, Any] = {
            "method": request.method,
            "url": request.url,
            "headers": [list(pair) for pair in request.headers],
            "body": request.body.decode("utf-8", "replace"),
            "status": None,
            "response_headers": [],
            "response_body": "",
            "problem": "",
        }
        noted = masked(noted, self.secrets)
        noted["body"] = noted["body"][:BODY_HEAD]  # half a secret could not be found any more
        self.exchanges.append(noted)
        began = perf_counter()
        try:
            answer = await exchange(request, guard)
        except RecflowError as error:
            noted["status"] = getattr(error, "status", None)
            noted["problem"] = masked(error.message, self.secrets)
            raise
        finally:
            noted["ms"] = round((perf_counter() - began) * 1000, 2)
        noted["status"] = answer.status
        noted["response_headers"] = masked([list(pair) for pair in answer.headers], self.secrets)
        noted["response_body"] = masked(answer.text, self.secrets)[:BODY_HEAD]
        return answer

    def log(self, line: str) -> None:
        self.logs.append(masked(line, self.secrets))

    def shown(self) -> dict[str, Any]:
        return {"requests": self.exchanges, "logs": self.logs}
