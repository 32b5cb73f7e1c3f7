"""Who gets in: the playground on this machine only, everybody else by login."""

from __future__ import annotations

import json
import re
from html import unescape
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from pydantic import SecretStr

from dashboard import access
from dashboard.accounts import Account, accounts, add, ensure_configured_account, grant, let_in
from dashboard.errors import BadRequest, Conflict, NotFound
from dashboard.routing import websocket_urlpatterns
from tests.patience import PATIENCE_S
from tests.websocket_scope import websocket_scope

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def playground(settings):
    settings.OPEN_ON_LOOPBACK = True


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_the_playground_is_open_on_this_machine(client, playground, address):
    answer = client.get("/api/flows", REMOTE_ADDR=address)
    assert answer.status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.2", "", "not an address"])
def test_the_playground_is_closed_to_other_machines(client, playground, address):
    assert client.get("/api/flows", REMOTE_ADDR=address).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_the_playground_is_closed_behind_a_proxy(client, playground, header):
    assert client.get("/api/flows", headers={header: "127.0.0.1"}).status_code == 401


def test_this_machine_has_to_log_in_outside_the_playground(client):
    assert client.get("/api/flows", REMOTE_ADDR="127.0.0.1").status_code == 401


def test_a_stranger_on_a_page_is_sent_to_the_login_and_back(client):
    answer = client.get("/flows?x=1")
    assert answer.status_code == 302
    assert answer["Location"] == "/login?next=/flows%3Fx%3D1"


def test_a_host_that_is_not_ours_is_refused(client, playground):
    assert client.get("/api/flows", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.django_db(databases="__all__", transaction=True)
async def test_a_preview_socket_needs_a_login():
    assert not await access.may_preview(await websocket_scope("/ws/preview", AnonymousUser()))
    ada = await User.objects.acreate_user("ada")
    assert await access.may_preview(await websocket_scope("/ws/preview", ada))


@pytest.mark.django_db(databases="__all__", transaction=True)
async def test_somebody_who_was_locked_out_may_not_preview():
    ada = await User.objects.acreate_user("ada", is_active=False)
    assert not await access.may_preview(await websocket_scope("/ws/preview", ada))


@pytest.fixture
def master(settings):
    """Change keys of the [master] section."""

    def change(**keys):
        section = settings.CONFIGURATION.master.model_copy(update=keys)
        settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"master": section})

    return change


def test_the_configured_account_can_log_in_with_the_password_of_now(client, master):
    for password in ("first", "second"):
        master(dashboard_user_name="ada", dashboard_password=SecretStr(password))
        assert ensure_configured_account() is None
        assert access.role_of(User.objects.get()) == "publisher"
        client.logout()
        assert client.post("/login", {"username": "ada", "password": password}).status_code == 302
    assert not client.login(username="ada", password="first")
    assert User.objects.count() == 1


def test_without_any_account_somebody_is_told_how_to_make_one(master):
    assert "createsuperuser" in ensure_configured_account()
    master(dashboard_user_name="ada")
    assert "no dashboard_password" in ensure_configured_account()
    assert not User.objects.exists()


def test_a_viewer_may_look_and_nothing_else():
    viewer = access.Person("ada", "viewer")
    assert [viewer.may(action) for action in ("view", "edit", "publish")] == [True, False, False]


@pytest.mark.parametrize(("made_by", "role"), [("create_superuser", "publisher"), ("create_user", "viewer")])
def test_without_a_grant_only_a_superuser_does_more_than_look(made_by, role):
    assert access.role_of(getattr(User.objects, made_by)("ada")) == role


def test_a_grant_takes_the_place_of_the_one_before(client):
    boss, ada = User.objects.create_superuser("boss"), User.objects.create_user("ada")
    assert access.role_of(boss) == "publisher"
    for role in ("publisher", "viewer", "editor"):
        grant("ada", role)
        assert access.role_of(ada) == role
    assert ada.groups.count() == 1
    assert accounts() == [Account("ada", "editor", True), Account("boss", "publisher", True)]


def test_a_new_role_counts_in_the_next_request(client):
    User.objects.create_superuser("boss")
    client.force_login(User.objects.create_user("ada"))
    body = {"data": '{"name": "Home"}', "content_type": "application/json"}
    assert client.post("/api/flows", **body).status_code == 403
    grant("ada", "editor")
    assert client.post("/api/flows", **body).status_code == 200


def test_somebody_is_left_to_publish():
    User.objects.create_superuser("boss")
    User.objects.create_superuser("gone", is_active=False)
    with pytest.raises(Conflict, match="boss is the only publisher"):
        grant("boss", "viewer")
    User.objects.create_superuser("other")
    grant("boss", "viewer")
    assert access.role_of(User.objects.get(username="boss")) == "viewer"


