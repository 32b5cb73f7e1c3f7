"""How answers keep connections to PostgreSQL, its driver played; tests/databases asks a real one."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from dashboard.serving import rows
from dashboard.serving.rows import PostgresRows


class Driver:
    """Makes connections that take a moment to open, and remembers them."""

    def __init__(self):
        self.made = []

    async def connect(self):
        await asyncio.sleep(0)
        connection = Connection()
        self.made.append(connection)
        return connection


class Connection:
    closed = False
    broken = False

    async def execute(self, statement, values):
        await asyncio.sleep(0)
        if self.broken:
            self.closed = True
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return self

    async def fetchall(self):
        return [("row",)]


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setattr(rows, "_connect", driver.connect)
    return driver


async def ask(query, mark, what):
    return await query(f"SELECT {mark}", [what])


async def test_requests_that_come_together_open_one_connection(driver):
    """Each would open its own, of which PostgreSQL has a hundred, and all but the last would be lost."""
    reading = PostgresRows()
    found = await asyncio.gather(*(reading.read(ask, number) for number in range(50)))
    assert found == [[("row",)]] * 50
    assert len(driver.made) == 1


async def test_a_connection_that_was_cut_is_made_anew_once_and_nobody_notices(driver):
    reading = PostgresRows()
    await reading.read(ask, 0)
    driver.made[0].broken = True
    found = await asyncio.gather(*(reading.read(ask, number) for number in range(50)))
    assert found == [[("row",)]] * 50
    assert len(driver.made) == 2


async def test_a_server_that_does_not_come_back_is_told_to_whoever_asks(driver, monkeypatch):
    monkeypatch.setattr(Connection, "broken", True)
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        await PostgresRows().read(ask, 0)
    assert len(driver.made) == 2
