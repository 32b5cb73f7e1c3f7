"""Records: one user, item or feedback on its way in or out, with its labels as a plain JSON value.

Readers of files and the playground yield them, storage takes them. The rows of building.py are what storage
gives back for a snapshot; there the labels are JSON text already.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from recflow.data.building import ItemRow, UserRow
from recflow.data.types import NO_TIME

#: Characters an id, a feedback type included, may have: what Gorse can keep in MySQL.
MAX_ID = 256


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One user; ``labels`` is any JSON value."""

    user_id: str
    labels: object = None
    comment: str = ""

    def row(self) -> UserRow:
        """The same user as a snapshot takes it."""
        return UserRow(self.user_id, _json(self.labels), self.comment)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item; ``labels`` is any JSON value, ``comment`` mostly its title.

    Args:
        time_us: microseconds since 1970, NO_TIME when none was given.
    """

    item_id: str
    is_hidden: bool = False
    categories: tuple[str, ...] = ()
    time_us: int = NO_TIME
    labels: object = None
    comment: str = ""

    def row(self) -> ItemRow:
        """The same item as a snapshot takes it."""
        return ItemRow(
            self.item_id, self.is_hidden, self.categories, self.time_us, _json(self.labels), self.comment
        )


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """One feedback. Whether it overwrites or adds to the stored one is up to whoever stores it.

    Args:
        value: what was given: stars, seconds, a count.
        time_us: microseconds since 1970, NO_TIME when none was given.
        updated_us: when the stored row last changed, NO_TIME when that is not known.
    """

    type: str
    user_id: str
    item_id: str
    value: float = 0.0
    time_us: int = NO_TIME
    updated_us: int = NO_TIME
    comment: str = ""

    def row(self) -> tuple[str, str, str, float, int]:
        """User, item, type, value and time, as ``build_snapshot`` takes them."""
        return self.user_id, self.item_id, self.type, self.value, self.time_us


Record = UserRecord | ItemRecord | FeedbackRecord


def _json(labels: object) -> str:
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
