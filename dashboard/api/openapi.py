"""The description of the REST API, OpenAPI 3.1: made of one line an operation.

Written out and not derived from the functions, because these read queries and bodies by hand, as Gorse's
clients send them. A test holds it against the routes there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboard import VERSION
from dashboard.api.openapi_admin import ADMIN_OPERATIONS, ADMIN_SCHEMAS
from dashboard.api.openapi_operation import Operation, Schema
from dashboard.api.openapi_schemas import SCHEMAS, ref, rows


def _both(
    method: str, path: str, tag: str, summary: str, answer: Schema, queries: tuple[str, ...], **more: Any
) -> Iterable[Operation]:
    """An operation, and the same for one category in the path."""
    yield Operation(method, path, tag, summary, answer, (*queries, "category"), **more)
    yield Operation(
        method, f"{path}/{{category}}", tag, f"{summary}, of one category", answer, queries, **more
    )


_AFFECTED, _SCORES = ref("Success"), rows("Score")
_LIST = ("n", "offset", "user-id")
_WRITE_BACK = ("write-back-type", "write-back-delay")

OPERATIONS: tuple[Operation, ...] = (
    *_both(
        "get",
        "/recommend/{user-id}",
        "recommendations",
        "What a user is recommended, as ids; with the header X-API-Version: 2 with scores; with explain=true "
        "and the administrator's key with who proposes what in a run made now, which asks no other machine",
        {"type": "array", "items": {"anyOf": [{"type": "string"}, ref("Score")]}},
        ("n", "offset", *_WRITE_BACK),
    ),
    *_both(
        "post",
        "/session/recommend",
        "recommendations",
        "Items for somebody without a name, from what they did in this session",
        _SCORES,
        ("n", "offset"),
        body=rows("FeedbackIn"),
        errors=("404",),
    ),
    *_both("get", "/latest", "recommendations", "The newest items", _SCORES, _LIST),
    *_both("get", "/popular", "recommendations", "The recommender called popular", _SCORES, _LIST),
    Operation(
        "get",
        "/non-personalized/{name}",
        "recommendations",
        "The list of a non-personalized recommender",
        _SCORES,
        (*_LIST, "category"),
    ),
    *_both(
        "get",
        "/collaborative-filtering/{user-id}",
        "recommendations",
        "The collaborative list of a user, unlike Gorse, which gives the final one",
        _SCORES,
        _LIST,
    ),
    Operation(
        "get",
        "/item-to-item/{name}/{item-id}",
        "recommendations",
        "Items like an item, by one recommender",
        _SCORES,
        (*_LIST, "category"),
    ),
    *_both(
        "get",
        "/item/{item-id}/neighbors",
        "recommendations",
        "Items like an item, by the first recommender",
        _SCORES,
        _LIST,
    ),
    Operation(
        "get",
        "/user-to-user/{name}/{user-id}",
        "recommendations",
        "Users like a user, by one recommender",
        _SCORES,
        ("n", "offset"),
    ),
    Operation(
        "get",
        "/user/{user-id}/neighbors",
        "recommendations",
        "Users like a user, by the first recommender",
        _SCORES,
        ("n", "offset"),
    ),
    Operation("post", "/user", "users", "Insert or replace a user", _AFFECTED, body=ref("User")),
    Operation("post", "/users", "users", "Insert or replace users", _AFFECTED, body=rows("User")),
    Operation("get", "/users", "users", "All users, by pages", ref("UserPage"), ("n", "cursor")),
    Operation("get", "/user/{user-id}", "users", "A user", ref("UserOut")),
    Operation("patch", "/user/{user-id}", "users", "Change some of a user", _AFFECTED, body=ref("UserPatch")),
    Operation("delete", "/user/{user-id}", "users", "Delete a user and their feedback", _AFFECTED),
    Operation("post", "/item", "items", "Insert or replace an item", _AFFECTED, body=ref("Item")),
    Operation("post", "/items", "items", "Insert or replace items", _AFFECTED, body=rows("Item")),
    Operation("get", "/items", "items", "All items, by pages", ref("ItemPage"), ("n", "cursor", "q")),
    Operation("get", "/item/{item-id}", "items", "An item", ref("ItemOut")),
    Operation(
        "patch", "/item/{item-id}", "items", "Change some of an item", _AFFECTED, body=ref("ItemPatch")
    ),
    Operation("delete", "/item/{item-id}", "items", "Delete an item and the feedback on it", _AFFECTED),
    Operation("put", "/item/{item-id}/category/{category}", "items", "Add a category", _AFFECTED),
    Operation("delete", "/item/{item-id}/category/{category}", "items", "Take a category away", _AFFECTED),
    Operation(
        "post",
        "/feedback",
        "feedback",
        "Insert feedback; of a row that exists the values add up",
        _AFFECTED,
        body=rows("FeedbackIn"),
    ),
    Operation(
        "put",
        "/feedback",
        "feedback",
        "Insert feedback; a row that exists is overwritten",
        _AFFECTED,
        body=rows("FeedbackIn"),
    ),
    Operation("get", "/feedback", "feedback", "All feedback, by pages", ref("FeedbackPage"), ("n", "cursor")),
    Operation(
        "get",
        "/feedback/{feedback-type}",
        "feedback",
        "All feedback of a type",
        ref("FeedbackPage"),
        ("n", "cursor"),
    ),
    Operation(
        "get",
        "/feedback/{user-id}/{item-id}",
        "feedback",
        "What a user said about an item",
        rows("FeedbackOut"),
    ),
    Operation(
        "delete",
        "/feedback/{user-id}/{item-id}",
        "feedback",
        "Delete what a user said about an item",
        _AFFECTED,
    ),
    Operation(
        "get",
        "/feedback/{feedback-type}/{user-id}/{item-id}",
        "feedback",
        "One piece of feedback; an empty object where there is none",
        {"anyOf": [ref("FeedbackOut"), {"type": "object", "maxProperties": 0}]},
    ),
    Operation(
        "delete",
        "/feedback/{feedback-type}/{user-id}/{item-id}",
        "feedback",
        "Delete one piece of feedback",
        _AFFECTED,
    ),
    Operation("get", "/user/{user-id}/feedback", "feedback", "What a user said", rows("FeedbackOut")),
    Operation(
        "get",
        "/user/{user-id}/feedback/{feedback-type}",
        "feedback",
        "What a user said, of a type or an expression such as read>=3",
        rows("FeedbackOut"),
    ),
    Operation(
        "get", "/item/{item-id}/feedback", "feedback", "What was said about an item", rows("FeedbackOut")
    ),
    Operation(
        "get",
        "/item/{item-id}/feedback/{feedback-type}",
        "feedback",
        "What was said about an item, of a type",
        rows("FeedbackOut"),
    ),
    Operation("get", "/health/live", "health", "Is the server alive", ref("Health"), needs_key=False),
    Operation(
        "get",
        "/health/ready",
        "health",
        "Can the server answer",
        ref("Health"),
        needs_key=False,
        not_now=ref("Health"),
    ),
    *ADMIN_OPERATIONS,
)


def document() -> Schema:
    """The whole description."""
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/api{operation.path}", {})[operation.method] = operation.described()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "RecFlow",
            "version": VERSION,
            "description": "Users, items and feedback in, recommendations out: Gorse's REST API.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS | ADMIN_SCHEMAS,
            "securitySchemes": {
                "key": _header("A key of the data API; none is asked for where none is set up."),
                "adminKey": _header("The administrator's key, master.admin_api_key."),
            },
        },
    }


def _header(text: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": text}
