"""JSONL as Gorse exports and imports it, whole and damaged."""

import gzip
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.data.types import NO_TIME
from recflow.interop import json_stream
from recflow.interop.jsonl import open_jsonl, to_line, write_jsonl
from recflow.interop.records import FeedbackRecord, ItemRecord, Rejected, UserRecord
from recflow.interop.times import parse_time

NOON = parse_time("2024-03-01T12:00:00Z")


def read(tmp_path, text, kind="users", **kwargs):
    path = tmp_path / f"{kind}.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(open_jsonl(path, kind, **kwargs))


def test_the_example_lines_of_the_reference(tmp_path):
    assert read(tmp_path, '{"UserId":"u1","Labels":{"age":24},"Comment":"bob"}\n') == [
        UserRecord("u1", {"age": 24}, "bob")
    ]
    item = (
        '{"ItemId":"m1","IsHidden":false,"Categories":["movie"],"Timestamp":"2024-03-01T12:00:00Z",'
        '"Labels":{"embedding":[0.1,0.2]},"Comment":"The Matrix"}\n'
    )
    assert read(tmp_path, item, "items") == [
        ItemRecord("m1", False, ("movie",), NOON, {"embedding": [0.1, 0.2]}, "The Matrix")
    ]
    feedback = (
        '{"FeedbackType":"like","UserId":"u1","ItemId":"m1","Value":1,"Timestamp":"2024-03-01T12:00:00Z",'
        '"Updated":"2024-03-02T12:00:00Z","Comment":""}\n'
    )
    assert read(tmp_path, feedback, "feedback") == [FeedbackRecord("like", "u1", "m1", 1.0, NOON, NOON)]


@pytest.mark.parametrize(
    "text",
    [
        '{"UserId":"a"}{"UserId":"b"}{"UserId":"c"}',
        '{"UserId":"a"} {"UserId":"b"}\n\n\n{"UserId":"c"}',
        '{\n  "UserId": "a",\n  "Labels": {\n    "x": "}{"\n  }\n}\n{"UserId":"b"}\r\n{"UserId":"c"}\r\n',
        '[{"UserId":"a"},\n{"UserId":"b"},{"UserId":"c"}]',
    ],
)
def test_line_breaks_between_objects_are_not_required(tmp_path, text):
    assert [record.user_id for record in read(tmp_path, text)] == ["a", "b", "c"]


def test_no_timestamp_and_the_zero_time_are_the_same(tmp_path):
    text = '{"ItemId":"a"}\n{"ItemId":"b","Timestamp":"0001-01-01T00:00:00Z"}\n{"ItemId":"c","Timestamp":""}'
    assert {record.time_us for record in read(tmp_path, text, "items")} == {NO_TIME}


def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path):
    (record,) = read(tmp_path, r'{"UserId":"a\ud800","Labels":{"\udc00":["\ud83d\ude00"]}}')
    assert record == UserRecord("a�", {"�": ["😀"]})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"UserId":"x"', "the object is cut off"),
        ('{"UserId":"x}', "a text in the object is not closed"),
        ('{"UserId":"x",}', "this is not JSON"),
        ('{"UserId":NaN}', "this is not JSON: NaN is not a number in JSON"),
        ('{"UserId":7}', "UserId must be a text, got '7'"),
        ('{"UserId":""}', "UserId is missing or blank"),
        ('{"UserId":"a/b"}', "UserId may not hold a slash"),
        ('"UserId"', "this is not a JSON object"),
        ("UserId,Labels", "this is not a JSON object"),
        ('{"UserId":"x","Labels":' + "[" * 100_000 + "]" * 100_000 + "}", "this is not JSON: it is nested"),
    ],
)
def test_a_broken_object_is_rejected_with_its_number_and_the_next_is_read(tmp_path, bad, reason):
    before, rejected, after = read(tmp_path, f'{{"UserId":"a"}}\n{bad}\n{{"UserId":"b"}}\n')
    assert (before.user_id, after.user_id) == ("a", "b")
    assert isinstance(rejected, Rejected)
    assert (rejected.file, rejected.line) == ("users.jsonl", 1)
    assert rejected.reason.startswith(reason)
    assert bad.startswith(rejected.text.removesuffix("…"))