def test_what_cannot_be_granted_is_refused():
    with pytest.raises(NotFound, match="no account 'nobody'"):
        grant("nobody", "viewer")
    with pytest.raises(BadRequest, match="no role 'king'; there are viewer, editor, publisher"):
        grant("nobody", "king")


def test_an_account_is_made_with_a_password_that_will_do(client):
    with pytest.raises(BadRequest, match="too short"):
        add("ada", "short", "editor")
    with pytest.raises(BadRequest, match="valid username"):
        add("a/b", "a long password", "editor")
    add("ada", "a long password", "editor")
    assert client.login(username="ada", password="a long password")
    with pytest.raises(Conflict, match="'ada' already"):
        add("ada", "a long password", "viewer")


def test_of_two_who_make_an_account_of_one_name_one_is_told(monkeypatch):
    def meanwhile(password, user):
        User.objects.create_user("grace")

    monkeypatch.setattr("dashboard.accounts._check_password", meanwhile)
    with pytest.raises(Conflict, match="There is an account 'grace' already"):
        add("grace", "long enough 1815", "viewer")
    assert User.objects.filter(username="grace").count() == 1


def command(*words):
    said = StringIO()
    call_command("grant", *words, stdout=said)
    return said.getvalue()


def test_the_command_grants_makes_and_lists(monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO("a long password\n"))
    assert command("ada", "publisher", "--new") == "ada is publisher now\n"
    User.objects.create_user("bob")
    assert command("bob", "editor") == "bob is editor now\n"
    assert command() == "ada: publisher\nbob: editor\n"
    with pytest.raises(CommandError, match="no account 'cy'"):
        command("cy", "viewer")
    with pytest.raises(CommandError, match="Which role shall bob have"):
        command("bob")


@pytest.fixture
def boss(client):
    """A publisher who is logged in, and a way to post on the Settings page."""
    add("boss", "a long password", "publisher")
    client.force_login(User.objects.get(username="boss"))

    def post(by=client, **posted):
        answer = by.post("/settings", posted)
        return answer.status_code, unescape(answer.content.decode())

    return post


def told_password(page, name):
    return re.search(rf"{name} logs in with <code>(\S+)</code>", page)[1]


def test_a_publisher_makes_accounts_with_a_password_typed_or_made_up(boss):
    assert boss(action="add-account", name="ada", role="editor", value="a typed password")[0] == 302
    assert Client().login(username="ada", password="a typed password")
    status, page = boss(action="add-account", name="bob", role="viewer", value="")
    made_up = told_password(page, "bob")
    assert (status, len(made_up)) == (200, 16)
    assert Client().login(username="bob", password=made_up)
    assert accounts() == [
        Account("ada", "editor", True),
        Account("bob", "viewer", True),
        Account("boss", "publisher", True),
    ]
    status, page = boss(action="add-account", name="eve", role="editor", value="short")
    assert status == 422
    assert "too short" in page
    assert "short" not in re.findall(r'value="([^"]*)"', page)


def test_a_role_and_a_lock_count_in_the_next_request(boss):
    add("ada", "a long password", "viewer")
    ada = Client()
    ada.force_login(User.objects.get(username="ada"))
    export = "/data/export/items.jsonl"
    assert ada.get(export).status_code == 403
    assert boss(action="grant", name="ada", role="editor")[0] == 302
    assert ada.get(export).status_code == 200
    assert boss(action="lock-out", name="ada")[0] == 302
    assert ada.get(export)["Location"].startswith("/login")
    assert not Client().login(username="ada", password="a long password")
    assert boss(action="let-in", name="ada")[0] == 302
    assert Client().login(username="ada", password="a long password")


def test_the_last_publisher_can_neither_be_demoted_nor_locked_out(boss):
    for change in ({"action": "grant", "role": "editor"}, {"action": "lock-out"}):
        status, page = boss(name="boss", **change)
        assert status == 409
        assert "boss is the only publisher: make somebody else one first" in page
    add("ada", "a long password", "publisher")
    let_in("ada", is_active=False)  # somebody who may not log in does not count
    assert boss(name="boss", action="lock-out")[0] == 409
    let_in("ada", is_active=True)
    assert boss(name="boss", action="grant", role="viewer")[0] == 302
    with pytest.raises(Conflict, match="ada is the only publisher"):
        let_in("ada", is_active=False)


def test_a_new_password_logs_out_whoever_has_the_old_one(boss):
    add("ada", "a long password", "viewer")
    ada = Client()
    assert ada.login(username="ada", password="a long password")
    _, page = boss(action="give-password", name="ada")
    assert ada.get("/flows").status_code == 302
    assert Client().login(username="ada", password=told_password(page, "ada"))


