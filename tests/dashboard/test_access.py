"""Who gets in: the playground on this machine only, everybody else by login."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User
from pydantic import SecretStr

from dashboard import access
from dashboard.accounts import ensure_configured_account

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


@pytest.mark.parametrize(("user", "allowed"), [(AnonymousUser(), False), (User(username="ada"), True)])
async def test_a_preview_socket_needs_a_login(user, allowed):
    scope = {"type": "websocket", "user": user, "client": ["127.0.0.1", 5], "headers": []}
    assert await access.may_preview(scope) is allowed


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
