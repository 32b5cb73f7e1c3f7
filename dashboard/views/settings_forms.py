"""The forms of the Settings page: what their fields are called, what was typed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dashboard.errors import BadRequest
from dashboard.views.columns import column

#: What the page calls a field, and so what an error about it does.
LABELS = {
    "base_url": "Address",
    "model": "Model",
    "key": "Key",
    "requests_per_minute": "Requests a minute",
    "tokens_per_minute": "Tokens a minute",
    "concurrency": "Calls at once",
    "timeout_s": "Timeout",
    "context_tokens": "Context",
    "thinking_off": "How not to think",
    "output_cap_field": "Name of the answer's cap",
    "input": "Input",
    "output": "Output",
    "cached_input": "Cached input",
    "run_tokens": "Tokens a run",
    "run_cost": "Money a run",
    "day_tokens": "Tokens a day",
    "day_cost": "Money a day",
    "currency": "Currency",
    "log_calls": "Calls kept of each node",
    "log_days": "Days they are kept",
    "warn_failed_percent": "Failures that mark a node",
}
_MAX_SHOWN = 80

Form = TypeVar("Form", bound=BaseModel)


def read(form: type[Form], posted: Mapping[str, str], switches: tuple[str, ...] = ()) -> Form:
    """A form's fields as its model; an empty field is left out, a box that is not ticked is off.

    Raises:
        BadRequest: a field will not do; the first one is named, as the page names it.
    """
    values: dict[str, Any] = {
        name: posted[name]
        for name in form.model_fields
        if posted.get(name, "").strip() and name not in switches
    }
    values |= {name: name in posted for name in switches}
    try:
        return form.model_validate(values)
    except ValidationError as error:
        raise BadRequest(_sentence(error.errors(include_url=False)[0], posted)) from None


def as_typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as somebody would type them: no limit is an empty field, 10.0 is 10."""
    return {name: _typed(value) for name, value in values.items()}


def _typed(value: Any) -> Any:
    if value is None:
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sentence(fault: Mapping[str, Any], posted: Mapping[str, str]) -> str:
    """What is wrong, with what was typed unless it is a key."""
    name = str(fault["loc"][0])
    label, context = LABELS[name], fault.get("ctx", {})
    given = "" if name == "key" else f", got {posted.get(name, '')[:_MAX_SHOWN]!r}"
    match fault["type"]:
        case "missing":
            return f"{label} must be given"
        case "value_error":
            return f"{label} {context['error']}"
        case "greater_than_equal":
            return f"{label} must be at least {column([context['ge']])[0]}{given}"
        case "less_than_equal":
            return f"{label} must be at most {column([context['le']])[0]}{given}"
        case "string_too_long":
            return f"{label} may have {context['max_length']:,} characters at most"
        case "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"{label} must be a whole number{given}"
        case "float_parsing" | "finite_number":
            return f"{label} must be a number{given}"
    return f"{label} cannot be used{given}"
