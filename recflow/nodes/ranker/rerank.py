"""Rerank service: scores each candidate against a description of the user, and sorts by the scores.

A reranker is a small model made for this one question: faster and cheaper than a chat model, and it cannot
make up items.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from recflow.engine.context import RunContext
from recflow.engine.settings import ui
from recflow.engine.values import Candidates
from recflow.llm.outcome import LlmRanking
from recflow.llm.reranking import rank_with_reranker
from recflow.llm.settings import RerankSettings
from recflow.nodes.outside import NamedEndpoint
from recflow.nodes.ranker.asking import (
    FEEDBACK_FIELDS,
    ITEM_FIELDS,
    USER_FIELDS,
    KeepAnswers,
    Material,
    OnFailure,
    endpoint_field,
    formed,
    ranked_by,
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
    endpoint: str = endpoint_field("service")
    on_failure: OnFailure = "fallback"
    keep: KeepAnswers = "1h"


def check(settings: RerankRankerSettings) -> list[tuple[str, str]]:
    return [
        *template_faults("query_template", settings.query_template, QUERY_VARIABLES),
        *template_faults("document_template", settings.document_template, DOCUMENT_VARIABLES),
    ]


async def rank_async(ctx: RunContext, candidates: Candidates, settings: RerankRankerSettings) -> Candidates:
    async def ask(named: NamedEndpoint, told: Material, **kept: Any) -> LlmRanking:
        return await rank_with_reranker(
            named.endpoint, told.user, told.feedback, told.items, settings, **kept
        )

    return await ranked_by(ask, ctx, candidates, settings, template_field="query_template")
