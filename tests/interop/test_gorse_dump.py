"""Gorse's backups: bytes worked out by hand from the format, and back.

The numbers of the fields are those of the messages User, Item and Feedback in Gorse's
protocol/protocol.proto, markers and lengths those of dump and restore in its master/rest.go, both as of 22
August 2026.
"""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recflow.data.records import FeedbackRecord, ItemRecord, UserRecord
from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop import protobuf as pb
from recflow.interop.gorse_dump import dump, records_of

SECOND = 1_000_000
KINDS = {"users": UserRecord, "items": ItemRecord, "feedback": FeedbackRecord}


#: A backup of seven records and the statistics behind it, written by Gorse's own protocol package (Go). The
#: same package read ours of the same records, and found no field that it did not know.
BY_GORSE = bytes.fromhex(
    "ffffffffffffffff34000000000000000a03616e6e12237b22616765223a32342c2274616773223a5b22615c753030336362"
    "222c22c3bc225d7d1a08416e6e202620436f0b000000000000000a03626f6212046e756c6cfeffffffffffffff2d00000000"
    "00000012026d311801220178220379207a2a0b08c08687af06108094ef3a320a5b302e312c302e32355d3a0446696c6d1700"
    "00000000000012026d322a0b088092b8c398feffffff0132046e756c6c1f0000000000000012026d332a11088091c0e9feff"
    "ffffff011080cab5ee013206227465787422fdffffffffffffff2a0000000000000012046c696b651a03616e6e22026d3129"
    "0000000000001240320608c0a98caf063a026f6b4a046e756c6c25000000000000001204726561641a03626f6222026d3229"
    "000000000000f0bf32004a097b22706f73223a337d00000000000000007b225573657273223a327d"
)
SENT = 1_709_294_400 * 1_000_000  # 1 March 2024, 12:00


def number(value):
    return struct.pack("<q", value)


def read(raw):
    return list(records_of(io.BytesIO(raw)))


def whole(*records):
    kinds = [(kind, [one for one in records if isinstance(one, made)]) for kind, made in KINDS.items()]
    return b"".join(dump(kinds))


def alone(marker, message):
    return number(marker) + number(len(message)) + message + number(0)


def test_a_user_is_written_field_by_field():
    message = b'\x0a\x02u1\x12\x09{"age":3}\x1a\x03bob'  # 1: u1, 2: 9 bytes of JSON, 3: bob
    expected = number(-1) + number(20) + message + number(-2) + number(-3) + number(0)
    assert whole(UserRecord("u1", {"age": 3}, "bob")) == expected


def test_an_item_is_written_field_by_field():
    # 2: m1, 3: true, 4: a and b, 5: {1: 300 s, 2: 2,000 ns}, 6: null, 7: nothing
    message = b"\x12\x02m1\x18\x01\x22\x01a\x22\x01b\x2a\x06\x08\xac\x02\x10\xd0\x0f\x32\x04null"
    record = ItemRecord("m1", True, ("a", "b"), 300 * SECOND + 2)
    assert alone(-2, message) in whole(record).replace(number(-3), b"")
    assert read(alone(-2, message)) == [record]


def test_feedback_is_written_field_by_field():
    # 2: like, 3: u1, 4: m1, 5: 1.5 as a fraction of 64 bits, 6: {} for the beginning of 1970
    message = b"\x12\x04like\x1a\x02u1\x22\x02m1\x29" + struct.pack("<d", 1.5) + b"\x32\x00"
    record = FeedbackRecord("like", "u1", "m1", 1.5, 0, 0)
    assert alone(-3, message) in whole(record)
    assert read(alone(-3, message)) == [record]


