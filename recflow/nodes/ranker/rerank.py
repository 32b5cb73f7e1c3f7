"""Rerank service: scores each candidate against a description of the user, and sorts by the scores.

A reranker is a small model made for this one question: faster and cheaper than a chat model, and it cannot
make up items.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from recflow.engine.context import RunContext
from recflow.engine.settings import Duration, duration_seconds, ui
from recflow.engine.values import Candidates
from recflow.llm.reranking import rank_with_reranker
from recflow.llm.settings import RerankSettings
from recflow.nodes.outside import DEFAULT_ENDPOINT, outside_of
from recflow.nodes.ranker.asking import (
    FAILURE_HELP,
    FEEDBACK_FIELDS,
    ITEM_FIELDS,
    KEEP_HELP,
    LOOK_AGAIN_S,
    USER_FIELDS,
    answer_of,
    formed,
    material_of,
    template_faults,
)

QUERY_VARIABLES = {"user": USER_FIELDS, "feedback": FEEDBACK_FIELDS}
DOCUMENT_VARIABLES = {"item": ITEM_FIELDS}

_TOLD = ui(group="What is told")

FORM: dict[str, dict[str, Any]] = {
    "kind": {},
    "endpoint": {},
    "profile": {"title": "Service"},
    "query_template": {"title": "Query", **ui("template", variables=QUERY_VARIABLES)},
    "document_template": {"title": "Document", **ui("template", variables=DOCUMENT_VARIABLES)},
    "on_failure": {},
    "keep": {},
    "batch_size": {"title": "Documents in one call", **ui(group="Request")},
    "history_limit": {"title": "History", **ui(group="What is told", unit="entries")},
    "item_text_limit": {"title": "Length of descriptions", **ui(group="What is told", unit="characters")},
    "item_fields": {"title": "Fields of a description", **_TOLD},
    "send_user_id": {"title": "Send the user's id", **_TOLD},
}


class RerankRankerSettings(RerankSettings):
    """By a rerank service, which compares each candidate with a text about the user."""

    model_config = ConfigDict(json_schema_extra=formed(FORM, panel="prompt"))

    kind: Literal["rerank"] = Field("rerank", title="Rerank API")
    endpoint: str = Field(
        DEFAULT_ENDPOINT,
        min_length=1,
        max_length=64,
        title="Endpoint",
        description="Which service is asked. Endpoints and their keys are kept in Settings.",
        json_schema_extra=ui("endpoint"),
    )
    on_failure: Literal["fallback", "keep"] = Field("fallback", title="On failure", description=FAILURE_HELP)
    keep: Duration = Field(
        "1h", title="Keep answers for", description=KEEP_HELP, json_schema_extra=ui("duration")
    )


def check(settings: RerankRankerSettings) -> list[tuple[str, str]]:
    return [
        *template_faults("query_template", settings.query_template, QUERY_VARIABLES),
        *template_faults("document_template", settings.document_template, DOCUMENT_VARIABLES),
    ]


def keep_s(settings: RerankRankerSettings) -> float:
    return min(LOOK_AGAIN_S, duration_seconds(settings.keep))


async def rank_async(ctx: RunContext, candidates: Candidates, settings: RerankRankerSettings) -> Candidates:
    outside = await outside_of(ctx)
    named = outside.endpoint(settings.endpoint)
    told = await ctx.in_thread(material_of, ctx, candidates, settings.history_limit)
    ctx.progress(0.0, f"asking {named.endpoint.model}")
    ranking = await rank_with_reranker(
        named.endpoint,
        told.user,
        told.feedback,
        told.items,
        settings,
        budget=outside.budget,
        cache=outside.kept_for(duration_seconds(settings.keep)),
    )
    return answer_of(
        ctx,
        candidates,
        ranking,
        kind="rerank",
        on_failure=settings.on_failure,
        named=named,
        outside=outside,
        template_field="query_template",
    )
