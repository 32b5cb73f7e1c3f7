"""Which dates are taken and which refused: the table of the compatibility reference, and edges of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop.times import format_time, parse_rfc3339, parse_time, year_start

DAY = 1_645_660_800_000_000  # 2022-02-24T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-02-24", DAY),
        ("2022-02-24T00:00:00Z", DAY),
        ("2022-02-24T00:00:00", DAY),
        ("2022-02-24T00:00:00+00:00", DAY),
        ("2022-02-24T02:30:00+02:30", DAY),
        ("2022-02-23T19:00:00-05:00", DAY),
        ("2022-02-24T00:00:00.25Z", DAY + 250_000),
        ("2022-02-24T00:00:00.123456789Z", DAY + 123_456),
        ("2022-02-24 00:00:00", DAY),
        ("2022-02-24 00:00", DAY),
        ("2022-02-24 00:00:00 +0000 UTC", DAY),
        ("2022/02/24", DAY),
        ("2022/2/24 18:30:05", DAY + 66_605_000_000),  # 18 * 3600 + 30 * 60 + 5
        ("02/24/2022", DAY),
        ("2/24/2022 6:30 PM", DAY + 66_600_000_000),
        ("02/24/2022 12:00 AM", DAY),
        ("Feb 24, 2022", DAY),
        ("February 24, 2022", DAY),
        ("24 Feb 2022", DAY),
        ("Thu, 24 Feb 2022 00:00:00 GMT", DAY),
        ("Thu, 24 Feb 2022 02:00:00 +0200", DAY),
        ("20220224", DAY),
        ("2022", 1_640_995_200_000_000),
        ("2022-02", 1_643_673_600_000_000),
        ("1645660800", DAY),
        ("1645660800123", DAY + 123_000),
        ("1645660800123456", DAY + 123_456),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("2024-02-29", 1_709_164_800_000_000),
        ("0001-01-01T00:00:00Z", NO_TIME),
        ("", NO_TIME),
    ],
)
def test_accepted(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "24/02/2022",
        "881250949",
        "1645660800.5",
        " 2022-02-24",
        "2022-02-24 ",
        "2022-02-30",
        "2023-02-29T00:00:00Z",
        "2022-13-01",
        "2022-02-24T24:00:00Z",
        "2022-02-24T24:00:00",
        "2022-02-24T00:60:00Z",
        "2022-02-24T00:00:60Z",
        "2022-02-24T00:00:00+25:00",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "02/24/2022 13:00 PM",
        "16456608001234567",
        "-1645660800",
        "٢٠٢٢",
        "2022-W08-4",
        "yesterday",
        "2022-02-24T00:00:00Z\n",
    ],
)
def test_refused(text):
    with pytest.raises(BadRecord) as caught:
        parse_time(text)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    "text", ["2022-02-22", "2022-02-24 00:00:00Z", "2022-02-24T00:00:00", "1645660800", ""]
)
def test_a_patch_takes_rfc_3339_only(text):
    with pytest.raises(BadRecord):
        parse_rfc3339(text)


def test_a_patch_takes_a_fraction_and_an_offset():
    assert parse_rfc3339("2022-02-24T01:00:00.5+01:00") == DAY + 500_000


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (DAY, "2022-02-24T00:00:00Z"),
        (DAY + 250_000, "2022-02-24T00:00:00.25Z"),
        (DAY + 1, "2022-02-24T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (NO_TIME, "0001-01-01T00:00:00Z"),
    ],
)
def test_output(time_us, text):
    assert format_time(time_us) == text


@given(st.integers(NO_TIME, 253_402_300_799_999_999))
def test_every_time_survives_the_round_trip(time_us):
    assert parse_time(format_time(time_us)) == time_us


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    try:
        parse_time(text)
    except BadRecord as error:
        assert "is not a date or time" in error.message


def test_a_year_starts_on_its_first_of_january():
    assert year_start(1970) == 0
    assert year_start(1969) == -31_536_000_000_000
