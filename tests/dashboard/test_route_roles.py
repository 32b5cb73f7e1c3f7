"""Who may use which route: every route of the URL conf, by every role, by strangers and by holders of keys.

The routes are read from the URL conf and the WebSocket routes; one that is not in the table below fails, and
so does an entry whose route is gone. Requests are real, for things that do not exist: whoever is let in gets
an answer about them, whoever is not gets 401, 403 or, on a page, the way to the login. The hot route, which
never reaches the URL conf, is tested in test_serve.py.
"""

from __future__ import annotations

import re

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from pydantic import SecretStr

from dashboard import accounts
from dashboard.routing import websocket_urlpatterns
from tests.dashboard.url_conf import addresses
from tests.patience import PATIENCE_S
from tests.websocket_scope import websocket_scope

#: What a route asks for, its method ("ANY" for a page that makes no difference) and address.
TABLE = """
everybody       ANY     /api/
everybody       GET     /api/health/live
everybody       GET     /api/health/ready
everybody       ANY     /api/openapi.json
everybody       ANY     /docs
everybody       ANY     /login
everybody       POST    /logout
data key        GET     /api/collaborative-filtering/<user_id>
data key        GET     /api/collaborative-filtering/<user_id>/<category>
data key        GET     /api/feedback
data key        POST    /api/feedback
data key        PUT     /api/feedback
data key        GET     /api/feedback/<feedback_type>
data key        DELETE  /api/feedback/<feedback_type>/<user_id>/<item_id>
data key        GET     /api/feedback/<feedback_type>/<user_id>/<item_id>
data key        DELETE  /api/feedback/<user_id>/<item_id>
data key        GET     /api/feedback/<user_id>/<item_id>
data key        POST    /api/item
data key        GET     /api/item-to-item/<name>/<item_id>
data key        DELETE  /api/item/<item_id>
data key        GET     /api/item/<item_id>
data key        PATCH   /api/item/<item_id>
data key        DELETE  /api/item/<item_id>/category/<category>
data key        PUT     /api/item/<item_id>/category/<category>
data key        GET     /api/item/<item_id>/feedback
data key        GET     /api/item/<item_id>/feedback/<feedback_type>
data key        GET     /api/item/<item_id>/neighbors
data key        GET     /api/item/<item_id>/neighbors/<category>
data key        GET     /api/items
data key        POST    /api/items
data key        GET     /api/latest
data key        GET     /api/latest/<category>
data key        GET     /api/non-personalized/<name>
data key        GET     /api/popular
data key        GET     /api/popular/<category>
data key        POST    /api/session/recommend
data key        POST    /api/session/recommend/<category>
data key        POST    /api/user
data key        GET     /api/user-to-user/<name>/<user_id>
data key        DELETE  /api/user/<user_id>
data key        GET     /api/user/<user_id>
data key        PATCH   /api/user/<user_id>
data key        GET     /api/user/<user_id>/feedback
data key        GET     /api/user/<user_id>/feedback/<feedback_type>
data key        GET     /api/user/<user_id>/neighbors
data key        GET     /api/users
data key        POST    /api/users
view or key     GET     /api/dashboard/categories
view or key     GET     /api/dashboard/cluster
view or key     GET     /api/dashboard/config
view or key     GET     /api/dashboard/config/schema
view or key     GET     /api/dashboard/item-to-item/<name>/<item_id>
view or key     GET     /api/dashboard/latest
view or key     GET     /api/dashboard/non-personalized/<name>
view or key     GET     /api/dashboard/recommend/<user_id>
view or key     GET     /api/dashboard/recommend/<user_id>/<recommender>
view or key     GET     /api/dashboard/recommend/<user_id>/<recommender>/<name>
view or key     GET     /api/dashboard/stats
view or key     GET     /api/dashboard/tasks
view or key     GET     /api/dashboard/timeseries/<name>
view or key     GET     /api/dashboard/user-to-user/<name>/<user_id>
view or key     GET     /api/dashboard/user/<user_id>
view or key     GET     /api/dashboard/user/<user_id>/feedback
view or key     GET     /api/dashboard/user/<user_id>/feedback/<feedback_type>
view or key     GET     /api/dashboard/userinfo
view or key     GET     /api/dashboard/users
view or key     ANY     /metrics
edit or key     GET     /api/bulk/<kind>
edit or key     GET     /api/dashboard/external
edit or key     GET     /api/dashboard/ranker/prompt
edit or key     GET     /api/dump
edit or key     POST    /api/chat
edit or key     POST    /api/chat/completions
publish or key  POST    /api/bulk/<kind>
publish or key  DELETE  /api/dashboard/config
publish or key  POST    /api/dashboard/config
publish or key  POST    /api/purge
publish or key  POST    /api/restore
view            ANY     /
view            GET     /api/activations
view            GET     /api/calls
view            GET     /api/calls/failing
view            GET     /api/calls/nodes
view            GET     /api/endpoints
view            GET     /api/evaluations
view            GET     /api/evaluations/<int:evaluation_id>
view            GET     /api/evaluations/<int:evaluation_id>/export
view            GET     /api/evaluations/choices
view            GET     /api/evaluations/online
view            GET     /api/evaluations/worth
view            POST    /api/expressions/check
view            POST    /api/expressions/complete
view            GET     /api/flow-schema
view            GET     /api/flows
view            GET     /api/flows/<int:flow_id>
view            GET     /api/flows/<int:flow_id>/refresh-cost
view            GET     /api/flows/<int:flow_id>/result-difference
view            GET     /api/flows/<int:flow_id>/review
view            GET     /api/flows/<int:flow_id>/versions
view            GET     /api/flows/<int:flow_id>/versions/<int:number>
view            POST    /api/flows/check
view            GET     /api/jobs
view            GET     /api/jobs/<int:job_id>
view            GET     /api/preview/items
view            POST    /api/preview/prompt
view            POST    /api/preview/prompt/read
view            GET     /api/preview/users
view            GET     /api/preview/user
view            GET     /data
view            ANY     /evaluation
view            ANY     /flows
view            ANY     /flows/<int:flow_id>
view            ANY     /item
view            ANY     /items
view            GET     /settings
view            ANY     /tasks
view            GET     /user
view            POST    /user
view            ANY     /users
edit            POST    /api/evaluations
edit            DELETE  /api/evaluations/<int:evaluation_id>
edit            POST    /api/evaluations/<int:evaluation_id>/cancel
edit            POST    /api/flows
edit            DELETE  /api/flows/<int:flow_id>
edit            PATCH   /api/flows/<int:flow_id>
edit            PUT     /api/flows/<int:flow_id>/draft
edit            POST    /api/flows/<int:flow_id>/restore
edit            POST    /api/flows/<int:flow_id>/undelete
edit            POST    /api/flows/<int:flow_id>/versions
edit            POST    /api/jobs
edit            POST    /api/jobs/<int:job_id>/cancel
edit            POST    /api/jobs/<int:job_id>/pause
edit            POST    /api/jobs/<int:job_id>/resume
edit            POST    /api/jobs/<int:job_id>/retry
edit            POST    /api/preview/external
edit            POST    /api/preview/prompt/send
edit            GET     /data/export/<str:kind>.jsonl
edit            POST    /data/import
view            GET     /data/import
edit            GET     /data/rejects/<int:job_id>.jsonl
publish         POST    /api/flows/<int:flow_id>/activate
publish         POST    /api/activations/<int:activation_id>/rollback
publish         GET     /api/settings
publish         DELETE  /api/settings/endpoints/<name>
publish         PUT     /api/settings/endpoints/<name>
publish         POST    /api/settings/endpoints/<name>/reset
publish         POST    /api/settings/endpoints/<name>/test
publish         PUT     /api/settings/limits
publish         PUT     /api/settings/networks
publish         PUT     /api/settings/prices
publish         DELETE  /api/settings/prices/<path:model>
publish         DELETE  /api/settings/secrets/<name>
publish         PUT     /api/settings/secrets/<name>
publish         POST    /data/purge
view            GET     /data/purge
publish         POST    /settings
"""

