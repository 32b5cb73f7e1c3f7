"""How well rankers order held-out items, a language model among them.

For each user the newest positive feedback is hidden among 99 items that user never touched; every ranker
orders the same 100 candidates, knowing the S positives before it.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard.evaluation.asking import AskedRanker, Forecast
from dashboard.evaluation.contestants import ANSWERS, Entrants, contestants_of, find_flow, outside_now
from dashboard.evaluation.datasets import DEFAULT_RULES, OWN, Measured, open_dataset
from dashboard.evaluation.injection import asking_pair, injection_lines, measure_injection
from dashboard.evaluation.model_askers import endpoint_of
from dashboard.evaluation.rankers import ASKED, BASELINE, CONTROLS, LABELS, MODELS
from dashboard.evaluation.ranking_runs import (
    Contestant,
    RankingPlan,
    all_questions,
    measure_rankers,
    splits_of,
)
from dashboard.evaluation.tables import ranking_table
from dashboard.evaluation.watching import Step, Watcher
from dashboard.jobs.fitting import rules_of_flow
from dashboard.management.numbers import at_least, not_negative
from dashboard.models import ModelPrice
from recflow.configuration import Configuration, ConfigurationError, read_configuration
from recflow.data.feedback import FeedbackRule, FeedbackRules
from recflow.engine.flow import load_flow
from recflow.errors import RecflowError
from recflow.evaluation.questions import Question
from recflow.interop.gorse_config import config_to_flow
from recflow.interop.records import Rejected
from recflow.llm.endpoint import Endpoint, Price
from recflow.nodes.outside import DEFAULT_ENDPOINT, Outside


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--config", type=Path, help="config.toml with [openai] and [recommend]")
        parser.add_argument(
            "-s",
            "--shots",
            type=at_least(0),
            nargs="+",
            default=[1],
            metavar="S",
            help="positives of each user that are known, one measurement for each (1)",
        )
        parser.add_argument(
            "--users", type=at_least(1), metavar="N", help="ask a sample of so many users, not all"
        )
        parser.add_argument(
            "--rankers", nargs="+", default=[*MODELS, ASKED], help=f"among {', '.join(LABELS)}"
        )
        parser.add_argument(
            "--flow",
            action="append",
            default=[],
            help='measure its ranker nodes: "Home feed@3", or one: "Home feed@3/id"',
        )
        parser.add_argument("--data", default=OWN, help=f"a MovieLens folder, or {OWN}")
        parser.add_argument("--positive", nargs="+", help='positive feedback, such as "rating>=3.5"')
        parser.add_argument(
            "--seed", type=at_least(0), default=0, help="of negatives, samples and models (0)"
        )
        parser.add_argument(
            "--in-flight",
            type=at_least(1),
            default=32,
            metavar="N",
            help="calls to a model at the same time (32)",
        )
        parser.add_argument(
            "--price",
            type=not_negative,
            nargs=2,
            metavar=("IN", "OUT"),
            help="of a million tokens, of every model that is asked; else those of Settings",
        )
        parser.add_argument(
            "--injection", action="store_true", help="measure what an item gains by asking to be put first"
        )
        parser.add_argument("--json", type=Path, help="write the report here")
        parser.add_argument("--yes", action="store_true", help="do not ask before spending")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)  # also a folder of MovieLens is measured with what Settings say
        try:
            self._measure(options)
        except (RecflowError, ConfigurationError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _measure(self, options: dict[str, Any]) -> None:
        _check_writable(options["json"])
        began, began_cpu = time.perf_counter(), time.process_time()
        configuration = _configuration(options["config"])
        plan = RankingPlan(
            rankers=(*dict.fromkeys([*options["rankers"], *CONTROLS]),),
            flows=options["flow"],
            shots=options["shots"],
            users=options["users"],
            seed=options["seed"],
        )
        rejected: list[Rejected] = []
        measured = Measured(open_dataset(options["data"], rejected.append), _rules(options, configuration))
        for line in _unreadable(rejected):
            self._say(line)
        self._say("{users:,} users, {items:,} items, {positive:,} positives".format(**measured.described()))
        splits = splits_of(plan, measured)
        outside, section = outside_now(), configuration.openai
        price = _price_in_settings(section.chat_completion_model)
        endpoint = endpoint_of(section, in_flight=options["in_flight"], price=price)
        if endpoint is None and DEFAULT_ENDPOINT in outside.endpoints:
            endpoint = outside.endpoints[DEFAULT_ENDPOINT].endpoint
        if options["price"]:
            endpoint, outside = _at_price(Price(*options["price"]), endpoint, outside)
        entrants = Entrants(measured, plan.seed, endpoint, outside, options["in_flight"], ANSWERS)
        contestants = contestants_of(plan.rankers, plan.flows, entrants)
        if options["injection"]:
            self._measure_injection(contestants, all_questions(splits), options)
            return
        self._confirm_costs(_asked(contestants), all_questions(splits), skip=options["yes"])
        bar = _Bar()
        report = measure_rankers(plan, measured, contestants, splits, Watcher(bar.show))
        bar.clear()
        self._say(ranking_table(report))
        if BASELINE in plan.rankers:
            seconds = sum(
                row["fit_seconds"] + row["seconds_per_user"] * row["users"]
                for row in report["rows"]
                if row["ranker"] == BASELINE
            )
            self._say(
                f"{LABELS[BASELINE]} at {len(splits)} shots: {seconds:.1f} s "
                "(target: five shots of ml-latest-small under 20 s on 2 cores)"
            )
        for name, busy in report["asked"].items():
            if busy["calls"]:
                self._say(
                    "{name}: {calls:,} calls in {seconds} s, {calls_per_second} a second; {busy_share:.0%} "
                    "of the endpoint's own throughput at {in_flight} in flight (target: 90 %)".format(
                        name=name, **busy
                    )
                )
        spent = time.process_time() - began_cpu
        self._say(f"All of it: {time.perf_counter() - began:.1f} s, {spent:.1f} s of processor time")
        self._write(report, options["json"])

    def _measure_injection(
        self, contestants: list[Contestant], questions: list[Question], options: dict[str, Any]
    ) -> None:
        asked = _asked(contestants)
        if not asked:
            reasons = [one.why_not for one in contestants if one.why_not]
            raise CommandError(" ".join(["There is no model to ask.", *reasons]))
        pairs = [(label, one) for label, ranker in asked for one in asking_pair(ranker)]
        self._confirm_costs(pairs, questions, skip=options["yes"])
        bar, report = _Bar(), {}
        for label, ranker in asked:
            report[label] = measure_injection(ranker, questions, Watcher(bar.show))
            bar.clear()
            self._say(injection_lines(label, report[label]))
        self._write(report, options["json"])

    def _write(self, report: dict[str, Any], file: Path | None) -> None:
        if file:
            file.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
            self._say(f"The report is in {file}")

    def _confirm_costs(
        self, asked: list[tuple[str, AskedRanker]], questions: list[Question], *, skip: bool
    ) -> None:
        """Say what models are about to be asked, and wait for a yes."""
        for label, ranker in asked:
            forecast = ranker.forecast(questions)
            self._say(f"{label}: {_words(forecast)}")
            if not forecast.calls or skip:
                continue
            if not sys.stdin.isatty():
                raise CommandError("Nobody is there to confirm the cost: add --yes to go on without asking")
            if input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
                raise CommandError("Nothing was asked")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _check_writable(file: Path | None) -> None:
    """Before anything is asked: a report that cannot be kept would have to be paid for again."""
    if file is None:
        return
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise CommandError(f"The report cannot be written to {file}: name a file in a folder that is there")


def _asked(contestants: list[Contestant]) -> list[tuple[str, AskedRanker]]:
    return [(one.label, one.ranker) for one in contestants if isinstance(one.ranker, AskedRanker)]


def _words(forecast: Forecast) -> str:
    kept = f"{forecast.kept:,} answers are kept from before; " if forecast.kept else ""
    if not forecast.calls:
        return f"{kept}nothing is left to ask"
    cost = "price unknown" if forecast.cost is None else f"cost about {forecast.cost:.2f}"
    return f"{kept}{forecast.calls:,} calls, about {forecast.tokens:,} tokens, {cost}"


def _price_in_settings(model: str) -> Price | None:
    row = ModelPrice.objects.filter(model=model).first()
    return row and Price(row.input, row.output, row.cached_input)


def _at_price(price: Price, endpoint: Endpoint | None, outside: Outside) -> tuple[Endpoint | None, Outside]:
    """Everything that may be asked, at this price."""
    named = {
        name: replace(found, endpoint=replace(found.endpoint, price=price))
        for name, found in outside.endpoints.items()
    }
    return endpoint and replace(endpoint, price=price), replace(outside, endpoints=named)


def _unreadable(rejected: list[Rejected]) -> list[str]:
    """One sentence for each file of which rows could not be read."""
    lines = []
    for file, n in Counter(row.file for row in rejected).items():
        first = next(row for row in rejected if row.file == file)
        rows = "1 row" if n == 1 else f"{n:,} rows"
        lines.append(f"{rows} of {file} could not be read: line {first.line:,}: {first.reason}")
    return lines


def _configuration(file: Path | None) -> Configuration:
    if file is None:
        return read_configuration()
    before = os.environ.get("RECFLOW_CONFIG")
    os.environ["RECFLOW_CONFIG"] = str(file)
    try:
        return read_configuration()
    finally:
        if before is None:
            del os.environ["RECFLOW_CONFIG"]
        else:
            os.environ["RECFLOW_CONFIG"] = before


def _rules(options: dict[str, Any], configuration: Configuration) -> FeedbackRules:
    """Which feedback counts: as told, else as the first flow says, else the configuration, else as usual."""
    if options["positive"]:
        positive = tuple(FeedbackRule.parse(text) for text in options["positive"])
        return FeedbackRules(positive, DEFAULT_RULES.read)
    if options["flow"]:
        return rules_of_flow(find_flow(options["flow"][0]).flow)
    if configuration.recommend and configuration.file:
        document, _ = config_to_flow(configuration.file.read_text(encoding="utf-8"))
        return rules_of_flow(load_flow(document))
    return DEFAULT_RULES


class _Bar:
    """A progress bar on the error output, which a report piped to a file does not get into."""

    WIDTH = 30

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._is_terminal = sys.stderr.isatty()

    def show(self, step: Step) -> None:
        now = time.monotonic()
        if now - self._drawn_at < (0.1 if self._is_terminal else 5.0) and step.share < 1:
            return
        self._drawn_at = now
        filled = round(self.WIDTH * step.share)
        bar = f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {step.share:4.0%} {step.text}"
        sys.stderr.write(f"\r{bar:<78}" if self._is_terminal else f"{bar}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._is_terminal:
            sys.stderr.write(f"\r{'':<78}\r")
            sys.stderr.flush()
