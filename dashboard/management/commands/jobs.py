"""Run background jobs: models, lists, measurements, imports. Several of these may run together."""

from __future__ import annotations

import logging
import os
import signal
import threading
from argparse import SUPPRESS
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.jobs.planning import plan
from dashboard.jobs.runner import embedded, on_dask, run_until
from recflow import addresses

logger = logging.getLogger(__name__)

#: Seconds a job gets to notice that this process has to end; then the ledger keeps what it had.
GRACE_S = 5.0
#: How far a server on the same machine goes before the jobs that run beside it.
NICER = 10
#: Parts handed out at a time to workers on other machines.
DASK_WINDOW = 16


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--scheduler",
            default=settings.CONFIGURATION.recflow.dask_scheduler,
            help="address of a Dask scheduler, such as tcp://10.0.0.5:8786; without one this process works",
        )
        parser.add_argument("--parent", type=int, help=SUPPRESS)  # the process that started us; ends with it

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["scheduler"]
        try:
            addresses.scheduler(address)
        except ValueError as error:
            raise CommandError(f"--scheduler is wrong: {error}, got {address!r}") from error
        if options["parent"] is not None:
            os.nice(NICER)
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        threading.Thread(target=_end, args=(stop, options["parent"]), daemon=True).start()
        try:
            with on_dask(address) if address else embedded() as executor:
                if not address:
                    run_until(stop, executor, plan)
                    return
                with ThreadPoolExecutor(1, thread_name_prefix="aside") as here:
                    run_until(stop, executor, plan, window=DASK_WINDOW, aside=here)
        except OSError as error:
            raise CommandError(f"No Dask scheduler answers at {address}: {error}") from error


def _end(stop: threading.Event, parent: int | None) -> None:
    """Set ``stop`` when the parent is gone; some seconds after it is set, end whatever still runs."""
    while not stop.wait(1.0):
        if parent is not None and os.getppid() != parent:
            stop.set()
    threading.Event().wait(GRACE_S)
    os._exit(0)