def test_a_backup_that_gorse_wrote_is_read():
    assert read(BY_GORSE) == [
        UserRecord("ann", {"age": 24, "tags": ["a<b", "ü"]}, "Ann & Co"),
        UserRecord("bob"),
        ItemRecord("m1", True, ("x", "y z"), SENT + 123_456, [0.1, 0.25], "Film"),
        ItemRecord("m2", time_us=NO_TIME),
        ItemRecord("m3", time_us=-315_619_199 * SECOND - 500_000, labels="text"),  # half a second into 1960
        FeedbackRecord("like", "ann", "m1", 4.5, SENT + 86_400 * SECOND, SENT + 86_400 * SECOND, "ok"),
        FeedbackRecord("read", "bob", "m2", -1.0, 0, 0),  # what it calls Labels of feedback we do not keep
    ]


def test_what_is_not_written_has_its_default():
    assert read(alone(-2, b"\x12\x02m1")) == [ItemRecord("m1", False, (), NO_TIME, None, "")]
    assert read(alone(-3, b"\x12\x01l\x1a\x01u\x22\x01i")) == [FeedbackRecord("l", "u", "i")]


def test_the_year_1_is_a_negative_number_of_ten_bytes():
    raw = whole(ItemRecord("m1"))  # Go's zero time
    assert b"\x2a\x0b\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01" in raw
    assert read(raw)[0].time_us == NO_TIME


def test_fields_nobody_knows_are_passed_over():
    known = b"\x0a\x02u1"
    unknown = pb.text_field(9, "x") + pb.number_field(10, 7) + pb.double_field(11, 0.5) + b"\x65\0\0\0\0"
    assert read(alone(-1, unknown + known)) == [UserRecord("u1")]


def test_what_stands_behind_the_end_is_not_read():
    assert read(alone(-1, b"\x0a\x01a") + b'{"Users": 1}') == [UserRecord("a")]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "record 0: the backup is cut off, for it has no end"),
        (number(5) + b"hello", "This is no backup: it does not begin with a kind of records"),
        (number(-4), "record 0: -4 is no kind of records; -1, -2 and -3 are"),
        (number(-1) + number(4) + b"\x0a\x02u", "record 0: the backup is cut off"),
        (
            number(-1) + number(2**40),
            "record 0: a record may have 16,777,216 bytes, it says 1,099,511,627,776",
        ),
        (alone(-1, b"\x0a\x05u1"), "record 0: the message is cut off"),
        (alone(-1, b"\x0a\x01\xff"), "record 0: field 1 is no text in UTF-8"),
        (alone(-1, b"\x08\x01"), "record 0: field 1 holds a number"),
        (alone(-1, b"\x0b"), "record 0: a message has no fields of wire type 3"),
        (alone(-1, b"\x12\x01{"), "record 0: Labels are not JSON"),
        (
            alone(-1, b"\x12\xca\x01" + 101 * b"[" + 101 * b"]"),  # 202 bytes
            "record 0: Labels may have 100 lists and maps inside each other",
        ),
        (
            alone(-3, b"\x29" + struct.pack("<d", float("nan"))),
            "record 0: Value must be a finite number, got nan",
        ),
        (
            alone(-2, b"\x2a\x0a\x08" + b"\xff" * 8 + b"\x7f"),
            "record 0: field 5 is no moment that can be kept",
        ),
    ],
)
def test_what_is_no_backup_is_refused_in_a_sentence(raw, sentence):
    with pytest.raises(BadRecord) as refused:
        read(raw)
    assert refused.value.message.startswith(sentence)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.integers(NO_TIME, 253_402_300_799_999_999)
labels = st.recursive(
    st.none() | texts | st.integers(-(10**9), 10**9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
users = st.builds(UserRecord, texts.filter(bool), labels, texts)
items = st.builds(
    ItemRecord, texts.filter(bool), st.booleans(), st.lists(texts).map(tuple), times, labels, texts
)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(users, max_size=4), st.lists(items, max_size=4), times, st.floats(-1e9, 1e9))
def test_what_was_written_is_read_again(some_users, some_items, time_us, value):
    feedback = FeedbackRecord("like", "u", "i", value or 0.0, time_us, time_us, "so good")
    records = [*some_users, *some_items, feedback]
    assert read(whole(*records)) == records
