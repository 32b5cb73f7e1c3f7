"""One operation of the API's description: a line of ours becomes what OpenAPI 3.1 wants to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dashboard.importing import KINDS

Schema = dict[str, Any]

#: What every operation may answer beside 200; errors are plain text.
ERRORS = {
    "400": "A number, date, name or body is none; the text says which and why.",
    "401": "The key in X-API-Key is missing or wrong.",
    "403": "Whoever is logged in may not do this.",
    "404": "There is no such thing, or no such address.",
    "405": "This address knows other methods only.",
    "413": "The body is larger than the server reads.",
    "429": "What may be spent today is spent, or the endpoint is busy.",
    "500": "The script failed; the text says why.",
    "502": "The endpoint gave no answer; the text says why.",
}
PATHS: dict[str, Schema] = {
    "user-id": {"type": "string", "minLength": 1, "maxLength": 256},
    "item-id": {"type": "string", "minLength": 1, "maxLength": 256},
    "category": {"type": "string", "minLength": 1},
    "feedback-type": {"type": "string", "minLength": 1, "maxLength": 256},
    "name": {"type": "string", "minLength": 1},
    "kind": {"enum": list(KINDS)},
    "recommender": {"type": "string", "minLength": 1},
}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
QUERIES: dict[str, tuple[Schema, str]] = {
    "n": (WHOLE, "How many; the configured number by default. n=0 and offset=0 of /recommend: all."),
    "offset": (WHOLE, "How many to leave out first."),
    "cursor": ({"type": "string"}, "Where the page begins, from the page before."),
    "q": ({"type": "string"}, "Only items with this text in their id or title."),
    "category": (
        {"type": "array", "items": {"type": "string"}},
        "Only items that carry all of these; a category in the path goes first.",
    ),
    "user-id": ({"type": "string"}, "Leave out items this user has feedback on."),
    "write-back-type": (
        {"type": "string", "maxLength": 256},
        "Store feedback of this type on every item of the answer.",
    ),
    "write-back-delay": (
        {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"},
        "Date that feedback so far ahead, such as 10m: until then the items stay.",
    ),
    "begin": ({"type": "string"}, "First moment, as a date or time; a week ago by default."),
    "end": ({"type": "string"}, "Last moment; now by default."),
    "duration": ({"type": "string"}, "Length of one step, such as 24h."),
    "script": ({"type": "string"}, "JavaScript, as base64."),
    "prompt": ({"type": "string"}, "A template, as base64; without it the two others are rendered."),
    "query-template": ({"type": "string"}, "As base64."),
    "document-template": ({"type": "string"}, "As base64; rendered for each of the latest items."),
    "for-user": ({"type": "string"}, "For whom."),
}
#: What a query parameter is called where its name has another meaning elsewhere.
_CALLED = {"for-user": "user-id"}
EXAMPLES = {"user-id": "reader-1", "item-id": "book-1", "category": "novel", "name": "popular"}


@dataclass(frozen=True)
class Operation:
    """One method of one address.

    Args:
        method: in lower case.
        path: below /api, with parameters in braces.
        tag: chapter it belongs to.
        summary: what it does.
        answer: schema of a success.
        queries: names of its query parameters.
        body: schema of its body, None without one.
        needs_key: X-API-Key is looked at.
        key: whose key that is, a name of the document's security schemes.
        answer_type, body_type: media types of a success and of the body.
        other_type: of a success that is a text, "" where it cannot be one.
        errors: statuses it may answer beside those that follow from its form.
        not_now: schema of its answer 503, None where it has none.
    """

    method: str
    path: str
    tag: str
    summary: str
    answer: Schema
    queries: tuple[str, ...] = ()
    body: Schema | None = None
    needs_key: bool = True
    key: Literal["key", "adminKey"] = "key"
    answer_type: str = "application/json"
    body_type: str = "application/json"
    other_type: str = ""
    errors: tuple[str, ...] = ()
    not_now: Schema | None = None

    def described(self) -> Schema:
        """As the document has it."""
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        statuses = ["400", *(["401"] if self.needs_key else []), *(["403"] if self.key == "adminKey" else [])]
        statuses += ["404", "405"] if names else ["405"]
        statuses += ["413"] if self.body is not None else []
        answers = {self.answer_type: {"schema": self.answer}}
        if self.other_type:
            answers[self.other_type] = {"schema": {"type": "string"}}
        described: Schema = {
            "tags": [self.tag],
            "summary": self.summary,
            "operationId": f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", ""),
            "parameters": [*map(_in_path, names), *map(_in_query, self.queries)],
            "responses": {
                "200": {"description": "Done.", "content": answers},
                **{status: _error(status) for status in sorted({*statuses, *self.errors})},
            },
        }
        if self.not_now is not None:
            described["responses"]["503"] = {
                "description": "Not now.",
                "content": {"application/json": {"schema": self.not_now}},
            }
        if self.body is not None:
            described["requestBody"] = {
                "required": True,
                "content": {self.body_type: {"schema": self.body}},
            }
        if self.key != "key":
            described["security"] = [{self.key: []}]
        if not self.needs_key:
            described["security"] = []
        return described


def _in_path(name: str) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": PATHS[name],
        **({"example": EXAMPLES[name]} if name in EXAMPLES else {}),
    }


def _in_query(name: str) -> Schema:
    schema, text = QUERIES[name]
    name = _CALLED.get(name, name)
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _error(status: str) -> Schema:
    return {
        "description": ERRORS[status],
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
