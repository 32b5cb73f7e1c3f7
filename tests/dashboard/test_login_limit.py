"""Guessing passwords comes to an end, for the one who guesses and for nobody else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from dashboard.views import login

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    monkeypatch.setattr(login, "MAX_TRIES", 3)
    monkeypatch.setattr(login, "MAX_TRIES_OF_ADDRESS", 6)
    cache.clear()
    for name in ("ada", "bob"):
        User.objects.create_user(name, password=f"the password of {name}")
    yield
    cache.clear()


def tried(client, name, password="a guess", address="10.0.0.7"):
    answer = client.post("/login", {"username": name, "password": password}, REMOTE_ADDR=address)
    if answer.status_code == 429:
        assert "Too many tries to log in: wait 15 minutes" in answer.content.decode()
    return answer.status_code


def test_after_three_wrong_guesses_the_right_one_is_refused_too(client):
    assert [tried(client, "ada") for _ in range(3)] == [200, 200, 200]
    assert tried(client, "ada", "the password of ada") == 429


def test_the_owner_still_gets_in_from_elsewhere_and_others_from_there(client):
    for _ in range(4):
        tried(client, "ada")
    assert tried(client, "bob", "the password of bob") == 302
    client.logout()
    assert tried(client, "ada", "the password of ada", address="10.0.0.8") == 302


def test_who_logs_in_starts_anew(client):
    for _ in range(2):
        assert [tried(client, "ada"), tried(client, "ada", "the password of ada")] == [200, 302]
        client.logout()


def test_trying_many_names_comes_to_an_end_as_well(client):
    assert [tried(client, f"name {n}") for n in range(7)] == [200] * 6 + [429]


def test_names_of_any_characters_are_counted(client):
    assert [tried(client, "\N{SNOWMAN} \x7f") for _ in range(4)] == [200, 200, 200, 429]
