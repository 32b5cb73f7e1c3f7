"""From user, history and candidates to the messages a model gets, kept within its tokens.

The rules stand in front and stay the same, so a service that caches prompts reads them once; then history,
then candidates. Candidates go by short aliases, which cost less and cannot be misspelt. When the prompt is
too long, the tail of the history goes first, then the length of descriptions. A candidate is never left out:
what still does not fit is said, and the caller asks in windows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from recflow.errors import SandboxError
from recflow.llm.chat import estimate_tokens
from recflow.llm.records import Record, Shape, shown_feedback, shown_item, shown_user
from recflow.sandbox.templates import merged_uses, render_all

_FOLDER = Path(__file__).with_name("prompts")
#: Tokens an answer needs beside its ids: a fence, a word of politeness.
_ANSWER_MARGIN = 64
_SHORTEST_TEXT = 40
#: A template that failed after longer than this runs away, and would again.
_WORTH_ANOTHER_S = 0.5


@dataclass(frozen=True)
class PromptTemplate:
    """Two Jinja2 templates over ``user``, ``feedback``, ``items`` and ``answer_format``.

    Args:
        user: becomes the user message.
        system: becomes the system message; "" sends one user message only, as Gorse does.
        name: tells a person which one it is.
    """

    user: str
    system: str = ""
    name: str = ""


DEFAULT_TEMPLATE = PromptTemplate(
    user=(_FOLDER / "default.user.jinja").read_text("utf-8"),
    system=(_FOLDER / "default.system.jinja").read_text("utf-8"),
    name="default",
)


@dataclass(frozen=True)
class PromptOptions:
    """How much is told, and how.

    Args:
        use_aliases: candidates go by 1 ... n instead of their ids.
        history_limit: entries of feedback, the newest.
        shape: lengths and fields of texts.
        answer_format: csv or json, what the default template asks for.
        answer_headroom: tokens for a model that thinks before it answers.
        token_limit: most tokens of prompt and answer together; 0 is no limit.
    """

    use_aliases: bool = True
    history_limit: int = 20
    shape: Shape = field(default_factory=Shape)
    answer_format: str = "csv"
    answer_headroom: int = 0
    token_limit: int = 0


@dataclass(frozen=True)
class TokenEstimate:
    """Tokens of a prompt by part, estimated before anything is sent."""

    rules: int
    history: int
    candidates: int
    answer: int

    @property
    def prompt(self) -> int:
        return self.rules + self.history + self.candidates

    @property
    def total(self) -> int:
        return self.prompt + self.answer


@dataclass(frozen=True)
class Prompt:
    """Messages ready to be sent, and how to read their answer.

    Args:
        names: (n,) what each candidate goes by in the prompt.
        aliases: ``names`` when they are aliases, None when they are the ids.
        fits: whether it stays within the token limit.
        notes: what was shortened, in sentences.
    """

    messages: tuple[dict[str, str], ...]
    names: tuple[str, ...]
    aliases: tuple[str, ...] | None
    estimate: TokenEstimate
    fits: bool = True
    notes: tuple[str, ...] = ()


async def build_messages(
    template: PromptTemplate,
    user: Record,
    feedback: Sequence[Record],
    candidates: Sequence[Record],
    options: PromptOptions,
) -> Prompt:
    """The prompt for one ranking, shortened until it fits the token limit or nothing is left to shorten.

    Raises:
        SandboxError: the template is wrong (line and column), names something that is not there, or runs
            wild.
    """
    return await asyncio.to_thread(_fitting, template, user, feedback, candidates, options)


def _fitting(
    template: PromptTemplate,
    user: Record,
    feedback: Sequence[Record],
    candidates: Sequence[Record],
    options: PromptOptions,
) -> Prompt:
    """The prompt within its limit; blocks."""
    history = list(feedback[: options.history_limit])
    prompt = _build(template, user, history, candidates, options)
    n_told, text_limit = len(history), options.shape.text_limit
    while not prompt.fits and (n_told or text_limit > _SHORTEST_TEXT):
        if n_told:
            n_told = 0 if n_told == 1 else n_told // 2
        else:
            text_limit = max(_SHORTEST_TEXT, text_limit // 2)
        shorter = replace(options, shape=replace(options.shape, text_limit=text_limit))
        prompt = _build(template, user, history[:n_told], candidates, shorter)
    return replace(prompt, notes=tuple(_notes(prompt, len(history), n_told, options, text_limit)))


def _build(
    template: PromptTemplate,
    user: Record,
    history: Sequence[Record],
    candidates: Sequence[Record],
    options: PromptOptions,
) -> Prompt:
    shape = options.shape
    names = candidate_names(candidates, use_aliases=options.use_aliases)
    by_id = {str(item.get("ItemId")): name for item, name in zip(candidates, names, strict=True)}
    uses = merged_uses(filter(None, (template.user, template.system)))
    item_fields, entry_fields = (uses[name].fields if name in uses else () for name in ("items", "feedback"))
    variables = {
        "user": shown_user(user, shape),
        "answer_format": options.answer_format,
        "feedback": [
            shown_feedback(entry, shape, _history_name(entry, i, by_id, options), entry_fields)
            for i, entry in enumerate(history)
        ],
        "items": [
            shown_item(item, shape, name, i + 1, item_fields)
            for i, (item, name) in enumerate(zip(candidates, names, strict=True))
        ],
    }
    system, body, parts = _rendered(template, variables)
    answer = sum(estimate_tokens(name) + 1 for name in names) + _ANSWER_MARGIN + options.answer_headroom
    estimate = TokenEstimate(estimate_tokens(system) + parts[0], parts[1], parts[2], answer)
    messages = [{"role": "system", "content": system}] if system else []
    return Prompt(
        messages=(*messages, {"role": "user", "content": body}),
        names=names,
        aliases=names if options.use_aliases else None,
        estimate=estimate,
        fits=not options.token_limit or estimate.total <= options.token_limit,
    )


def candidate_names(candidates: Sequence[Record], *, use_aliases: bool) -> tuple[str, ...]:
    """What the candidates go by: 1 ... n, or their ids without what nobody can see."""
    if use_aliases:
        return tuple(str(number) for number in range(1, len(candidates) + 1))
    ids = (str(item.get("ItemId", "")) for item in candidates)
    return tuple("".join(sign for sign in name if sign.isprintable()) for name in ids)


def _history_name(entry: Record, place: int, by_id: Mapping[str, str], options: PromptOptions) -> str:
    """An item of the history keeps its id; under aliases it may not look like a candidate's number."""
    nested = entry.get("Item")
    item_id = str((nested if isinstance(nested, Mapping) else entry).get("ItemId", ""))
    if not options.use_aliases:
        return "".join(sign for sign in item_id if sign.isprintable())
    return by_id.get(item_id, f"h{place + 1}")


