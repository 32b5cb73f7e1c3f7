"""What several files of tests of the dashboard share."""

from __future__ import annotations

import pytest

from dashboard import runs
from dashboard.artifacts import ArtifactStore


@pytest.fixture
def models(tmp_path, monkeypatch) -> ArtifactStore:
    """The models of this test alone; else those that another test fitted to other items would answer."""
    monkeypatch.setattr(runs.models, "folder", tmp_path / "models")
    monkeypatch.setattr(runs.models, "_loaded", {})
    return runs.models
