"""Servers that several folders of tests need; each is started once, when the first test asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests import private_servers


def missing(reason: str) -> None:
    """Skip for a tool that is missing, or fail where everything that can be installed must be there."""
    (pytest.fail if os.environ.get("RECFLOW_ALL_TESTS") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[private_servers.PostgreSql]:
    programs = private_servers.find_postgresql()
    if programs is None:
        missing("PostgreSQL is not installed (Debian's package postgresql)")
    with private_servers.postgresql(programs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server is not installed")
    with private_servers.redis_server(program) as url:
        yield url
