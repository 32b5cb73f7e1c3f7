"""Tables of users, items and feedback in the shapes people have them."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recflow.errors import BadRecord
from recflow.interop.csvfiles import open_csv
from recflow.interop.records import FeedbackRecord, ItemRecord, Rejected, UserRecord
from recflow.interop.times import parse_time

DAY = parse_time("2022-02-24")


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def read(tmp_path, text, kind=None):
    return list(open_csv(table(tmp_path, text), kind))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", ["FeedbackType-UserId-ItemId-Value", "feedback_type-USER_ID-Item Id-value"]
)
def test_delimiter_and_column_names_are_found_out(tmp_path, delimiter, header):
    text = header.replace("-", delimiter) + "\n" + delimiter.join(["read", "u", "i", "2.5"]) + "\n"
    assert read(tmp_path, text) == [FeedbackRecord("read", "u", "i", 2.5)]


def test_columns_stand_in_any_order_and_may_be_missing(tmp_path):
    text = "timestamp,item_id,feedback_type,user_id\n02/24/2022,i,like,u\n"
    assert read(tmp_path, text) == [FeedbackRecord("like", "u", "i", 0.0, DAY, DAY)]


def test_an_item_with_everything(tmp_path):
    text = (
        "item_id;is_hidden;categories;timestamp;labels;comment\n"
        'i1;Yes;a | b|;2022-02-24;"{""year"": 1999, ""tags"": [""x""]}";"A film; in two parts"\n'
        "i2;;;;;\n"
    )
    assert read(tmp_path, text) == [
        ItemRecord("i1", True, ("a", "b"), DAY, {"year": 1999, "tags": ["x"]}, "A film; in two parts"),
        ItemRecord("i2"),
    ]


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("", None),
        ("null", None),
        ("go", "go"),
        ("go|rust", ["go", "rust"]),
        ("1999", 1999),
        ("3 of 5", "3 of 5"),
        ('"[""a""]"', ["a"]),
        ('"""quoted"""', "quoted"),
        ("[cut", "[cut"),
    ],
)
def test_labels_are_json_or_plain(tmp_path, cell, labels):
    assert read(tmp_path, f"user_id,labels\nu,{cell}\n") == [UserRecord("u", labels)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("like,u", "the row has 2 fields, the header 4"),
        ("like,u,i,1,2", "the row has 5 fields, the header 4"),
        ("like,u,i,many", "Value must be a number, got 'many'"),
        ("like,u,i,nan", "Value must be a finite number, got nan"),
        (",u,i,1", "FeedbackType is missing or blank"),
        ("like,u,a/b,1", "ItemId may not hold a slash, got 'a/b'"),
        ('like,u,"i,1', "the quotes do not match"),
    ],
)
def test_a_bad_row_is_rejected_with_line_and_reason_and_the_next_is_read(tmp_path, row, reason):
    text = f"feedback_type,user_id,item_id,value\n\n{row}\nlike,u,i,1\n"
    rejected, after = read(tmp_path, text)
    assert isinstance(rejected, Rejected)
    assert (rejected.file, rejected.line, rejected.text) == ("table.csv", 3, row)
    assert rejected.reason.startswith(reason)
    assert after == FeedbackRecord("like", "u", "i", 1.0)


def test_a_bad_truth_or_date_is_rejected(tmp_path):
    text = "item_id,is_hidden,timestamp\na,maybe,\nb,no,24/02/2022\n"
    assert [rejected.reason.split(":")[0] for rejected in read(tmp_path, text)] == [
        "IsHidden must be true or false, got 'maybe'",
        "Timestamp",
    ]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", "users", "table.csv is empty; its first line must name the columns"),
        ("\n \n", "users", "table.csv is empty; its first line must name the columns"),
        ("id,labels\n1,a\n", "users", "table.csv has no column UserId; its columns are id, labels"),
        (
            "user_id,item_id\n",
            "feedback",
            "table.csv has no column FeedbackType; its columns are user_id, item_id",
        ),
        ("user_id,UserId\n", "users", "table.csv has the column UserId twice"),
        ("id,name\n", None, "table.csv has neither a column UserId nor ItemId in its first line"),
        (
            "user_id,item_id,rating\n",
            None,
            "table.csv looks like items, but has a column UserId, which items have not: "
            "say whether it holds users, items or feedback (--kind)",
        ),
        (
            "userId,movieId,rating,timestamp\n",
            None,
            "table.csv looks like users, but has a column Timestamp, which users have not: "
            "say whether it holds users, items or feedback (--kind)",
        ),
    ],
)
def test_a_table_that_cannot_be_understood_is_one_error(tmp_path, text, kind, message):
    with pytest.raises(BadRecord) as caught:
        open_csv(table(tmp_path, text), kind)
    assert caught.value.message == message


def test_columns_nobody_knows_are_named(tmp_path):
    path = table(tmp_path, "user_id,shoe size,comment,\nu,43,hi,x\n")
    reader = open_csv(path)
    assert reader.ignored_columns == ("shoe size", "")
    assert list(reader) == [UserRecord("u", None, "hi")]


def test_it_goes_on_where_it_stopped(tmp_path):
    path = table(tmp_path, '\ufeffuser_id,comment\na,1\nb,"2\n2"\nc\nd,4\n')
    reader = open_csv(path)
    seen = [(record, reader.position) for record in reader]
    assert [type(record).__name__ for record, _ in seen] == [
        "UserRecord",
        "UserRecord",
        "Rejected",
        "UserRecord",
    ]
    assert seen[2][0].line == 5
    assert reader.position == reader.size
    for i, (_, position) in enumerate(seen):
        assert list(open_csv(path, start=position)) == [record for record, _ in seen[i + 1 :]]


cells = st.text(st.characters(codec="utf-8", exclude_characters="/\0|\r")).map(str.strip)
names = cells.filter(bool)
labels = st.none() | st.text(st.characters(codec="utf-8")) | st.integers() | st.lists(st.booleans() | cells)
items = st.builds(
    ItemRecord, names, st.booleans(), st.lists(names, max_size=2).map(tuple), st.just(DAY), labels, cells
)


@given(st.lists(items, max_size=4))
def test_any_text_in_a_table_is_read_as_it_stands(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("tables") / "items.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["ItemId", "IsHidden", "Categories", "Timestamp", "Labels", "Comment"])
        for item in records:
            given_labels = "" if item.labels is None else json.dumps(item.labels)
            when = "2022-02-24"
            writer.writerow(
                [item.item_id, item.is_hidden, "|".join(item.categories), when, given_labels, item.comment]
            )
    assert list(open_csv(path, "items")) == records
