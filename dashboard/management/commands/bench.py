"""``python manage.py bench NAME``: prints figures."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.bench import expressions, llm, models, preview, refresh, serve, snapshot
from dashboard.management.numbers import at_least
from recflow.errors import RecflowError

MOVIELENS = Path("../shared/data/ml-latest-small")


class Command(BaseCommand):
    help = "Prints how fast and how large things are on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="bench", required=True)
        part = parts.add_parser("preview", help="a whole run of the default flow, cold and cached, by node")
        _movielens(part)
        _count(part, "--users", 100, "who runs are for")
        part = parts.add_parser("snapshot", help="rows to arrays: time, memory and bytes a row")
        _count(part, "--feedback", 1_000_000, "rows to make up")
        part.add_argument("--data-folder", type=Path, help=SUPPRESS)  # of the processes it starts
        part = parts.add_parser("expressions", help="scores over a large catalogue")
        _count(part, "--items", 100_000, "size of the catalogue to make up")
        part = parts.add_parser("models", help="time and NDCG@10 of the fitted models on MovieLens")
        _movielens(part)
        _count(part, "--seeds", 3, "measurements to take the mean of")
        part = parts.add_parser("refresh", help="lists for everybody: from factors, and of a whole flow")
        _movielens(part)
        _count(part, "--users", 30_000, "who lists from factors are for")
        _count(part, "--items", 41_000, "what they are made of")
        part = parts.add_parser("llm", help="what a ranking adds to a language model's own time")
        _count(part, "--latency-ms", 50, "time of the stand-in, one call at a time")
        _count(part, "--busy-latency-ms", 1000, "the same, many calls at a time")
        _count(part, "--rankings", 640, "rankings, many at a time")
        _count(part, "--in-flight", 64, "calls at the same time")
        part = parts.add_parser("serve", help="requests a second of /api/recommend beside a bare route")
        _count(part, "--seconds", 5, "length of each of the five parts")
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


def _movielens(parser: ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=MOVIELENS, help=f"a MovieLens folder ({MOVIELENS})")


def _count(parser: ArgumentParser, name: str, default: int, about: str) -> None:
    parser.add_argument(name, type=at_least(1), default=default, metavar="N", help=f"{about} ({default:,})")
