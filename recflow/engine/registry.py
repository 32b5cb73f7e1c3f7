"""The table of node types: what each takes, gives, needs and looks like, read off one decorated function.

The function's annotations are its ports: ``user: UserContext`` takes the run's user, ``candidates:
Candidates`` takes item lists merged in edge order, ``lists: tuple[Candidates, ...]`` takes them one by one in
that order. What it returns is its output. The first line of its module's docstring is the palette's line, the
rest the help pane.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from recflow.data.feedback import FeedbackRules
from recflow.data.snapshot import TrainingView
from recflow.data.types import IndexVector
from recflow.engine import flow as flow_limits
from recflow.engine.values import Candidates, RunOptions, UserContext
from recflow.errors import UnknownNodeType

#: Families in palette order.
FAMILIES = {
    "input": "Input",
    "recommender": "Recommenders",
    "combine": "Combine",
    "rank": "Rank",
    "output": "Output",
}


@dataclass(frozen=True)
class Port:
    """One input of a node type.

    Args:
        name: parameter of the node's function.
        label: what the canvas calls it.
        accepts: outputs that fit: "user", "items", "fallback".
        required: a flow in which nothing is connected here cannot run.
        max: edges it takes, None for any number.
        ordered: the order of its edges matters.
        is_list: the function gets each list by itself, not merged.
    """

    name: str
    label: str
    accepts: tuple[str, ...]
    required: bool = True
    max: int | None = None
    ordered: bool = False
    is_list: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """A model some node needs: which fitter makes it, with which parameters, from which feedback.

    Two nodes that need the same model get the same one: the key is the identity.
    """

    kind: str
    params: Mapping[str, Any]
    rules: FeedbackRules

    @property
    def key(self) -> str:
        canonical = json.dumps([self.kind, dict(self.params), self.rules.key()], sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class NodeType:
    """One entry of the table."""

    type: str
    label: str
    family: str
    icon: str
    settings: Any  # a NodeSettings class, or a union of them told apart by ``kind`` or ``mode``
    run: Callable[..., Any]
    inputs: tuple[Port, ...]
    output: str | None
    at_least: int
    at_most: int | None
    summary: str
    help: str
    card: tuple[str, ...]
    is_async: bool
    models: Callable[[Any, FeedbackRules], list[ModelSpec]]
    check: Callable[[Any], list[tuple[str, str]]]
    keep_s: Callable[[Any], float | None]
    options: Callable[[Any], RunOptions] | None
    order: int = 0

    @property
    def passes_through(self) -> bool:
        """A disabled node of this type hands on what comes in."""
        return self.output == "items" and any("items" in port.accepts for port in self.inputs)

    @property
    def adapter(self) -> TypeAdapter:
        return TypeAdapter(self.settings)

    def read_settings(self, raw: Mapping[str, Any]) -> Any:
        """The settings as a model.

        Raises:
            pydantic.ValidationError: they do not fit.
        """
        return self.adapter.validate_python({**self.implied, **raw})

    @property
    def implied(self) -> dict[str, Any]:
        """What tells the kinds of settings apart, for documents that leave it out."""
        if len(self._kinds) == 1:
            return {}
        first = self._kinds[0].model_fields
        name = "kind" if "kind" in first else "mode"
        return {name: first[name].default}

    def defaults(self) -> dict[str, Any]:
        """The settings of a node just dropped; those without a default are missing."""
        return _defaults_of(self._kinds[0])

    def left_out(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """What counts where settings say nothing, as JSON: the defaults of their kind, if there is such."""
        tags = self.implied
        mine = [_defaults_of(cls) for cls in self._kinds]
        mine = [
            every for every in mine if all(every[name] == raw.get(name, tag) for name, tag in tags.items())
        ]
        return TypeAdapter(dict[str, Any]).dump_python(mine[0], mode="json") if mine else {}

    @property
    def _kinds(self) -> tuple[Any, ...]:
        """The classes of the settings, one for each kind."""
        parts = typing.get_args(self.settings)
        return (typing.get_args(parts[0]) or parts) if parts else (self.settings,)


def _defaults_of(settings: Any) -> dict[str, Any]:
    return {
        name: info.get_default(call_default_factory=True)
        for name, info in settings.model_fields.items()
        if not info.is_required()
    }


def _no_models(settings: Any, rules: FeedbackRules) -> list[ModelSpec]:
    return []


def _no_check(settings: Any) -> list[tuple[str, str]]:
    return []


def _always(settings: Any) -> float | None:
    return None


NODE_TYPES: dict[str, NodeType] = {}


def node(
    type_name: str,
    *,
    label: str,
    family: str,
    settings: Any,
    icon: str | None = None,
    at_least: int = 0,
    at_most: int | None = None,
    card: tuple[str, ...] = (),
    output: str | None = None,
    is_end: bool = False,
    models: Callable[[Any, FeedbackRules], list[ModelSpec]] = _no_models,
    check: Callable[[Any], list[tuple[str, str]]] = _no_check,
    keep_s: Callable[[Any], float | None] = _always,
    options: Callable[[Any], RunOptions] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a node type.

    Args:
        type_name: as the flow document says it.
        label: as people say it.
        family: key of FAMILIES; colors and orders the palette.
        settings: its NodeSettings.
        icon: name of a picture, ``type_name`` by default.
        at_least: nodes of this type that every flow has.
        at_most: nodes of this type a flow may have, None for any number.
        card: settings worth showing on the card.
        output: name of the output where the return annotation does not tell ("fallback").
        is_end: what it returns is the run's result and goes to no other node.
        models: settings -> models this node needs.
        check: settings -> (field, sentence) for what a schema cannot say.
        keep_s: settings -> seconds a result stays good although nothing it is made of changed; None for the
            executor's own limit.
        options: settings -> what this node says about the whole run.

    Raises:
        ValueError: another module has that type, or there is no such family.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        if (taken := NODE_TYPES.get(type_name)) is not None and taken.run.__module__ != run.__module__:
            both = f"{taken.run.__module__} and {run.__module__}"
            raise ValueError(f"The node type {type_name!r} is in two modules, {both}: give one another name")
        if family not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise ValueError(f"The node type {type_name!r} has the family {family!r}; there are {known}")
        summary, _, text = inspect.cleandoc(sys.modules[run.__module__].__doc__ or "").partition("\n\n")
        hints = typing.get_type_hints(run, include_extras=True)
        NODE_TYPES[type_name] = NodeType(
            type=type_name,
            label=label,
            family=family,
            icon=icon or type_name,
            settings=settings,
            run=run,
            inputs=tuple(port for name, hint in hints.items() if (port := _port(name, hint))),
            output=None if is_end else output or _output(hints.get("return")),
            at_least=at_least,
            at_most=at_most,
            summary=summary.partition(": ")[2] or summary,
            help=text,
            card=card,
            is_async=inspect.iscoroutinefunction(run),
            models=models,
            check=check,
            keep_s=keep_s,
            options=options,
            order=len(NODE_TYPES),
        )
        return run

    return register


@dataclass(frozen=True)
class BlockForm:
    """A node type's function for many users at once.

    Args:
        run: as the node's own, with blocks for lists and users; see recflow/engine/blocks.py.
        when: settings -> it can be used with them.
    """

    run: Callable[..., Any]
    when: Callable[[Any], bool]


BLOCK_FORMS: dict[str, BlockForm] = {}


def in_blocks(
    type_name: str, *, when: Callable[[Any], bool] = lambda settings: True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a node type's form for many users at once.

    It must give each user what the node's own function gives, to the last item.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        BLOCK_FORMS[type_name] = BlockForm(run, when)
        return run

    return register


def _port(name: str, hint: Any) -> Port | None:
    if name == "return":
        return None
    extra: dict[str, Any] = {}
    if typing.get_origin(hint) is Annotated:
        hint, *marks = typing.get_args(hint)
        extra = next((mark for mark in marks if isinstance(mark, dict)), {})
    if hint is UserContext:
        return Port(name, "user", ("user",), max=1)
    if hint is Candidates or hint == Candidates | None:
        return Port(name, **({"label": name, "accepts": ("items",), "required": hint is Candidates} | extra))
    if hint == tuple[Candidates, ...]:
        return Port(
            name, **({"label": name, "accepts": ("items",), "ordered": True, "is_list": True} | extra)
        )
    return None


def _output(hint: Any) -> str | None:
    return {UserContext: "user", Candidates: "items"}.get(hint)


def node_type(name: str) -> NodeType:
    """The entry of that name.

    Raises:
        UnknownNodeType: this server has none.
    """
    try:
        return NODE_TYPES[name]
    except KeyError:
        known = ", ".join(NODE_TYPES)
        raise UnknownNodeType(f"This server has no node type {name!r}; it has {known}") from None


@dataclass(frozen=True, eq=False)
class Renumbering:
    """Where the rows of an older snapshot are in a newer one.

    Args:
        places: (n_old,) the new index of each old row, -1 for one that is gone.
        n: rows of the newer snapshot.
    """

    places: IndexVector
    n: int

    def scatter(self, rows: NDArray, fill: float) -> NDArray:
        """(n, ...) the rows at their new places, ``fill`` in the rows that are new."""
        scattered = np.full((self.n, *rows.shape[1:]), fill, dtype=rows.dtype)
        kept = self.places >= 0
        scattered[self.places[kept]] = rows[kept]
        return scattered

    def rename(self, indices: NDArray[np.integer]) -> NDArray[np.int32]:
        """Indices as they are now; -1 stays -1, and so becomes one that is gone."""
        return np.where(indices >= 0, self.places[indices], -1).astype(np.int32)


@dataclass(frozen=True)
class Fitter:
    """How one kind of model is made.

    ``fit(view, params, rng, progress, check)`` returns a frozen dataclass of arrays and plain values;
    ``progress(share, text)`` reports, ``check()`` raises when the fit was cancelled. ``remap(model, items,
    users)`` brings it to the numbers of a newer snapshot; what the model never saw must come out without a
    score. ``users`` is None unless the kind ``knows_users``. ``measure(view, params, rng, check)`` says how
    well such a model ranks, as name -> value, from feedback that it holds out of a fit of its own.
    ``carry(model, params, view)`` gives the parameters of the next fit what the newest model has learned.
    """

    kind: str
    label: str
    model: type
    fit: Callable[..., Any]
    remap: Callable[[Any, Renumbering, Renumbering | None], Any]
    cost: Callable[[Any, Mapping[str, Any]], float] = field(default=lambda view, params: 0.0)
    knows_users: bool = False
    measure: Callable[..., dict[str, float]] | None = None
    carry: Callable[[Any, dict[str, Any], TrainingView], dict[str, Any]] | None = None


FITTERS: dict[str, Fitter] = {}


def fits(
    kind: str,
    *,
    label: str,
    model: type,
    remap: Callable[[Any, Renumbering, Renumbering | None], Any],
    cost: Callable[[Any, Mapping[str, Any]], float] = lambda view, params: 0.0,
    knows_users: bool = False,
    measure: Callable[..., dict[str, float]] | None = None,
    carry: Callable[[Any, dict[str, Any], TrainingView], dict[str, Any]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the fitter of a kind of model.

    Args:
        kind: as ModelSpec says it.
        label: as people say it.
        model: the frozen dataclass it returns.
        remap: brings a model to the numbers of a newer snapshot.
        cost: (view, params) -> about how many seconds it takes; a preview fits cheap ones itself.
        knows_users: the model holds something for each user, so users have to be renumbered too.
        measure: how well such a model ranks; background jobs ask for it and show it.
        carry: what a new fit takes over from the newest model, such as settings found by a search.
    """

    def register(fit: Callable[..., Any]) -> Callable[..., Any]:
        FITTERS[kind] = Fitter(kind, label, model, fit, remap, cost, knows_users, measure, carry)
        return fit

    return register


