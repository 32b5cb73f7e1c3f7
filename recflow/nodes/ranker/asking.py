"""What the rankers that ask a model share: the form of their settings, what they send, what becomes of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from recflow.engine.context import RunContext
from recflow.engine.settings import Duration, duration_seconds, ui
from recflow.engine.values import Candidates, Step, drop_step, places
from recflow.errors import NoUsableAnswer, RunCancelled, SandboxError, ServiceError
from recflow.llm.endpoint import Endpoint
from recflow.llm.outcome import LlmRanking, failed_ranking
from recflow.llm.records import Shape, shown_feedback, shown_item, shown_user
from recflow.nodes.outside import DEFAULT_ENDPOINT, NamedEndpoint, Outside, outside_of
from recflow.nodes.ranker.ordering import kept_order
from recflow.nodes.ranker.telling import told
from recflow.nodes.records import Record, candidate_records, history_records, user_record
from recflow.outbound.retry import RULES
from recflow.sandbox import templates

logger = logging.getLogger(__name__)

#: Made-up ids that are told one by one.
MAX_INVENTED = 50

#: Seconds a ranking is used before the question is asked anew, as the endpoint may have changed meanwhile; an
#: answer that was kept costs no call.
LOOK_AGAIN_S = 60.0

USER_FIELDS = tuple(shown_user({}, Shape()))
ITEM_FIELDS = tuple(shown_item({}, Shape(), ""))
FEEDBACK_FIELDS = tuple(shown_feedback({}, Shape(), ""))

OnFailure = Annotated[
    Literal["fallback", "keep"],
    Field(
        title="On failure",
        description="What the user gets when no ranking comes back. Fallback: this node gives nothing and is "
        "shown as failed, so the Fallback node answers; in a flow without one the order that came in is "
        "kept. Keep: that order is kept in any case. The run says which it was.",
    ),
]
KeepAnswers = Annotated[
    Duration,
    Field(
        title="Keep answers for",
        description="How long an answer to the very same question is used again instead of being paid for "
        "again. Failures are never kept, nor what a preview was told. 0s asks every time.",
        json_schema_extra=ui("duration"),
    ),
]


def endpoint_field(what: str) -> Any:
    """The setting that says which model or service is asked."""
    return Field(
        DEFAULT_ENDPOINT,
        min_length=1,
        max_length=64,
        title="Endpoint",
        description=f"Which {what} is asked. Endpoints and their keys are kept in Settings.",
        json_schema_extra=ui("endpoint"),
    )


@dataclass(frozen=True)
class Material:
    """What a model is told about."""

    user: Record
    feedback: list[Record]
    items: list[Record]


def material_of(ctx: RunContext, candidates: Candidates, history_limit: int) -> Material:
    """User, history and candidates of a run as records."""
    assert ctx.user is not None
    n_told = min(history_limit, ctx.options.context_size)
    return Material(
        user_record(ctx.user), history_records(ctx.user, n_told), candidate_records(ctx, candidates)
    )


def formed(form: Mapping[str, Mapping[str, Any]], **hints: Any) -> Callable[[dict[str, Any]], None]:
    """A hook for pydantic that puts the fields of a schema into the order of ``form``, with its additions.

    The fields are inherited from the llm room, which knows no forms; here they get their titles, groups and
    widgets. ``hints`` are those of the form as a whole.
    """

    def arrange(schema: dict[str, Any]) -> None:
        schema["ui"] = hints
        fields = schema["properties"]
        added = json.loads(json.dumps(form))  # tuples are lists in JSON, and nobody may change the form
        schema["properties"] = {name: fields[name] | added.get(name, {}) for name in [*form, *fields]}

    return arrange


@lru_cache(maxsize=256)
def template_problems(
    template: str, variables: tuple[tuple[str, tuple[str, ...] | None], ...]
) -> tuple[templates.TemplateProblem, ...]:
    """What is wrong with a template over these variables; remembered, as every check of a flow asks it."""
    return tuple(templates.check(template, known=dict(variables)))


def template_faults(
    field: str, template: str, variables: Mapping[str, tuple[str, ...] | None]
) -> list[tuple[str, str]]:
    """The problems of a template as those of a node's field."""
    found = template_problems(template, tuple(variables.items()))
    return [(field, problem.message) for problem in found]


