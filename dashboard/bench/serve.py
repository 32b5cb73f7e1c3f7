"""Requests a second of GET /api/recommend beside a bare route of the same server, and under writes.

The server is a process of its own, started as in production, over a made-up shop with a prepared list for
every user. wrk drives it on 127.0.0.1; writers keep to a timetable, so a slow server is seen as waiting and
not as fewer writes. Where redis-server is installed, all is measured again with the lists in a Redis of its
own: one that is in use is never touched.
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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from dashboard.bench.requests import Lines, RequestFailed
from dashboard.management.serving import open_port

CONNECTIONS = 64
WRITES_A_SECOND = 200
#: Of the writers; each write reads before and after on the same connection.
WRITERS = 32
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
    say(f"{USERS:,} users with prepared lists, {CONNECTIONS} connections, {seconds} s a part")
    say("SQLite")
    _measure(say, wrk, seconds, {})
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        say("redis-server is not installed, so Redis was not measured")
        return
    with tempfile.TemporaryDirectory(prefix="recflow-bench-") as folder, _redis(redis_server, folder) as url:
        say("SQLite, lists in Redis")
        _measure(say, wrk, seconds, {"REDIS_URL": url})


def _measure(say: Callable[[str], None], wrk: str, seconds: int, variables: dict[str, str]) -> None:
    """One server with these variables of its environment."""
    with (
        tempfile.TemporaryDirectory(prefix="recflow-bench-") as name,
        _server(Path(name), variables) as url,
    ):
        folder = Path(name)
        _drive(wrk, url, "/api/recommend", 1, folder)  # opens files, fills caches
        # In turn, so that a neighbor on the machine hits both.
        parts = [_drive(wrk, url, path, seconds, folder) for path in ("/bare", "/api/recommend") * 2]
        bare, served = _mean(parts[0], parts[2]), _mean(parts[1], parts[3])
        say(f"{'':34}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}")
        say(_line("bare route", bare))
        say(_line("recommend from prepared lists", served))
        say(f"share of the bare route: {served.per_s / bare.per_s:.2f} (target: {LEAST_SHARE} at least)")
        if served.p99_ms > MOST_P99_MS:
            say(f"p99 is above {MOST_P99_MS:g} ms")
        asyncio.run(_under_writes(say, wrk, url, seconds, folder))
        say("")


def serve_bench(say: Callable[[str], None]) -> None:
    """The server of the measurement; in its own process, over an empty data folder."""
    from dashboard.management.serving import serve

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
def _redis(program: str, folder: str) -> Iterator[str]:
    """The address of a Redis of our own, which keeps nothing and ends with the block."""
    with closing(open_port("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        until = time.monotonic() + PATIENCE_S
        with closing(redis.Redis.from_url(url)) as client:
            while not _answers(client):
                if time.monotonic() > until or process.poll() is not None:
                    raise BenchFailed(f"{program} did not start")
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def _server(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """The address of a server process that ends with the block."""
    config = folder / "config.toml"
    config.touch()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RECFLOW_", "GORSE_", "OPENAI_", "DATABASE_", "REDIS_"))
    }
    environment |= {"RECFLOW_DATA_DIR": str(folder), "RECFLOW_CONFIG": str(config), "PYTHONUNBUFFERED": "1"}
    environment |= variables
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
    async with Lines(url, WRITERS) as lines:
        began = time.monotonic()
        tasks = []
        for number in range(seconds * WRITES_A_SECOND):
            due = began + number / WRITES_A_SECOND
            await asyncio.sleep(due - time.monotonic())
            tasks.append(asyncio.create_task(_read_first_item(lines, f"u{number % USERS:03d}", due)))
        outcomes = await asyncio.gather(*tasks)
        took = time.monotonic() - began
    output, _ = await driver.communicate()
    waits_ms = sorted(outcome.write_ms for outcome in outcomes)
    p50, p99 = (waits_ms[int(share * (len(waits_ms) - 1))] for share in (0.5, 0.99))
    failed, stale = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("failed", "stale"))
    say(f"while feedback is written at {len(outcomes) / took:.0f}/s (target: {WRITES_A_SECOND}):")
    say(_line("recommend from prepared lists", read_wrk(output.decode())))
    say(_line("feedback, each with two reads", Figures(len(outcomes) / took, p50, p99, failed)))
    say(f"read items served after their feedback was acknowledged: {stale} of {len(outcomes):,}")


@dataclass(frozen=True)
class Outcome:
    """Of one write.

    Args:
        write_ms: from when it was due until it was acknowledged.
        failed: something was refused or lost.
        stale: the item was served again.
    """

    write_ms: float
    failed: bool = False
    stale: bool = False


async def _read_first_item(lines: Lines, user: str, due: float) -> Outcome:
    """Read what stands first, and look again whether it is still there."""
    path = f"/api/recommend/{user}?n=3"
    async with lines.one() as line:
        try:
            items = await line.ask("GET", path)
            row = {"FeedbackType": "read", "UserId": user, "ItemId": items[0], "Timestamp": "2024-01-01"}
            await line.ask("POST", "/api/feedback", [row])
            write_ms = (time.monotonic() - due) * 1e3
            again = await line.ask("GET", path)
        except (RequestFailed, IndexError):
            return Outcome((time.monotonic() - due) * 1e3, failed=True)
    return Outcome(write_ms, stale=items[0] in again)


def _mean(one: Figures, other: Figures) -> Figures:
    return Figures(
        (one.per_s + other.per_s) / 2,
        (one.p50_ms + other.p50_ms) / 2,
        max(one.p99_ms, other.p99_ms),
        one.errors + other.errors,
    )


def _line(label: str, figures: Figures) -> str:
    return f"{label:34}{figures.per_s:>12,.0f}{figures.p50_ms:>9.2f}{figures.p99_ms:>9.2f}{figures.errors:>8}"
