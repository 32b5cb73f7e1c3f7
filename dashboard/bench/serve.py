"""Requests a second of GET /api/recommend beside a bare route of the same server, and under writes.

The server is a process of its own, started as in production, over a made-up shop with a prepared list for
every user. wrk drives it on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

CONNECTIONS = 64
WRITES_A_SECOND = 200
USERS = 1_000
ITEMS = 2_000
LIST_SIZE = 100
FEEDBACK_A_USER = 20
PATIENCE_S = 60.0

#: What the run is held against.
LEAST_SHARE = 0.5
MOST_P99_MS = 10.0

_SCRIPT = """
request = function()
  return wrk.format("GET", string.format("%s/u%03d?n=10", "{path}", math.random(0, {users} - 1)))
end
"""


class BenchFailed(Exception):
    """The measurement could not be made; the message is one sentence."""


@dataclass(frozen=True)
class Figures:
    """What wrk saw of one route."""

    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def application() -> Any:
    """ASGI: the least that a route can do, beside the real front door; made when Django is set up."""
    from recflow.asgi import application as front_door

    async def beside(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/bare/"):
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"hello"})
        else:
            await front_door(scope, receive, send)

    return beside


def run(say: Callable[[str], None], seconds: int) -> None:
    """Measure and print.

    Args:
        say: prints a line.
        seconds: of each of the five parts.

    Raises:
        BenchFailed: wrk is missing, or the server did not start.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchFailed("wrk is not installed: install the package wrk of your distribution")
    with tempfile.TemporaryDirectory(prefix="recflow-bench-") as folder, _server(Path(folder)) as url:
        say(f"{USERS:,} users with prepared lists, {CONNECTIONS} connections, {seconds} s a part")
        _drive(wrk, url, "/api/recommend", 1, Path(folder))  # opens files, fills caches
        # In turn, so that a neighbor on the machine hits both.
        parts = [_drive(wrk, url, path, seconds, Path(folder)) for path in ("/bare", "/api/recommend") * 2]
        bare, served = _mean(parts[0], parts[2]), _mean(parts[1], parts[3])
        say(f"{'':34}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}")
        say(_line("bare route", bare))
        say(_line("recommend from prepared lists", served))
        say(f"share of the bare route: {served.per_s / bare.per_s:.2f} (target: {LEAST_SHARE} at least)")
        if served.p99_ms > MOST_P99_MS:
            say(f"p99 is above {MOST_P99_MS:g} ms")
        say("")
        asyncio.run(_under_writes(say, wrk, url, seconds, Path(folder)))


def serve_bench(say: Callable[[str], None]) -> None:
    """The server of the measurement; in its own process, over an empty data folder."""
    from dashboard.management.serving import open_port, serve

    _make_shop()
    listener = open_port("127.0.0.1", 0)
    say(f"http://127.0.0.1:{listener.getsockname()[1]}")
    serve(listener, behind_proxy=True, app=application())


