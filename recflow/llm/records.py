"""What a template may see of a user, a history and candidates: Gorse's field names, and texts made harmless.

Item texts are written by strangers. They lose what could end the place they stand in (line breaks, fences,
tags, tokens of chat formats) and what nobody can see (control and formatting characters), and they are cut to
a length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

_FENCE = re.compile(r"`{3,}|~{3,}")
_TAG = re.compile(r"<(?=[|｜/!?a-zA-Z])")
_INSTRUCTION = re.compile(r"\[(?=/?(?:INST|SYS|THINK)\])", re.IGNORECASE)
_SUSPECT = ("<", "[", "```", "~~~", "  ")
_MAX_ENTRIES = 200
#: Numbers with a fraction that make a list a vector rather than something to be told.
_VECTOR = 8


@dataclass(frozen=True)
class Shape:
    """How records are shown.

    Args:
        text_limit: characters of one text.
        fields: item fields that make up ``text``, the one-line description.
        hides_user_id: the user's id stays here.
    """

    text_limit: int = 300
    fields: tuple[str, ...] = ("Comment", "Categories", "Labels")
    hides_user_id: bool = True


def harmless(text: str, limit: int) -> str:
    """One line of visible text that ends no block and speaks no chat format."""
    text = text[: 4 * limit + 64]
    # Almost every text goes the short way; cleaning costs thirty times as much.
    if text.isprintable() and not any(map(text.__contains__, _SUSPECT)):
        text = text.strip()
    else:
        text = "".join(" " if sign.isspace() else sign for sign in text if _is_shown(sign))
        text = " ".join(text.split())
        text = _FENCE.sub(lambda run: ("'" if run[0][0] == "`" else "-") * 3, text)
        text = _INSTRUCTION.sub("(", _TAG.sub("‹", text))
    return text if len(text) <= limit else text[: max(1, limit - 1)].rstrip() + "…"


def _is_shown(sign: str) -> bool:
    """White space still has to tell words apart; control and formatting characters hide things."""
    return sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def shown_user(user: Record, shape: Shape) -> dict[str, Any]:
    """``user`` of a template: UserId, Labels, Comment, and ``text``, both in one line."""
    labels = _value(user.get("Labels"), shape)
    comment = harmless(str(user.get("Comment") or ""), shape.text_limit)
    return {
        "UserId": "" if shape.hides_user_id else harmless(str(user.get("UserId") or ""), shape.text_limit),
        "Labels": labels,
        "Comment": comment,
        "text": harmless("; ".join(filter(None, [comment, _in_words(labels)])), shape.text_limit),
    }


def shown_item(item: Record, shape: Shape, name: str, rank: int = 0) -> dict[str, Any]:
    """One of ``items``: Gorse's fields under the name it goes by, ``text``, ``sources`` and ``rank_in``."""
    fields = {
        "ItemId": name,
        "IsHidden": bool(item.get("IsHidden")),
        "Categories": _value(item.get("Categories"), shape) or [],
        "Timestamp": item.get("Timestamp"),
        "Labels": _value(item.get("Labels"), shape),
        "Comment": harmless(str(item.get("Comment") or ""), shape.text_limit),
    }
    words = [_in_words(fields[field]) for field in shape.fields if field in fields]
    text = "; ".join(dict.fromkeys(filter(None, words))) or str(item.get("ItemId", ""))
    return fields | {
        "text": harmless(text, shape.text_limit),
        "sources": [harmless(str(source), shape.text_limit) for source in item.get("sources") or ()],
        "rank_in": int(item.get("rank_in") or rank),
    }


def shown_feedback(entry: Record, shape: Shape, name: str) -> dict[str, Any]:
    """One of ``feedback``: its type and its item's fields, flat and nested under ``Item``."""
    nested = entry.get("Item")
    item = shown_item(nested if isinstance(nested, Mapping) else entry, shape, name)
    kind = harmless(str(entry.get("FeedbackType") or ""), shape.text_limit)
    return {"FeedbackType": kind, **item, "Item": item}


def _value(value: Any, shape: Shape) -> Any:
    """A label value with its texts made harmless and its keys sorted."""
    if isinstance(value, str):
        return harmless(value, shape.text_limit)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        entries = sorted(value.items(), key=lambda entry: str(entry[0]))[:_MAX_ENTRIES]
        return {harmless(str(key), shape.text_limit): _value(entry, shape) for key, entry in entries}
    if isinstance(value, Sequence):
        entries = list(value[:_MAX_ENTRIES])
        return entries if _is_vector(entries) else [_value(entry, shape) for entry in entries]
    return harmless(str(value), shape.text_limit)


def _is_vector(value: list) -> bool:
    return len(value) >= _VECTOR and set(map(type, value)) == {float}


def _in_words(value: Any) -> str:
    """A label value as one would say it: lists with commas, maps as key: value, vectors not at all."""
    if value is None or value == "":
        return ""
    if isinstance(value, dict):
        pairs = ((key, _in_words(entry)) for key, entry in value.items())
        return "; ".join(f"{key}: {entry}" for key, entry in pairs if entry)
    if isinstance(value, list):
        if _is_vector(value):
            return ""  # an embedding tells a language model nothing, and costs three tokens a number
        return ", ".join(filter(None, map(_in_words, value)))
    return str(value)
