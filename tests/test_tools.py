"""What other tools say about the code: style by ruff, the pure JavaScript by Node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from recflow.bootstrap import REQUIREMENTS, TEST_REQUIREMENTS, pins

#: Imported only where somebody has installed it, to be measured beside our own.
OPTIONAL = {"implicit"}
PROJECT = Path(__file__).resolve().parent.parent


def run(*command):
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rule", [["check"], ["format", "--check"]])
def test_ruff_has_nothing_to_say(rule):
    done = run(sys.executable, "-m", "ruff", *rule, ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pure_javascript_passes_its_tests():
    node = shutil.which("node")
    if node is None:
        if os.environ.get("RECFLOW_ALL_TESTS"):
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    done = run(node, "--test", *sorted(str(path) for path in (PROJECT / "tests" / "js").glob("*.test.js")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_is_imported_is_pinned():
    pinned = {
        name.lower().replace("_", "-") for file in (REQUIREMENTS, TEST_REQUIREMENTS) for name, _ in pins(file)
    }
    owners = packages_distributions()
    for file in [
        *PROJECT.glob("recflow/**/*.py"),
        *PROJECT.glob("dashboard/**/*.py"),
        *PROJECT.glob("tests/**/*.py"),
    ]:
        for name in re.findall(r"^\s*(?:from|import) ([a-zA-Z0-9_]+)", file.read_text(), re.MULTILINE):
            if name in owners and name not in OPTIONAL | {"recflow", "dashboard", "tests"}:
                names = {owner.lower().replace("_", "-") for owner in owners[name]}
                assert names & pinned, f"{file.relative_to(PROJECT)} imports {name}, which no file pins"
