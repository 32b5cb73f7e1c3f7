"""Gorse's ``[recommend]`` as models: which keys there are, what they may be, what they are by default.

One place for three uses: checking a configuration that somebody sends, filling in what it leaves out, and
the JSON schema of it. Unlike Gorse, which reports the first mistake and reads expressions for their syntax
only, all mistakes are reported, and expressions are compiled with their types.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from recflow.data.feedback import FeedbackRule
from recflow.engine.settings import duration_seconds
from recflow.errors import BadRecord, RecflowError
from recflow.expressions import compile_expression
from recflow.interop.gorse_config.exporting import flow_to_config
from recflow.interop.gorse_config.importing import recommend_section
from recflow.interop.gorse_config.keys import duration_text, list_of, lowered

MOST_SHOWN = 10


def _rule(text: str) -> str:
    return _sentence(lambda: FeedbackRule.parse(text), text)


def _expression(expects: Any, scope: Any) -> AfterValidator:
    def compiled(text: str) -> str:
        return _sentence(lambda: compile_expression(text, expects=expects, scope=scope), text)

    return AfterValidator(lambda text: compiled(text) if text else text)


def _sentence(call: Callable[[], object], text: str) -> str:
    try:
        call()
    except RecflowError as error:
        raise ValueError(error.message) from error
    return text


def _duration(text: str) -> str:
    duration_seconds(text)
    return text


def _above_zero(text: str) -> str:
    if duration_seconds(text) <= 0:
        raise ValueError(f"a duration above 0 is needed, got {text!r}")
    return text


Duration = Annotated[str, BeforeValidator(duration_text), AfterValidator(_duration)]
Period = Annotated[Duration, AfterValidator(_above_zero)]
Words = Annotated[list[str], BeforeValidator(list_of)]
Rules = Annotated[list[Annotated[str, AfterValidator(_rule)]], BeforeValidator(list_of)]
Count = Annotated[int, Field(gt=0)]
Days = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    """Unknown keys are kept, as Gorse passes over them."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class DataSource(_Section):
    positive_feedback_types: Rules = []
    read_feedback_types: Rules = []
    negative_feedback_types: Rules = []
    positive_feedback_ttl: Days = 0
    item_ttl: Days = 0


class NonPersonalized(_Section):
    name: str = ""
    score: Annotated[str, Field(min_length=1), _expression("number", "score")]
    filter: Annotated[str, _expression("bool", "score")] = ""


class ItemToItem(_Section):
    name: str = ""
    type: Literal["embedding", "tags", "users", "auto"]
    column: Annotated[str, _expression("any", "item")] = ""


class UserToUser(_Section):
    name: str = ""
    type: Literal["embedding", "tags", "items", "auto"]
    column: Annotated[str, _expression("any", "user")] = ""


class External(_Section):
    name: str = ""
    script: str = ""


class EarlyStopping(_Section):
    patience: int = Field(0, ge=0)


class _Fitted(_Section):
    fit_period: Period = "60m"
    fit_epoch: Count = 100
    optimize_period: Duration = "0s"
    optimize_trials: Count = 10
    early_stopping: EarlyStopping = EarlyStopping()


class Collaborative(_Fitted):
    type: Literal["none", "mf"] = "none"


class Replacement(_Section):
    enable_replacement: bool = False
    positive_replacement_decay: float = Field(0.8, gt=0)
    read_replacement_decay: float = Field(0.6, gt=0)


class RerankerApi(_Section):
    url: str = ""
    model: str = ""


class Ranker(_Fitted):
    type: Literal["none", "fm", "llm"] = "none"
    recommenders: Words = ["latest"]
    cache_expire: Period = "120h"
    prompt: str = ""
    query_template: str = ""
    document_template: str = ""
    reranker_api: RerankerApi = RerankerApi()


class Fallback(_Section):
    recommenders: Words = []


class Search(_Section):
    columns: Annotated[list[Annotated[str, _expression("any", "item")]], BeforeValidator(list_of)] = []


class Recommend(_Section):
    """The section ``[recommend]``."""

    cache_size: Count = 100
    cache_expire: Period = "72h"
    context_size: Count = 100
    active_user_ttl: Days = 0
    data_source: DataSource = DataSource()
    search: Search = Search()
    non_personalized: list[NonPersonalized] = Field([], alias="non-personalized")
    item_to_item: list[ItemToItem] = Field([], alias="item-to-item")
    user_to_user: list[UserToUser] = Field([], alias="user-to-user")
    external: list[External] = []
    collaborative: Collaborative = Collaborative()
    replacement: Replacement = Replacement()
    ranker: Ranker = Ranker()
    fallback: Fallback = Fallback()

    def odd_names(self) -> Iterator[str]:
        """What is wrong with how recommenders are called and named in lists."""
        known = {"latest"} | ({"collaborative"} if self.collaborative.type != "none" else set())
        for kind, entries in (
            ("non-personalized", self.non_personalized),
            ("item-to-item", self.item_to_item),
            ("user-to-user", self.user_to_user),
            ("external", self.external),
        ):
            names = [f"{kind}/{entry.name}" for entry in entries]
            known |= set(names)
            yield from (f"two recommenders are called {name}" for name in known if names.count(name) > 1)
        if not self.ranker.recommenders:
            yield "ranker.recommenders names none"
        if self.ranker.type == "none" and len(self.ranker.recommenders) > 1:
            yield f"without a ranker one recommender is possible, got {len(self.ranker.recommenders)}"
        for section, names in (("ranker", self.ranker), ("fallback", self.fallback)):
            for name in names.recommenders:
                if name == "collaborative" and name not in known:
                    yield f"{section}.recommenders names collaborative, but collaborative.type is none"
                elif name not in known:
                    yield f"{section}.recommenders names {name}, which is not configured"


def read_recommend(section: Mapping[str, Any]) -> Recommend:
    """``[recommend]``, checked, with Gorse's defaults filled in.

    Raises:
        BadRecord: there are mistakes; the sentence names them all.
    """
    try:
        recommend = Recommend.model_validate(lowered(section))
    except ValidationError as error:
        raise _refused([_told(dict(mistake)) for mistake in error.errors(include_url=False)]) from error
    if odd := list(recommend.odd_names()):
        raise _refused(odd)
    return recommend


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A flow as the whole section, defaults included; keys of services are left out.

    What a drawing cannot say in Gorse's words is missing: ``not_expressible`` tells what.
    """
    section = lowered(recommend_section(flow_to_config(document)))
    with contextlib.suppress(ValidationError):  # what Gorse would refuse is shown as far as it can be said
        section = Recommend.model_validate(section).model_dump(by_alias=True)
    return _without_tokens(section)


def _without_tokens(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_tokens(below) for name, below in value.items() if "token" not in name}
    return [_without_tokens(part) for part in value] if isinstance(value, list) else value


def _refused(mistakes: list[str]) -> BadRecord:
    more = [f"and {len(mistakes) - MOST_SHOWN} more"] if len(mistakes) > MOST_SHOWN else []
    return BadRecord("; ".join([*mistakes[:MOST_SHOWN], *more]))


def _told(mistake: dict[str, Any]) -> str:
    reason = str(mistake["ctx"]["error"]) if mistake["type"] == "value_error" else mistake["msg"]
    place = ".".join(str(part) for part in mistake["loc"])
    return f"{place}: {reason}" if place else reason
