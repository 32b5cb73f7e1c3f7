"""Take away whole tables of the catalogue: what a person asked for by name, all of it, in one transaction."""

from __future__ import annotations

from typing import Literal, get_args

from dashboard.catalogue.writing import change
from dashboard.jobs.prepared import lists_change
from dashboard.list_bodies import bodies

Purged = Literal["feedback", "users", "items", "everything"]
PURGED: tuple[Purged, ...] = get_args(Purged)

#: What goes with what: feedback names users and items, and lists are made of all three.
_TABLES: dict[Purged, tuple[str, ...]] = {
    "feedback": ("catalogue_feedback", "catalogue_feedback_type"),
    "users": ("catalogue_feedback", "catalogue_feedback_type", "catalogue_user"),
    "items": ("catalogue_feedback", "catalogue_feedback_type", "catalogue_item"),
    "everything": ("catalogue_feedback", "catalogue_feedback_type", "catalogue_user", "catalogue_item"),
}
_MADE_OF_IT = ("catalogue_prepared_list", "catalogue_wanted_list")


def purge(what: Purged) -> dict[str, int]:
    """Delete one kind of data and all that hangs on it.

    Returns:
        Table -> rows that went.
    """
    gone: dict[str, int] = {}
    # Nothing is named as touched: anything may have changed. Whoever puts lists there holds what
    # lists_change() holds, and is waited for before any row of theirs goes: else each waits for the other.
    with change() as write, lists_change():
        for table in (*_TABLES[what], *_MADE_OF_IT):
            write.cursor.execute(f"DELETE FROM {table}")
            gone[table] = write.cursor.rowcount
    if (elsewhere := bodies()) is not None:
        elsewhere.forget_others(None)
    return gone