async def ranked_by(
    ask: Callable[..., Awaitable[LlmRanking]],
    ctx: RunContext,
    candidates: Candidates,
    settings: Any,
    *,
    template_field: str,
) -> Candidates:
    """The candidates in the order of a ranking, logged and told in full; or what a failure calls for.

    Args:
        ask: ``ask(named, material, budget=, cache=)`` gives the ranking.
        settings: of the node, with endpoint, history_limit, on_failure and keep.
        template_field: the setting whose template may be at fault.

    Raises:
        NoUsableAnswer: there is no ranking, and somebody else will answer.
    """
    outside = await outside_of(ctx)
    named, ranking = await _asked(ask, ctx, candidates, settings, outside)
    details = told(ctx, candidates, ranking, kind=settings.kind, named=named, outside=outside)
    if ranking.status == "failed" and len(candidates) > 1:
        reason = details["message"].rstrip(".")
        if settings.on_failure == "fallback" and ctx.has_fallback:
            raise NoUsableAnswer(
                f"{reason}; fallback taken",
                details=details,
                field=_field_at_fault(ranking, template_field),
                kind=ranking.reason,
            )
        why = "" if settings.on_failure == "keep" else "there is no fallback in this flow, so "
        warning = f"{reason}; {why}the order that came in was kept"
        kept = kept_order(ctx, candidates, warning)
        return replace(kept, warnings=(*kept.warnings, warning), details=details)
    return _in_ranked_order(ctx, candidates, ranking, details)


async def _asked(
    ask: Callable[..., Awaitable[LlmRanking]],
    ctx: RunContext,
    candidates: Candidates,
    settings: Any,
    outside: Outside,
) -> tuple[NamedEndpoint, LlmRanking]:
    """Whom was asked, and the ranking; a failed one whatever went wrong, so that ``on_failure`` decides."""
    named = NamedEndpoint(settings.endpoint, Endpoint("", ""))
    try:
        named = outside.endpoint(settings.endpoint)
        material = await ctx.in_thread(material_of, ctx, candidates, settings.history_limit)
        ctx.progress(0.0, f"asking {named.endpoint.model}")
        cache = outside.kept_for(duration_seconds(settings.keep))
        return named, await ask(named, material, budget=outside.budget, cache=cache)
    except RunCancelled:
        raise
    except ServiceError as error:
        return named, failed_ranking(len(candidates), error.kind, error.message, error)
    except Exception as error:
        logger.exception("Asking %s for a ranking failed", settings.endpoint)
        said = f"The ranking met a fault inside RecFlow ({type(error).__name__}), which is in its log."
        return named, failed_ranking(len(candidates), "internal", said)


def _in_ranked_order(
    ctx: RunContext, candidates: Candidates, ranking: LlmRanking, details: dict[str, Any]
) -> Candidates:
    order = np.array(ranking.order, dtype=np.intp)
    items, n = candidates.items[order], len(order)
    # As Gorse scores a ranked list: 1 for the first, evenly down to 1/n for the last.
    scores = 1.0 - np.arange(n) / n
    notes = np.array([_note(ranking.origins[place]) for place in ranking.order], dtype=object)
    before = candidates.rank_of(items)
    steps = [
        Step(
            ctx.source,
            "ranked",
            items[mask],
            places(n)[mask],
            scores[mask],
            ranks_before=before[mask],
            note=note,
        )
        for note in ("ranked", "appended")
        if (mask := notes == note).any()
    ]
    invented = [token["text"] for token in _dropped(details) if token["reason"] == "unknown"]
    if invented:
        unknown = tuple(dict.fromkeys(invented))[:MAX_INVENTED]
        steps.insert(0, drop_step(ctx.source, [], "invented", unknown_ids=unknown))
    return Candidates(
        items,
        scores,
        (*candidates.trail, *steps),
        (*candidates.warnings, *_warnings(ranking, details)),
        details,
    )


def _note(origin: str) -> str:
    return "ranked" if origin == "ranked" else "appended"


def _dropped(details: Mapping[str, Any]) -> list[dict[str, str]]:
    return [token for call in details["calls"] for token in call["dropped"]]


def _warnings(ranking: LlmRanking, details: Mapping[str, Any]) -> list[str]:
    """What the person at the editor has to know; as the details say it, where no key can be read."""
    warnings = [text for call in details["calls"] for text in call["warnings"]]
    if ranking.status == "partial":
        left = ranking.origins.count("appended")
        warnings.append(f"{left} of {len(ranking.order)} candidates were not ranked: {details['message']}")
    return list(dict.fromkeys(warnings))


def _field_at_fault(ranking: LlmRanking, template_field: str) -> str | None:
    """The setting somebody has to look at; None when nobody can do anything about it here."""
    if isinstance(ranking.error, SandboxError):
        return template_field
    if isinstance(ranking.error, ServiceError):
        if isinstance(ranking.error, NoUsableAnswer):
            return ranking.error.field
        rule = RULES.get(ranking.error.kind)
        return "endpoint" if rule is not None and rule.is_config_error else None
    return None
