"""Django's settings for tests: the real ones, over a data folder of this run and an empty configuration."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from recflow.configuration import ENVIRONMENT

_FOLDER = tempfile.TemporaryDirectory(prefix="recflow-tests-")
for _variable in ENVIRONMENT:
    os.environ.pop(_variable, None)
os.environ["RECFLOW_DATA_DIR"] = _FOLDER.name
os.environ["RECFLOW_CONFIG"] = str(Path(_FOLDER.name) / "config.toml")
Path(os.environ["RECFLOW_CONFIG"]).touch()

from recflow.settings import *  # noqa: E402, F403  the environment has to be ready first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
