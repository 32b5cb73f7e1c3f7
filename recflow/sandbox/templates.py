"""Renders and checks users' templates (Jinja2) in a child process.

A template sees only the variables it is given, and of those only the fields it names. It cannot read files,
reach Python, run longer than the limit or write more than the limit; each of these ends in a
``SandboxError`` with a sentence, mostly with line and column.

These functions block for about a millisecond, at worst for the time limit: an async caller awaits
``asyncio.to_thread(render, ...)``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recflow.errors import SandboxError, SandboxLimit

from .workers import Limits, Pool

_pool = Pool("template")


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """Something wrong in a template; line and column count from 1."""

    message: str
    line: int | None
    column: int | None


@dataclass(frozen=True, slots=True)
class FieldUse:
    """What a template reads of one variable.

    Args:
        fields: names read, of the variable or of the elements of the list that it is; None when all are
        needed.
        counts_keys: it is looped over, counted or tested; an object must then come with all its keys.
    """

    fields: frozenset[str] | None
    counts_keys: bool

    def __or__(self, other: FieldUse) -> FieldUse:
        is_whole = self.fields is None or other.fields is None
        return FieldUse(
            None if is_whole else self.fields | other.fields, self.counts_keys or other.counts_keys
        )


def render(
    template: str, variables: Mapping[str, object], *, limits: Limits | None = None, strict: bool = True
) -> str:
    """The text of a template.

    Args:
        variables: JSON values and datetimes. Keys are sorted, numbers under ``Labels`` become floats,
            datetimes get Go's methods: see ``gorse_values.py``.
        strict: an unknown name is an error. Otherwise, as in Gorse, it prints nothing.

    Raises:
        SandboxError: the template is wrong; line and column say where.
        SandboxLimit: it was stopped.
    """
    return render_many(template, [{}], shared=variables, limits=limits, strict=strict)[0]


def render_many(
    template: str,
    each: Sequence[Mapping[str, object]],
    *,
    shared: Mapping[str, object] | None = None,
    limits: Limits | None = None,
    strict: bool = True,
) -> list[str]:
    """One text for each set of variables, in one trip: the documents of a rerank call, for instance.

    The limits hold for all of them together.
    """
    return render_all(
        [(template, variables) for variables in each], shared=shared, limits=limits, strict=strict
    )


def render_all(
    wanted: Sequence[tuple[str, Mapping[str, object]]],
    *,
    shared: Mapping[str, object] | None = None,
    limits: Limits | None = None,
    strict: bool = True,
) -> list[str]:
    """The text of each template with its own variables, which go before the shared ones, in one trip.

    The limits hold for all of them together.

    Raises:
        SandboxError: one of them is wrong; ``part`` is its place among those wanted, as far as that is known.
        SandboxLimit: they were stopped.
    """
    numbers = {template: number for number, template in enumerate(dict.fromkeys(t for t, _ in wanted))}
    try:
        return _rendered(wanted, numbers, shared or {}, limits, strict)
    except SandboxError as error:
        if error.part is not None:
            at_fault = list(numbers)[error.part]
            error.part = next(place for place, (template, _) in enumerate(wanted) if template == at_fault)
        raise


def _rendered(
    wanted: Sequence[tuple[str, Mapping[str, object]]],
    numbers: Mapping[str, int],
    shared: Mapping[str, object],
    limits: Limits | None,
    strict: bool,
) -> list[str]:
    uses = merged_uses(numbers)
    job = {
        "do": "render",
        "templates": list(numbers),
        "shared": _trimmed(shared, uses),
        "each": [[numbers[template], _trimmed(variables, uses)] for template, variables in wanted],
        "strict": strict,
    }
    return _pool.run(job, limits or Limits())


def check(template: str, *, known: Mapping[str, Sequence[str] | None] | None = None) -> list[TemplateProblem]:
    """What is wrong with a template, as far as can be told without data; empty when nothing is.

    Args:
        known: the variables there will be, each with its fields, or None where any field may come. Without
            it, names are not checked.
    """
    names = known and {name: None if fields is None else list(fields) for name, fields in known.items()}
    try:
        found = _pool.run({"do": "check", "template": template, "known": names}, Limits())
    except SandboxLimit as error:  # compiling computes constants, so a mere check can run away too
        return [TemplateProblem(str(error), error.line, error.column)]
    return [TemplateProblem(problem["message"], problem["line"], problem["column"]) for problem in found]


def fields_used(template: str) -> dict[str, FieldUse]:
    """The variables a template reads, each with its fields.

    Raises:
        SandboxError: the template cannot be read.
    """
    return dict(_uses.of(template))


def merged_uses(given: Iterable[str]) -> dict[str, FieldUse]:
    """The variables that any of the templates reads, each with the fields that any of them reads.

    Raises:
        SandboxError: one of them cannot be read; ``part`` says which.
    """
    merged: dict[str, FieldUse] = {}
    for number, template in enumerate(given):
        try:
            uses = _uses.of(template)
        except SandboxError as error:
            error.part = number
            raise
        for name, use in uses.items():
            merged[name] = use if name not in merged else merged[name] | use
    return merged


class _UsesByTemplate:
    """Remembers the last answers: a template is rendered many times and changed seldom."""

    _KEPT = 128

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, dict[str, FieldUse]] = OrderedDict()

    def of(self, template: str) -> dict[str, FieldUse]:
        with self._lock:
            if template in self._kept:
                self._kept.move_to_end(template)
                return self._kept[template]
        answer = _pool.run({"do": "fields", "template": template}, Limits())
        uses = {
            name: FieldUse(None if use["fields"] is None else frozenset(use["fields"]), use["counts_keys"])
            for name, use in answer.items()
        }
        with self._lock:
            self._kept[template] = uses
            while len(self._kept) > self._KEPT:
                self._kept.popitem(last=False)
        return uses


_uses = _UsesByTemplate()


def _trimmed(variables: Mapping[str, object], uses: Mapping[str, FieldUse]) -> dict[str, object]:
    return {name: _used_part(value, uses[name]) for name, value in variables.items() if name in uses}


def _used_part(value: object, use: FieldUse) -> object:
    fields = use.fields
    if fields is None:
        return value
    if isinstance(value, Mapping):
        return value if use.counts_keys else _only(value, fields)
    if isinstance(value, list | tuple):
        return [_only(element, fields) if isinstance(element, Mapping) else element for element in value]
    return value


def _only(record: Mapping[str, object], fields: frozenset[str]) -> dict[str, object]:
    return {name: record[name] for name in fields if name in record}