#: Who gets in, by what a route asks for.
LET_IN = {
    "everybody": {"stranger", "viewer", "editor", "publisher", "data key", "admin key"},
    "data key": {"data key"},
    "view": {"viewer", "editor", "publisher"},
    "edit": {"editor", "publisher"},
    "publish": {"publisher"},
    "view or key": {"viewer", "editor", "publisher", "admin key"},
    "edit or key": {"editor", "publisher", "admin key"},
    "publish or key": {"publisher", "admin key"},
}
#: What a socket asks for. Nothing can be written through either: they only run previews and tell of progress.
SOCKETS = {"ws/preview": "view", "ws/evaluations": "view"}
KEYS = {"data key": "the key of the data", "admin key": "the key of the administrator"}
ROLES = ("viewer", "editor", "publisher")
REFUSALS = {401, 403}


def table() -> dict[tuple[str, str], str]:
    rows = (
        re.fullmatch(r"(.+?) +(ANY|GET|POST|PUT|PATCH|DELETE) +(\S+)", line)
        for line in TABLE.split("\n")[1:-1]
    )
    return {(row[2], row[3]): row[1] for row in rows}


def filled(address: str) -> str:
    """The address of something that does not exist."""
    return re.sub(r"<(?:(\w+):)?\w+>", lambda part: "999999" if part[1] == "int" else "none-such", address)


