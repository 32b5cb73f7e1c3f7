"""What people see instead of a page: one sentence, and the way on."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import accounts

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def ada(client):
    accounts.add("ada", "a long password", "publisher")
    client.force_login(User.objects.get(username="ada"))
    return client


def told(answer):
    """Status, sentence, and where the page leads on to."""
    page = unescape(answer.content.decode())
    sentence = re.search(r"<h1[^>]*>(.*?)</h1>", page)[1]
    return answer.status_code, sentence, re.search(r'<a class="button" href="([^"]*)"', page)[1]


@pytest.mark.parametrize(
    ("address", "sentence", "way_on"),
    [
        ("/nowhere", "There is no page at this address", "/"),
        ("/user?id=nobody", "There is no user 'nobody'", "/users"),
        ("/item?id=nothing", "There is no item 'nothing'", "/items"),
        ("/flows/99", "There is no flow 99", "/flows"),
        ("/data/rejects/99.jsonl", None, "/data"),
        ("/data/export/secrets.jsonl", "There are no secrets: export users, items or feedback", "/data"),
    ],
)
def test_what_is_not_there_leads_to_what_is(ada, address, sentence, way_on):
    status, said, leads_to = told(ada.get(address))
    assert (status, leads_to) == (404, way_on)
    assert sentence in (said, None)


def test_a_page_that_is_not_there_keeps_the_navigation_for_whoever_may_use_it(ada):
    assert 'class="top-nav"' in ada.get("/nowhere").content.decode()
    assert 'class="top-nav"' not in Client().get("/nowhere").content.decode()


def test_a_form_whose_token_does_not_fit_is_refused_in_a_sentence(ada):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    status, sentence, _ = told(strict.post("/settings", {"action": "make-key", "name": "x"}))
    assert status == 403
    assert sentence.startswith("This form is too old")


def test_a_name_that_is_not_ours_is_refused_with_where_to_add_it(client):
    status, sentence, _ = told(client.get("/flows", headers={"Host": "shop.example"}))
    assert status == 400
    expected = "This server is not known as 'shop.example': add that name to recflow.allowed_hosts"
    assert sentence == expected
    answer = client.get("/api/users", headers={"Host": "shop.example"})
    assert (answer.status_code, answer.content.decode()) == (400, expected)
    assert answer["Content-Type"].startswith("text/plain")
