"""The process that runs background jobs beside a web server, so that arithmetic never holds up an answer."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from django.conf import settings

#: Seconds before a process that ended by itself is started again.
REST_S = 5.0
#: Seconds it gets to put its job back.
GRACE_S = 8.0


@contextlib.contextmanager
def jobs_beside() -> Iterator[None]:
    """``manage.py jobs`` as a child for as long as the block lasts; it also ends when this process dies."""
    over = threading.Event()
    children = [_start()]

    def watch() -> None:
        while True:
            children[-1].wait()
            if over.wait(REST_S):
                return
            children.append(_start())

    watcher = threading.Thread(target=watch, name="jobs", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        children[-1].terminate()
        watcher.join(GRACE_S)


def _start() -> subprocess.Popen:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "jobs", "--parent", str(os.getpid())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)