def test_bytes_that_are_not_utf_8_cost_one_object(tmp_path):
    before, rejected, after = read(tmp_path, b'{"UserId":"a"}\n{"UserId":"\xff"}\n{"UserId":"b"}\n')
    assert (before.user_id, after.user_id) == ("a", "b")
    assert "utf-8" in rejected.reason


def test_an_object_that_is_cut_off_at_the_end_of_the_file_is_told(tmp_path):
    record, rejected = read(tmp_path, '{"UserId":"a"}\n{"UserId":"b","Labels":{"x"')
    assert record.user_id == "a"
    assert (rejected.line, rejected.reason) == (1, "the object is cut off")


def test_an_object_of_boundless_length_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_OBJECT_BYTES", 1000)
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", 100)
    rejected, *rest = read(tmp_path, '{"UserId":"' + "x" * 1200 + '"}\n{"UserId":"b"}\n')
    assert rejected.reason == "the object is longer than 1,000 bytes"
    assert rest[-1] == UserRecord("b")


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_where_the_stream_is_cut_into_pieces_makes_no_difference(tmp_path, monkeypatch, chunk):
    text = '{"UserId":"a\\"}"}\n{"UserId":"b"\n{"UserId":"c"}{"UserId":"d"}\n'
    text += '{ "UserId" :\n "e" }  \n{"UserId":"f'
    whole = read(tmp_path, text)
    assert [getattr(record, "user_id", "-") for record in whole] == ['a"}', "-", "c", "d", "e", "-"]
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", chunk)
    assert read(tmp_path, text) == whole


def test_it_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "users.jsonl"
    path.write_text('{"UserId":"a"}\n{"UserId":"b"}{"UserId":7}\n{"UserId":"d"}\n')
    reader = open_jsonl(path, "users")
    seen = [(record, reader.position) for record in reader]
    assert reader.position == reader.size
    for i, (_, position) in enumerate(seen):
        assert list(open_jsonl(path, "users", start=position)) == [record for record, _ in seen[i + 1 :]]
    assert seen[2][0].line == 2


def test_an_empty_file_has_no_records(tmp_path):
    assert read(tmp_path, "") == read(tmp_path, " \n\n") == []


texts = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(str.strip)
labels = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
times = st.integers(NO_TIME, parse_time("9999-12-31"))
items = st.builds(
    ItemRecord, texts, st.booleans(), st.lists(texts, max_size=2).map(tuple), times, labels, texts
)


@given(st.lists(items, max_size=4), st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory, records, packed):
    path = tmp_path_factory.mktemp("export") / ("items.jsonl.gz" if packed else "items.jsonl")
    assert write_jsonl(records, path) == len(records)
    assert list(open_jsonl(path, "items")) == records


def test_an_export_may_stand_inside_html(tmp_path):
    line = to_line(UserRecord("<b>&\u2028", ["</script>"]))
    assert (
        line == '{"UserId":"\\u003cb\\u003e\\u0026\\u2028","Labels":["\\u003c/script\\u003e"],"Comment":""}\n'
    )
    assert json.loads(line)["UserId"] == "<b>&\u2028"


def refuse_constant(name):
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_what_is_beyond_all_numbers_is_written_as_the_largest(value):
    found = json.loads(to_line(FeedbackRecord("like", "u", "i", value)), parse_constant=refuse_constant)
    assert abs(found["Value"]) == sys.float_info.max
    assert (found["Value"] > 0) == (value > 0)


def test_labels_that_are_no_numbers_are_written_as_null():
    line = to_line(UserRecord("u", {"a": [1.5, float("inf")], "b": float("nan")}))
    assert json.loads(line, parse_constant=refuse_constant)["Labels"] == {"a": [1.5, None], "b": None}


def test_a_gzipped_export_is_gzip(tmp_path):
    path = tmp_path / "users.jsonl.gz"
    write_jsonl([UserRecord("a")], path)
    assert gzip.decompress(path.read_bytes()) == b'{"UserId":"a","Labels":null,"Comment":""}\n'


def test_half_a_surrogate_pair_can_be_written():
    assert "�" in to_line(UserRecord("a\ud800"))
