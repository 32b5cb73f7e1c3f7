"""Bringing an empty PostgreSQL up to date: by several processes at once, and by an account that may not."""

from __future__ import annotations

import subprocess
import sys

import psycopg

from tests.private_servers import rows
from tests.server_process import ROOT, environment

PROCESSES = 3


def migrating(folder, url):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment(folder, DATABASE_URL=url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_processes_that_start_together_migrate_one_after_the_other(postgresql, tmp_path):
    url = postgresql.new_database()
    started = [migrating(tmp_path, url) for _ in range(PROCESSES)]
    assert [(process.communicate()[0], process.returncode) for process in started] == [("", 0)] * PROCESSES
    ((applied, different),) = rows(url, "SELECT COUNT(*), COUNT(DISTINCT (app, name)) FROM django_migrations")
    assert applied == different > 0


def test_an_account_that_may_make_no_tables_is_told_so_in_one_sentence(postgresql, tmp_path):
    url = postgresql.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute("CREATE ROLE shop LOGIN")
    process = migrating(tmp_path, url.replace("://recflow@", "://shop@"))
    said, _ = process.communicate()
    assert said == "The database cannot be used: permission denied for schema public\n"
    assert process.returncode == 1
