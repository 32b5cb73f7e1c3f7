"""What the administrator's key opens beside the data API, as operations of the description: files, trying
out, and what Gorse's dashboard asks for.
"""

from __future__ import annotations

from dashboard.api.chatting import ChatRequest
from dashboard.api.openapi_operation import Operation, Schema
from dashboard.api.openapi_schemas import ref, rows

_OBJECT: Schema = {"type": "object"}
_OBJECTS: Schema = {"type": "array", "items": _OBJECT}
_TEXT: Schema = {"type": "string"}
_ANSWER: Schema = _TEXT | {"description": "One that breaks off ends with a line that says why."}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_BYTES: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_FILE: Schema = {"type": "object", "required": ["file"], "properties": {"file": _BYTES}}
_CHECKED: Schema = {
    "type": "object",
    "required": ["check_list"],
    "properties": {
        "check_list": {
            "const": "delete_users,delete_items,delete_feedback,delete_cache",
            "description": "All four words: everything goes.",
        }
    },
}
_PAGE = ("n", "offset")


def _one(method: str, path: str, tag: str, summary: str, answer: Schema, **more: object) -> Operation:
    return Operation(method, path, tag, summary, answer, key="adminKey", **more)


def _shown(path: str, summary: str, answer: Schema, *queries: str) -> Operation:
    """One of those that Gorse's dashboard asks."""
    return _one("get", f"/dashboard/{path}", "dashboard", summary, answer, queries=queries)


ADMIN_OPERATIONS: tuple[Operation, ...] = (
    _one(
        "get",
        "/bulk/{kind}",
        "files",
        "All users, items or feedback, one JSON object a line",
        _TEXT,
        answer_type="application/jsonl",
    ),
    _one(
        "post",
        "/bulk/{kind}",
        "files",
        "Insert or replace what a file of JSON objects holds",
        ref("Success"),
        body=_FILE,
        body_type="multipart/form-data",
    ),
    _one(
        "get",
        "/dump",
        "files",
        "Everything, as Gorse's binary backup",
        _BYTES,
        answer_type="application/octet-stream",
    ),
    _one(
        "post",
        "/restore",
        "files",
        "Insert or replace what a backup holds",
        ref("Restored"),
        body=_BYTES,
        body_type="application/octet-stream",
    ),
    _one(
        "post",
        "/purge",
        "files",
        "Delete everything",
        _OBJECT,
        body=_CHECKED,
        body_type="application/x-www-form-urlencoded",
    ),
    _one(
        "post",
        "/chat",
        "trying out",
        "What the default endpoint answers to a prompt; its text as it comes",
        _ANSWER,
        answer_type="text/plain",
        body={"type": "string", "minLength": 1, "maxLength": 200_000},
        body_type="text/plain",
        errors=("429", "502"),
    ),
    _one(
        "post",
        "/chat/completions",
        "trying out",
        "The same in OpenAI's form; with stream its pieces as server-sent events",
        ref("ChatAnswer"),
        other_type="text/event-stream",
        body=ref("ChatRequest"),
        errors=("429", "502"),
    ),
    _one(
        "get",
        "/dashboard/external",
        "trying out",
        "The ids that a script of an external recommender ends in",
        _TEXTS,
        queries=("script", "for-user"),
        errors=("500",),
    ),
    _one(
        "get",
        "/dashboard/ranker/prompt",
        "trying out",
        "What templates come to: a text for prompt, else a query and documents",
        ref("Rendered"),
        queries=("prompt", "query-template", "document-template", "for-user"),
        other_type="text/plain",
    ),
    _shown("config", "The configuration in force", _OBJECT),
    _one("post", "/dashboard/config", "dashboard", "Replace its section recommend", _OBJECT, body=_OBJECT),
    _one("delete", "/dashboard/config", "dashboard", "Go back to the file", _OBJECT),
    _shown("config/schema", "JSON schema of the configuration", _OBJECT),
    _shown("stats", "Counts, and when models were fitted", _OBJECT),
    _shown("tasks", "Background jobs in Gorse's words", _OBJECTS),
    _shown("cluster", "The processes that serve", _OBJECTS),
    _shown("categories", "Names of all categories", _TEXTS),
    _shown("userinfo", "Who is asking, and their role", _OBJECT),
    _shown("timeseries/{name}", "A figure over time", _OBJECTS, "begin", "end", "duration"),
    _shown("users", "Users with their latest times, by pages", _OBJECT, "n", "cursor"),
    _shown("user/{user-id}", "A user with their latest times", _OBJECT),
    _shown("user/{user-id}/feedback", "What a user said, with the items", _OBJECTS, *_PAGE),
    _shown(
        "user/{user-id}/feedback/{feedback-type}",
        "What a user said, of a type, with the items",
        _OBJECTS,
        *_PAGE,
    ),
    _shown("latest", "The newest items, whole", rows("ScoredItem"), *_PAGE, "category"),
    _shown(
        "non-personalized/{name}", "A non-personalized list, whole", rows("ScoredItem"), *_PAGE, "category"
    ),
    _shown(
        "item-to-item/{name}/{item-id}", "Items like an item, whole", rows("ScoredItem"), *_PAGE, "category"
    ),
    _shown("user-to-user/{name}/{user-id}", "Users like a user, whole", _OBJECTS, *_PAGE),
    _shown("recommend/{user-id}", "What the flow gives a user", rows("ScoredItem"), "n", "category"),
    _shown(
        "recommend/{user-id}/{recommender}",
        "What one recommender gives a user",
        rows("ScoredItem"),
        "n",
        "category",
    ),
    _shown(
        "recommend/{user-id}/{recommender}/{name}",
        "What one named recommender gives a user",
        rows("ScoredItem"),
        "n",
        "category",
    ),
)

_COUNT: Schema = {"type": "integer"}
ADMIN_SCHEMAS: dict[str, Schema] = {
    "ScoredItem": {
        "allOf": [ref("ItemOut"), {"type": "object", "properties": {"Score": {"type": "number"}}}]
    },
    "Restored": {
        "type": "object",
        "required": ["Users", "Items", "Feedback", "Duration"],
        "properties": dict.fromkeys(("Users", "Items", "Feedback", "Duration"), _COUNT),
    },
    "Rendered": {
        "type": "object",
        "required": ["query", "documents"],
        "properties": {"query": _TEXT, "documents": _TEXTS},
    },
    "ChatRequest": ChatRequest.model_json_schema(ref_template="#/components/schemas/{model}"),
    "ChatAnswer": {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices", "usage"],
        "properties": {
            "id": _TEXT,
            "object": {"const": "chat.completion"},
            "created": _COUNT,
            "model": _TEXT,
            "choices": _OBJECTS,
            "usage": _OBJECT,
        },
    },
}
# pydantic keeps the models inside a model beside it; the description keeps all of them in one place
ADMIN_SCHEMAS |= ADMIN_SCHEMAS["ChatRequest"].pop("$defs")