def schema() -> dict[str, Any]:
    """The whole table as data, for the browser; see docs/protocol.md."""
    return {
        "format": flow_limits.FORMAT,
        "limits": {
            "bytes": flow_limits.MAX_BYTES,
            "nodes": flow_limits.MAX_NODES,
            "edges": flow_limits.MAX_EDGES,
            "name": flow_limits.MAX_NAME,
        },
        "families": [{"id": key, "label": label} for key, label in FAMILIES.items()],
        "types": [_entry(entry) for entry in sorted(NODE_TYPES.values(), key=lambda entry: entry.order)],
    }


def _entry(entry: NodeType) -> dict[str, Any]:
    return {
        "type": entry.type,
        "label": entry.label,
        "family": entry.family,
        "icon": entry.icon,
        "summary": entry.summary,
        "help": entry.help,
        "at_least": entry.at_least,
        "at_most": entry.at_most,
        "inputs": [
            {
                "name": port.name,
                "label": port.label,
                "accepts": list(port.accepts),
                "required": port.required,
                "max": port.max,
                "ordered": port.ordered,
            }
            for port in entry.inputs
        ],
        "output": entry.output,
        "settings": entry.adapter.json_schema(mode="validation"),
        "defaults": entry.implied | json.loads(json.dumps(entry.defaults())),
        "card": list(entry.card),
        "is_trained": entry.models is not _no_models,
    }
