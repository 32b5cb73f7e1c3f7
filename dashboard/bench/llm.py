"""What a ranking by a language model adds to the model's own time, beside bare httpx calls in the same run.

The stand-in plays the model in a process of its own, with a wait as a real one has. Each bare call sends the
very body that a ranking sent; what is left is ours: records, prompt, guards, reading the answer, details. One
at a time httpx has a single connection: with more of them it takes longer over each call.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson
from django.conf import settings

from dashboard.bench.preview import history_in, percentiles
from recflow.data.building import build_snapshot
from recflow.data.snapshot import Snapshot
from recflow.engine.context import RunContext, RunRequest
from recflow.engine.memo import Memo
from recflow.engine.values import Candidates, RunOptions, places
from recflow.llm.endpoint import Endpoint
from recflow.nodes import data_source
from recflow.nodes.outside import DEFAULT_ENDPOINT, NamedEndpoint, Outside
from recflow.nodes.ranker import llm
from recflow.outbound.addresses import AddressPolicy
from recflow.outbound.call import EndpointPolicy
from recflow.outbound.client import Guard, close_clients
from recflow.playground import make_playground

NOW = 1_780_000_000_000_000
SEED = 0
#: As many as the sandbox and the loop have to share in a run.
THREADS = 4
#: Rankings before anything is measured; as many users are taken in turn.
WARM = 64
#: Bare calls before anything is measured, at least.
SETTLING = 8


def run(
    say: Callable[[str], None],
    *,
    latency_ms: int = 50,
    busy_latency_ms: int = 1000,
    n_candidates: int = 20,
    n_pairs: int = 100,
    n_rankings: int = 640,
    in_flight: int = 64,
) -> None:
    """Print overhead and throughput.

    Args:
        say: prints a line.
        latency_ms: that the stand-in waits before it answers, where one call is made at a time.
        busy_latency_ms: the same where many are: about what a chat model takes for a list.
        n_candidates: in each ranking.
        n_pairs: rankings and bare calls taken in turn, one at a time, for the overhead.
        n_rankings: for the throughput.
        in_flight: of them at the same time.
    """
    snapshot = _library()
    with _model() as url, ThreadPoolExecutor(THREADS) as pool:
        one = _Endpoint(snapshot, url, latency_ms, n_candidates, pool)
        many = _Endpoint(snapshot, url, busy_latency_ms, n_candidates, pool)
        asyncio.run(_report(say, one, many, n_pairs, n_rankings, in_flight))


async def _report(
    say: Callable[[str], None],
    one: _Endpoint,
    many: _Endpoint,
    n_pairs: int,
    n_rankings: int,
    in_flight: int,
) -> None:
    try:
        async with httpx.AsyncClient(timeout=60.0) as client:
            await one.get_ready(client, in_flight=1)
            ranked, bare = [], []
            for place in range(n_pairs):
                bare.append(await _ms(one.bare(place)))
                ranked.append(await _ms(one.rank(place)))
            say(f"{one.n_candidates} candidates a ranking; the stand-in waits {one.latency_ms} ms")
            say(f"{'one at a time':24}{'p50 ms':>10}{'p95 ms':>10}")
            say(percentiles("bare httpx call", bare))
            say(percentiles("ranking", ranked))
            added = [np.percentile(ranked, share) - np.percentile(bare, share) for share in (50, 95)]
            say(f"{'overhead':24}{added[0]:>10.2f}{added[1]:>10.2f}")
            say(f"ranking / bare at p50: {np.median(ranked) / np.median(bare):.3f}")
            say("")
        limits = httpx.Limits(max_connections=in_flight)
        async with httpx.AsyncClient(limits=limits, timeout=60.0) as client:
            await many.get_ready(client, in_flight)
            bare_rate = await _rate(many.bare, n_rankings, in_flight)
            rate = await _rate(many.rank, n_rankings, in_flight)
            say(f"{in_flight} in flight; the stand-in waits {many.latency_ms} ms")
            say(f"{'':24}{'a second':>10}")
            say(f"{'bare httpx calls':24}{bare_rate:>10.1f}")
            say(f"{'rankings':24}{rate:>10.1f}")
            say(f"rankings / bare: {rate / bare_rate:.3f}")
    finally:
        await close_clients()


def _library() -> Snapshot:
    made = make_playground(now_us=NOW)
    return build_snapshot(
        [user.row() for user in made.users],
        [item.row() for item in made.items],
        [(row.user_id, row.item_id, row.type, row.value, row.time_us) for row in made.feedback],
        version="library",
        taken_at=NOW,
    )


@contextmanager
def _model() -> Iterator[str]:
    """The stand-in in a process of its own, so that it takes no time from what is measured."""
    program = (
        "import sys\n"
        "from recflow.llm.standin import serve\n"
        "with serve() as url: print(url, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=settings.BASE_DIR,
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        yield process.stdout.readline().strip()
        process.stdin.close()


class _Endpoint:
    """Rankings and bare calls of the stand-in with one latency.

    Args:
        pool: threads of the runs.
    """

    def __init__(
        self, snapshot: Snapshot, url: str, latency_ms: int, n_candidates: int, pool: ThreadPoolExecutor
    ) -> None:
        self.latency_ms = latency_ms
        self.n_candidates = n_candidates
        self.url = url
        self.bodies: list[bytes] = []
        guard = Guard(AddressPolicy.parse([urlsplit(url).netloc]))
        policy = EndpointPolicy(f"bench {latency_ms}", guard)
        named = NamedEndpoint(DEFAULT_ENDPOINT, Endpoint(url, f"slow-{latency_ms}", policy=policy))
        self.outside = Outside(endpoints={DEFAULT_ENDPOINT: named})
        self.settings = llm.LlmRankerSettings(keep="0s")
        self.contexts = [self._context(snapshot, user, pool) for user in range(min(WARM, snapshot.n_users))]
        rng = np.random.default_rng(SEED)
        self.lists = [
            Candidates(
                rng.choice(snapshot.n_items, n_candidates, replace=False).astype(np.int32),
                1.0 / places(n_candidates),
            )
            for _ in self.contexts
        ]

    def _context(self, snapshot: Snapshot, user: int, pool: ThreadPoolExecutor) -> RunContext:
        async def outside(request: RunRequest) -> Outside:
            return self.outside

        ctx = RunContext(
            source="bench",
            node_id="bench",
            node_name="bench",
            request=RunRequest(history_in(snapshot, user), now=NOW),
            snapshot=snapshot,
            options=RunOptions(),
            user=None,
            models=None,
            resources={"outside": outside},
            memo=Memo(),
            pool=pool,
            cancelled=threading.Event(),
        )
        ctx.user = data_source.run(ctx, data_source.Settings())
        return ctx

    async def get_ready(self, client: httpx.AsyncClient, in_flight: int) -> None:
        """Starts the sandbox, opens connections, and notes what the rankings send, word for word.

        Args:
            in_flight: bare calls at the same time, so that httpx opens as many connections as it will need.
        """
        self.client = client
        for done in await asyncio.gather(*(self.rank(place) for place in range(len(self.contexts)))):
            (call,) = done.details["calls"]
            self.bodies.append(orjson.dumps(call["parameters"] | {"messages": call["messages"]}))
        await _rate(self.bare, max(in_flight, SETTLING), in_flight)

    async def rank(self, place: int) -> Candidates:
        place %= len(self.contexts)
        ranked = await llm.rank_async(self.contexts[place], self.lists[place], self.settings)
        if ranked.warnings:
            raise AssertionError(f"A ranking failed: {ranked.warnings[0]}")
        return ranked

    async def bare(self, place: int) -> str:
        body = self.bodies[place % len(self.bodies)]
        headers = {"Content-Type": "application/json"}
        answer = await self.client.post(f"{self.url}/chat/completions", content=body, headers=headers)
        return answer.json()["choices"][0]["message"]["content"]


async def _ms(work: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


async def _rate(make: Callable[[int], Awaitable[Any]], n: int, in_flight: int) -> float:
    """Calls a second with that many under way."""
    waiting = iter(range(n))

    async def work() -> None:
        for place in waiting:
            await make(place)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return n / (time.perf_counter() - began)