def _make_shop() -> None:
    from django.core.management import call_command

    from dashboard import activation, drafts
    from dashboard.catalogue import writing
    from dashboard.jobs import prepared
    from dashboard.store import now_us
    from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
    from recflow.nodes.starters import STARTERS

    call_command("migrate", verbosity=0)
    items = [f"i{number:04d}" for number in range(ITEMS)]
    users = [f"u{number:03d}" for number in range(USERS)]
    now = now_us()
    writing.put_items([ItemRecord(item, time_us=now - place * 10**6) for place, item in enumerate(items)])
    writing.put_users([UserRecord(user) for user in users])
    feedback, lists = [], []
    for place, user in enumerate(users):
        first = place * 7 % (ITEMS - LIST_SIZE - FEEDBACK_A_USER)
        seen, listed = (
            items[first : first + FEEDBACK_A_USER],
            items[first + FEEDBACK_A_USER :][:LIST_SIZE],
        )
        feedback += [FeedbackRecord("read", user, item, time_us=now - 10**9) for item in seen]
        lists.append(prepared.MadeList(user, listed, [1 / rank for rank in range(1, LIST_SIZE + 1)], "bench"))
    writing.put_feedback(feedback, overwrite=True)
    flow = drafts.create("Bench", STARTERS["popular"].document, "bench")
    version = activation.activate(flow.pk, None, "", "bench").version
    prepared.put(f"{flow.pk}@{version.number}", lists, now)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The address of a server process that ends with the block."""
    config = folder / "config.toml"
    config.touch()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RECFLOW_", "GORSE_", "OPENAI_", "DATABASE_", "REDIS_"))
    }
    environment |= {"RECFLOW_DATA_DIR": str(folder), "RECFLOW_CONFIG": str(config), "PYTHONUNBUFFERED": "1"}
    log = folder / "log"
    manage = Path(__file__).resolve().parent.parent.parent / "manage.py"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(manage), "bench", "serve", "--as-server"],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _address(process: subprocess.Popen, log: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise BenchFailed(f"The server did not start: {log.read_text()[-500:]}")


def _drive(wrk: str, url: str, path: str, seconds: int, folder: Path) -> Figures:
    done = subprocess.run(
        _command(wrk, url, path, seconds, folder), capture_output=True, text=True, check=True
    )
    return read_wrk(done.stdout)


def _command(wrk: str, url: str, path: str, seconds: int, folder: Path) -> list[str]:
    script = folder / f"{path.strip('/').replace('/', '-')}.lua"
    script.write_text(_SCRIPT.replace("{path}", path).replace("{users}", str(USERS)))
    return [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), url]


def read_wrk(text: str) -> Figures:
    """The figures in what wrk prints.

    Raises:
        BenchFailed: it printed none.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    shares = {
        name: _ms(value) for name, value in re.findall(r"^\s+(50|99)%\s+([\d.]+\w+)", text, re.MULTILINE)
    }
    if rate is None or len(shares) != 2:
        raise BenchFailed(f"wrk said something unexpected: {text[-300:]}")
    errors = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    for line in re.findall(r"Socket errors: (.*)", text):
        errors += sum(int(number) for number in re.findall(r"\d+", line))
    return Figures(float(rate[1]), shares["50"], shares["99"], errors)


def _ms(text: str) -> float:
    number = re.match(r"[\d.]+", text)
    assert number is not None
    return float(number[0]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[text[number.end() :]]


async def _under_writes(say: Callable[[str], None], wrk: str, url: str, seconds: int, folder: Path) -> None:
    """Drive recommend while feedback is written, and look after each write whether it counts already."""
    driver = await asyncio.create_subprocess_exec(
        *_command(wrk, url, "/api/recommend", seconds + 1, folder), stdout=asyncio.subprocess.PIPE
    )
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30.0) as client:
        began = time.monotonic()
        tasks = []
        for number in range(seconds * WRITES_A_SECOND):
            await asyncio.sleep(began + number / WRITES_A_SECOND - time.monotonic())
            tasks.append(asyncio.create_task(_read_first_item(client, f"u{number % USERS:03d}")))
        outcomes = await asyncio.gather(*tasks)
        took = time.monotonic() - began
    output, _ = await driver.communicate()
    say(f"while feedback is written at {len(outcomes) / took:.0f}/s:")
    say(_line("recommend from prepared lists", read_wrk(output.decode())))
    stale, failed = outcomes.count("stale"), outcomes.count("failed")
    say(f"{len(outcomes):,} writes: {failed} failed, {stale} read items served after their feedback was in")


async def _read_first_item(client: httpx.AsyncClient, user: str) -> str:
    """Read what stands first, and look again: "stale" when it is still there."""
    try:
        items = (await client.get(f"/api/recommend/{user}?n=3")).raise_for_status().json()
        row = {"FeedbackType": "read", "UserId": user, "ItemId": items[0], "Timestamp": "2024-01-01"}
        (await client.post("/api/feedback", json=[row])).raise_for_status()
        again = (await client.get(f"/api/recommend/{user}?n=3")).raise_for_status().json()
    except (httpx.HTTPError, IndexError):
        return "failed"
    return "stale" if items[0] in again else "fresh"


def _mean(one: Figures, other: Figures) -> Figures:
    return Figures(
        (one.per_s + other.per_s) / 2,
        (one.p50_ms + other.p50_ms) / 2,
        max(one.p99_ms, other.p99_ms),
        one.errors + other.errors,
    )


def _line(label: str, figures: Figures) -> str:
    return f"{label:34}{figures.per_s:>12,.0f}{figures.p50_ms:>9.2f}{figures.p99_ms:>9.2f}{figures.errors:>8}"
