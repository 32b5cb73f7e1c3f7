"""Files come in: in batches, once however often, on behind an interruption, with bad rows put aside."""

from __future__ import annotations

import gzip
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from dashboard import importing
from dashboard.catalogue import reading
from dashboard.models import CatalogueVersion, Feedback, ImportProgress, Item, User
from recflow.interop.reader import Reader

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

MOVIES = "movieId,title,genres\n1,Toy Story (1995),Adventure|Comedy\n2,Heat (1995),Action\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,4.0,964982703\n7,2,2.5,964982704\n8,1,5.0,964982705\n"


@pytest.fixture
def movielens(tmp_path):
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / "movies.csv").write_text(MOVIES)
    (folder / "ratings.csv").write_text(RATINGS)
    return folder


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "var"
    return settings.DATA_DIR


def all_rows():
    return (
        list(User.objects.order_by("user_id").values()),
        list(Item.objects.order_by("item_id").values()),
        [
            (row.user_number, row.item_number, row.type_number, row.value, row.time_us)
            for row in Feedback.objects.all()
        ],
    )


def test_movielens_becomes_items_with_genres_and_feedback_with_values(movielens, capsys):
    call_command("import", "movielens", str(movielens))
    item = reading.get_item("1")
    assert (item.comment, item.categories) == ("Toy Story (1995)", ("Adventure", "Comedy"))
    (row,) = reading.feedback_of_pair("7", "2")
    assert (row.type, row.value, row.time_us) == ("rating", 2.5, 964982704 * 1_000_000)
    assert "2 users, 2 items, 3 feedback in" in capsys.readouterr().out


def test_importing_twice_changes_nothing(movielens):
    call_command("import", "movielens", str(movielens))
    once = all_rows()
    call_command("import", "movielens", str(movielens))
    assert all_rows() == once


