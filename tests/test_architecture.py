"""Who may import whom: the table of rooms, read off the imports of every file."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDARD_FORBIDDEN = {"django", "channels", "ninja", "dashboard"}

#: room -> (rooms of recflow it may import, packages that may never come in beside Django)
ROOMS = {
    "data": ({"data"}, {"httpx"}),
    "algorithms": ({"algorithms", "data"}, {"httpx", "time", "datetime"}),
    "expressions": ({"expressions", "data"}, {"httpx"}),
    "evaluation": ({"evaluation", "algorithms", "data"}, {"httpx"}),
    "playground": ({"playground", "data"}, {"httpx"}),
    "sandbox": ({"sandbox"}, set()),
    "outbound": ({"outbound"}, set()),
    "llm": ({"llm", "sandbox", "outbound"}, set()),
    "engine": ({"engine", "data"}, {"httpx"}),
    "interop": ({"interop", "engine", "data", "expressions"}, {"httpx"}),
    "nodes": (
        {"nodes", "engine", "data", "algorithms", "expressions", "evaluation", "sandbox", "outbound", "llm"},
        set(),
    ),
}
#: Only these join recflow and the dashboard.
JOINING = {ROOT / "recflow" / name for name in ("settings.py", "urls.py", "asgi.py")}
#: What node types share; the rest of them never import each other.
SHARED_BY_NODES = {
    "recflow.nodes",
    "recflow.nodes.proposing",
    "recflow.nodes.formulas",
    "recflow.nodes.outside",
    "recflow.nodes.records",
    "recflow.nodes.similarity",
    "recflow.nodes.training",
    "recflow.nodes.external.id_path",
    "recflow.nodes.external.question",
    "recflow.nodes.ranker.ordering",
    "recflow.nodes.ranker.asking",
    "recflow.nodes.ranker.telling",
}


def imported(path):
    """Every module a file imports, relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files(room):
    return sorted((ROOT / "recflow" / room).rglob("*.py"))


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "recflow" else None


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_its_row_of_the_table_allows(room):
    rooms, packages = ROOMS[room]
    assert files(room), f"recflow/{room} is empty"
    breaches = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files(room)
        for module in imported(path)
        if module.split(".")[0] in STANDARD_FORBIDDEN | packages
        or (room_of(module) in ROOMS and room_of(module) not in rooms)
    ]
    assert breaches == []


def test_every_folder_of_recflow_is_a_room_of_the_table():
    folders = {path.name for path in (ROOT / "recflow").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS)


def test_only_the_joining_files_of_recflow_name_the_dashboard():
    breaches = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "recflow").rglob("*.py")
        if path not in JOINING and any(m.split(".")[0] == "dashboard" for m in imported(path))
    ]
    assert breaches == []


def test_node_types_do_not_import_each_other():
    breaches = []
    for path in files("nodes"):
        if path.name == "__init__.py":
            continue
        for module in imported(path):
            shared = any(
                module == name or module.startswith(f"{name}.")
                for name in SHARED_BY_NODES - {"recflow.nodes"}
            )
            if module.startswith("recflow.nodes.") and not shared:
                breaches.append(f"{path.relative_to(ROOT)} imports {module}")
    assert breaches == []


def test_every_room_opens_with_what_it_is_for_and_what_may_not_come_in():
    for room in ROOMS:
        text = ast.get_docstring(ast.parse((ROOT / "recflow" / room / "__init__.py").read_text())) or ""
        assert len(text.splitlines()) >= 2, f"recflow/{room}/__init__.py does not say what may not come in"


def test_no_file_holds_what_has_no_subject():
    bad = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [path for path in ROOT.rglob("*.py") if path.name in bad and ".venv" not in path.parts] == []


PURE_FRONT_END = ("flow-document.js", "history.js", "flow-diff.js", "commands.js", "connecting.js")


@pytest.mark.parametrize("name", PURE_FRONT_END)
def test_pure_front_end_files_touch_no_browser(name):
    path = ROOT / "static" / "js" / "editor" / name
    if not path.exists():
        pytest.fail(f"{name} is gone: take it off the list")
    text = path.read_text(encoding="utf-8")
    for word in ("document.query", "window.", "fetch(", "from 'react'", 'from "react"', "lib/react"):
        assert word not in text, f"{name} uses {word}"


def test_the_front_end_names_no_node_type():
    from recflow.engine.registry import NODE_TYPES

    # Words that are also plain English are not told apart from a type's name by a search.
    names = [name for name in NODE_TYPES if "-" in name] + ["collaborative", "diversify"]
    breaches = [
        f"{path.name}: {name}"
        for path in (ROOT / "static" / "js").rglob("*.js")
        for name in names
        if f'"{name}"' in path.read_text(encoding="utf-8") or f"'{name}'" in path.read_text(encoding="utf-8")
    ]
    assert breaches == []