def _rendered(
    template: PromptTemplate, variables: Mapping[str, Any]
) -> tuple[str, str, tuple[int, int, int]]:
    """System and user text, and the tokens of the latter for rules, history and candidates: told apart by
    rendering it with less.

    A template that cannot do without items (``items[0]``) has all its tokens counted as candidates.
    """
    texts = [(template.system, {}), (template.user, {})]
    less = [(template.user, {"items": []}), (template.user, {"items": [], "feedback": []})]
    began = monotonic()
    try:
        system, body, *shorter = render_all([*texts, *less], shared=variables)
    except SandboxError:
        if monotonic() - began > _WORTH_ANOTHER_S:
            raise
        system, body = render_all(texts, shared=variables)
        return system, body, (0, 0, estimate_tokens(body))
    total, told, frame = map(estimate_tokens, (body, *shorter))
    told = min(total, told)
    frame = min(told, frame)
    return system, body, (frame, told - frame, total - told)


def _notes(prompt: Prompt, n_history: int, n_told: int, options: PromptOptions, text_limit: int) -> list[str]:
    notes = []
    if n_told < n_history:
        notes.append(
            f"The history was shortened from {n_history} to {n_told} entries to fit the token limit."
        )
    if text_limit < options.shape.text_limit:
        notes.append(f"Descriptions were cut to {text_limit} characters to fit the token limit.")
    if not prompt.fits:
        notes.append(
            f"The prompt needs about {prompt.estimate.total} tokens with its answer, "
            f"more than the limit of {options.token_limit}."
        )
    return notes
