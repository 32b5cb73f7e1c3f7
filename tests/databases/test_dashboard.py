"""What shops and the editor ask of the dashboard, as tests/dashboard has it for SQLite, on PostgreSQL.

All of tests/dashboard runs there with TEST_DATABASE_URL=postgresql://...; these are the parts that every
change has to pass.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("test_gorse_api_lists.py", "test_editor_api.py", "test_prepared_lists.py")


def test_lists_answers_and_flows_are_those_of_sqlite(postgresql):
    files = [f"tests/dashboard/{name}" for name in FILES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env=os.environ | {"TEST_DATABASE_URL": postgresql.new_database()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
