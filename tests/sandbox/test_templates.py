# ruff: noqa: E501  templates and scripts are data; broken over lines they are harder to read
"""What templates can do: Jinja2 with Gorse's habits."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from recflow.errors import SandboxError
from recflow.sandbox.templates import (
    FieldUse,
    TemplateProblem,
    check,
    fields_used,
    merged_uses,
    render,
    render_all,
    render_many,
)

ITEM = {
    "ItemId": "m1",
    "IsHidden": False,
    "Categories": ["film", "noir"],
    "Timestamp": datetime(2024, 3, 1, 12, 0, 0, tzinfo=UTC),
    "Labels": {"year": 1941, "genre": "noir", "stars": {"n": 2, "b": None}},
    "Comment": "The Maltese ```Falcon```",
}
VARIABLES = {
    "user": {"UserId": "u1", "Labels": {"age": 24}, "Comment": ""},
    "feedback": [ITEM | {"ItemId": f"f{n}", "FeedbackType": "like", "Item": ITEM} for n in range(5)],
    "items": [ITEM, ITEM | {"ItemId": "m2", "Comment": None}],
    "n": 3,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ user.UserId }}", "u1"),
        ("{% for item in items %}{{ item.ItemId }} {% endfor %}", "m1 m2 "),
        ("{% for f in feedback[:2] %}{{ f.FeedbackType }} {{ f.ItemId }};{% endfor %}", "like f0;like f1;"),
        ("{{ feedback[0].Item.ItemId }} {{ feedback[-1]['ItemId'] }}", "m1 f4"),
        ("{{ items[0].Comment | replace('```', '') }}", "The Maltese Falcon"),
        ("{{ items | map(attribute='ItemId') | join(', ') }}", "m1, m2"),
        ("{{ items | selectattr('Comment', 'none') | map(attribute='ItemId') | first }}", "m2"),
        ("{% if 'noir' in items[0].Categories %}yes{% else %}no{% endif %}", "yes"),
        ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for i in range(3) %}{{ loop.index }}{{ ',' if not loop.last }}{% endfor %}", "1,2,3"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(n) }}", "<3>"),
        (
            "{% set ns = namespace(k=0) %}{% for i in items %}{% set ns.k = ns.k + 1 %}{% endfor %}{{ ns.k }}",
            "2",
        ),
        ("a\n  {%- if true %} b{% endif %}\n", "a b\n"),
        ("{{ nothing | default('-') }}{{ items[1].Comment | default('-') }}", "--"),
        ("{{ items[1].Comment }}|", "|"),
        ("{{ user.Comment }}|", "|"),
        ("{{ n }} {{ n + 1 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ 2 * 'ab' }}", "3 4 3.5 3 abab"),
        ("{{ 'A' ~ n }} {{ 'x'.upper() }} {{ 'a,b'.split(',')[1] }}", "A3 X b"),
        ("line\n", "line\n"),
        ("<&>'\"{{ '<&>' }}", "<&>'\"<&>"),
    ],
)
def test_templates_render(template, text):
    assert render(template, VARIABLES) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ user.Labels.age }}", "24.0"),
        (
            "{{ items[0].Labels.year }} {{ items[0].Labels.year + 1 }} {{ items[0].Labels.year ~ '' }}",
            "1941.0 1942.0 1941.0",
        ),
        ("{{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 24.0 }} {{ 1e-20 }}", "0.3 0.33333333333 24.0 0.0"),
        ("{{ items[0].Labels }}", "{'genre': 'noir', 'stars': {'b': , 'n': 2.0}, 'year': 1941.0}"),
        ("{% for key in items[0].Labels %}{{ key }} {% endfor %}", "genre stars year "),
        ("{{ ['it\\'s', none, true, 0.1 + 0.2] }}", "['it's', , True, 0.3]"),
        ("{{ items[0].Labels | tojson }}", '{"genre":"noir","stars":{"b":null,"n":2},"year":1941}'),
        ("{{ ['é', '<&>'] | tojson }}", '["é","<&>"]'),
        ("{{ items[0].IsHidden }}", "False"),
        ("{{ items[0].Timestamp }}", "2024-03-01 12:00:00 +0000 UTC"),
        ("{{ items[0].Timestamp.Unix() }}", "1709294400"),
        ("{{ items[0].Timestamp.Year() }}-{{ items[0].Timestamp.Month() }}", "2024-3"),
        ("{{ items[0].Timestamp.Format('2006-01-02') }}", "2024-03-01"),
        ("{{ items[0].Timestamp.Format('Mon, 2 Jan 06 3:04:05 PM MST') }}", "Fri, 1 Mar 24 12:00:00 PM UTC"),
        (
            "{{ items[0].Timestamp.Format('Monday January _2 15h 002 .000 Z07:00') }}",
            "Friday March  1 12h 061 .000 Z",
        ),
        ("{{ items[0].Timestamp.Weekday() }} {{ items[0].Timestamp.YearDay() }}", "5 61"),
        ("{{ items[0].Timestamp.strftime('%d.%m.%Y') }}", "01.03.2024"),
    ],
)
def test_values_print_as_gorse_prints_them(template, text):
    assert render(template, VARIABLES) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 3, 1, 12, 0, 0, 250000), "2024-03-01 12:00:00.25 +0000 UTC"),  # naive means UTC
        (datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2024-02-29 23:00:00 +0000 UTC"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 00:00:00 +0000 UTC"),
    ],
)
def test_times_are_told_in_utc(moment, text):
    assert render("{{ t }}", {"t": moment}) == text


def test_times_compare():
    times = {"a": datetime(2024, 1, 1, tzinfo=UTC), "b": datetime(2024, 1, 2, tzinfo=UTC)}
    assert (
        render("{{ a < b }} {{ a.Before(b) }} {{ a.After(b) }} {{ a == a }}", times) == "True True False True"
    )


def test_item_text_is_data_and_never_template_code():
    hostile = {"items": [{"ItemId": "{{ 7 * 7 }}", "Comment": "{% include '/etc/passwd' %}"}]}
    text = render("{{ items[0].ItemId }} {{ items[0].Comment }}", hostile)
    assert text == "{{ 7 * 7 }} {% include '/etc/passwd' %}"


def test_many_sets_of_variables_are_rendered_in_one_trip():
    each = [{"item": item} for item in VARIABLES["items"]]
    assert render_many("{{ item.ItemId }}/{{ n }}", each, shared={"n": 3}) == ["m1/3", "m2/3"]


def test_several_templates_are_rendered_in_one_trip_and_their_own_variables_go_first():
    wanted = [
        ("{{ n }}", {}),
        ("{{ item.ItemId }}{{ n }}", {"item": {"ItemId": "a"}, "n": 2}),
        ("{{ n }}", {}),
    ]
    assert render_all(wanted, shared={"n": 1}) == ["1", "a2", "1"]


@pytest.mark.parametrize("wrong", ["{{ 1 // 0 }}", "{% if %}", "{{ n | nofilter }}"])
def test_an_error_tells_which_of_several_templates_it_is_in(wrong):
    with pytest.raises(SandboxError) as error:
        render_all([("{{ n }}", {}), ("{{ n }}", {}), (wrong, {})], shared={"n": 1})
    assert error.value.part == 2


def test_fields_that_any_template_reads_are_merged():
    uses = merged_uses(["{{ a.x }}{{ b.y }}", "{{ a.z }}{{ b }}", "{{ b | length }}"])
    assert uses == {
        "a": FieldUse(frozenset("xz"), counts_keys=False),
        "b": FieldUse(None, counts_keys=True),
    }


def test_lone_surrogates_do_not_leave_the_sandbox():
    assert render("{{ a }}{{ '\\ud800' }}", {"a": "\udfff"}) == "??"


def test_value_that_is_no_json_is_the_callers_mistake():
    with pytest.raises(TypeError, match="cannot be given a set"):
        render("{{ a }}", {"a": {1}})


# Errors with their place


@pytest.mark.parametrize(
    ("template", "message", "line", "column"),
    [
        ("{{ itms }}", "'itms' is not defined", 1, 4),
        ("Hello\n  {{ user.Name }}", "there is no field 'Name' here", 2, 11),
        ("{{ user.UserId }} {{ user['Name'] }}", "there is no field 'Name' here", 1, 27),
        (
            "{% for item in items %}\n{{ item.ItemId }} {{ item.Nope }}\n{% endfor %}",
            "no field 'Nope'",
            2,
            27,
        ),
        ("{{ user.UserId.Deep }}", "there is no field 'Deep' here", 1, 16),
        ("{% if nope %}{% endif %}", "'nope' is not defined", 1, 7),
        ("a\nb {{ 1 / 0 }}", "division by zero", 2, 6),
        ("{{ user.UserId | nofilter }}", "No filter named 'nofilter'", 1, 18),
        ("{{ 1 is oddly }}", "No test named 'oddly'", 1, 9),
        ("\n\n{% if %}", "Expected an expression", 3, 4),
        ("{{ user. }}", "expected name or number", 1, 4),
        ("{% foo %}", "unknown tag 'foo'", 1, 4),
        ("{{ 'a' ", "unexpected end of template", 1, 4),
        ("x {{ a } y", "unexpected '}'", 1, 8),
        ("{% for i in items %}{% break %}{% endfor %}", "unknown tag 'break'", 1, 24),
        ("{{ 'a' + 1 }}", "TypeError", 1, 4),
        ("{% include 'x.html' %}", "'include' is not allowed", 1, 4),
        ("{% import '/etc/passwd' as x %}", "'import' is not allowed", 1, 4),
        ("{% from 'a' import b %}", "'import' is not allowed", 1, 13),
        ("\n{% extends 'base' %}", "'extends' is not allowed", 2, 4),
        ("{{ ''.__class__ }}", "not allowed", 1, 4),
        ("{{ items.append(1) }}", "not allowed", 1, 4),
    ],
)
def test_errors_name_line_and_column(template, message, line, column):
    with pytest.raises(SandboxError, match=f"^Line {line}, column {column}: ") as caught:
        render(template, VARIABLES)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_unknown_names_print_nothing_where_gorse_would():
    assert render("[{{ nope }}{{ user.Nope }}]", VARIABLES, strict=False) == "[]"
    with pytest.raises(SandboxError, match="'nope' is not defined"):
        render("{{ nope.field }}", VARIABLES, strict=False)


# Checking without data

KNOWN = {"user": ["UserId", "Labels"], "items": ["ItemId", "Comment"], "n": None}


def test_good_template_has_no_problems():
    assert (
        check("{% for i in items %}{{ i.ItemId }}{{ n.any }}{% endfor %}{{ user.Labels.x }}", known=KNOWN)
        == []
    )
    assert check("{{ anything.goes }}") == []


def test_check_finds_every_unknown_name_with_its_place():
    template = "{{ itms }}\n{% for item in items %}{{ item.Nope }}{% endfor %} {{ user.Name }}"
    assert check(template, known=KNOWN) == [
        TemplateProblem("Line 1, column 4: 'itms' is not defined; there are items, n, user.", 1, 4),
        TemplateProblem("Line 2, column 32: items has no field 'Nope'; there are ItemId, Comment.", 2, 32),
        TemplateProblem("Line 2, column 60: user has no field 'Name'; there are UserId, Labels.", 2, 60),
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "Expected an expression"),
        ("{{ 1 | nofilter }}", "No filter named"),
        ("{% include 'x' %}", "'include' is not allowed"),
    ],
)
def test_check_reports_what_rendering_would_raise(template, message):
    (problem,) = check(template, known=KNOWN)
    assert message in problem.message
    assert problem.line == 1


# Which fields are sent


@pytest.mark.parametrize(
    ("template", "uses"),
    [
        ("plain", {}),
        ("{{ user.UserId }}", {"user": ({"UserId"}, False)}),
        ("{{ user['UserId'] }}", {"user": ({"UserId"}, False)}),
        ("{{ user }}", {"user": (None, False)}),
        ("{{ user.items() }}", {"user": (None, False)}),
        (
            "{% for i in items %}{{ i.ItemId }}{{ i.Labels.year }}{% endfor %}",
            {"items": ({"ItemId", "Labels"}, True)},
        ),
        ("{% for i in items[:3] %}{{ i.ItemId }}{% endfor %}", {"items": ({"ItemId"}, True)}),
        ("{% for i in items %}{{ i }}{% endfor %}", {"items": (None, True)}),
        ("{{ items | length }}", {"items": (set(), True)}),
        ("{% if items %}x{% endif %}", {"items": (set(), True)}),
        ("{{ items[0].ItemId }}", {"items": ({"ItemId"}, False)}),
        ("{{ items | map(attribute='ItemId') | join }}", {"items": ({"ItemId"}, False)}),
        ("{{ items | map('upper') | join }}", {"items": (None, False)}),
        (
            "{{ items | sort(attribute='Labels.year,ItemId') | length }}",
            {"items": ({"Labels", "ItemId"}, True)},
        ),
        ("{{ (items | selectattr('IsHidden') | first).ItemId }}", {"items": ({"IsHidden", "ItemId"}, True)}),
        ("{% set x = items %}{% for i in x %}{{ i.A }}{% endfor %}", {"items": ({"A"}, True)}),
        ("{% set x = items[0] %}{{ x.A }}{{ x.B }}", {"items": ({"A", "B"}, False)}),
        ("{% with i = items[0] %}{{ i.A }}{% endwith %}", {"items": ({"A"}, False)}),
        ("{% macro m(i) %}{{ i.A }}{% endmacro %}{{ m(items[0]) }}", {"items": (None, False)}),
        ("{{ (a or b).X }}", {"a": ({"X"}, True), "b": ({"X"}, False)}),
        ("{% if user.A == user.B %}{% endif %}", {"user": ({"A", "B"}, False)}),
        ("{% if user == n %}{% endif %}", {"user": (None, False), "n": (None, False)}),
        (
            "{% for i in items %}{{ feedback[loop.index0].A }}{% endfor %}",
            {"items": (set(), True), "feedback": ({"A"}, True)},
        ),
        ("{% for i in items if i.Hot %}{{ i.A }}{% endfor %}", {"items": ({"Hot", "A"}, True)}),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", {}),
        ("{% set user = 1 %}{{ user }}", {}),
    ],
)
def test_fields_used_are_those_the_template_names(template, uses):
    wanted = {
        name: FieldUse(None if f is None else frozenset(f), counts) for name, (f, counts) in uses.items()
    }
    assert fields_used(template) == wanted


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% if user %}known{% else %}unknown{% endif %}", "known"),
        ("{{ user | length }}", "3"),
        ("{% for key in user %}{{ key }} {% endfor %}", "Comment Labels UserId "),
        ("{{ 'UserId' in user }}", "True"),
        ("{{ user | dictsort | length }}", "3"),
        ("{% for i in items %}{{ i | length }} {% endfor %}", "6 6 "),
        ("{{ items == items }}", "True"),
        (
            "{% for k, g in items | groupby('IsHidden') %}{% for i in g %}{{ i.ItemId }}{% endfor %}{% endfor %}",
            "m1m2",
        ),
        ("{% for row in items | batch(1) %}{{ row[0].ItemId }}{% endfor %}", "m1m2"),
    ],
)
def test_sending_only_used_fields_changes_no_result(template, text):
    assert render(template, VARIABLES) == text
