"""Help while an expression is written: what may come next, what is wrong, what it gives for one item."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from django.http import HttpRequest
from ninja import Router, Schema

from dashboard.catalogue import reading
from dashboard.store import now_us
from recflow.data.feedback import FeedbackRule
from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.errors import ExpressionError
from recflow.expressions import check_expression, compile_expression, completions
from recflow.expressions.expression import Expects, Scope
from recflow.nodes.data_source import Settings as DataSourceSettings

router = Router()

#: Rows looked at for the names of labels.
LABELLED = 20
#: Characters of a value shown.
SHOWN = 200


class Place(Schema):
    scope: Scope
    text: str
    cursor: int


class Draft(Schema):
    """An expression, and the item (or user, in that scope) whose value is asked for."""

    scope: Scope
    expects: Expects = "any"
    text: str
    example_id: str = ""


@router.post("/expressions/complete")
def complete(request: HttpRequest, body: Place) -> list[dict[str, str]]:
    return completions(body.scope, body.text, body.cursor, _label_names(body.scope))


@router.post("/expressions/check")
def check(request: HttpRequest, body: Draft) -> dict[str, Any]:
    """``problems`` with their place in the text; ``value`` and ``error`` of the example, or null."""
    if not body.text.strip():
        return {"problems": [], "value": None, "error": None}
    problems = [
        {"message": error.message, "position": error.position, "length": error.length}
        for error in check_expression(body.text, expects=body.expects, scope=body.scope)
    ]
    if problems or not body.example_id:
        return {"problems": problems, "value": None, "error": None}
    try:
        return {"problems": [], "value": _value(body), "error": None}
    except ExpressionError as error:
        return {"problems": [], "value": None, "error": error.message}


def _value(body: Draft) -> str | None:
    """The value for the example as text, None when nobody is called so."""
    expression = compile_expression(body.text, expects=body.expects, scope=body.scope)
    now = now_us()
    if body.scope == "user":
        user = reading.get_user(body.example_id)
        return None if user is None else _shown(expression.evaluate_one(None, None, _user(user), now))
    item = reading.get_item(body.example_id)
    if item is None:
        return None
    feedback = sorted(reading.feedback_on_item(item.item_id, until_us=now), key=lambda row: row.time_us)
    liked = [_feedback(row) for row in feedback if _is_positive(row)]
    return _shown(expression.evaluate_one(_item(item), liked, None, now))


def _is_positive(row: FeedbackRecord) -> bool:
    rules = [FeedbackRule.parse(text) for text in DataSourceSettings().positive]
    return any(rule.type == row.type and rule.matches(np.array([row.value]))[0] for rule in rules)


def _item(item: ItemRecord) -> dict[str, Any]:
    return {
        "ItemId": item.item_id,
        "IsHidden": item.is_hidden,
        "Categories": list(item.categories),
        "Timestamp": item.time_us,
        "Labels": item.labels,
        "Comment": item.comment,
    }


def _user(user: UserRecord) -> dict[str, Any]:
    return {"UserId": user.user_id, "Labels": user.labels, "Comment": user.comment}


def _feedback(row: FeedbackRecord) -> dict[str, Any]:
    return {
        "FeedbackType": row.type,
        "UserId": row.user_id,
        "ItemId": row.item_id,
        "Value": row.value,
        "Timestamp": row.time_us,
    }


def _label_names(scope: Scope) -> list[str]:
    rows = reading.users_from("", LABELLED) if scope == "user" else reading.items_from("", LABELLED)
    return sorted({name for row in rows if isinstance(row.labels, dict) for name in row.labels})


def _shown(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers in labels are floats; 33 is what was written
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
