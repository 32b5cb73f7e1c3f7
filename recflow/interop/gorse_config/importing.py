"""A flow document out of Gorse's ``[recommend]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from recflow.data.feedback import FeedbackRule
from recflow.engine.flow import FORMAT, MAX_NAME
from recflow.errors import BadRecord, DataError, ExpressionError
from recflow.expressions import compile_expression
from recflow.interop.gorse_config.keys import (
    ARRAYS,
    COLLABORATIVE,
    DATA_SOURCE,
    OWN_SIMILARITY,
    RANKER,
    RECOMMEND,
    Key,
    list_of,
    lowered,
    refused_settings,
    section_of,
)
from recflow.interop.gorse_config.layout import layered

_FLOW_NAME = "From config.toml"
_MAX_HISTORY = 500  # of the language model rankers
_MAX_TEXT = 10_000  # characters of one text in their templates
#: Code in a template, and in it the user's id, or the whole user.
_CODE = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_USER_ID = re.compile(r"\bUserId\b|\buser\b(?!\s*\.\s*(?:Labels|Comment)\b)")


def config_to_flow(toml_text: str) -> tuple[dict[str, Any], list[str]]:
    """The drawing that a Gorse configuration stands for, and a sentence for each thing a drawing cannot say.

    A recommender that could not run here is drawn disabled rather than left out, so that the others work.
    The whole ``[recommend]``, without keys of services, stays in the document's ``gorse`` entry: an export
    that is given no file starts from it.

    Raises:
        BadRecord: it is no TOML, or ``recommend`` is no section.
    """
    given = recommend_section(toml_text)
    drawing = draw(lowered(given))
    document = drawing.document()
    document["gorse"] = {"recommend": _without_tokens(given)}
    return document, drawing.notes


def recommend_section(toml_text: str) -> dict[str, Any]:
    """``[recommend]`` as plain values, its keys as they are written.

    Raises:
        BadRecord: it is no TOML, ``recommend`` is no section, or two keys differ in case only.
    """
    try:
        whole = tomlkit.parse(toml_text).unwrap()
    except (TOMLKitError, ValueError) as error:
        raise BadRecord(f"The configuration is not TOML: {error}") from error
    found = {name: section for name, section in whole.items() if name.lower() == "recommend"}
    _refuse_twins(found, "")
    for section in found.values():
        if not isinstance(section, dict):
            raise BadRecord(f"[recommend] must be a section of the configuration, got {section!r:.64}")
        return section
    return {}


def _refuse_twins(value: Any, path: str) -> None:
    """Of two keys that are one to Gorse, nobody can tell which counts.

    Raises:
        BadRecord: there are two.
    """
    if isinstance(value, dict):
        spellings: dict[str, str] = {}
        for name, below in value.items():
            twin = spellings.setdefault(name.lower(), name)
            if twin != name:
                raise BadRecord(
                    f"{path}{twin} and {path}{name} are the same to Gorse, which reads keys in any case: "
                    "write them as one"
                )
            _refuse_twins(below, f"{path}{name}.")
    elif isinstance(value, list):
        for part in value:
            _refuse_twins(part, path)


@dataclass
class Drawing:
    """The document while it is being made.

    Args:
        by_name: node of each recommender by the name that Gorse's lists use, such as "item-to-item/similar".
    """

    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by_name: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, settings: Mapping[str, Any], *, name: str = "", disabled: bool = False) -> str:
        taken = {node["id"] for node in self.nodes}
        stem = f"{kind}-{name}"[: MAX_NAME - 4] if name else kind
        node_id = _free(stem, taken)
        self.nodes.append(
            {
                "id": node_id,
                "type": kind,
                "name": name,
                "position": {"x": 0, "y": 0},
                "settings": dict(settings),
                "disabled": disabled,
                "pin": None,
            }
        )
        return node_id

    def connect(self, source: str, target: str) -> None:
        order = sum(edge["target"] == target for edge in self.edges)
        self.edges.append({"id": f"{source}-{target}", "source": source, "target": target, "order": order})

    def document(self) -> dict[str, Any]:
        pairs = [(edge["source"], edge["target"]) for edge in self.edges]
        # Top to bottom in the order the lists name them, so that few edges cross.
        used = [source for source, target in pairs if target in ("ranker", "recommend", "fallback")]
        first = dict.fromkeys(["data-source", *used, *(node["id"] for node in self.nodes)])
        places = layered(list(first), pairs)
        for node in self.nodes:
            node["position"] = dict(zip("xy", places[node["id"]], strict=True))
        return {"format": FORMAT, "name": _FLOW_NAME, "nodes": self.nodes, "edges": self.edges, "notes": []}


def draw(recommend: Mapping[str, Any]) -> Drawing:
    """The graph a configuration stands for.

    Args:
        recommend: the section, its keys in lower case.
    """
    drawing = Drawing()
    ranker, collaborative = section_of(recommend, "ranker"), section_of(recommend, "collaborative")
    fallback_names = list_of(section_of(recommend, "fallback").get("recommenders", []))
    drawing.add("data-source", _source_settings(recommend, drawing))
    ranker_id = _add_ranker(recommend, ranker, drawing)
    fallback_id = drawing.add("fallback", {}) if fallback_names else None
    recommend_id = drawing.add("recommend", _read(RECOMMEND, recommend))
    drawing.by_name["latest"] = drawing.add("latest", {})
    if _is_on(collaborative, "mf", drawing):
        settings = _read(COLLABORATIVE, collaborative)
        drawing.by_name["collaborative"] = drawing.add("collaborative", settings)
    for kind in ARRAYS:
        _add_recommenders(kind, recommend, drawing)

    if ranker_id:
        drawing.connect(ranker_id, recommend_id)
    for node_id in drawing.by_name.values():
        drawing.connect("data-source", node_id)
    names = list_of(ranker.get("recommenders", ["latest"]))
    found = _known(names, "ranker", drawing)
    if ranker_id:
        for name in found:
            drawing.connect(drawing.by_name[name], ranker_id)
    else:
        drawing.connect(drawing.by_name[found[0] if found else "latest"], recommend_id)
        for name in found[1:]:
            drawing.notes.append(f"without a ranker Gorse takes one recommender; {name} is not connected")
    if fallback_id:
        for name in _known(fallback_names, "fallback", drawing):
            drawing.connect(drawing.by_name[name], fallback_id)
        drawing.connect(fallback_id, recommend_id)
    drawing.notes.extend(_left_over(recommend, drawing))
    return drawing


def _source_settings(recommend: Mapping[str, Any], drawing: Drawing) -> dict[str, Any]:
    settings = _read(DATA_SOURCE, recommend)
    for rule in (rule for name in ("positive", "read", "negative") for rule in settings[name]):
        try:
            FeedbackRule.parse(str(rule))
        except DataError as error:
            drawing.notes.append(error.message)
    return settings


def _add_ranker(recommend: Mapping[str, Any], ranker: Mapping[str, Any], drawing: Drawing) -> str | None:
    kind = ranker.get("type", "none")
    if kind == "none":
        return None
    if kind not in ("fm", "llm"):
        drawing.notes.append(f"ranker.type {kind!r} is neither none, fm nor llm; no ranker is drawn")
        return None
    disabled = False
    if kind == "llm" and not ranker.get("prompt"):
        kind = "rerank" if _rerank_is_set(ranker) else "llm"
        disabled = kind == "llm"
        if disabled:
            drawing.notes.append(
                "ranker.type is llm without a prompt, so Gorse does not rank; the ranker is drawn disabled"
            )
    settings = {name: value for name, value in _read(RANKER[kind], ranker).items() if value != ""}
    if kind in ("llm", "rerank"):
        settings |= _asked_as_by_gorse(kind, recommend, settings, drawing)
    if kind == "rerank" and section_of(ranker, "reranker_api").get("url"):
        drawing.notes.append(
            "ranker.reranker_api is no part of a drawing: enter it as an endpoint in Settings"
        )
    settings = {"kind": kind, **settings}
    refused = refused_settings("ranker", settings)
    for key in RANKER[kind]:
        if key.setting in refused and settings[key.setting] != key.default:
            given = settings[key.setting]
            drawing.notes.append(f"ranker.{key.path} = {given!r} is not a setting of the {kind} ranker here")
    kept = {name: value for name, value in settings.items() if name not in refused}
    return drawing.add("ranker", kept, disabled=disabled)


def _asked_as_by_gorse(
    kind: str, recommend: Mapping[str, Any], settings: Mapping[str, Any], drawing: Drawing
) -> dict[str, Any]:
    """What makes templates tell a model what they told it in Gorse: the whole context and whole texts."""
    own: dict[str, Any] = {"item_text_limit": _MAX_TEXT}
    if kind == "llm":  # one user message, items by their ids
        own |= {"system": "", "use_aliases": False}
    context_size = _read(RECOMMEND, recommend)["context_size"]
    if isinstance(context_size, int):
        own["history_limit"] = min(context_size, _MAX_HISTORY)
    given = [str(settings[key.setting]) for key in RANKER[kind] if key.setting in settings]
    if not given:
        return own
    if any(_USER_ID.search(code) for text in given for code in _CODE.findall(text)):
        own["send_user_id"] = True
        drawing.notes.append("the templates of the ranker use the user's id, so it is sent to the model")
    drawing.notes.append(
        f"the templates of the ranker get each text in one line of at most {_MAX_TEXT:,} characters; "
        "Gorse leaves texts as they are"
    )
    return own


def _rerank_is_set(ranker: Mapping[str, Any]) -> bool:
    return bool(ranker.get("query_template") or section_of(ranker, "reranker_api").get("url"))


def _add_recommenders(kind: str, recommend: Mapping[str, Any], drawing: Drawing) -> None:
    for entry in entries_of(recommend, kind):
        given = str(entry.get("name", ""))
        settings = _read(ARRAYS[kind], entry)
        if settings.get("similarity") == "auto":
            settings["similarity"] = OWN_SIMILARITY[kind]
            drawing.notes.append(
                f"{kind}/{given} is of type auto; here it goes by {OWN_SIMILARITY[kind]}, not by labels too"
            )
        if settings.get("similarity") == OWN_SIMILARITY.get(kind, " ") and settings["column"]:
            drawing.notes.append(
                f"column of {kind}/{given} is left out: similarity by {settings['similarity']} looks at none"
            )
        reasons = list(_adapted(kind, given, settings))
        taken = {node["name"] for node in drawing.nodes if node["type"] == kind}
        name = _free(given.replace("/", "-")[:MAX_NAME] or kind, taken)
        is_second = f"{kind}/{given}" in drawing.by_name
        if is_second:
            reasons.append("of two with the same name the first counts")
        elif name != given:
            drawing.notes.append(
                f"{kind}/{given} is called {name!r} here: a name has 1 to {MAX_NAME} characters"
            )
        if reasons:
            drawing.notes.append(f"{kind}/{given} is drawn disabled: {'; '.join(reasons)}")
        node_id = drawing.add(kind, settings, name=name, disabled=bool(reasons))
        drawing.by_name[f"{kind}/{name if is_second else given}"] = node_id


def entries_of(recommend: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The sections of a list of recommenders.

    Raises:
        BadRecord: there is something else in it.
    """
    entries = recommend.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise BadRecord(f"[[recommend.{kind}]] must be a list of sections, got {str(entries)[:64]}")
    return entries


