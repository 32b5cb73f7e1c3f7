"""Write users, items and feedback as Gorse's JSONL: users.jsonl, items.jsonl, feedback.jsonl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.catalogue import reading
from dashboard.catalogue.streaming import one_moment
from dashboard.store import now_us
from recflow.interop.jsonl import write_jsonl


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("format", choices=["jsonl"])
        parser.add_argument("folder", type=Path, help="made when it does not exist")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        folder: Path = options["folder"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with one_moment() as connection:
                parts = {
                    "users": reading.all_users(connection),
                    "items": reading.all_items(connection),
                    "feedback": reading.all_feedback(connection, until_us=now_us()),
                }
                for name, records in parts.items():
                    count = write_jsonl(records, folder / f"{name}.jsonl")
                    self.stdout.write(f"{count:,} {name} in {folder / name}.jsonl")
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}") from error
