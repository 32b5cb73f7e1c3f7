"""Items: what there is, and what one of them is, resembles, and who likes it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard import flow_lists, item_feedback, lists
from dashboard.access import page
from dashboard.active import active_flow
from dashboard.catalogue import browsing, reading
from dashboard.errors import NotFound
from dashboard.jobs.fitting import rules_of_flow
from dashboard.moments import moment
from dashboard.store import store
from dashboard.views.asked import page_number
from dashboard.views.columns import column
from dashboard.views.labels import labels_text
from dashboard.views.pages import message
from recflow.engine.check import label_of

SHOWN_NEIGHBORS = 12
SHOWN_LIKERS = 20
#: Categories offered for choosing; a catalogue may have thousands.
SHOWN_CATEGORIES = 200


@page
def items(request: HttpRequest) -> HttpResponse:
    text, category = request.GET.get("q", "").strip(), request.GET.get("category", "")
    found = browsing.items_matching(text, category, page_number(request))
    snapshot = store.snapshot()
    counts = item_feedback.count_by_item(snapshot, [item.item_id for item in found.rows])
    context = {
        "q": text,
        "category": category,
        "categories": sorted(snapshot.items.category_names)[:SHOWN_CATEGORIES],
        "page": found,
        "n_items": snapshot.n_items,
        "rows": [(item, count, moment(item.time_us)) for item, count in zip(found.rows, counts, strict=True)],
    }
    return render(request, "items.html", context)


@page
def item(request: HttpRequest) -> HttpResponse:
    item_id = request.GET.get("id", "")
    found = reading.get_item(item_id)
    if found is None:
        return message(request, NotFound(f"There is no item {item_id!r}"), "items")
    snapshot = store.snapshot()
    index = snapshot.items.ids.find(item_id)
    context = {
        "item": found,
        "added": moment(found.time_us),
        "is_new": index is None,
        "labels": labels_text(found.labels),
        "counts": [] if index is None else item_feedback.count_by_type(snapshot, index),
        "likers": [] if index is None else _likers(index),
        "neighbors": _neighbors(item_id),
    }
    return render(request, "item.html", context)


def _likers(index: int) -> list[tuple[item_feedback.Liker, object]]:
    flow, _ = active_flow()
    likers = item_feedback.liked_lately(store.snapshot(), rules_of_flow(flow), index, SHOWN_LIKERS)
    return [(liker, moment(liker.time_us)) for liker in likers]


def _neighbors(item_id: str) -> list[dict[str, object]]:
    """The items most like this one, by each node of the active flow that compares items."""
    flow, _ = active_flow()
    groups = []
    for node in flow_lists.recommenders(flow, "item-to-item"):
        rows = lists.neighbors_of_item(node, item_id).rows[:SHOWN_NEIGHBORS]
        titles = reading.titles_of([neighbor for neighbor, _ in rows])
        scores = column([score for _, score in rows])
        shown = [
            (neighbor, titles.get(neighbor, neighbor), score)
            for (neighbor, _), score in zip(rows, scores, strict=True)
        ]
        groups.append({"label": label_of(node), "rows": shown})
    return groups
