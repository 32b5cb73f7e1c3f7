"""``python manage.py bench NAME``: prints figures."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.bench import preview
from recflow.errors import RecflowError

MOVIELENS = Path("../shared/data/ml-latest-small")


class Command(BaseCommand):
    help = "Prints how fast and how large things are on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="bench", required=True)
        part = parts.add_parser("preview", help="a whole run of the default flow, cold and cached, by node")
        part.add_argument("--data", type=Path, default=MOVIELENS, help="a MovieLens folder")
        part.add_argument("--users", type=int, default=100)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["bench"] == "preview":
                preview.run(self.stdout.write, options["data"], options["users"])
        except RecflowError as error:
            raise CommandError(error.message) from error
