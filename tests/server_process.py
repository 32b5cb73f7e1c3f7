"""RecFlow as users start it: ``manage.py`` in a process of its own, over a folder that is all it knows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
OURS = ("RECFLOW_", "DJANGO_", "GORSE_", "OPENAI_", "DATABASE_", "REDIS_")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of the tests without what it says about RecFlow; data and config.toml are those of the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    (folder / "config.toml").touch()
    own = {"RECFLOW_DATA_DIR": str(folder), "RECFLOW_CONFIG": str(folder / "config.toml")}
    return kept | own | {"PYTHONUNBUFFERED": "1"} | more


class ServerProcess:
    """A server on a free port; it may not answer yet.

    Args:
        command: the words behind ``manage.py``.
        log: file that takes what it says.
    """

    def __init__(self, *command: str, environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *command, "--port", "0"],
                cwd=ROOT,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def address(self) -> str:
        """Where it is; waits until it is there."""
        for _ in range(int(PATIENCE_S / 0.1)):
            if found := re.search(r"RecFlow is at (http://\S+)", self._log.read_text()):
                return found[1]
            if self._process.poll() is not None:
                break
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        self._process.kill()
        self._process.wait()
        pytest.fail(f"The server did not start:\n{self._log.read_text()}")

    def stop(self) -> int:
        """End it as an administrator does; its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
