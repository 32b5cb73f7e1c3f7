"""Who gets in: the playground on this machine only, everybody else by login."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from dashboard import access
from dashboard.accounts import Account, accounts, add, ensure_configured_account, grant
from dashboard.errors import BadRequest, Conflict, NotFound

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
    scope = {"type": "websocket", "user": AnonymousUser(), "client": ["127.0.0.1", 5], "headers": []}
    assert not await access.may_preview(scope)
    scope["user"] = await User.objects.acreate_user("ada")
    assert await access.may_preview(scope)


async def test_somebody_who_was_locked_out_may_not_preview():
    scope = {"user": User(username="ada", is_active=False), "client": ["10.0.0.1", 5], "headers": []}
    assert not await access.may_preview(scope)


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
