"""A server to be killed again and again: all is imported once, then each line read starts it anew.

What is started is a process of its own that serves the usual application and does background jobs beside;
it prints its number and its port. Imports and refreshes are cut into small parts, and the server rests after
each statement that writes, for most kills to fall between two that belong together.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created
from django.utils import timezone

import recflow.asgi  # noqa: F401  what takes long; it also sets Django up for what follows
from dashboard import importing
from dashboard.jobs import ledger, refreshing, runner
from dashboard.management.serving import open_port, serve

BATCH = 100
#: Users of one part of a refresh.
SHARD_USERS = 20
REST_S = 0.01


def rest_after_writing(sender: object, connection: Any, **_: object) -> None:
    """Each new connection gets a wrapper around its statements."""

    def rest(execute: Callable, statement: str, *rest_of_call: object) -> object:
        result = execute(statement, *rest_of_call)
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            time.sleep(REST_S)
        return result

    connection.execute_wrappers.append(rest)


def do_jobs() -> None:
    ledger.take_up_stale(timezone.now() + timedelta(seconds=ledger.STALE_S + 1))  # nobody else is alive
    with runner.embedded() as executor:
        runner.run_until(threading.Event(), executor)


def main() -> None:
    settings.OPEN_ON_LOOPBACK = True
    importing.BATCH, refreshing.SHARD_USERS, runner.LOOK_EVERY_S = BATCH, SHARD_USERS, 0.02
    importing.take_in.__kwdefaults__["batch"] = BATCH
    call_command("migrate", verbosity=0)
    connections.close_all()
    connection_created.connect(rest_after_writing)
    assert threading.active_count() == 1  # a fork takes no other thread along
    for _ in sys.stdin:
        number = os.fork()
        if number == 0:
            listener = open_port("127.0.0.1", 0)
            print(os.getpid(), listener.getsockname()[1], flush=True)
            threading.Thread(target=do_jobs, daemon=True).start()
            serve(listener, behind_proxy=False)
            os._exit(0)
        os.waitpid(number, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
