"""MovieLens as GroupLens publishes it: ml-latest(-small), ml-25m, ml-1m, ml-100k, told apart by their files.

A rating becomes feedback of type `rating` with its stars as value. Feedback rules that fit: positive
`rating>=4` (half of all ratings; `rating>=3.5` takes in the lukewarm ones), read `rating`, so that every
movie somebody rated counts as seen.

A movie becomes an item: genres are its categories, the title its comment, and its labels hold genres, year
and tags (lower case, the most used first). Its timestamp is the release: the day where the files tell it
(ml-100k), else January 1 of the year in the title, else none. The time of the first rating was the
alternative. It would make "latest" mean "rated for the first time lately": a movie would look new because of
the very feedback an evaluation holds out, and everything older than MovieLens would have come out in the
week it opened.

Users carry what the files tell about them. ml-latest tells nothing: there they are named as their ratings
pass by.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recflow.data.records import MAX_ID
from recflow.data.types import NO_TIME
from recflow.errors import BadRecord
from recflow.interop.delimited import read_rows
from recflow.interop.reader import LineFile, Part, Reader, Row, size_of
from recflow.interop.records import FeedbackRecord, ItemRecord, Rejected, UserRecord
from recflow.interop.times import parse_time, year_start

_MAX_TAGS = 30
_LAST_SECOND = 253_402_300_799  # of the year 9999
_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*\Z")
_NO_GENRES = frozenset({"(no genres listed)", "unknown", ""})
# fmt: off
_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)
_OCCUPATIONS_1M = (
    "other", "academic or educator", "artist", "clerical or admin", "college or grad student",
    "customer service", "doctor or health care", "executive or managerial", "farmer", "homemaker",
    "K-12 student", "lawyer", "programmer", "retired", "sales or marketing", "scientist", "self-employed",
    "technician or engineer", "tradesman or craftsman", "unemployed", "writer",
)
# fmt: on
_AGES_1M = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56 and over",
}
Fields = list[str]


@dataclass(frozen=True)
class _File:
    """One file of a layout, and what a row of it becomes."""

    name: str
    separator: str
    encoding: str
    make: Callable[[Fields], Row]


def open_movielens(folder: Path, *, start: int = 0) -> Reader:
    """A reader of users, then movies, then ratings.

    Raises:
        BadRecord: the folder holds none of the layouts, or half of one.
    """
    if not folder.is_dir():
        raise BadRecord(f"{folder} is not a folder")
    layout = next((name for name in _LAYOUTS if (folder / name).is_file()), None)
    if layout is None:
        raise BadRecord(f"{folder} is no MovieLens folder: it holds none of {', '.join(_LAYOUTS)}")
    files = _LAYOUTS[layout](folder)
    for file in files:
        if not (folder / file.name).is_file():
            raise BadRecord(f"{folder} has {layout} but no {file.name}")
    return Reader([_part(folder / file.name, file) for file in files], start=start)


def _latest(folder: Path) -> list[_File]:
    movie = partial(_movie_row, tags=_tags(folder / "tags.csv"))
    return [
        _File("movies.csv", ",", "utf-8", movie),
        _File("ratings.csv", ",", "utf-8", _rating_and_user()),
    ]


def _one_million(_folder: Path) -> list[_File]:
    return [
        _File("users.dat", "::", "latin-1", _user_1m),
        _File("movies.dat", "::", "latin-1", partial(_movie_row, tags={})),
        _File("ratings.dat", "::", "latin-1", _rating),
    ]


def _hundred_thousand(_folder: Path) -> list[_File]:
    return [
        _File("u.user", "|", "latin-1", _user_100k),
        _File("u.item", "|", "latin-1", _movie_100k),
        _File("u.data", "\t", "latin-1", _rating),
    ]


#: By the ratings file that gives a layout away.
_LAYOUTS = {"ratings.csv": _latest, "ratings.dat": _one_million, "u.data": _hundred_thousand}


def _part(path: Path, file: _File) -> Part:
    def rows(start: int) -> Iterator[tuple[Row, int]]:
        with LineFile(path, encoding=file.encoding) as lines:
            lines.skip(start)
            for fields in _fields(lines, file.separator):
                is_header = lines.line == 1 and path.suffix == ".csv"
                if isinstance(fields, Rejected):
                    yield (fields,), lines.offset
                elif not is_header:
                    yield _made(lines, file, fields), lines.offset

    return Part(path.name, size_of(path), rows)


def _fields(lines: LineFile, separator: str) -> Iterator[Fields | Rejected]:
    """Quotes mean something in the CSV layout only."""
    if separator == ",":
        yield from read_rows(lines)
        return
    while (text := lines.next()) is not None:
        if lines.fault:
            yield lines.rejected(lines.fault, text)
        elif text.strip():
            yield text.rstrip("\r\n").split(separator)


def _made(lines: LineFile, file: _File, fields: Fields) -> Row:
    try:
        return file.make(fields)
    except BadRecord as error:
        return (lines.rejected(error.message, file.separator.join(fields)),)


def _rating(fields: Fields) -> Row:
    user_id, item_id, stars, seconds = _exactly(fields, 4, "a user, a movie, a rating and a time")
    try:
        value = float(stars)
    except ValueError as error:
        raise BadRecord(f"the rating {stars!r} is not a number") from error
    if not 0 <= value <= 10:
        raise BadRecord(f"the rating {stars!r} is not between 0 and 10")
    time_us = _seconds(seconds)
    return (FeedbackRecord("rating", _id(user_id, "user"), _id(item_id, "movie"), value, time_us, time_us),)


def _rating_and_user() -> Callable[[Fields], Row]:
    """As ``_rating``, with the user in front where it is the first of that user."""
    known: set[str] = set()

    def make(fields: Fields) -> Row:
        row = _rating(fields)
        user_id = row[0].user_id
        if user_id in known:
            return row
        known.add(user_id)
        return (UserRecord(user_id), *row)

    return make


def _movie_row(fields: Fields, tags: dict[str, list[str]]) -> Row:
    item_id, title, genres = _exactly(fields, 3, "a movie, a title and genres")
    return (_movie(item_id, title, genres.split("|"), tags.get(item_id, [])),)


def _movie_100k(fields: Fields) -> Row:
    item_id, title, released, _video, _url, *flags = _exactly(fields, 24, "five texts and 19 genres")
    genres = [name for name, flag in zip(_GENRES_100K, flags, strict=True) if flag == "1"]
    return (_movie(item_id, title, genres, [], released),)


def _movie(item_id: str, title: str, genres: list[str], tags: list[str], released: str = "") -> ItemRecord:
    names = tuple(name for name in genres if name not in _NO_GENRES)
    year = _YEAR.search(title)
    labels: dict[str, object] = {"genres": list(names)}
    if year and int(year[1]) >= 1:
        labels["year"] = int(year[1])
    if tags:
        labels["tags"] = tags
    if released:
        time_us = parse_time(released.replace("-", " "))
    else:
        time_us = year_start(labels["year"]) if "year" in labels else NO_TIME
    return ItemRecord(_id(item_id, "movie"), False, names, time_us, labels, title.strip())


def _user_1m(fields: Fields) -> Row:
    user_id, gender, age, occupation, _zip_code = _exactly(fields, 5, "a user and four labels")
    if age not in _AGES_1M:
        raise BadRecord(f"the age {age!r} is none of {', '.join(_AGES_1M)}")
    if not occupation.isdecimal() or int(occupation) >= len(_OCCUPATIONS_1M):
        raise BadRecord(f"the occupation {occupation!r} is not a number from 0 to {len(_OCCUPATIONS_1M) - 1}")
    labels = {"gender": gender, "age": _AGES_1M[age], "occupation": _OCCUPATIONS_1M[int(occupation)]}
    return (UserRecord(_id(user_id, "user"), labels),)


def _user_100k(fields: Fields) -> Row:
    user_id, age, gender, occupation, _zip_code = _exactly(fields, 5, "a user and four labels")
    if not age.isdecimal():
        raise BadRecord(f"the age {age!r} is not a number")
    return (UserRecord(_id(user_id, "user"), {"gender": gender, "age": int(age), "occupation": occupation}),)


def _tags(path: Path) -> dict[str, list[str]]:
    """Tags of each movie, the most used first, ties by name; rows that cannot be read name no tag."""
    if not path.is_file():
        return {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with LineFile(path) as lines:
        for fields in read_rows(lines):
            if lines.line > 1 and not isinstance(fields, Rejected) and len(fields) == 4:
                counts[fields[1]][" ".join(fields[2].lower().split())] += 1
    return {
        item_id: [tag for tag, _ in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))][:_MAX_TAGS]
        for item_id, counter in counts.items()
    }


def _exactly(fields: Fields, n: int, what: str) -> Fields:
    if len(fields) != n:
        raise BadRecord(f"the row has {len(fields)} fields instead of {n}: {what}")
    return fields


def _id(text: str, what: str) -> str:
    if not text.strip() or "/" in text:
        raise BadRecord(f"the {what} id {text!r} is blank or has a slash")
    if len(text) > MAX_ID:
        raise BadRecord(f"the {what} id may have {MAX_ID} characters, got {len(text):,}")
    return text


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _LAST_SECOND:
        raise BadRecord(f"the time {text!r} is not a number of seconds since 1970")
    return int(text) * 1_000_000
