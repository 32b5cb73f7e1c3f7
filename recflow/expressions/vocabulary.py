"""Every word of the language with its types and one line of help: fields, methods, functions, closures.

The checker, the completions of the editor and the help page read these tables; what they do at run time is in
functions.py, under the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recflow.expressions.static_types import (
    ANY,
    BOOL,
    DURATION,
    FEEDBACK,
    FEEDBACK_KEY,
    FLOAT,
    INT,
    ITEM,
    LIST,
    MAP,
    MONTH,
    STRING,
    TIME,
    USER,
    WEEKDAY,
    Type,
    groups_of,
    list_of,
)

Parameter = tuple[Type, ...]  # the types that may stand there


@dataclass(frozen=True)
class Field:
    """A field of an item, a feedback or a user."""

    type: Type
    help: str


@dataclass(frozen=True)
class Function:
    """A function or method.

    Args:
        signature: as shown to the user.
        help: one line.
        parameters: the types each argument may have.
        result: its type, or how it follows from the types of the arguments.
        optional: how many of the last parameters may be left out.
        repeats: the last parameter may come any number of times.
    """

    signature: str
    help: str
    parameters: tuple[Parameter, ...]
    result: Type | Callable[[Sequence[Type]], Type]
    optional: int = 0
    repeats: bool = False

    def result_for(self, arguments: Sequence[Type]) -> Type:
        return self.result if isinstance(self.result, Type) else self.result(arguments)


@dataclass(frozen=True)
class ClosureFunction:
    """A function that runs an expression once an element.

    Args:
        signature: as shown to the user.
        help: one line.
        result: how its type follows from the types of an element and of the expression.
        is_predicate: the expression must be true or false.
        needs_predicate: the expression may not be left out.
        pointers: what can be written beside # in the expression, with its type.
        extra: types of a third argument; empty when there is none.
    """

    signature: str
    help: str
    result: Callable[[Type, Type], Type]
    is_predicate: bool = True
    needs_predicate: bool = True
    pointers: tuple[tuple[str, Type], ...] = ()
    extra: Parameter = ()


TEXT: Parameter = (STRING,)
WHOLE: Parameter = (INT,)
NUMBER: Parameter = (INT, FLOAT)
ANYTHING: Parameter = (ANY,)


def _first_argument(arguments: Sequence[Type]) -> Type:
    return arguments[0]


def _element(arguments: Sequence[Type]) -> Type:
    return arguments[0].element or ANY


def _aggregate(arguments: Sequence[Type]) -> Type:
    """Of numbers the type is known; of a list it is not, since the list may be empty."""
    if not all(argument.is_number for argument in arguments):
        return ANY
    return FLOAT if FLOAT in arguments else INT


def _average(arguments: Sequence[Type]) -> Type:
    return FLOAT if all(argument.is_number for argument in arguments) else ANY


_KEY_FIELDS = {
    "FeedbackType": Field(STRING, "what the user did, such as like"),
    "UserId": Field(STRING, "who did it"),
    "ItemId": Field(STRING, "on which item"),
}

FIELDS: dict[Type, dict[str, Field]] = {
    ITEM: {
        "ItemId": Field(STRING, "id of the item"),
        "IsHidden": Field(BOOL, "true when it is never to be recommended"),
        "Categories": Field(list_of(STRING), "names of its categories"),
        "Timestamp": Field(TIME, "when it was published"),
        "Labels": Field(ANY, "its labels, any JSON; wrap numbers in float(...)"),
        "Comment": Field(STRING, "its comment, mostly the title"),
    },
    USER: {
        "UserId": Field(STRING, "id of the user"),
        "Labels": Field(ANY, "the user's labels, any JSON"),
        "Comment": Field(STRING, "the user's comment"),
    },
    FEEDBACK_KEY: _KEY_FIELDS,
    FEEDBACK: {
        **_KEY_FIELDS,
        "FeedbackKey": Field(FEEDBACK_KEY, "type, user and item together"),
        "Value": Field(FLOAT, "what was given: stars, seconds, a count"),
        "Timestamp": Field(TIME, "when it happened"),
        "Updated": Field(TIME, "when it was last changed"),
        "Comment": Field(STRING, "the comment on the feedback"),
    },
}

METHODS: dict[Type, dict[str, Function]] = {
    TIME: {
        "Unix": Function("Unix()", "seconds since 1970", (), INT),
        "UnixMilli": Function("UnixMilli()", "milliseconds since 1970", (), INT),
        "Year": Function("Year()", "year, such as 2024", (), INT),
        "Month": Function("Month()", "month; int(...) makes it 1 to 12", (), MONTH),
        "Day": Function("Day()", "day of the month", (), INT),
        "Hour": Function("Hour()", "hour of the day in UTC", (), INT),
        "Weekday": Function("Weekday()", "day of the week; int(...) makes Sunday 0", (), WEEKDAY),
        "YearDay": Function("YearDay()", "day of the year, from 1", (), INT),
        "IsZero": Function("IsZero()", "true when no time was given", (), BOOL),
        "Before": Function("Before(time)", "true when it is earlier", ((TIME,),), BOOL),
        "After": Function("After(time)", "true when it is later", ((TIME,),), BOOL),
        "Sub": Function("Sub(time)", "the duration between the two", ((TIME,),), DURATION),
        "Add": Function("Add(duration)", "the time that much later", ((DURATION,),), TIME),
        "Format": Function("Format('2006-01-02')", "the time as text, in Go's layout", (TEXT,), STRING),
    },
    DURATION: {
        "Hours": Function("Hours()", "as hours, with fraction", (), FLOAT),
        "Minutes": Function("Minutes()", "as minutes, with fraction", (), FLOAT),
        "Seconds": Function("Seconds()", "as seconds, with fraction", (), FLOAT),
        "Milliseconds": Function("Milliseconds()", "as whole milliseconds", (), INT),
        "Nanoseconds": Function("Nanoseconds()", "as whole nanoseconds", (), INT),
    },
}

_CONVERTIBLE: Parameter = (INT, FLOAT, STRING, DURATION, MONTH, WEEKDAY)

FUNCTIONS: dict[str, Function] = {
    "len": Function(
        "len(x)", "how many elements, entries or characters", ((LIST, MAP, groups_of(ANY), STRING),), INT
    ),
    "abs": Function("abs(x)", "the number without its sign", (NUMBER,), _first_argument),
    "ceil": Function("ceil(x)", "the next whole number above", (NUMBER,), FLOAT),
    "floor": Function("floor(x)", "the next whole number below", (NUMBER,), FLOAT),
    "round": Function("round(x)", "the nearest whole number, halves away from zero", (NUMBER,), FLOAT),
    "min": Function(
        "min(a, b) or min(list)", "the smallest", ((INT, FLOAT, LIST),), _aggregate, repeats=True
    ),
    "max": Function("max(a, b) or max(list)", "the largest", ((INT, FLOAT, LIST),), _aggregate, repeats=True),
    "mean": Function(
        "mean(a, b) or mean(list)", "the mean, 0 of none", ((INT, FLOAT, LIST),), _average, repeats=True
    ),
    "median": Function(
        "median(a, b) or median(list)",
        "the middle value, 0 of none",
        ((INT, FLOAT, LIST),),
        _average,
        repeats=True,
    ),
    "int": Function("int(x)", "a whole number of a number or text; cuts the fraction", (_CONVERTIBLE,), INT),
    "float": Function("float(x)", "a number of a number or text", (_CONVERTIBLE,), FLOAT),
    "string": Function("string(x)", "the value as text", (ANYTHING,), STRING),
    "lower": Function("lower(text)", "in small letters", (TEXT,), STRING),
    "upper": Function("upper(text)", "in capital letters", (TEXT,), STRING),
    "trim": Function(
        "trim(text) or trim(text, characters)", "without spaces around it", (TEXT, TEXT), STRING, optional=1
    ),
    "split": Function(
        "split(text, separator)", "the parts as a list", (TEXT, TEXT, WHOLE), list_of(STRING), optional=1
    ),
    "join": Function(
        "join(list, separator)", "the texts as one", ((list_of(STRING),), TEXT), STRING, optional=1
    ),
    "replace": Function(
        "replace(text, old, new)",
        "the text with old replaced by new",
        (TEXT, TEXT, TEXT, WHOLE),
        STRING,
        optional=1,
    ),
    "hasPrefix": Function("hasPrefix(text, start)", "true when the text starts so", (TEXT, TEXT), BOOL),
    "hasSuffix": Function("hasSuffix(text, end)", "true when the text ends so", (TEXT, TEXT), BOOL),
    "first": Function("first(list)", "the first element, nil of none", ((LIST,),), _element),
    "last": Function("last(list)", "the last element, nil of none", ((LIST,),), _element),
    "uniq": Function("uniq(list)", "each value once", ((LIST,),), LIST),
    "now": Function("now()", "the time of the evaluation", (), TIME),
    "date": Function("date('2024-01-31')", "a time; also with hours, or RFC 3339", (TEXT,), TIME),
    "duration": Function(
        "duration('1h30m')", "a duration in h, m, s, ms, us, ns; a day is 24h", (TEXT,), DURATION
    ),
}

CLOSURES: dict[str, ClosureFunction] = {
    "count": ClosureFunction(
        "count(list, condition)",
        "how many elements meet it",
        lambda element, body: INT,
        needs_predicate=False,
    ),
    "any": ClosureFunction("any(list, condition)", "true when one meets it", lambda element, body: BOOL),
    "all": ClosureFunction("all(list, condition)", "true when all meet it", lambda element, body: BOOL),
    "none": ClosureFunction("none(list, condition)", "true when none meets it", lambda element, body: BOOL),
    "one": ClosureFunction(
        "one(list, condition)", "true when exactly one meets it", lambda element, body: BOOL
    ),
    "filter": ClosureFunction(
        "filter(list, condition)", "the elements that meet it", lambda element, body: list_of(element)
    ),
    "map": ClosureFunction(
        "map(list, expression)",
        "what the expression gives for each element",
        lambda element, body: list_of(body),
        is_predicate=False,
        pointers=(("index", INT),),
    ),
    "sum": ClosureFunction(
        "sum(list) or sum(list, expression)",
        "the sum, 0 of none",
        lambda element, body: body,
        is_predicate=False,
        needs_predicate=False,
    ),
    "find": ClosureFunction(
        "find(list, condition)", "the first element that meets it, else nil", lambda element, body: element
    ),
    "findIndex": ClosureFunction(
        "findIndex(list, condition)", "place of the first that meets it, from 0", lambda element, body: INT
    ),
    "reduce": ClosureFunction(
        "reduce(list, #acc + #, start)",
        "one value built up over the list",
        lambda element, body: body,
        is_predicate=False,
        pointers=(("acc", ANY), ("index", INT)),
        extra=ANYTHING,
    ),
    "groupBy": ClosureFunction(
        "groupBy(list, expression)",
        "lists of elements by what the expression gives",
        lambda element, body: groups_of(ANY),
        is_predicate=False,
    ),
    "sortBy": ClosureFunction(
        "sortBy(list, expression, 'desc')",
        "the elements in the order of the expression",
        lambda element, body: list_of(element),
        is_predicate=False,
        extra=TEXT,
    ),
}

#: What people look for, and what to write here.
HINTS = {
    "unique": "uniq(...)",
    "log": "a power such as x ^ 0.5",
    "exp": "2.718281828 ^ x",
    "sqrt": "x ^ 0.5",
    "pow": "x ^ y",
    "Labels": "item.Labels",
    "Categories": "item.Categories",
    "Timestamp": "item.Timestamp",
}
