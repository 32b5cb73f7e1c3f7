"""Serve dashboard and API, with login; put a proxy that speaks TLS in front of it."""

from __future__ import annotations

import contextlib
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from dashboard.accounts import ensure_configured_account
from dashboard.management.background import jobs_beside
from dashboard.management.serving import open_port, serve


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8088, help="port to listen on (8088)")
        parser.add_argument(
            "--no-jobs",
            dest="jobs",
            action="store_false",
            help="background jobs run elsewhere (manage.py jobs)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        listener = open_port(options["host"], options["port"])
        call_command("migrate", verbosity=0)
        if hint := ensure_configured_account():
            self.stderr.write(hint)
        host, port = listener.getsockname()[:2]
        self.stdout.write(f"RecFlow is at http://{host}:{port}", ending="\n")
        self.stdout.flush()
        with jobs_beside() if options["jobs"] else contextlib.nullcontext():
            serve(listener, behind_proxy=True)
