"""Counters and timings of this process, as Prometheus reads them.

Written by hand: a dozen numbers do not need a library, and counting one must cost no more than a dictionary.
What is in the databases (lists, jobs, calls of models) is counted there when somebody asks.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recflow.engine.events import Event, NodeFailed, NodeFinished, RunFinished
from recflow.engine.flow import Flow

#: Upper bounds of the buckets of durations, in seconds.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

started_at = time.time()


@dataclass
class Counter:
    """A number that only grows, by labels.

    Args:
        name: as Prometheus knows it.
        text: what it counts.
        labels: names of the labels, in the order of the values.
    """

    name: str
    text: str
    labels: tuple[str, ...]
    counts: dict[tuple[str, ...], float] = field(default_factory=dict)

    def add(self, *values: str, by: float = 1) -> None:
        self.counts[values] = self.counts.get(values, 0) + by

    def lines(self) -> Iterator[str]:
        yield from head(self.name, self.text, "counter")
        for values, count in sorted(self.counts.items()):
            yield sample(self.name, dict(zip(self.labels, values, strict=True)), count)


@dataclass
class Durations:
    """How long something takes, in buckets, by labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    buckets: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    sums: dict[tuple[str, ...], float] = field(default_factory=dict)

    def add(self, *values: str, seconds: float) -> None:
        counts = self.buckets.get(values)
        if counts is None:
            counts = self.buckets[values] = [0] * (len(BOUNDS) + 1)
            self.sums[values] = 0.0
        counts[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.sums[values] += seconds

    def lines(self) -> Iterator[str]:
        yield from head(self.name, self.text, "histogram")
        for values, counts in sorted(self.buckets.items()):
            labels = dict(zip(self.labels, values, strict=True))
            below = 0
            for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
                below += count
                yield sample(f"{self.name}_bucket", {**labels, "le": bound}, below)
            yield sample(f"{self.name}_sum", labels, self.sums[values])
            yield sample(f"{self.name}_count", labels, below)


requests = Counter("recflow_requests_total", "HTTP requests answered.", ("method", "part", "status"))
request_seconds = Durations("recflow_request_seconds", "Time to answer a request.", ("part",))
answers = Counter(
    "recflow_recommendations_total", "Recommendations answered, by where they came from.", ("source",)
)
node_seconds = Durations("recflow_node_seconds", "Time a node of a flow worked, by its type.", ("type",))
runs = Counter("recflow_runs_total", "Runs of flows that ended.", ("degraded",))


def timing(flow: Flow) -> Callable[[Event], None]:
    """Something that hears the events of a run and counts how long its nodes worked."""
    types = {node.id: node.type for node in flow.nodes}

    def hear(event: Event) -> None:
        match event:
            case NodeFinished(node_id=node_id, ms=ms, cached=False):
                node_seconds.add(types[node_id], seconds=ms / 1000)
            case NodeFailed(node_id=node_id, ms=ms):
                node_seconds.add(types[node_id], seconds=ms / 1000)
            case RunFinished(degraded=degraded):
                runs.add("yes" if degraded else "no")

    return hear


def head(name: str, text: str, kind: str) -> Iterator[str]:
    """The two lines above the samples of a metric."""
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def sample(name: str, labels: dict[str, str], value: float) -> str:
    """One line."""
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {value:.10g}" if inner else f"{name} {value:.10g}"


def own_lines() -> Iterator[str]:
    """All metrics of this process."""
    for metric in (requests, request_seconds, answers, node_seconds, runs):
        yield from metric.lines()
    yield from head("recflow_started_seconds", "Unix time at which this process started.", "gauge")
    yield sample("recflow_started_seconds", {}, started_at)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
