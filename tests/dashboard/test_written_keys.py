"""A key in a drawing goes wherever the drawing goes: who draws is told, and what to do instead."""

from __future__ import annotations

import pytest

from dashboard import drafts
from dashboard.written_keys import written_keys
from recflow.engine.flow import load_flow


def drawing(**settings):
    return {"nodes": [{"id": "x", "type": "external", "name": "Shop", "settings": settings}]}


def named(**settings):
    return [(problem.field, problem.message) for problem in written_keys(load_flow(drawing(**settings)))]


@pytest.mark.parametrize(
    ("field", "text", "called"),
    [
        ("headers", "Accept: text/plain\nAuthorization: Bearer abc123", "Authorization"),
        ("headers", "x-api-key:abc", "x-api-key"),
        ("headers", "Cookie: session=abc", "Cookie"),
        ("url", "https://example.org/for?n={{ n }}&api_key=abc", "api_key"),
        ("url", "https://ada:abc@example.org/", "the password"),
    ],
)
def test_a_key_that_is_written_out_is_told_by_its_name_and_never_by_its_value(field, text, called):
    ((where, message),) = named(**{field: text})
    assert where == field
    assert message == (
        f"Shop: whoever opens or exports this flow can read the value of {called}; keep it under Secrets in "
        "Settings and write {{ secrets.NAME }} here"
    )


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("headers", "Authorization: Bearer {{ secrets.SHOP }}"),
        ("headers", "Authorization:"),
        ("headers", "X-Author: ada\nX-Monkey: yes"),
        ("headers", "no header at all"),
        ("headers", 5),
        ("url", "https://example.org/for/{{ user.UserId }}?key={{ secrets.SHOP }}&n=5"),
        ("url", "https://example.org:8000/a@b"),
        ("url", None),
    ],
)
def test_what_is_no_key_or_stands_under_secrets_is_not_told(field, text):
    assert named(**{field: text}) == []


@pytest.mark.django_db(databases="__all__")
def test_it_is_among_the_problems_of_a_flow_and_blocks_nothing():
    problems = drafts.all_problems(load_flow(drawing(mode="request", url="https://a.example/?token=abc")))
    (found,) = [problem for problem in problems if problem.code == "written_key"]
    assert (found.severity, found.node_id, found.field) == ("warning", "x", "url")
