"""Users: who there is, and what one of them did, gets and resembles."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from dashboard import flow_lists, lists
from dashboard.access import page
from dashboard.active import active_flow
from dashboard.catalogue import browsing, reading
from dashboard.errors import NotFound
from dashboard.moments import moment
from dashboard.store import now_us, store
from dashboard.views.asked import page_number
from dashboard.views.columns import column
from dashboard.views.labels import labels_text
from dashboard.views.pages import message
from recflow.engine.check import label_of
from recflow.engine.flow import Node
from recflow.errors import RecflowError

#: Feedback, recommendations and similar users on the page of one user.
SHOWN_FEEDBACK = 50
SHOWN_ITEMS = 20
SHOWN_USERS = 10
#: How users are compared when the active flow does not do so itself.
_BY_ITEMS = Node(id="similar", type="user-to-user", name="items liked")


@page
def users(request: HttpRequest) -> HttpResponse:
    prefix = request.GET.get("q", "")
    found = browsing.users_beginning_with(prefix, page_number(request))
    return render(request, "users.html", {"q": prefix, "page": found, "n_users": store.snapshot().n_users})


@page
@require_http_methods(["GET", "POST"])
def user(request: HttpRequest) -> HttpResponse:
    """One user; a list that asks other machines is only made when the form for it is sent."""
    user_id = request.GET.get("id", "")
    found = reading.get_user(user_id)
    if found is None:
        return message(request, NotFound(f"There is no user {user_id!r}"), "users")
    feedback = reading.feedback_of_user(user_id, until_us=now_us())
    shown = feedback[:SHOWN_FEEDBACK]
    titles = reading.titles_of([row.item_id for row in shown])
    context = {
        "who": found,
        "feedback": [
            (row, titles.get(row.item_id, row.item_id), value, moment(row.time_us))
            for row, value in zip(shown, column([row.value for row in shown]), strict=True)
        ],
        "n_feedback": len(feedback),
        "labels": labels_text(found.labels),
        "similar": _similar(user_id),
        **_list(request, user_id),
    }
    return render(request, "user.html", context)


def _list(request: HttpRequest, user_id: str) -> dict[str, object]:
    """The list that was asked for, the active flow's by default."""
    choices = flow_lists.choices()
    wanted = request.GET.get("list", "")
    choice = next((one for one in choices if one.key == wanted), choices[0])
    context: dict[str, object] = {"choices": choices, "choice": choice}
    if choice.waits_for and request.method != "POST":
        return context
    try:
        shown = flow_lists.show(choice, user_id, n=SHOWN_ITEMS)
    except RecflowError as error:
        return context | {"list_problem": error.message}
    scores = column([row["score"] for row in shown.rows])
    return context | {"list": shown, "rows": list(zip(shown.rows, scores, strict=True))}


def _similar(user_id: str) -> list[dict[str, object]]:
    """The users most like this one, by each node of the active flow that compares users."""
    flow, _ = active_flow()
    nodes = flow_lists.recommenders(flow, "user-to-user") or [_BY_ITEMS]
    groups = []
    for node in nodes:
        rows = lists.neighbors_of_user(node, user_id).rows[:SHOWN_USERS]
        scores = column([score for _, score in rows])
        found = [(neighbor, score) for (neighbor, _), score in zip(rows, scores, strict=True)]
        groups.append({"label": label_of(node), "rows": found})
    return groups