def _adapted(kind: str, name: str, settings: dict[str, Any]) -> Iterator[str]:
    """Bring the settings of a recommender to our form; yields why it could not run here."""
    match kind:
        case "non-personalized":
            yield from _fault("score", settings["score"], "number", "score")
            if settings["filter"]:
                yield from _fault("filter", settings["filter"], "bool", "score")
        case "external":
            settings["mode"] = "script"
            if not settings["script"]:
                yield "its script is empty"
        case "item-to-item" | "user-to-user":
            own = OWN_SIMILARITY[kind]
            if settings["similarity"] == own:
                settings["column"] = ""
            elif settings["similarity"] not in ("tags", "embedding"):
                yield f"similarity by {settings['similarity']!r} is not offered here"
            elif not settings["column"]:
                yield f"similarity by {settings['similarity']} needs a column"
            else:
                yield from _fault("column", settings["column"], "any", kind.partition("-")[0])


def _fault(field_name: str, text: Any, expects: Any, scope: Any) -> Iterator[str]:
    try:
        compile_expression(str(text), expects=expects, scope=scope)
    except ExpressionError as error:
        yield f"{field_name}: {error.message}"


def _known(names: list[Any], where: str, drawing: Drawing) -> list[str]:
    """Names that have a node, in their order; a note for each that has none."""
    names = [str(name) for name in names]
    for name in names:
        if name not in drawing.by_name:
            drawing.notes.append(f"{where}.recommenders names {name!r}, which is not configured")
    return list(dict.fromkeys(name for name in names if name in drawing.by_name))