def methods_of(address: str) -> list[str]:
    """What a route answers to, from its refusal of a method that nothing answers to."""
    client = Client()
    client.force_login(User.objects.get(username="publisher"))
    answer = client.generic("BREW", filled(address), headers={"X-API-Key": KEYS["data key"]})
    if answer.status_code != 405:
        return ["ANY"]
    return sorted({name.strip() for name in answer["Allow"].split(",")} - {"HEAD", "OPTIONS"})


@pytest.fixture
def people():
    for role in ROLES:
        accounts.add(role, "a long password", role)


@pytest.fixture
def keys(settings):
    configuration = settings.CONFIGURATION
    server = configuration.server.model_copy(update={"api_key": SecretStr(KEYS["data key"])})
    master = configuration.master.model_copy(update={"admin_api_key": SecretStr(KEYS["admin key"])})
    settings.CONFIGURATION = configuration.model_copy(update={"server": server, "master": master})


def requests_of(actor: str):
    """A client and the headers it sends."""
    client = Client(raise_request_exception=False)
    if actor in ROLES:
        client.force_login(User.objects.get(username=actor))
    return client, {"X-API-Key": KEYS[actor]} if actor in KEYS else {}


@pytest.mark.django_db(databases="__all__")
def test_every_route_lets_in_whom_it_should_and_nobody_else(people, keys):
    expected, wrong = table(), []
    found = {(method, address) for address in addresses() for method in methods_of(address)}
    assert sorted(found - expected.keys()) == [], "routes that the table does not know"
    assert sorted(expected.keys() - found) == [], "entries whose route is gone"
    for actor in LET_IN["everybody"]:
        client, headers = requests_of(actor)
        for method, address in sorted(found, key=lambda route: (route[1] == "/logout", route)):
            for sent in ("GET", "POST") if method == "ANY" else (method,):
                answer = client.generic(sent, filled(address), headers=headers)
                is_at_login = answer.status_code == 302 and answer["Location"].startswith("/login?next=")
                got_in = answer.status_code not in REFUSALS and not is_at_login
                if answer.status_code >= 500 or got_in != (actor in LET_IN[expected[method, address]]):
                    wrong.append(f"{actor}: {sent} {address} answers {answer.status_code}")
    assert wrong == []


async def is_accepted(pattern, user) -> bool:
    scope = await websocket_scope(f"/{pattern.pattern}", user)
    socket = ApplicationCommunicator(pattern.callback, scope)
    await socket.send_input({"type": "websocket.connect"})
    answer = await socket.receive_output(timeout=PATIENCE_S)
    if answer["type"] != "websocket.accept":
        assert (answer["type"], answer["code"]) == ("websocket.close", 4403)
        return False
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    await socket.wait(timeout=PATIENCE_S)
    return True


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("pattern", websocket_urlpatterns, ids=lambda pattern: str(pattern.pattern))
async def test_every_socket_lets_in_whom_it_should_and_nobody_else(pattern):
    users = {"stranger": AnonymousUser()}
    for role in ROLES:
        await sync_to_async(accounts.add)(role, "a long password", role)
        users[role] = await User.objects.aget(username=role)
    let_in = {actor for actor, user in users.items() if await is_accepted(pattern, user)}
    assert let_in == LET_IN[SOCKETS[str(pattern.pattern)]]
