"""The Settings page without a script: what a form answers, where, and what of it stands there again."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import accounts
from dashboard.outside import changes
from dashboard.outside.changes import EndpointForm

pytestmark = pytest.mark.django_db(databases="__all__")

ENDPOINT = {"action": "save-endpoint", "name": "gpt", "base_url": "https://x/v1", "model": "m"}


@pytest.fixture
def settings_page(client):
    """post(**fields) -> status and page of a publisher."""
    accounts.add("boss", "a long password", "publisher")
    client.force_login(User.objects.get(username="boss"))

    def post(**posted):
        answer = client.post("/settings", posted)
        return answer.status_code, unescape(answer.content.decode())

    return post


def part_of(page, name):
    """The HTML of one part of the page."""
    start = page.index(f'<h2 id="{name}">')
    return page[start : page.index("</section>", start)]


def fields_of(html):
    """Names of text fields and what stands in them."""
    inputs = re.findall(r"<input [^>]+>", html)
    named = [(re.search(r' name="(\w+)"', one), re.search(r' value="([^"]*)"', one)) for one in inputs]
    return {name[1]: value[1] for name, value in named if name and value}


PRICE = {"action": "save-price", "model": "m", "input": "1", "output": "2"}
LIMITS = {"action": "save-limits", "currency": "USD"}


@pytest.mark.parametrize(
    ("posted", "part", "sentence"),
    [
        (PRICE | {"input": "cheap"}, "prices", "Input must be a number, got 'cheap'"),
        (PRICE | {"output": " "}, "prices", "Output must be given"),
        (LIMITS | {"day_tokens": "1.5"}, "limits", "Tokens a day must be a whole number, got '1.5'"),
        (LIMITS | {"run_cost": "-1"}, "limits", "Money a run must be at least 0, got '-1'"),
        (LIMITS | {"warn_failed_percent": "101"}, "limits", "mark a node must be at most 100, got '101'"),
        (LIMITS | {"log_calls": "100001"}, "limits", "must be at most 100,000, got '100001'"),
        (LIMITS | {"currency": "x" * 9}, "limits", "Currency may have 8 characters at most"),
        (ENDPOINT | {"base_url": "x.org"}, "endpoints", "Address must begin with http:// or https://"),
        (ENDPOINT | {"timeout_s": "0"}, "endpoints", "Timeout must be at least 0.1, got '0'"),
        (ENDPOINT | {"thinking_off": "magic"}, "endpoints", "How not to think cannot be used, got 'magic'"),
        ({"action": "save-networks", "networks": "10.0.0.0/99"}, "networks", "10.0.0.0/99"),
        ({"action": "save-secret", "name": "1", "value": "long enough"}, "secrets", "front, got '1'"),
        ({"action": "add-account", "name": "eve", "role": "king"}, "accounts", "There is no role 'king'"),
        ({"action": "make-key", "name": "?"}, "keys", "The name of a key has 1 to 64 letters"),
        ({"action": "own-password", "old_value": "no"}, "password", "That is not your password of now"),
    ],
)
def test_a_form_says_what_is_wrong_in_the_part_of_the_page_it_is_in(settings_page, posted, part, sentence):
    status, page = settings_page(**posted)
    assert status == 422
    assert page.count('role="alert"') == 1
    assert sentence in part_of(page, part)


def test_what_was_typed_stands_in_its_form_again_and_nowhere_else(settings_page):
    price = {"model": "m", "input": "0,5", "output": "2", "cached_input": "1"}
    _, page = settings_page(action="save-price", **price)
    assert price.items() <= fields_of(part_of(page, "prices")).items()
    assert fields_of(part_of(page, "endpoints"))["model"] == ""
    limits = {"run_tokens": "many", "day_cost": "7", "currency": "EUR", "log_days": "3"}
    _, page = settings_page(action="save-limits", **limits)
    assert limits.items() <= fields_of(part_of(page, "limits")).items()
    assert 'name="log_prompts">' in part_of(page, "limits")  # was not ticked, though it is stored as ticked
    _, page = settings_page(action="add-account", name="eve", role="editor", value="short")
    assert fields_of(part_of(page, "accounts"))["name"] == "eve"
    assert '<option value="editor" selected>' in part_of(page, "accounts").rpartition("<form")[2]


def test_an_endpoint_that_is_changed_wrongly_stays_open_with_what_was_typed(settings_page):
    changes.save_endpoint("gpt", EndpointForm(base_url="https://x/v1", model="old", timeout_s=30))
    _, page = settings_page(**ENDPOINT | {"model": "new", "timeout_s": "soon"})
    change, _, add = part_of(page, "endpoints").partition("Add an endpoint")
    assert '<details class="setting-more" open><summary>Change' in change
    assert {"model": "new", "timeout_s": "soon"}.items() <= fields_of(change).items()
    assert fields_of(add)["model"] == ""
    assert changes.shown_endpoint("gpt")["model"] == "old"


def test_a_new_endpoint_does_not_take_the_place_of_one_that_is_there(settings_page):
    changes.save_endpoint("gpt", EndpointForm(base_url="https://x/v1", model="old"))
    status, page = settings_page(**ENDPOINT | {"model": "new", "is_new": "on"})
    assert status == 409
    assert "There is an endpoint 'gpt' already" in part_of(page, "endpoints")
    assert changes.shown_endpoint("gpt")["model"] == "old"
    add = part_of(page, "endpoints").partition("Add an endpoint")[2]
    assert {"name": "gpt", "model": "new"}.items() <= fields_of(add).items()


def test_what_was_done_is_said_in_its_part(settings_page, client):
    answer = client.post("/settings", {"action": "save-secret", "name": "SHOP", "value": "long enough"})
    assert answer["Location"] == "/settings?done=save-secret#secrets"
    page = unescape(client.get("/settings?done=save-secret").content.decode())
    assert "The secret is saved." in part_of(page, "secrets")
    assert "The secret is saved." not in unescape(client.get("/settings?done=nonsense").content.decode())


def test_what_cannot_be_taken_back_asks_first(settings_page, client):
    client.post("/settings", {"action": "save-secret", "name": "SHOP", "value": "long enough"})
    secrets = part_of(unescape(client.get("/settings").content.decode()), "secrets")
    asking = re.search(r'<button [^>]*popovertarget="([^"]+)"[^>]*aria-label="Delete SHOP"', secrets)[1]
    question = secrets[secrets.index(f'id="{asking}"') :]
    assert "Delete SHOP?" in question
    assert 'name="action" value="delete-secret"' in question


def test_a_viewer_is_told_even_where_the_form_is_not_shown():
    accounts.add("eve", "a long password", "viewer")
    eve = Client()
    eve.force_login(User.objects.get(username="eve"))
    answer = eve.post("/settings", {"action": "make-key", "name": "x"})
    assert answer.status_code == 403
    assert "eve may not change settings" in answer.content.decode()
