"""What several files of tests of the dashboard share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import pytest
from django.db import connection

from dashboard import runs
from dashboard.artifacts import ArtifactStore
from tests.patience import PATIENCE_S


@pytest.fixture
def models(tmp_path, monkeypatch) -> ArtifactStore:
    """The models of this test alone; else those that another test fitted to other items would answer."""
    monkeypatch.setattr(runs.models, "folder", tmp_path / "models")
    monkeypatch.setattr(runs.models, "_loaded", OrderedDict())
    return runs.models


@pytest.fixture(autouse=True)
def reads_are_over() -> Iterator[None]:
    """A snapshot still being read locks tables that the end of a test empties: a deadlock on PostgreSQL."""
    yield
    worker = runs.store._worker
    if worker is not None:
        worker.join(PATIENCE_S)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Threads keep connections to PostgreSQL, which gives up no database that is in use."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
