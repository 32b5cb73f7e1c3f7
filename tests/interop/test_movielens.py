"""The three layouts of MovieLens, on files small enough to read here, and ml-latest-small itself."""

from collections import Counter
from pathlib import Path

import pytest

from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop.movielens import open_movielens
from recflow.interop.records import FeedbackRecord, ItemRecord, Rejected, UserRecord

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "ml-latest-small"
YEAR_1995 = 788_918_400_000_000


def folder(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_bytes(text.encode("latin-1"))
    return tmp_path


def latest(tmp_path, ratings="userId,movieId,rating,timestamp\n7,1,4.5,964982703\n7,2,1.0,964981247\n"):
    return folder(
        tmp_path,
        movies_csv="movieId,title,genres\n"
        "1,Toy Story (1995),Adventure|Children\n"
        '2,"American President, The (1995)",Comedy\n'
        "3,Untitled,(no genres listed)\n",
        ratings_csv=ratings,
        tags_csv="userId,movieId,tag,timestamp\n1,1,Pixar,5\n2,1,pixar,5\n2,1,fun,5\n3,1,  Toys  alive,5\n",
    )


def test_ml_latest_becomes_items_users_and_feedback(tmp_path):
    assert list(open_movielens(latest(tmp_path))) == [
        ItemRecord(
            "1",
            False,
            ("Adventure", "Children"),
            YEAR_1995,
            # pixar was given twice, the other two once each and stand in order of the alphabet
            {"genres": ["Adventure", "Children"], "year": 1995, "tags": ["pixar", "fun", "toys alive"]},
            "Toy Story (1995)",
        ),
        ItemRecord(
            "2",
            False,
            ("Comedy",),
            YEAR_1995,
            {"genres": ["Comedy"], "year": 1995},
            "American President, The (1995)",
        ),
        ItemRecord("3", False, (), NO_TIME, {"genres": []}, "Untitled"),
        UserRecord("7"),
        FeedbackRecord("rating", "7", "1", 4.5, 964_982_703_000_000, 964_982_703_000_000),
        FeedbackRecord("rating", "7", "2", 1.0, 964_981_247_000_000, 964_981_247_000_000),
    ]


def test_ml_1m_is_latin_1_with_double_colons(tmp_path):
    source = folder(
        tmp_path,
        users_dat="1::F::1::10::48067\n2::M::56::16::70072\n",
        movies_dat="73::Misérables, Les (1995)::Drama|Musical\n",
        ratings_dat="1::73::5::978300760\n",
    )
    assert list(open_movielens(source)) == [
        UserRecord("1", {"gender": "F", "age": "under 18", "occupation": "K-12 student"}),
        UserRecord("2", {"gender": "M", "age": "56 and over", "occupation": "self-employed"}),
        ItemRecord(
            "73",
            False,
            ("Drama", "Musical"),
            YEAR_1995,
            {"genres": ["Drama", "Musical"], "year": 1995},
            "Misérables, Les (1995)",
        ),
        FeedbackRecord("rating", "1", "73", 5.0, 978_300_760_000_000, 978_300_760_000_000),
    ]


def test_ml_100k_has_flags_for_genres_and_a_day_of_release(tmp_path):
    flags = ["0"] * 19
    flags[3] = flags[5] = "1"  # unknown, Action, Adventure, Animation, Children's, Comedy
    source = folder(
        tmp_path,
        u_user="1|24|M|technician|85711\n",
        u_item=f"1|Toy Story (1995)|02-Jan-1995||http://us.imdb.com/x|{'|'.join(flags)}\n"
        f"267|unknown||||{'|'.join(['1'] + ['0'] * 18)}\n",
        u_data="196\t1\t3\t881250949\n",
    )
    assert list(open_movielens(source)) == [
        UserRecord("1", {"gender": "M", "age": 24, "occupation": "technician"}),
        ItemRecord(
            "1",
            False,
            ("Animation", "Comedy"),
            YEAR_1995 + 86_400_000_000,
            {"genres": ["Animation", "Comedy"], "year": 1995},
            "Toy Story (1995)",
        ),
        ItemRecord("267", False, (), NO_TIME, {"genres": []}, "unknown"),
        FeedbackRecord("rating", "196", "1", 3.0, 881_250_949_000_000, 881_250_949_000_000),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,1,4.5", "the row has 3 fields instead of 4"),
        ("7,1,good,964982703", "the rating 'good' is not a number"),
        ("7,1,nan,964982703", "the rating 'nan' is not between 0 and 10"),
        ("7,1,50,964982703", "the rating '50' is not between 0 and 10"),
        ("7,1,4,yesterday", "the time 'yesterday' is not a number of seconds"),
        ("7,1,4,-5", "the time '-5' is not a number of seconds"),
        ("7,1,4,999999999999", "the time '999999999999' is not a number of seconds"),
        (" ,1,4,964982703", "the user id ' ' is blank or has a slash"),
        ("7,a/b,4,964982703", "the movie id 'a/b' is blank or has a slash"),
        ('7,"1,4,964982703', "the quotes do not match"),
    ],
)
def test_a_bad_row_is_rejected_with_line_and_reason_and_the_next_is_read(tmp_path, row, reason):
    source = latest(tmp_path, f"userId,movieId,rating,timestamp\n{row}\n8,1,4,964982703\n")
    rejected, user, feedback = list(open_movielens(source))[3:]
    assert isinstance(rejected, Rejected)
    assert (rejected.file, rejected.line, rejected.text) == ("ratings.csv", 2, row)
    assert rejected.reason.startswith(reason)
    assert (user.user_id, feedback.user_id) == ("8", "8")


def test_a_year_range_counts_from_its_first_year(tmp_path):
    source = latest(tmp_path)
    (source / "movies.csv").write_text("movieId,title,genres\n9,Fawlty Towers (1975-1979),Comedy\n")
    assert next(iter(open_movielens(source))).labels["year"] == 1975


def test_it_goes_on_where_it_stopped(tmp_path):
    source = latest(tmp_path)
    reader = open_movielens(source)
    whole = [(record, reader.position) for record in reader]
    assert reader.position == reader.size
    for place, (_, position) in enumerate(whole[:3]):
        assert list(open_movielens(source, start=position)) == [record for record, _ in whole[place + 1 :]]


def test_a_folder_that_is_none_of_the_layouts_is_named(tmp_path):
    with pytest.raises(BadRecord, match="is no MovieLens folder"):
        open_movielens(tmp_path)
    with pytest.raises(BadRecord, match="is not a folder"):
        open_movielens(tmp_path / "absent")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")
    with pytest.raises(BadRecord, match=r"has ratings\.csv but no movies\.csv"):
        open_movielens(tmp_path)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="ml-latest-small is not here")
def test_ml_latest_small_is_read_whole():
    """The numbers its own README gives: 100836 ratings by 610 users of 9742 movies.

    A copy with damaged rows must tell each of them: what is not feedback is rejected, never dropped.
    """
    reader = open_movielens(REAL)
    counts = Counter(type(record).__name__ for record in reader)
    assert counts["FeedbackRecord"] + counts["Rejected"] == 100_836
    assert counts["Rejected"] <= 1
    assert (counts["UserRecord"], counts["ItemRecord"]) == (610, 9742)
    assert reader.position == reader.size
