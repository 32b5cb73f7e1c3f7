"""The objects of the REST API as JSON schemas, under Gorse's field names."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
_TIME: Schema = {"type": "string", "format": "date-time"}
_DATE: Schema = {
    "type": "string",
    "description": "A date or time as people write them: 2022-02-24, RFC 3339, epoch digits.",
    "examples": ["2024-03-01T12:00:00Z"],
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
}
_LABELS: Schema = {
    "description": "null, a text, a number, a list of one of the two, or a map of these.",
    "anyOf": [
        {"type": "null"},
        {"type": "string"},
        {"type": "number"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"type": "number"}},
        {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Labels"}},
    ],
}


def ref(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def rows(name: str) -> Schema:
    """A list of such objects."""
    return {"type": "array", "items": ref(name)}


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _page(name: str, of: str) -> Schema:
    cursor = {"type": "string", "description": "Of the next page; empty on the last one."}
    return _object(("Cursor", name), Cursor=cursor, **{name: rows(of)})


_USER = {"Labels": ref("Labels"), "Comment": _TEXT}
_ITEM = {"IsHidden": {"type": "boolean"}, "Labels": ref("Labels"), "Comment": _TEXT}
_FEEDBACK = {"FeedbackType": _ID, "UserId": _ID, "ItemId": _ID, "Value": {"type": "number"}, "Comment": _TEXT}
_CATEGORIES: Schema = {"type": "array", "items": _TEXT}
_FEEDBACK_KEY = ("FeedbackType", "UserId", "ItemId")

SCHEMAS: dict[str, Schema] = {
    "Labels": _LABELS,
    "Success": _object(("RowAffected",), RowAffected={"type": "integer"}),
    "Score": _object(("Id", "Score"), Id=_TEXT, Score={"type": "number"}),
    "User": _object(("UserId",), UserId=_ID, **_USER),
    "UserOut": _object(("UserId", "Labels", "Comment"), UserId=_TEXT, Labels={}, Comment=_TEXT),
    "UserPatch": _object((), Labels=ref("Labels"), Comment=_or_null(_TEXT)),
    "UserPage": _page("Users", "UserOut"),
    "Item": _object(("ItemId",), ItemId=_ID, Timestamp=_DATE, Categories=_or_null(_CATEGORIES), **_ITEM),
    "ItemOut": _object(
        ("ItemId", "IsHidden", "Categories", "Timestamp", "Labels", "Comment"),
        ItemId=_TEXT,
        IsHidden={"type": "boolean"},
        Categories=_or_null(_CATEGORIES),
        Timestamp=_TIME,
        Labels={},
        Comment=_TEXT,
    ),
    "ItemPatch": _object(
        (),
        IsHidden=_or_null({"type": "boolean"}),
        Categories=_or_null(_CATEGORIES),
        Timestamp=_or_null(_TIME),
        Labels=ref("Labels"),
        Comment=_or_null(_TEXT),
    ),
    "ItemPage": _page("Items", "ItemOut"),
    "FeedbackIn": _object(_FEEDBACK_KEY, **_FEEDBACK, Timestamp=_DATE),
    "FeedbackOut": _object(
        (*_FEEDBACK_KEY, "Value", "Timestamp", "Updated", "Comment"),
        **{**_FEEDBACK, "FeedbackType": _TEXT, "UserId": _TEXT, "ItemId": _TEXT},
        Timestamp=_TIME,
        Updated=_TIME,
    ),
    "FeedbackPage": _page("Feedback", "FeedbackOut"),
    "Health": _object(
        ("Ready", "DataStoreConnected", "CacheStoreConnected", "DataStoreError", "CacheStoreError"),
        Ready={"type": "boolean"},
        DataStoreConnected={"type": "boolean"},
        CacheStoreConnected={"type": "boolean"},
        DataStoreError=_or_null({"type": "object"}),
        CacheStoreError=_or_null({"type": "object"}),
    ),
}