def _is_on(section: Mapping[str, Any], kind: str, drawing: Drawing) -> bool:
    given = section.get("type", "none")
    if given not in (kind, "none"):
        drawing.notes.append(
            f"collaborative.type {given!r} is neither none nor {kind}; nothing is drawn for it"
        )
    return given == kind


def _read(keys: tuple[Key, ...], section: Mapping[str, Any]) -> dict[str, Any]:
    return {key.setting: key.read(section) for key in keys}


def _left_over(recommend: Mapping[str, Any], drawing: Drawing) -> Iterator[str]:
    """A note for every value that a drawing has no place for."""
    kinds = {node["settings"]["kind"] for node in drawing.nodes if node["type"] == "ranker"}
    ranker_keys = [key for kind in kinds for key in RANKER[kind]]
    known = {key.path for key in (*DATA_SOURCE, *RECOMMEND)}
    known |= {f"collaborative.{key.path}" for key in COLLABORATIVE} | {"collaborative.type"}
    known |= {f"ranker.{key.path}" for key in ranker_keys}
    known |= {"ranker.type", "ranker.recommenders", "fallback.recommenders"}
    for path, value in _leaves(recommend, ""):
        told = "rerank" in kinds and path.startswith("ranker.reranker_api.")
        if path not in known and not told and value not in ("", [], {}):
            yield f"{path} has no place in a drawing and stays in the file"
    for kind, keys in ARRAYS.items():
        for entry in entries_of(recommend, kind):
            for name in sorted(set(entry) - {"name", *(key.path for key in keys)}):
                place = f"{name} of {kind}/{entry.get('name', '')}"
                yield f"{place} has no place in a drawing and stays in the file"


def _leaves(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        elif path or name not in ARRAYS:
            yield f"{path}{name}", value


def _free(stem: str, taken: set[str]) -> str:
    name, count = stem, 0
    while name in taken:
        count += 1
        name = f"{stem[: MAX_NAME - 4]}_{count}"
    return name


def _without_tokens(value: Any) -> Any:
    """Keys of services stay in the file: a document goes to the browser and into exports."""
    if isinstance(value, dict):
        return {name: _without_tokens(below) for name, below in value.items() if "token" not in name.lower()}
    return [_without_tokens(part) for part in value] if isinstance(value, list) else value
