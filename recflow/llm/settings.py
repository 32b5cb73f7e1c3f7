"""Settings of the two rankers that ask a model; a node's settings are built on them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from recflow.llm.prompts import PromptOptions
from recflow.llm.records import Shape


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextSettings(_Settings):
    """What leaves the server, for chat and rerank alike."""

    history_limit: int = Field(
        20,
        ge=0,
        le=500,
        description="Entries of feedback that are told, the newest. More is not better: in published "
        "tests 5 to 20 beat 50.",
    )
    item_text_limit: int = Field(
        300, ge=20, le=10_000, description="Characters of one item's text; longer ones are cut."
    )
    item_fields: tuple[str, ...] = Field(
        ("Comment", "Categories", "Labels"),
        description="Item fields that make up item.text, the one-line description.",
    )
    send_user_id: bool = Field(
        False, description="Show the user's id to the model. It rarely helps, and it is personal data."
    )

    def shape(self) -> Shape:
        return Shape(
            text_limit=self.item_text_limit, fields=self.item_fields, hides_user_id=not self.send_user_id
        )


class LlmSettings(TextSettings):
    """How the chat ranker asks."""

    use_aliases: bool = Field(
        True,
        description="Call candidates 1, 2, 3 ... in the prompt instead of by their ids: fewer than half "
        "of the answer's tokens, and no id to misspell.",
    )
    technique: Literal["one_call", "windows", "shuffle"] = Field(
        "one_call",
        description="One call ranks the whole list: the best value up to about 50 candidates. Windows "
        "rank a long list piece by piece from its end, in serial calls that each tell the "
        "history again, and need a good incoming order. Shuffle asks several times in "
        "different orders and adds up the ranks: steadier, and as many times as expensive.",
    )
    most_in_one_call: int = Field(
        50, ge=2, le=1000, description="A longer list is ranked in windows even if one call was chosen."
    )
    window_size: int = Field(20, ge=2, le=200, description="Candidates in one window.")
    window_step: int = Field(
        10, ge=1, le=200, description="How far the window moves up each time. Smaller steps cost more calls."
    )
    shuffles: Literal[1, 3, 5] = Field(
        3, description="Calls of the shuffle technique. 3 removes most of the position bias."
    )
    seed: int = Field(0, ge=0, description="Decides the shuffled orders, so that a run can be repeated.")
    temperature: float | None = Field(
        0.0,
        ge=0.0,
        le=2.0,
        description="0 gives the steadiest ranking. Empty leaves it to the service; some reasoning models "
        "refuse any other value than their own, which is then remembered.",
    )
    response_format: Literal["off", "json_object", "json_schema"] = Field(
        "off",
        description="Ask the service to force JSON. json_schema rules out unknown ids but not repeats; "
        "many services refuse it or silently ignore it. The answer is checked either way.",
    )
    send_seed: bool = Field(False, description="Send the seed to the service too; few obey it.")
    max_output_tokens: int = Field(
        0, ge=0, description="Cap of the answer; 0 estimates it from the number of candidates."
    )
    answer_headroom: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Tokens added to the cap for a model that thinks before it answers; without them its "
        "thoughts may use up the answer.",
    )
    token_limit: int = Field(
        0,
        ge=0,
        description="Most tokens of prompt and answer. To stay below it the tail of the history is "
        "dropped, then descriptions are cut, then the list is split into windows. 0 takes the "
        "endpoint's limit, if known.",
    )

    def prompt_options(self, context_tokens: int = 0) -> PromptOptions:
        limits = [limit for limit in (self.token_limit, context_tokens) if limit]
        return PromptOptions(
            use_aliases=self.use_aliases,
            history_limit=self.history_limit,
            shape=self.shape(),
            answer_format="csv" if self.response_format == "off" else "json",
            answer_headroom=self.answer_headroom,
            token_limit=min(limits, default=0),
        )


RERANK_PROFILES = (
    "jina",
    "cohere",
    "vllm",
    "tei",
    "dashscope",
    "dashscope-native",
    "llama.cpp",
    "nim",
    "infinity",
)


class RerankSettings(TextSettings):
    """How the rerank ranker asks."""

    profile: Literal[RERANK_PROFILES] = Field(
        "jina", description="Whose request format to speak. The format of the answer is recognised by itself."
    )
    query_template: str = Field(
        "{% for entry in feedback | unique(attribute='text') %}{{ entry.text }}\n{% endfor %}",
        description="Jinja2 template of the query, over user and feedback.",
    )
    document_template: str = Field(
        "{{ item.text }}", description="Jinja2 template of one candidate's document, over item."
    )
    batch_size: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Documents in one call; 0 takes the profile's limit, or what the service was seen to "
        "accept.",
    )
