"""Language model: shows a model what the user liked and what is on offer, and takes its order.

Any service that speaks OpenAI's chat completions will do. The answer is data: only ids among the candidates
count, each once, and whatever the model leaves out follows in the order it came.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from recflow.engine.context import RunContext
from recflow.engine.settings import ui
from recflow.engine.values import Candidates
from recflow.llm.outcome import LlmRanking
from recflow.llm.prompts import DEFAULT_TEMPLATE, PromptTemplate
from recflow.llm.ranking import rank_with_llm
from recflow.llm.settings import LlmSettings
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
from recflow.sandbox import templates

#: What a prompt may use: variable -> its fields, None for one without.
VARIABLES = {"user": USER_FIELDS, "feedback": FEEDBACK_FIELDS, "items": ITEM_FIELDS, "answer_format": None}

_HISTORY = ui(group="What is told")
_TECHNIQUE = {"group": "Technique"}
_REQUEST = ui(group="Request")
_WINDOWS = ui(visible_when={"technique": ["one_call", "windows"]}, **_TECHNIQUE)
_SHUFFLE = ui(visible_when={"technique": ["shuffle"]}, **_TECHNIQUE)

FORM: dict[str, dict[str, Any]] = {
    "kind": {},
    "endpoint": {},
    "prompt": {},
    "system": {},
    "on_failure": {},
    "keep": {},
    "history_limit": {"title": "History", **ui(group="What is told", unit="entries")},
    "item_text_limit": {"title": "Length of descriptions", **ui(group="What is told", unit="characters")},
    "item_fields": {"title": "Fields of a description", **_HISTORY},
    "use_aliases": {"title": "Short names instead of ids", **_HISTORY},
    "send_user_id": {"title": "Send the user's id", **_HISTORY},
    "technique": {"title": "Technique", **ui(**_TECHNIQUE)},
    "most_in_one_call": {
        "title": "Most in one call",
        **ui(visible_when={"technique": ["one_call"]}, unit="candidates", **_TECHNIQUE),
    },
    "window_size": {"title": "Window", **_WINDOWS},
    "window_step": {"title": "Step of the window", **_WINDOWS},
    "shuffles": {"title": "Shuffled calls", **_SHUFFLE},
    "seed": {"title": "Seed", **_SHUFFLE},
    "response_format": {"title": "Forced format", **_REQUEST},
    "temperature": {"title": "Temperature", **_REQUEST},
    "token_limit": {"title": "Token limit", **ui(group="Request", unit="tokens")},
    "max_output_tokens": {"title": "Longest answer", **ui(group="Request", unit="tokens")},
    "answer_headroom": {"title": "Room for thoughts", **ui(group="Request", unit="tokens")},
    "send_seed": {"title": "Send the seed", **_REQUEST},
}


class LlmRankerSettings(LlmSettings):
    """By a language model, which is shown what the user liked; costs money and seconds for each user."""

    model_config = ConfigDict(json_schema_extra=formed(FORM, panel="prompt", reads_answers=True))

    kind: Literal["llm"] = Field("llm", title="Language model (LLM)")
    endpoint: str = endpoint_field("model")
    prompt: str = Field(
        DEFAULT_TEMPLATE.user,
        min_length=1,
        max_length=50_000,
        title="Prompt",
        description="Jinja2 template over user, feedback (newest first) and items. A name that does not "
        "exist is an error, not a blank. sources says who proposed an item, rank_in its place so far.",
        json_schema_extra=ui("template", variables=VARIABLES),
    )
    system: str = Field(
        DEFAULT_TEMPLATE.system,
        max_length=50_000,
        title="System message",
        description="Task and rules, the same for everybody, so that a service that caches prompts reads it "
        "once. Empty: all is sent as one user message, as Gorse does.",
        json_schema_extra=ui("template", variables=VARIABLES),
    )
    on_failure: OnFailure = "fallback"
    keep: KeepAnswers = "24h"

    def template(self) -> PromptTemplate:
        return PromptTemplate(self.prompt, self.system)


def check(settings: LlmRankerSettings) -> list[tuple[str, str]]:
    faults = [
        *template_faults("prompt", settings.prompt, VARIABLES),
        *template_faults("system", settings.system, VARIABLES),
    ]
    if not faults and "items" not in templates.fields_used(settings.prompt + settings.system):
        faults.append(("prompt", "The prompt does not show the candidates: loop over items in it"))
    if settings.window_step > settings.window_size:
        faults.append(
            (
                "window_step",
                f"window_step must be at most window_size, {settings.window_size}, "
                f"got {settings.window_step}: candidates between two windows would never be compared",
            )
        )
    return faults


async def rank_async(ctx: RunContext, candidates: Candidates, settings: LlmRankerSettings) -> Candidates:
    async def ask(named: NamedEndpoint, told: Material, **kept: Any) -> LlmRanking:
        return await rank_with_llm(
            named.endpoint, settings.template(), told.user, told.feedback, told.items, settings, **kept
        )

    return await ranked_by(ask, ctx, candidates, settings, template_field="prompt")
