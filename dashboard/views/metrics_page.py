"""What Prometheus reads: the counters of this process, and what the databases hold this moment."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Min, Sum
from django.http import HttpRequest, HttpResponse

from dashboard import metrics
from dashboard.access import is_admin_key, person_of_request
from dashboard.active import active_flow
from dashboard.metrics import head, sample
from dashboard.models import CallCount, Job, PreparedList, WantedList
from dashboard.store import catalogue_version, now_us, store

_FORM = "text/plain; version=0.0.4; charset=utf-8"


def page(request: HttpRequest) -> HttpResponse:
    """For the administrator's key, as X-API-Key or as a bearer token, and for people who may look."""
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    has_key = is_admin_key(request.headers.get("X-API-Key")) or is_admin_key(bearer)
    if not has_key and person_of_request(request) is None:
        return HttpResponse("unauthorized", status=401, content_type="text/plain; charset=utf-8")
    text = "\n".join([*metrics.own_lines(), *_stored_lines()]) + "\n"
    return HttpResponse(text, content_type=_FORM)


def _stored_lines() -> Iterator[str]:
    yield from _jobs()
    yield from _lists()
    yield from _asked()
    snapshot = store.snapshot()
    is_behind = not snapshot.version.startswith(catalogue_version())
    yield from head("recflow_snapshot_age_seconds", "Age of the data that runs see.", "gauge")
    yield sample("recflow_snapshot_age_seconds", {}, (now_us() - snapshot.taken_at) / 1e6)
    yield from head("recflow_snapshot_is_behind", "1 while rows were written that it lacks.", "gauge")
    yield sample("recflow_snapshot_is_behind", {}, is_behind)


def _jobs() -> Iterator[str]:
    yield from head("recflow_jobs", "Background jobs by kind and state; queued ones are the queue.", "gauge")
    for kind, state, count in Job.objects.values_list("kind", "state").annotate(n=Count("pk")).order_by():
        yield sample("recflow_jobs", {"kind": kind, "state": state}, count)


def _lists() -> Iterator[str]:
    _, label = active_flow()
    own = PreparedList.objects.filter(version=label).aggregate(n=Count("user_id"), oldest=Min("made_at_us"))
    yield from head("recflow_lists", "Prepared lists of the active version.", "gauge")
    yield sample("recflow_lists", {"version": label}, own["n"])
    yield from head("recflow_lists_oldest_age_seconds", "Age of the oldest of them.", "gauge")
    age_us = 0 if own["oldest"] is None else now_us() - own["oldest"]
    yield sample("recflow_lists_oldest_age_seconds", {"version": label}, age_us / 1e6)
    yield from head("recflow_lists_wanted", "Users who wait for a list.", "gauge")
    yield sample("recflow_lists_wanted", {}, WantedList.objects.count())


def _asked() -> Iterator[str]:
    """Calls of models and services, of all processes, since the log was begun."""
    rows = list(
        CallCount.objects.values("kind", "endpoint", "model", "status")
        .annotate(
            n=Sum("calls"),
            read=Sum("tokens_in"),
            written=Sum("tokens_out"),
            money=Sum("cost"),
        )
        .order_by("kind", "endpoint", "model", "status")
    )
    for name, text, key in (
        ("recflow_asked_total", "Questions to models and services.", "n"),
        ("recflow_asked_tokens_in_total", "Tokens sent.", "read"),
        ("recflow_asked_tokens_out_total", "Tokens received.", "written"),
        ("recflow_asked_cost_total", "What they cost, where prices are known.", "money"),
    ):
        yield from head(name, text, "counter")
        for row in rows:
            labels = {part: row[part] for part in ("kind", "endpoint", "model", "status")}
            yield sample(name, labels, row[key] or 0)
