"""What a node would send, or gets when it does, for one user: the editor's panel, without running a flow.

Nothing here is kept: no answer is used again, and none is stored for later. What is sent is paid for, so it
is booked and logged like any other call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from pydantic import ValidationError

from dashboard import runs
from dashboard.outside.directory import current_soon, outside_for
from dashboard.store import now_us
from dashboard.what_if import WhatIf
from recflow.engine.check import check
from recflow.engine.context import RunContext, RunRequest
from recflow.engine.flow import load_flow
from recflow.engine.registry import NODE_TYPES
from recflow.engine.values import Candidates, RunOptions, Step, places
from recflow.errors import FlowError, RecflowError, SandboxError, UnknownItem
from recflow.llm.aggregation import window_starts
from recflow.llm.chat import estimate_tokens
from recflow.llm.endpoint import Endpoint
from recflow.llm.prompts import PromptTemplate, build_messages, candidate_names
from recflow.llm.ranking import rank_with_llm
from recflow.llm.replies import read_reply
from recflow.llm.reranking import batch_size, rank_with_reranker, render_texts
from recflow.llm.settings import LlmSettings, RerankSettings
from recflow.nodes import data_source, external
from recflow.nodes.external.question import Trace
from recflow.nodes.outside import NamedEndpoint, Outside, masked
from recflow.nodes.proposing import known_items
from recflow.nodes.ranker.asking import Material, material_of, template_problems
from recflow.nodes.ranker.llm import VARIABLES, LlmRankerSettings
from recflow.nodes.ranker.rerank import DOCUMENT_VARIABLES, QUERY_VARIABLES, RerankRankerSettings
from recflow.nodes.ranker.telling import told
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import send

#: Candidates when the editor names none.
N_CANDIDATES = 20
MAX_CANDIDATES = 500
#: Seconds a person waits for an answer at most.
PATIENCE_S = 30.0

RankerSettings = LlmRankerSettings | RerankRankerSettings

_TEMPLATES = {
    "llm": {"prompt": VARIABLES, "system": VARIABLES},
    "rerank": {"query_template": QUERY_VARIABLES, "document_template": DOCUMENT_VARIABLES},
}


@dataclass(frozen=True, eq=False)
class Scene:
    """One user and some candidates, as a node in a flow would meet them."""

    ctx: RunContext
    candidates: Candidates


def scene(
    user_id: str,
    items: Sequence[str] | None,
    sources: Mapping[str, Sequence[str]],
    source: Mapping[str, Any],
    what_if: WhatIf | None = None,
) -> Scene:
    """Blocks; call it in a thread.

    Args:
        items: candidates by id, best first; None takes the newest that the user has not seen.
        sources: item id -> names of the nodes that proposed it.
        source: settings of the Data Source.
        what_if: what the user did beside, or did not do, in this preview.

    Raises:
        FlowError: those settings are wrong, there are too many candidates, or ``what_if`` names what is not
            there.
        UnknownItem: not one candidate is known.
    """
    runs.check_user_id(user_id)
    if items is not None and len(items) > MAX_CANDIDATES:
        raise FlowError(f"A preview has at most {MAX_CANDIDATES} candidates, got {len(items):,}")
    try:
        rules = data_source.Settings.model_validate(source)
    except ValidationError as error:
        raise FlowError(f"The settings of the Data Source are wrong: {error.errors()[0]['msg']}") from error
    snapshot, history = runs.load_user(user_id)
    now = now_us()
    if what_if is not None:
        drawn = load_flow({"nodes": [{"id": "s", "type": "data-source", "settings": dict(source)}]})
        history = what_if.applied(history, drawn, snapshot, now)
    ctx = RunContext(
        source="preview",
        node_id="preview",
        node_name="Preview",
        request=RunRequest(history, now=now),
        snapshot=snapshot,
        options=RunOptions(),
        user=None,
        models=runs.models,
        resources=runs.services.resources,
        memo=runs.services.memo,
        pool=runs.pool,
        cancelled=threading.Event(),
        flow_name="Preview",
        name_of=lambda signature: signature,
        clock_error_us=runs.services.clock_error_us,
    )
    ctx.user = data_source.run(ctx, rules)
    if items is None:
        fitting = ctx.user.view.alive & ~ctx.user.excluded
        chosen = snapshot.latest_order[fitting[snapshot.latest_order]][:N_CANDIDATES]
    else:
        chosen, _ = known_items(items, ctx)
    return Scene(ctx, Candidates(chosen, 1.0 / places(len(chosen)), _trail(ctx, sources)))


def _trail(ctx: RunContext, sources: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
    """Who proposed what, as the steps of a run would tell; here a step is signed with the node's name."""
    by_name: dict[str, list[str]] = {}
    for item_id, names in sources.items():
        for name in names:
            by_name.setdefault(name, []).append(item_id)
    steps = []
    for name, ids in by_name.items():
        try:
            items, _ = known_items(ids, ctx)
        except UnknownItem:
            continue
        steps.append(Step(name, "proposed", items, places(len(items)), np.full(len(items), np.nan)))
    return tuple(steps)


