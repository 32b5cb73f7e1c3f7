"""Try RecFlow: invented data, a flow, trained models, and the dashboard on this machine without a login."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from dashboard import drafts, runs
from dashboard.activation import activate, active_version
from dashboard.catalogue import writing
from dashboard.jobs.fitting import fit_missing
from dashboard.management.background import jobs_beside
from dashboard.management.serving import open_port, serve
from dashboard.models import CatalogueVersion, Flow
from dashboard.store import now_us, store
from recflow.engine.flow import load_flow
from recflow.llm import standin
from recflow.nodes.starters import DEFAULT, STARTERS
from recflow.playground import make_playground

HOST = "127.0.0.1"


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8088, help="port to listen on (8088)")

    def handle(self, *args: Any, **options: Any) -> None:
        listener = open_port(HOST, options["port"])
        call_command("migrate", verbosity=0)
        if not CatalogueVersion.objects.exists():
            self._timed("Inventing a library of books and readers", _load_data)
        if not Flow.objects.exists():
            _make_flow()
        self._timed("Training what the active flow needs", self._fit_models)
        settings.OPEN_ON_LOOPBACK = True
        self._say(f"RecFlow is at http://{HOST}:{listener.getsockname()[1]} (Ctrl+C stops it)")
        with _stand_in(), jobs_beside():
            serve(listener, behind_proxy=False)

    def _fit_models(self) -> None:
        version = active_version()
        flows = [load_flow(version.document)] if version else []
        snapshot = store.snapshot(fresh=True)
        fit_missing(flows, snapshot, runs.models, say=lambda line: self._say(f"  {line}"), measure=True)

    def _timed(self, sentence: str, work: Any) -> None:
        self._say(f"{sentence} ...")
        began = time.monotonic()
        work()
        self._say(f"  done in {time.monotonic() - began:.1f} s")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@contextlib.contextmanager
def _stand_in() -> Iterator[None]:
    """A model to try the language model ranker with, for whoever has set up none."""
    if settings.CONFIGURATION.openai.base_url:
        yield
        return
    with standin.serve() as url:
        # The jobs run in a process of their own, which reads its settings anew.
        settings.STAND_IN_URL = os.environ["RECFLOW_STAND_IN_URL"] = url
        yield


def _load_data() -> None:
    library = make_playground(now_us=now_us())
    writing.put_users(library.users)
    writing.put_items(library.items)
    writing.put_feedback(library.feedback, overwrite=True)


def _make_flow() -> None:
    document = STARTERS[DEFAULT].document
    flow = drafts.create(document["name"], document, "playground")
    activate(flow.pk, None, "Made by the playground", "playground")
