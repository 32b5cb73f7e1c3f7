"""What a template may see of a user, a history and candidates: Gorse's field names, and texts made harmless.

Item texts are written by strangers. They lose what could end the place they stand in (line breaks, fences,
tags, tokens of chat formats) and what nobody can see (control and formatting characters), and they are cut to
a length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]
#: Names of fields; None is all of them.
Fields = Collection[str] | None

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
    words = map(_in_words, (user.get("Comment"), user.get("Labels")))
    return {
        "UserId": "" if shape.hides_user_id else harmless(str(user.get("UserId") or ""), shape.text_limit),
        "Labels": _value(user.get("Labels"), shape),
        "Comment": harmless(str(user.get("Comment") or ""), shape.text_limit),
        "text": harmless("; ".join(filter(None, words)), shape.text_limit),
    }


def shown_item(item: Record, shape: Shape, name: str, rank: int = 0, fields: Fields = None) -> dict[str, Any]:
    """One of ``items``: Gorse's fields under the name it goes by, ``text``, ``sources`` and ``rank_in``.

    Args:
        fields: those that are wanted; None is all. Most templates want two, and making all of them for a long
            list takes longer than rendering it.
    """
    wanted = _ITEM_FIELDS if fields is None else [field for field in _ITEM_FIELDS if field in fields]
    return {field: _ITEM_FIELDS[field](item, shape, name, rank) for field in wanted}


def shown_feedback(entry: Record, shape: Shape, name: str, fields: Fields = None) -> dict[str, Any]:
    """One of ``feedback``: its type and its item's fields, flat and nested under ``Item``."""
    nested = entry.get("Item")
    has_nested = fields is None or "Item" in fields
    kind = harmless(str(entry.get("FeedbackType") or ""), shape.text_limit)
    item = shown_item(
        nested if isinstance(nested, Mapping) else entry, shape, name, fields=None if has_nested else fields
    )
    return {"FeedbackType": kind, **item} | ({"Item": item} if has_nested else {})


def _text(item: Record, shape: Shape, name: str, rank: int) -> str:
    """The description in one line, or the id of an item of which nothing is known."""
    words = [_in_words(name if field == "ItemId" else item.get(field)) for field in shape.fields]
    text = harmless("; ".join(dict.fromkeys(filter(None, words))), shape.text_limit)
    return text or harmless(str(item.get("ItemId", "")), shape.text_limit)


#: Field -> its value, made of the item, the shape, the name it goes by and its rank.
_ITEM_FIELDS: dict[str, Callable[[Record, Shape, str, int], Any]] = {
    "ItemId": lambda item, shape, name, rank: name,
    "IsHidden": lambda item, shape, name, rank: bool(item.get("IsHidden")),
    "Categories": lambda item, shape, name, rank: _value(item.get("Categories"), shape) or [],
    "Timestamp": lambda item, shape, name, rank: item.get("Timestamp"),
    "Labels": lambda item, shape, name, rank: _value(item.get("Labels"), shape),
    "Comment": lambda item, shape, name, rank: harmless(str(item.get("Comment") or ""), shape.text_limit),
    "text": _text,
    "sources": lambda item, shape, name, rank: [
        harmless(str(source), shape.text_limit) for source in item.get("sources") or ()
    ],
    "rank_in": lambda item, shape, name, rank: int(item.get("rank_in") or rank),
}


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
    return len(value) >= _VECTOR and type(value[0]) is float and set(map(type, value)) == {float}


def _in_words(value: Any) -> str:
    """A value as one would say it: lists with commas, maps as key: value, vectors not at all.

    It is not harmless yet: that is done once, on the whole line.
    """
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, dict):
        words = [(str(key), _in_words(entry)) for key, entry in value.items()]
        return "; ".join([f"{key}: {said}" for key, said in sorted(words)[:_MAX_ENTRIES] if said])
    if isinstance(value, list):
        if _is_vector(value):
            return ""  # an embedding tells a language model nothing, and costs three tokens a number
        return ", ".join([said for entry in value[:_MAX_ENTRIES] if (said := _in_words(entry))])
    return str(value)
