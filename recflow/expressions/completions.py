"""What can be written at a place in an expression, for the editor; the same tables make the help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from recflow.expressions.checker import SCOPES
from recflow.expressions.expression import static_type
from recflow.expressions.static_types import ANY, FEEDBACK, ITEM, USER, Type
from recflow.expressions.vocabulary import CLOSURES, FIELDS, FUNCTIONS, METHODS

_NAME_BEFORE = re.compile(r"[\w$]*\Z")
_CLOSERS = {")": "(", "]": "["}
_CLOSURE_OPENED = re.compile(rf"({'|'.join(CLOSURES)})\s*\Z")
_ROOT_HELP = {"item": "the item", "feedback": "its positive feedback, a list", "user": "the user"}
_KEYWORDS = {
    "true": "the opposite of false",
    "false": "the opposite of true",
    "nil": "nothing; what a missing label is",
    "let": "let name = value; names a value for what follows",
    "if": "if condition {a} else {b}",
    "not": "turns true into false",
    "and": "true when both are",
    "or": "true when one is",
    "in": "value in list",
    "contains": "text contains part",
    "startsWith": "text startsWith part",
    "endsWith": "text endsWith part",
    "matches": "text matches 'pattern', an RE2 regular expression",
}


def completions(scope: str, text: str, cursor: int, label_names: Sequence[str] = ()) -> list[dict[str, str]]:
    """What may be written at the cursor.

    Args:
        scope: "score", "item" or "user".
        text: the expression so far.
        cursor: offset of the cursor in it.
        label_names: what is known to hang below ``Labels``, offered there.

    Returns:
        ``label``, the word, and ``detail``, one line of help; those that begin with what is already typed, in
        the order of the tables.
    """
    before = text[:cursor]
    typed = _NAME_BEFORE.search(before)[0]
    before = before[: len(before) - len(typed)]
    if before.rstrip().endswith("."):
        offered = _after_dot(scope, before.rstrip()[:-1].removesuffix("?"), label_names)
    elif before.endswith("#"):
        offered = iter([("acc", "what reduce has built so far"), ("index", "place in the list, from 0")])
    else:
        offered = _words(scope)
    return [
        {"label": label, "detail": detail}
        for label, detail in offered
        if label.lower().startswith(typed.lower())
    ]


def help_tables() -> dict[str, list[dict[str, str]]]:
    """All words by group, for the help page."""

    def entries(words: Iterator[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"label": label, "detail": detail} for label, detail in words]

    return {
        **{str(kind): entries(_members(kind)) for kind in (ITEM, FEEDBACK, USER, *METHODS)},
        "functions": entries(_functions()),
        "keywords": entries(iter(_KEYWORDS.items())),
    }


def _words(scope: str) -> Iterator[tuple[str, str]]:
    yield from ((name, _ROOT_HELP[name]) for name in SCOPES[scope])
    yield from _functions()
    yield from _KEYWORDS.items()


def _functions() -> Iterator[tuple[str, str]]:
    for table in (CLOSURES, FUNCTIONS):
        yield from ((name, f"{function.signature}: {function.help}") for name, function in table.items())


def _after_dot(scope: str, before: str, label_names: Sequence[str]) -> Iterator[tuple[str, str]]:
    operand = before[_operand_start(before) :].strip()
    if not operand or operand == "#":
        element = _element_of_closure(scope, before.removesuffix("#"))
        yield from _members(element or FEEDBACK)
        return
    if operand.endswith("Labels"):
        yield from ((name, "label") for name in label_names)
        return
    found = static_type(operand, scope)
    if found is None and operand[0] in "#.":
        element = _element_of_closure(scope, before[: _operand_start(before)])
        found = _field_type(element or FEEDBACK, operand)
    if found not in (None, ANY):
        yield from _members(found)


def _field_type(element: Type, path: str) -> Type | None:
    """The type of ``#.FeedbackKey`` or ``.Timestamp`` for an element of this type."""
    found: Type | None = element
    for name in filter(None, path.removeprefix("#").split(".")):
        fields = FIELDS.get(found, {}) if found is not None else {}
        found = fields[name].type if name in fields else None
    return found


def _members(kind: Type) -> Iterator[tuple[str, str]]:
    yield from ((name, f"{field.type}: {field.help}") for name, field in FIELDS.get(kind, {}).items())
    yield from (
        (name, f"{method.signature}: {method.help}") for name, method in METHODS.get(kind, {}).items()
    )


def _operand_start(text: str) -> int:
    """Where the value at the end of the text begins: names, dots, and brackets with their insides."""
    position = len(text)
    while position > 0:
        last = text[position - 1]
        if last in _CLOSERS:
            opened = _opening(text, position - 1)
            if opened is None:
                break
            position = opened
        elif last.isalnum() or last in "_$.#?":
            position -= 1
        else:
            break
    return position


def _opening(text: str, closing: int) -> int | None:
    """Offset of the bracket that the one at ``closing`` closes."""
    depth = 0
    for position in range(closing, -1, -1):
        depth += (text[position] in ")]}") - (text[position] in "([{")
        if depth == 0:
            return position
    return None


def _element_of_closure(scope: str, before: str) -> Type | None:
    """What # is at the end of the text: the type of an element of the innermost closure's list."""
    depth = 0
    for position in range(len(before) - 1, -1, -1):
        depth += (before[position] in ")]}") - (before[position] in "([{")
        if depth < 0 and before[position] == "(":
            return _element_of_call(scope, before, position)
        depth = max(depth, 0)
    return None


def _element_of_call(scope: str, before: str, opened: int) -> Type | None:
    called = _CLOSURE_OPENED.search(before[:opened])
    if called is None:
        return None
    collection, comma, _ = before[opened + 1 :].partition(",")
    piped = before[: called.start()].rstrip()
    if piped.endswith("|"):
        collection = piped[:-1]
        collection = collection[_unclosed(collection) :]
    elif not comma:
        return None
    found = static_type(collection, scope)
    return found.element if found is not None and found.is_list else None


def _unclosed(text: str) -> int:
    """Offset behind the last bracket in the text that is not closed."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += (text[position] in ")]}") - (text[position] in "([{")
        if depth < 0:
            return position + 1
    return 0
