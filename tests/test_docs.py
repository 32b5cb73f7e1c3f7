"""Nothing undocumented: what a user can set, call or place is named where they look for it."""

import ast
from pathlib import Path

import pytest

import recflow.nodes  # noqa: F401  fills the registry
from recflow.configuration import ENVIRONMENT
from recflow.engine import events
from recflow.engine.registry import NODE_TYPES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
OURS = [path for part in ("recflow", "dashboard") for path in sorted((ROOT / part).rglob("*.py"))]
SOURCES = [path for path in OURS if "migrations" not in path.parts and path.stat().st_size]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_class_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file has no docstring"
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef) and is_silent(node)] == []


def is_silent(node):
    """A public class with behavior of which neither it nor any of its functions says a word."""
    functions = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    told = [ast.get_docstring(part) for part in (node, *functions)]
    is_command = node.name == "Command"  # Django's commands say it in ``help``
    return bool(functions) and not any(told) and not node.name.startswith("_") and not is_command


def test_no_docstring_only_repeats_a_name():
    repeated = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
                words = text.lower().strip(".").replace("the ", "").replace("a ", "").split()
                if words == node.name.lower().strip("_").split("_"):
                    repeated.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert repeated == []


def test_the_readme_names_every_node_type_every_variable_and_every_command():
    missing = [entry.label for entry in NODE_TYPES.values() if f"| {entry.label} |" not in README]
    missing += [variable for variable in ENVIRONMENT if f"`{variable}`" not in README]
    commands = [path.stem for path in (ROOT / "dashboard" / "management" / "commands").glob("*.py")]
    missing += [
        name for name in commands if name not in {"migrate", "__init__"} and f"manage.py {name}" not in README
    ]
    assert missing == []


def test_the_protocol_names_every_event():
    names = {cls.name for cls in vars(events).values() if isinstance(cls, type) and getattr(cls, "name", "")}
    assert [name for name in sorted(names) if f"`{name}`" not in PROTOCOL] == []


def test_every_dependency_says_what_it_is_for():
    for file in (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"):
        text = file.read_text(encoding="utf-8").partition("# Needed by those above")[0]
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-"))]
        assert lines
        assert [line for line in lines if " # " not in line or "==" not in line] == []


def test_nothing_of_a_machine_or_a_registry_stands_in_the_project():
    words = ("/work" + "/", "pypi.org" + "/simple", "registry.npmjs" + ".org")
    found = []
    for path in [
        *OURS,
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*"),
        *(ROOT / "static" / "js").rglob("*.js"),
    ]:
        if path.suffix in {".py", ".md", ".js"}:
            text = path.read_text(encoding="utf-8")
            found += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert found == []
