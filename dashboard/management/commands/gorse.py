"""Move in from Gorse, or back: config.toml to a flow, a flow to config.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import gorse_files
from dashboard.errors import Blocked
from recflow.configuration import PROJECT_FOLDER
from recflow.errors import RecflowError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="action", required=True)
        part = parts.add_parser("import-config", help="[recommend] becomes a flow, the rest settings")
        part.add_argument("path", type=Path, help="Gorse's config.toml")
        part.add_argument("--name", default="", help="what to call the flow")
        part.add_argument("--activate", action="store_true", help="let the flow answer requests at once")
        part.add_argument("--keep-settings", action="store_true", help="copy no settings to our config.toml")
        part = parts.add_parser("export-config", help="write a flow as Gorse's config.toml")
        part.add_argument("path", type=Path, nargs="?", help="where to; standard output by default")
        part.add_argument("--flow", type=int, help="number of a flow; the active one by default")
        part.add_argument("--with-keys", action="store_true", help="keys, tokens and passwords too")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        try:
            (self._take_in if options["action"] == "import-config" else self._write_out)(options)
        except Blocked as error:
            problems = [f"  {problem['message']}" for problem in error.details["problems"]]
            told = "\n".join(["The flow cannot be activated, and nothing was kept:", *problems])
            raise CommandError(told) from error
        except RecflowError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be used: {error.strerror}") from error

    def _take_in(self, options: dict[str, Any]) -> None:
        try:
            text = options["path"].read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CommandError(f"{options['path']} is not a text in UTF-8: {error.reason}") from error
        taken = gorse_files.take_in(
            text, name=options["name"], author="gorse import-config", activate=options["activate"]
        )
        self.stdout.write(f"Flow {taken.flow.pk}, {taken.flow.name!r}, version {taken.version.number}")
        if options["activate"]:
            self.stdout.write("It answers requests from now on")
        for note in taken.notes:
            self.stdout.write(f"note: {note}")
        own = settings.CONFIGURATION.file or PROJECT_FOLDER / "config.toml"
        if options["keep_settings"]:
            return
        if own.exists() and own.samefile(options["path"]):
            self.stdout.write(f"{own} is our own configuration file: its settings hold already")
            return
        for line in gorse_files.copy_settings(text, own):
            self.stdout.write(f"settings: {line}")

    def _write_out(self, options: dict[str, Any]) -> None:
        text, notes = gorse_files.write_out(options["flow"], with_keys=options["with_keys"])
        if options["path"] is None:
            self.stdout.write(text, ending="")
        else:
            options["path"].write_text(text, encoding="utf-8")
        for note in notes:
            self.stderr.write(f"note: {note}")