def test_a_bad_row_is_put_aside_with_its_line_and_reason_and_is_an_error(movielens, data_dir):
    with (movielens / "ratings.csv").open("a") as file:
        file.write("8,2,many,964982706\n9,2,3.0,964982707\n")
    with pytest.raises(CommandError, match="1 row could not be read"):
        call_command("import", "movielens", str(movielens))
    (path,) = (data_dir / "rejects").iterdir()
    (reject,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (reject["file"], reject["line"]) == ("ratings.csv", 5)
    assert "'many' is not a number" in reject["reason"]
    assert len(reading.feedback_of_user("9", until_us=2**62)) == 1  # what came behind it is in


def test_rejected_rows_are_no_error_when_they_are_allowed(movielens, data_dir):
    with (movielens / "ratings.csv").open("a") as file:
        file.write("8,2,many,964982706\n")
    for _ in range(2):
        call_command("import", "movielens", str(movielens), allow_rejects=True)
    (path,) = (data_dir / "rejects").iterdir()
    assert len(path.read_text().splitlines()) == 1  # the second time did not add it again


def test_an_interrupted_import_goes_on_behind_the_last_whole_batch(movielens, monkeypatch):
    with (movielens / "ratings.csv").open("a") as file:
        file.write("8,2,many,964982706\n9,2,3.0,964982707\n")
    (source,) = importing.sources("movielens", movielens)
    whole = importing.take_in(source)
    expected = all_rows()
    for model in (Feedback, User, Item):
        model.objects.all().delete()

    given = Reader.__iter__

    def breaks_off(reader):
        for count, entry in enumerate(given(reader)):
            if count == 6:
                raise KeyboardInterrupt
            yield entry

    monkeypatch.setattr(Reader, "__iter__", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        importing.take_in(source, batch=2)
    monkeypatch.undo()
    assert ImportProgress.objects.get().position > 0
    rest = importing.take_in(source, batch=2)
    assert rest.resumed_at > 0
    assert rest.rows < whole.rows
    assert rest.rejected == whole.rejected == 1
    assert len(rest.rejects_file.read_text().splitlines()) == 1
    assert [len(rows) for rows in all_rows()] == [len(rows) for rows in expected]
    assert not ImportProgress.objects.exists()


def test_a_changed_file_is_imported_from_its_beginning(movielens):
    call_command("import", "movielens", str(movielens))
    ImportProgress.objects.create(
        fingerprint=importing.sources("movielens", movielens)[0].fingerprint(), path="x", position=10**6
    )
    (movielens / "ratings.csv").write_text(RATINGS.replace("5.0", "1.0"))
    call_command("import", "movielens", str(movielens))
    assert reading.feedback_of_pair("8", "1")[0].value == 1.0


def test_a_folder_of_jsonl_comes_in_as_users_items_and_feedback(tmp_path):
    (tmp_path / "users.jsonl").write_text('{"UserId":"u1","Labels":{"age":24},"Comment":"bob"}\n')
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(b'{"ItemId":"m1","Categories":["movie"]}\n'))
    (tmp_path / "feedback.jsonl").write_text(
        '{"FeedbackType":"like","UserId":"u1","ItemId":"m1","Value":2,"Timestamp":"2024-03-02T12:00:00Z"}\n'
    )
    call_command("import", "jsonl", str(tmp_path))
    assert reading.get_user("u1").labels == {"age": 24}
    assert reading.get_item("m1").categories == ("movie",)
    assert reading.feedback_of_pair("u1", "m1")[0].value == 2


def test_a_table_is_known_by_its_header(tmp_path):
    path = tmp_path / "whatever.csv"
    path.write_text("user_id,item_id,feedback_type,value\nu1,m1,like,3\n")
    call_command("import", "csv", str(path))
    assert reading.feedback_of_pair("u1", "m1")[0].value == 3


def test_an_export_comes_back_as_it_was(movielens, tmp_path, capsys):
    call_command("import", "movielens", str(movielens))
    call_command("export", "jsonl", str(tmp_path / "out"))
    names = ("users", "items", "feedback")
    before = [(tmp_path / "out" / f"{name}.jsonl").read_text() for name in names]
    assert [len(text.splitlines()) for text in before] == [2, 2, 3]
    for model in (Feedback, User, Item):
        model.objects.all().delete()
    call_command("import", "jsonl", str(tmp_path / "out"))
    call_command("export", "jsonl", str(tmp_path / "out"))
    assert [(tmp_path / "out" / f"{name}.jsonl").read_text() for name in names] == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("movielens", "nowhere"), "There is no file or folder"),
        (("movielens", "."), "is no MovieLens folder"),
        (("csv", "."), "holds none of users.csv, items.csv, feedback.csv"),
        (("jsonl", "x.jsonl"), "does not say what it holds: give --kind"),
        (("csv", "x.jsonl"), "neither a column UserId nor ItemId"),
        (("csv", "items.bin"), "items.bin does not begin with the names of columns"),
        (("csv", "folder"), "users.csv cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence(tmp_path, arguments, sentence):
    (tmp_path / "x.jsonl").write_text("{}\n")
    (tmp_path / "items.bin").write_bytes(b"PK\r\x03\n")
    (tmp_path / "folder" / "users.csv").mkdir(parents=True)
    with pytest.raises(CommandError, match=sentence):
        call_command("import", arguments[0], str(tmp_path / arguments[1]))


def test_every_batch_counts_the_version_of_the_catalogue_up(movielens):
    (source,) = importing.sources("movielens", movielens)
    importing.take_in(source)
    before = CatalogueVersion.objects.get().number
    importing.take_in(source)
    assert CatalogueVersion.objects.get().number > before


def test_columns_that_mean_nothing_here_are_told(tmp_path, capsys):
    (tmp_path / "users.csv").write_text("user_id,age,name\nu1,24,Bob\n")
    call_command("import", "csv", str(tmp_path / "users.csv"))
    assert "1 users in" in (said := capsys.readouterr().out)
    assert "Columns passed over: age, name" in said
