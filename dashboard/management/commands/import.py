"""Take in users, items and feedback: MovieLens, CSV with a header, or Gorse's JSONL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from dashboard.importing import KINDS, Outcome, Source, sources, take_in
from recflow.errors import BadRecord


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("format", choices=["movielens", "csv", "jsonl"], help="how it is written")
        parser.add_argument("path", type=Path, help="a file, or a folder of users, items and feedback")
        parser.add_argument("--kind", choices=KINDS, help="what a single file holds, when it does not tell")
        parser.add_argument(
            "--allow-rejects", action="store_true", help="rows that cannot be read are no error"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        try:
            outcomes = [
                self._take_in(source)
                for source in sources(options["format"], options["path"], options["kind"])
            ]
        except BadRecord as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
        except KeyboardInterrupt:
            self.stderr.write("\nInterrupted: the same command goes on where this one stopped")
            raise
        rejected = sum(outcome.rejected for outcome in outcomes)
        if rejected and not options["allow_rejects"]:
            raise CommandError(f"{_rows(rejected)} could not be read; everything else is in")

    def _take_in(self, source: Source) -> Outcome:
        with tqdm(desc=source.path.name, unit="B", unit_scale=True, disable=None) as bar:

            def report(done: int, size: int) -> None:
                bar.total = size
                bar.update(done - bar.n)

            outcome = take_in(source, report=report)
        if outcome.resumed_at:
            self.stdout.write(f"Went on behind byte {outcome.resumed_at:,} of {source.path}")
        parts = ", ".join(f"{count:,} {kind}" for kind, count in outcome.counts.items() if count)
        rate = outcome.rows / max(outcome.seconds, 1e-9)
        self.stdout.write(
            f"{source.path}: {parts or 'nothing'} in {outcome.seconds:.1f} s ({rate:,.0f} rows/s)"
        )
        if outcome.ignored_columns:
            self.stdout.write(f"Columns passed over: {', '.join(outcome.ignored_columns)}")
        if outcome.rejected:
            self.stdout.write(f"{_rows(outcome.rejected)} rejected, see {outcome.rejects_file}")
        return outcome


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
