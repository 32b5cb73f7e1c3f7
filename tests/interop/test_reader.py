"""Lines, quoted rows and the place to resume from."""

import gzip

import pytest

from recflow.errors import BadRecord
from recflow.interop import reader as reading
from recflow.interop.delimited import read_rows
from recflow.interop.reader import LineFile, Part, Reader, size_of
from recflow.interop.records import Rejected, UserRecord


def rows_of(tmp_path, data, **kwargs):
    path = tmp_path / "some.csv"
    path.write_bytes(data)
    with LineFile(path, **kwargs) as lines:
        return list(read_rows(lines))


def test_a_byte_order_mark_and_windows_line_breaks_are_no_part_of_a_field(tmp_path):
    assert rows_of(tmp_path, b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n") == [["a", "b"], ["1", "2"]]


def test_a_quoted_field_may_hold_commas_quotes_and_line_breaks(tmp_path):
    assert rows_of(tmp_path, b'1,"a, ""b""\nc"\n2,d') == [["1", 'a, "b"\nc'], ["2", "d"]]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    good, bad, after, last = rows_of(tmp_path, b'1,a\n2,"oops\n3,c\n4,d\n')
    assert (good, after, last) == (["1", "a"], ["3", "c"], ["4", "d"])
    assert isinstance(bad, Rejected)
    assert (bad.file, bad.line, bad.text) == ("some.csv", 2, '2,"oops')
    assert "quotes" in bad.reason


def test_text_behind_a_closing_quote_costs_one_row(tmp_path):
    bad, good = rows_of(tmp_path, b'1,"a"b\n2,c\n')
    assert isinstance(bad, Rejected)
    assert good == ["2", "c"]


def test_a_line_that_is_not_utf_8_is_rejected_with_its_byte(tmp_path):
    good, bad, after = rows_of(tmp_path, b"1,a\n2,caf\xe9\n3,c\n")
    assert (good, after) == (["1", "a"], ["3", "c"])
    assert (bad.line, bad.reason) == (2, "the line is not utf-8 text: byte 0xe9")


def test_latin_1_is_read_where_asked_for(tmp_path):
    assert rows_of(tmp_path, b"2,caf\xe9\n", encoding="latin-1") == [["2", "café"]]


def test_a_line_of_boundless_length_is_rejected_and_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 10)
    bad, good = rows_of(tmp_path, b"1," + b"x" * 35 + b"\n2,b\n")
    assert (bad.line, bad.reason) == (1, "the line is longer than 10 bytes")
    assert good == ["2", "b"]


def test_size_of_a_packed_file_is_what_is_in_it(tmp_path):
    path = tmp_path / "some.csv.gz"
    path.write_bytes(gzip.compress(b"1,a\n" * 1000))
    assert size_of(path) == 4000
    with LineFile(path) as lines:
        assert len(list(read_rows(lines))) == 1000
        assert lines.offset == 4000


def line_part(path):
    def rows(start):
        with LineFile(path) as lines:
            lines.skip(start)
            while (text := lines.next()) is not None:
                yield (UserRecord(text.strip()), UserRecord(text.strip() * 2)), lines.offset

    return Part(path.name, size_of(path), rows)


def test_a_reader_made_with_a_position_goes_on_behind_it(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("a\nbb\n")
    second.write_text("ccc\nd\n")
    reader = Reader([line_part(first), line_part(second)])
    seen = [(record.user_id, reader.position) for record in reader]
    # the second record of a row moves the position: 2, 2 + 3, 5 + 4, 9 + 2 bytes
    assert seen == [
        *[("a", 0), ("aa", 2), ("bb", 2), ("bbbb", 5)],
        *[("ccc", 5), ("cccccc", 9), ("d", 9), ("dd", 11)],
    ]
    assert reader.position == reader.size == 11
    for i, (_, position) in enumerate(seen):
        rest = [record.user_id for record in Reader([line_part(first), line_part(second)], start=position)]
        assert rest == [name for name, _ in seen[i + 1 - (i + 1) % 2 :]]


def test_a_packed_file_that_is_cut_off_is_one_clear_error(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"abc\n" * 5000)[:-20])
    with pytest.raises(BadRecord, match=r"a\.gz cannot be unpacked"):
        list(Reader([line_part(path)]))
