"""The log of changes: which users and items each write touched, so that a refresh reads only those.

It is written in the transaction of the write itself and read at one moment with the rows, so it never says
less than what happened. It names outside ids, as snapshots do: one that was mapped from a file can be
refreshed like one built a moment ago. A write of many ids is noted as "everything", and what was noted before
is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["user", "item", "emptied"]

#: Ids of one write that are noted one by one; above that, noting and reading them costs what a build does.
MOST_IDS = 1_000
#: Entries that are kept; a process further behind builds from all rows.
MOST_ENTRIES = 50_000
#: Versions between two looks at how long the log is.
_TRIM_EVERY = 100

_EVERYTHING = "everything"


@dataclass
class Touched:
    """Ids by what happened to them.

    Args:
        user: users whose row or feedback changed, or who are gone.
        item: items whose row changed or is gone; feedback on them does not count.
        emptied: items that lost all their feedback; one may have come again since.
    """

    user: set[str] = field(default_factory=set)
    item: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)

    def add(self, kind: Kind, ids: Iterable[str]) -> None:
        getattr(self, kind).update(ids)

    def __len__(self) -> int:
        return len(self.user) + len(self.item) + len(self.emptied)


def note(cursor: Any, version: int, touched: Touched) -> None:
    """Write down what this version touched; nothing named means everything, so forgetting costs only time."""
    if not 0 < len(touched) <= MOST_IDS:
        cursor.execute("DELETE FROM catalogue_change")
        entries = [(version, _EVERYTHING, "")]
    else:
        named = {"user": touched.user, "item": touched.item, "emptied": touched.emptied}
        entries = [(version, kind, name) for kind, names in named.items() for name in sorted(names)]
    cursor.executemany("INSERT INTO catalogue_change (version, kind, name) VALUES (%s, %s, %s)", entries)
    if version % _TRIM_EVERY == 0:
        # Whole versions only: half of one would be taken for all of it.
        cursor.execute(
            "DELETE FROM catalogue_change WHERE version <= (SELECT version FROM catalogue_change "
            "ORDER BY version DESC LIMIT 1 OFFSET %s)",
            [MOST_ENTRIES],
        )


def since(cursor: Any, version: int) -> Touched | None:
    """What was touched after this version; None when the log does not reach back, or says everything."""
    cursor.execute("SELECT MIN(version) FROM catalogue_change")
    oldest = cursor.fetchone()[0]
    if oldest is None or oldest > version + 1:
        return None
    cursor.execute("SELECT DISTINCT kind, name FROM catalogue_change WHERE version > %s", [version])
    touched = Touched()
    for kind, name in cursor.fetchall():
        if kind == _EVERYTHING:
            return None
        touched.add(kind, [name])
    return touched
