"""``python manage.py bench NAME``: prints figures."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.bench import expressions, llm, models, preview, refresh, serve, snapshot
from recflow.errors import RecflowError

MOVIELENS = Path("../shared/data/ml-latest-small")


class Command(BaseCommand):
    help = "Prints how fast and how large things are on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="bench", required=True)
        part = parts.add_parser("preview", help="a whole run of the default flow, cold and cached, by node")
        part.add_argument("--data", type=Path, default=MOVIELENS, help="a MovieLens folder")
        part.add_argument("--users", type=int, default=100)
        part = parts.add_parser("snapshot", help="rows to arrays: time, memory and bytes a row")
        part.add_argument("--feedback", type=int, default=1_000_000)
        part.add_argument("--data-folder", type=Path, help=snapshot.FOLDER_HELP)
        part = parts.add_parser("expressions", help="scores over a large catalogue")
        part.add_argument("--items", type=int, default=100_000)
        part = parts.add_parser("models", help="time and NDCG@10 of the fitted models on MovieLens")
        part.add_argument("--data", type=Path, default=MOVIELENS, help="a MovieLens folder")
        part.add_argument("--seeds", type=int, default=3)
        part = parts.add_parser("refresh", help="lists for everybody: from factors, and of a whole flow")
        part.add_argument("--data", type=Path, default=MOVIELENS, help="a MovieLens folder")
        part.add_argument("--users", type=int, default=30_000)
        part.add_argument("--items", type=int, default=41_000)
        part = parts.add_parser("llm", help="what a ranking adds to a language model's own time")
        part.add_argument("--latency-ms", type=int, default=50, help="of the stand-in, one call at a time")
        part.add_argument("--busy-latency-ms", type=int, default=1000, help="the same, many at a time")
        part.add_argument("--rankings", type=int, default=640)
        part.add_argument("--in-flight", type=int, default=64)
        part = parts.add_parser("serve", help="requests a second of /api/recommend beside a bare route")
        part.add_argument("--seconds", type=int, default=5, help="of each of the five parts")
        part.add_argument("--as-server", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        say = self.stdout.write
        try:
            match options["bench"]:
                case "preview":
                    preview.run(say, options["data"], options["users"])
                case "snapshot":
                    snapshot.run(say, options["feedback"], options["data_folder"])
                case "expressions":
                    expressions.run(say, options["items"])
                case "models":
                    models.run(say, options["data"], options["seeds"])
                case "refresh":
                    refresh.run(say, options["data"], options["users"], options["items"])
                case "llm":
                    llm.run(
                        self._say_at_once,
                        latency_ms=options["latency_ms"],
                        busy_latency_ms=options["busy_latency_ms"],
                        n_rankings=options["rankings"],
                        in_flight=options["in_flight"],
                    )
                case "serve" if options["as_server"]:
                    serve.serve_bench(self._say_at_once)
                case "serve":
                    serve.run(self._say_at_once, options["seconds"])
        except RecflowError as error:
            raise CommandError(error.message) from error
        except serve.BenchFailed as error:
            raise CommandError(str(error)) from error

    def _say_at_once(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
