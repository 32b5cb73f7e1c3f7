"""Dates, durations and Go's layouts; the expected texts are those Go prints."""

import pytest

from recflow.errors import ExpressionError
from recflow.expressions import compile_expression

ITEM = {"Timestamp": "2024-03-01T12:05:09Z"}


def evaluate(text):
    return compile_expression(text, expects="any", scope="item").evaluate_one(ITEM, None, None, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-02-29", 1_709_164_800),
        ("1969-12-31", -86_400),
        ("2024-01-01 10:00:00", 1_704_103_200),
        ("2024-01-01T10:00:00Z", 1_704_103_200),
        ("2024-01-01T12:00:00+02:00", 1_704_103_200),
        ("2024-01-01T10:00:00.999Z", 1_704_103_200),
        ("Mon, 02 Jan 2006 15:04:05 UTC", 1_136_214_245),
        ("Monday, 02-Jan-06 15:04:05 GMT", 1_136_214_245),
        ("02 Jan 06 15:04 UTC", 1_136_214_240),
        ("0001-01-01", -62_135_596_800),
    ],
)
def test_date_reads_the_forms_of_the_language(text, seconds):
    assert evaluate(f"date('{text}').Unix()") == seconds


@pytest.mark.parametrize(
    "text", ["2024-02-30", "2023-02-29", "2024-13-01", "01/02/2024", "2024", "", "2024-01-01 24:00:00"]
)
def test_date_that_does_not_exist_is_an_error_of_the_item(text):
    with pytest.raises(ExpressionError, match="date"):
        evaluate(f"date('{text}')")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h30m", 5_400_000_000_000),
        ("-1.5s", -1_500_000_000),
        ("+2ms", 2_000_000),
        (".5us", 500),
        ("1µs3ns", 1_003),
        ("0", 0),
        ("2562047h", 9_223_369_200_000_000_000),
    ],
)
def test_duration_adds_up_its_parts(text, nanoseconds):
    assert evaluate(f"duration('{text}').Nanoseconds()") == nanoseconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("7d", "'168h'"),
        ("2w", "'336h'"),
        ("", "units"),
        ("5", "units"),
        ("1h-5m", "units"),
        ("2562048h", "292 years"),
    ],
)
def test_duration_that_cannot_be_read_says_what_to_write(text, hint):
    with pytest.raises(ExpressionError, match="duration") as caught:
        evaluate(f"duration('{text}')")
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("layout", "shown"),
    [
        ("2006-01-02T15:04:05Z07:00", "2024-03-01T12:05:09Z"),
        ("Mon Jan _2 15:04:05 MST 2006", "Fri Mar  1 12:05:09 UTC 2024"),
        ("Monday, 02-Jan-06 3:04PM", "Friday, 01-Mar-24 12:05PM"),
        ("January 2, 2006-002", "March 1, 2024-061"),
    ],
)
def test_format_follows_the_layout_of_go(layout, shown):
    assert evaluate(f"item.Timestamp.Format('{layout}')") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("duration('90m')", "1h30m0s"),
        ("duration('1.5ms')", "1.5ms"),
        ("duration('-61s')", "-1m1s"),
        ("duration('0s')", "0s"),
        ("item.Timestamp", "2024-03-01 12:05:09 +0000 UTC"),
        ("item.Timestamp.Month()", "March"),
        ("item.Timestamp.Weekday()", "Friday"),
        ("1000000.0", "1e+06"),
        ("0.00001", "1e-05"),
        ("[1, 'a', nil, 2.5]", "[1 a <nil> 2.5]"),
        ("{b: 1, a: true}", "map[a:true b:1]"),
    ],
)
def test_string_shows_values_as_go_does(text, shown):
    assert evaluate(f"string({text})") == shown


def test_parts_of_a_time_are_those_of_the_calendar():
    assert evaluate("[item.Timestamp.Day(), item.Timestamp.Hour(), item.Timestamp.YearDay()]") == [1, 12, 61]
    assert evaluate("int(item.Timestamp.Month()) * 100 + int(item.Timestamp.Weekday())") == 305


def test_years_outside_of_python_s_calendar_are_still_counted():
    assert evaluate("(date('0001-01-01') - duration('1h')).Year()") == 0
    assert evaluate("(date('9999-12-31') + duration('2562047h')).Year()") == 10_292