def read_settings(node_type: str, raw: Mapping[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """The settings of a node and what is wrong with them: ``{field, message, line, column}`` each.

    The settings are None when they cannot be read at all.
    """
    entry = NODE_TYPES[node_type]
    drawn = load_flow({"nodes": [{"id": "preview", "type": node_type, "settings": dict(raw)}]})
    try:
        settings = entry.read_settings(dict(raw))
    except ValidationError:
        settings = None
    problems = [
        {"field": found.field, "message": found.message, "line": None, "column": None}
        for found in check(drawn)
        if found.code == "bad_setting"
    ]
    by_template = _TEMPLATES.get(getattr(settings, "kind", ""), {})
    for field_name, variables in by_template.items():
        found = template_problems(getattr(settings, field_name), tuple(variables.items()))
        if found:
            problems = [problem for problem in problems if problem["field"] != field_name]
            problems += [{"field": field_name, **asdict(problem)} for problem in found]
    return settings, problems


def patient(named: NamedEndpoint) -> NamedEndpoint:
    """The endpoint for a person who waits: with its own deadline, or theirs if that is shorter."""
    policy: EndpointPolicy = named.endpoint.call_policy
    guard = replace(policy.guard, total_s=min(PATIENCE_S, policy.guard.total_s))
    return replace(named, endpoint=replace(named.endpoint, policy=replace(policy, guard=guard)))


class PromptPreview:
    """The panel of a ranker that asks a model.

    Args:
        settings: the node's.
        shown: user and candidates.
        outside: what may be called.
        material: the same as records.
    """

    def __init__(self, settings: RankerSettings, shown: Scene, outside: Outside, material: Material) -> None:
        self.settings = settings
        self.scene = shown
        self.outside = outside
        self.material = material

    @classmethod
    async def of(cls, settings: RankerSettings, shown: Scene) -> PromptPreview:
        outside = await outside_for(shown.ctx.request)
        limit = settings.history_limit
        material = await asyncio.to_thread(material_of, shown.ctx, shown.candidates, limit)
        return cls(settings, shown, outside, material)

    def named(self) -> NamedEndpoint:
        """The endpoint, with a person's patience.

        Raises:
            NoUsableAnswer: it is not set up.
        """
        return patient(self.outside.endpoint(self.settings.endpoint))

    async def rendered(self) -> dict[str, Any]:
        """What would be sent, what it would cost, and what is in the way; asks nobody."""
        problems: list[dict[str, Any]] = []
        try:
            named = self.named()
        except RecflowError as error:
            named = NamedEndpoint(self.settings.endpoint, Endpoint("", ""))
            problems.append(_problem("endpoint", error))
        try:
            told = await self._would_send(named.endpoint)
        except SandboxError as error:
            told = {"messages": [], "names": [], "estimate": None, "calls": 0, "notes": [], "cost": None}
            problems.append(_problem(self._template_field(error), error))
        return told | {
            "problems": problems,
            "endpoint": named.name,
            "model": named.endpoint.model,
            "notice": named.notice,
            "context_tokens": named.endpoint.context_tokens,
            "currency": (await current_soon()).limits.currency,
            "items": self._items(range(len(self.material.items))),
        }

    def _template_field(self, error: SandboxError) -> str:
        return "prompt" if self.settings.kind == "llm" else "query_template"

    async def _would_send(self, endpoint: Endpoint) -> dict[str, Any]:
        if self.settings.kind == "rerank":
            return await rerank_texts(self.settings, self.material, endpoint)
        return await llm_prompt(self.settings, self.settings.template(), self.material, endpoint)

    async def sent(self) -> dict[str, Any]:
        """The model's answer and what is made of it, as the details of a run tell it.

        Raises:
            NoUsableAnswer: the endpoint is not set up.
        """
        named, material = self.named(), self.material
        if self.settings.kind == "rerank":
            ranking = await rank_with_reranker(
                named.endpoint,
                material.user,
                material.feedback,
                material.items,
                self.settings,
                budget=self.outside.budget,
            )
        else:
            ranking = await rank_with_llm(
                named.endpoint,
                self.settings.template(),
                material.user,
                material.feedback,
                material.items,
                self.settings,
                budget=self.outside.budget,
            )
        return told(
            self.scene.ctx,
            self.scene.candidates,
            ranking,
            kind=self.settings.kind,
            named=named,
            outside=self.outside,
        )

    def read(self, answer: str, finish_reason: str | None) -> dict[str, Any]:
        """What would be made of an answer that somebody pasted."""
        names = candidate_names(self.material.items, use_aliases=self.settings.use_aliases)
        reading = read_reply(
            answer, names, aliases=names if self.settings.use_aliases else None, finish_reason=finish_reason
        )
        return {
            "status": reading.status,
            "reason": reading.reason,
            "message": reading.message,
            "items": self._items(reading.order, reading.n_ranked),
            "dropped": [asdict(token) for token in reading.dropped],
            "dropped_counts": dict(reading.dropped_counts),
        }

    def _items(self, order: Sequence[int], n_ranked: int | None = None) -> list[dict[str, Any]]:
        snapshot, items = self.scene.ctx.snapshot, self.scene.candidates.items
        ids, titles = snapshot.items.ids.texts(items), snapshot.titles(items)
        return [
            {
                "item_id": ids[place],
                "title": titles[place],
                "rank": rank,
                "rank_before": place + 1,
                "origin": "incoming" if not n_ranked else "ranked" if rank <= n_ranked else "appended",
            }
            for rank, place in enumerate(order, start=1)
        ]


def _problem(field_name: str | None, error: RecflowError) -> dict[str, Any]:
    line, column = getattr(error, "line", None), getattr(error, "column", None)
    return {"field": field_name, "message": error.message, "line": line, "column": column}


async def llm_prompt(
    settings: LlmSettings, template: PromptTemplate, material: Material, endpoint: Endpoint
) -> dict[str, Any]:
    """The first prompt to a chat model, how many calls the whole list takes, and what they cost together.

    Raises:
        SandboxError: the template is wrong.
    """
    n = len(material.items)
    calls, first = 1, material.items
    if settings.technique == "shuffle":
        calls = settings.shuffles
    elif settings.technique == "windows" or n > settings.most_in_one_call:
        starts = window_starts(n, min(settings.window_size, n), settings.window_step)
        calls, first = len(starts), first[starts[0] : starts[0] + settings.window_size]
    options = settings.prompt_options(endpoint.context_tokens)
    prompt = await build_messages(template, material.user, material.feedback, first, options)
    parts = asdict(prompt.estimate) | {"prompt": prompt.estimate.prompt, "total": prompt.estimate.total}
    price = endpoint.price
    return {
        "messages": list(prompt.messages),
        "names": list(prompt.names),
        "estimate": parts,
        "calls": calls,
        "notes": list(prompt.notes),
        "cost": calls * price.of(parts["prompt"], parts["answer"]) if price else None,
    }


async def rerank_texts(settings: RerankSettings, material: Material, endpoint: Endpoint) -> dict[str, Any]:
    """The same of a rerank service; the estimate is of all its calls.

    Raises:
        SandboxError: a template is wrong.
    """
    query, documents = await render_texts(material.user, material.feedback, material.items, settings)
    history = estimate_tokens(query) * len(documents)
    candidates = sum(map(estimate_tokens, documents))
    total = history + candidates
    size = batch_size(endpoint, settings, query, documents) if documents else 1
    messages = [{"role": "query", "content": query}]
    messages += [{"role": "document", "content": document} for document in documents]
    parts = {"rules": 0, "history": history, "candidates": candidates, "answer": 0}
    return {
        "messages": messages,
        "names": [],
        "estimate": parts | {"prompt": total, "total": total},
        "calls": ceil(len(documents) / size),
        "notes": [],
        "cost": endpoint.price.of(total, 0) if endpoint.price else None,
    }


async def external_answer(settings: Any, shown: Scene, n: int) -> dict[str, Any]:
    """What an External node sends for a user, and what comes back: tried once, whatever the answer."""
    outside = await outside_for(shown.ctx.request)
    trace = Trace(outside.hidden)
    ctx = shown.ctx
    assert ctx.user is not None
    question = replace(await asyncio.to_thread(external.question_of, ctx, ctx.user), n=n)
    mode = external.MODES[settings.mode]
    ids: list[str] = []
    problems: list[dict[str, Any]] = []
    try:
        ids = await mode.ids_of(
            question, settings, outside, trace, in_thread=asyncio.to_thread, exchange=send
        )
    except RecflowError as error:
        problems.append(masked(_problem(getattr(error, "field", None), error), outside.hidden))
    found = ctx.snapshot.items.ids.find_many(ids)
    titles = ctx.snapshot.titles(found[found >= 0])
    unknown = [item_id for item_id, index in zip(ids, found, strict=True) if index < 0]
    known = [item_id for item_id, index in zip(ids, found, strict=True) if index >= 0]
    return trace.shown() | {
        "ids": masked(ids, outside.hidden),
        "items": [{"item_id": i, "title": t} for i, t in zip(known, titles, strict=True)],
        "unknown_ids": masked(unknown, outside.hidden),
        "problems": problems,
    }