def test_everybody_may_change_their_own_password_and_nothing_else(boss):
    add("ada", "a long password", "viewer")
    here, there = Client(), Client()
    for browser in (here, there):
        browser.login(username="ada", password="a long password")
    status, page = boss(here, action="own-password", old_value="a wrong one", value="another long password")
    assert status == 422
    assert "That is not your password of now" in page
    own = {"action": "own-password", "old_value": "a long password", "value": "another long password"}
    assert boss(here, **own)[0] == 302
    assert here.get("/flows").status_code == 200
    assert there.get("/flows").status_code == 302
    for action in ("grant", "lock-out", "add-account", "give-password"):
        assert boss(here, action=action, name="boss", role="viewer")[0] == 403
    assert "account-boss" not in unescape(here.get("/settings").content.decode())


async def opened_by(user, path="ws/preview"):
    """A socket of somebody, just accepted."""
    (pattern,) = [entry for entry in websocket_urlpatterns if str(entry.pattern) == path]
    socket = ApplicationCommunicator(pattern.callback, await websocket_scope(f"/{path}", user, "10.0.0.1"))
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=PATIENCE_S))["type"] == "websocket.accept"
    return socket


async def expect_closed(socket):
    closed = await socket.receive_output(timeout=PATIENCE_S)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4403)
    await socket.send_input({"type": "websocket.disconnect", "code": 4403})
    await socket.wait(timeout=PATIENCE_S)


@pytest.mark.django_db(databases="__all__", transaction=True)
async def test_an_open_socket_runs_nothing_for_somebody_who_was_locked_out():
    await sync_to_async(add)("boss", "a long password", "publisher")
    await sync_to_async(add)("ada", "a long password", "viewer")
    socket = await opened_by(await User.objects.aget(username="ada"))
    await sync_to_async(let_in)("ada", is_active=False)
    await socket.send_input({"type": "websocket.receive", "text": json.dumps({"type": "run"})})
    await expect_closed(socket)


def lock_out(socket):
    let_in("ada", is_active=False)


def give_password(socket):
    ada = User.objects.get(username="ada")
    ada.set_password("another long password")
    ada.save()


def delete_account(socket):
    User.objects.filter(username="ada").delete()


def log_out(socket):
    """As the logout of the browser does it that opened the socket."""
    socket.scope["session"].flush()


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("happens", [lock_out, give_password, delete_account, log_out])
@pytest.mark.parametrize("path", ["ws/preview", "ws/evaluations"])
async def test_an_open_socket_that_says_nothing_is_closed_when(path, happens, monkeypatch):
    monkeypatch.setattr(access, "LOOK_EVERY_S", 0.01)
    await sync_to_async(add)("boss", "a long password", "publisher")
    await sync_to_async(add)("ada", "a long password", "viewer")
    socket = await opened_by(await User.objects.aget(username="ada"), path)
    assert await socket.receive_nothing(timeout=0.1)  # it stays open for whom it was opened for
    await sync_to_async(happens)(socket)
    await expect_closed(socket)


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("path", ["ws/preview", "ws/evaluations"])
async def test_an_open_socket_is_closed_for_whom_was_locked_out_while_the_database_was_away(
    path, monkeypatch, caplog
):
    monkeypatch.setattr(access, "LOOK_EVERY_S", 0.01)
    await sync_to_async(add)("boss", "a long password", "publisher")
    await sync_to_async(add)("ada", "a long password", "viewer")
    socket = await opened_by(await User.objects.aget(username="ada"), path)
    there, away = access.person_of_scope, iter([True, True])

    def looked(scope):
        if next(away, False):
            raise OperationalError("the server closed the connection")
        return there(scope)

    monkeypatch.setattr(access, "person_of_scope", looked)
    await sync_to_async(let_in)("ada", is_active=False)
    await expect_closed(socket)
    assert next(away, None) is None
    assert caplog.text.count("cannot be looked up") == 1


@pytest.mark.django_db(databases="__all__", transaction=True)
async def test_a_socket_stays_open_when_the_role_or_the_password_of_somebody_else_changes(monkeypatch):
    monkeypatch.setattr(access, "LOOK_EVERY_S", 0.01)
    for name, role in (("boss", "publisher"), ("ada", "viewer"), ("grace", "editor")):
        await sync_to_async(add)(name, "a long password", role)
    socket = await opened_by(await User.objects.aget(username="grace"))
    await sync_to_async(give_password)(socket)
    await sync_to_async(grant)("grace", "viewer")
    assert await socket.receive_nothing(timeout=0.2)
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=PATIENCE_S)
