"""Django's settings for tests: the real ones, over a data folder of this run and an empty configuration.

Rows are in SQLite, or in the PostgreSQL that TEST_DATABASE_URL names: a database beside that one is made and
taken away by Django.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from recflow.configuration import ENVIRONMENT

# Threads of OpenBLAS wait for each other by spinning: where other work had the cores, a training took 41 s
# with two of them and 14 s with one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_FOLDER = tempfile.TemporaryDirectory(prefix="recflow-tests-")
for _variable in ENVIRONMENT:
    os.environ.pop(_variable, None)
os.environ["RECFLOW_DATA_DIR"] = _FOLDER.name
os.environ["RECFLOW_CONFIG"] = str(Path(_FOLDER.name) / "config.toml")
Path(os.environ["RECFLOW_CONFIG"]).touch()
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")

from recflow.settings import *  # noqa: E402, F403  the environment has to be ready first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
