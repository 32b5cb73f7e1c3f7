"""The log of what nodes asked, and its counters: written in the background, so that no user waits for it."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import F, Q, Sum

from dashboard.models import CallCount, CallLogEntry, OutsideLimits
from recflow.nodes.outside import Asked
from recflow.sandbox.frames import whole_text

logger = logging.getLogger(__name__)

#: Entries that wait to be written; when more come, the server has other worries than its log.
_MAX_WAITING = 10_000
#: Seconds a writer waits for more before it ends.
_LINGER_S = 0.1
_BATCH = 200
#: Newest calls of a node by which it is judged, and how many say nothing yet.
JUDGED = 50
_TOO_FEW = 5
#: Columns of the counters that are summed over days and outcomes.
_ADDED_UP = ("calls", "requests", "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning")
_ADDED_UP += ("cost", "cost_unknown", "ms")


@dataclass(frozen=True)
class Limits:
    """What may be spent and how much is kept; None is no limit. See OutsideLimits."""

    currency: str = "USD"
    run_tokens: int | None = None
    run_cost: float | None = None
    day_tokens: int | None = None
    day_cost: float | None = None
    log_calls: int = 100
    log_days: int = 30
    log_prompts: bool = True

    @classmethod
    def of_row(cls, row: OutsideLimits) -> Limits:
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


class Writer:
    """Takes entries from any thread and writes them from one of its own, which ends when all is written."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Asked] = queue.Queue(_MAX_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def record(self, asked: Asked) -> None:
        """Never blocks and never raises: a log must not fail a ranking."""
        try:
            self._waiting.put_nowait(asked)
        except queue.Full:
            logger.warning("The log of calls cannot keep up; entries are lost")
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="call-log", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Waits until everything recorded so far is written."""
        self._waiting.join()

    def _write_all(self) -> None:
        try:
            while True:
                try:
                    batch = [self._waiting.get(timeout=_LINGER_S)]
                except queue.Empty:
                    with self._lock:
                        if self._waiting.empty():
                            self._thread = None
                            return
                    continue
                while len(batch) < _BATCH and not self._waiting.empty():
                    batch.append(self._waiting.get())
                try:
                    write(batch)
                except Exception:
                    logger.exception("%d entries of the log of calls could not be written", len(batch))
                finally:
                    for _ in batch:
                        self._waiting.task_done()
        finally:
            connections.close_all()


writer = Writer()


def write(batch: Iterable[Asked]) -> None:
    """Entries, counters and retention, in one transaction."""
    batch = list(batch)
    limits = Limits.of_row(OutsideLimits.objects.first() or OutsideLimits())
    now = datetime.now(UTC)
    with transaction.atomic():
        if limits.log_calls:
            CallLogEntry.objects.bulk_create([_entry(asked, limits, now) for asked in batch])
        _count(batch, now)
        for flow, node_id in {(key["flow"], key["node_id"]) for key in map(_key, batch)}:
            of_node = CallLogEntry.objects.filter(flow=flow, node_id=node_id)
            oldest = of_node.order_by("-id").values_list("id", flat=True)[
                limits.log_calls : limits.log_calls + 1
            ]
            if last := list(oldest):
                of_node.filter(id__lte=last[0]).delete()
        CallLogEntry.objects.filter(at__lt=now - timedelta(days=limits.log_days)).delete()


def _entry(asked: Asked, limits: Limits, now: datetime) -> CallLogEntry:
    return CallLogEntry(
        **_key(asked),
        at=now,
        node_name=_kept_text(asked.node_name)[:128],
        user_id=_kept_text(asked.user_id)[:256] if limits.log_prompts else "",
        message=_kept_text(asked.message),
        n_calls=asked.n_calls,
        n_kept=asked.n_kept,
        statuses=list(asked.statuses),
        tokens_in=asked.tokens_in,
        tokens_out=asked.tokens_out,
        tokens_cached=asked.tokens_cached,
        tokens_reasoning=asked.tokens_reasoning,
        cost=asked.cost,
        ms=asked.ms,
        details=json.dumps(dict(asked.details)) if limits.log_prompts else "",
    )


def _key(asked: Asked) -> dict[str, str]:
    return {
        "flow": _kept_text(asked.flow)[:128],
        "node_id": _kept_text(asked.node_id)[:128],
        "kind": asked.kind,
        "endpoint": _kept_text(asked.endpoint),
        "model": _kept_text(asked.model)[:200],
        "status": asked.status,
        "reason": _kept_text(asked.reason)[:64],
    }


def _kept_text(text: str) -> str:
    """As every database takes it: texts of other machines may hold half a character pair, or a NUL."""
    return whole_text(text).replace("\0", "\ufffd")


def _count(batch: list[Asked], now: datetime) -> None:
    alike: dict[tuple, list[Asked]] = defaultdict(list)
    for asked in batch:
        alike[tuple(_key(asked).items())].append(asked)
    for key, group in alike.items():
        row, _ = CallCount.objects.get_or_create(day=now.date(), **dict(key))
        CallCount.objects.filter(pk=row.pk).update(
            calls=F("calls") + len(group),
            requests=F("requests") + sum(len(asked.statuses) for asked in group),
            tokens_in=F("tokens_in") + sum(asked.tokens_in for asked in group),
            tokens_out=F("tokens_out") + sum(asked.tokens_out for asked in group),
            tokens_cached=F("tokens_cached") + sum(asked.tokens_cached for asked in group),
            tokens_reasoning=F("tokens_reasoning") + sum(asked.tokens_reasoning for asked in group),
            cost=F("cost") + sum(asked.cost or 0.0 for asked in group),
            cost_unknown=F("cost_unknown") + sum(asked.cost is None for asked in group),
            ms=F("ms") + sum(asked.ms for asked in group),
        )


def newest(n: int, *, flow: str = "", node_id: str = "") -> list[dict[str, Any]]:
    """The newest entries, of one node or of all, newest first."""
    entries = CallLogEntry.objects.order_by("-id")
    if flow:
        entries = entries.filter(flow=_kept_text(flow)[:128])
    if node_id:
        entries = entries.filter(node_id=_kept_text(node_id)[:128])
    return [_shown(entry) for entry in entries[:n]]


def _shown(entry: CallLogEntry) -> dict[str, Any]:
    names = ("id", "at", "flow", "node_id", "node_name", "kind", "endpoint", "model", "user_id", "status")
    names += ("reason", "message", "n_calls", "n_kept", "statuses", "tokens_in", "tokens_out")
    names += ("tokens_cached", "tokens_reasoning", "cost", "ms")
    shown = {name: getattr(entry, name) for name in names}
    return shown | {"details": json.loads(entry.details) if entry.details else None}


def failing(flow: str) -> list[dict[str, Any]]:
    """Nodes of a flow whose newest calls failed more often than Settings accept, and what to say of them."""
    accepted = (OutsideLimits.objects.first() or OutsideLimits()).warn_failed_percent
    of_flow = CallLogEntry.objects.filter(flow=_kept_text(flow)[:128])
    found = []
    for node_id in of_flow.order_by("node_id").values_list("node_id", flat=True).distinct():
        newest_first = of_flow.filter(node_id=node_id).order_by("-id").values_list("status", "kind")
        calls = list(newest_first[:JUDGED])
        failed = sum(status == "failed" for status, _ in calls)
        percent = 100 * failed / len(calls)
        if len(calls) >= _TOO_FEW and percent > accepted:
            asked = "requests" if calls[0][1] == "external" else "rankings"
            message = f"{percent:.0f} % of its last {len(calls)} {asked} failed"
            found.append({"node_id": node_id, "calls": len(calls), "failed": failed, "message": message})
    return found


def by_node(days: int) -> list[dict[str, Any]]:
    """What each node asked in the last days: outcomes, tokens, money, and how long the newest ones took."""
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    rows = (
        CallCount.objects.filter(day__gte=since)
        .values("flow", "node_id", "kind", "endpoint", "model")
        .annotate(
            failed=Sum("calls", filter=Q(status="failed"), default=0),
            partial=Sum("calls", filter=Q(status="partial"), default=0),
            **{f"sum_{name}": Sum(name) for name in _ADDED_UP},
        )
        .order_by("flow", "node_id", "endpoint", "model")
    )
    return [_summary(row, since) for row in rows]


def _summary(row: dict[str, Any], since: Any) -> dict[str, Any]:
    same = {name: row[name] for name in ("flow", "node_id", "kind", "endpoint", "model")}
    reasons = (
        CallCount.objects.filter(day__gte=since, **same)
        .exclude(reason="")
        .values("reason")
        .annotate(n=Sum("calls"))
    )
    newest_first = CallLogEntry.objects.filter(**same).order_by("-id")
    ms = sorted(newest_first.values_list("ms", flat=True)[:1000])
    latest = newest_first.first()
    return {
        **{name.removeprefix("sum_"): value for name, value in row.items()},
        "node_name": latest.node_name if latest else row["node_id"],
        "cost": None if row["sum_cost_unknown"] else row["sum_cost"],
        "failed_share": row["failed"] / row["sum_calls"],
        "reasons": {entry["reason"]: entry["n"] for entry in reasons.order_by("reason")},
        "ms_p50": _percentile(ms, 0.5),
        "ms_p95": _percentile(ms, 0.95),
    }


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
