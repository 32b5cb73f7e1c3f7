"""A PostgreSQL and a Redis of the tests' own: on a free port, over a folder that goes when they do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import redis

from tests.patience import PATIENCE_S, wait_until

USER = "recflow"


class PostgreSql:
    """A running server; ``url`` is of a database that tests may fill."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._databases = 0

    def new_database(self) -> str:
        """The address of an empty database."""
        self._databases += 1
        name = f"shop{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def is_up(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"


def rows(url: str, statement: str) -> list[tuple]:
    """What a statement finds in a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def until_alone(url: str) -> None:
    """Wait until the server has noticed that everybody else has gone, and has rolled their work back."""
    asked = (
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    wait_until(lambda: rows(url, asked) == [(0,)], f"Somebody is still connected to {url}")


def find_postgresql() -> Path | None:
    """The folder with PostgreSQL's programs; Debian keeps them off the PATH."""
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgresql(programs: Path) -> Iterator[PostgreSql]:
    """A server that sorts texts by a language, as many do; it must make no difference."""
    # Not below pytest's folder: PostgreSQL refuses to be root, and others may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="recflow-postgresql-"))
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if nobody:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    try:
        by_a_language = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync", *by_a_language],
            cwd=folder,
            check=True,
            capture_output=True,
            **nobody,
        )
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (folder / "log").open("w") as log, _own_port() as port:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), *options],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                **nobody,
            )
            try:
                server = PostgreSql(port)
                wait_until(server.is_up, lambda: (folder / "log").read_text())
                yield server
            finally:
                process.send_signal(signal.SIGINT)  # ends connections that are still open
                process.wait(PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server(program: str) -> Iterator[str]:
    """The address of a Redis that keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="recflow-redis-") as folder, _own_port() as port:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        url = f"redis://127.0.0.1:{port}/0"
        try:
            with closing(redis.Redis.from_url(url)) as client:
                wait_until(lambda: _answers(client), f"{program} did not start")
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def _own_port() -> Iterator[int]:
    """A free port for a server that finds none itself: bound without listening, so that nobody else gets it.

    Both servers bind it all the same, for they set SO_REUSEADDR as well.
    """
    with closing(socket.socket()) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]
