"""What readers of files yield: records that are right, and rows that are not.

The records live in the data room, where storage and the playground find them too.
"""

from __future__ import annotations

from dataclasses import dataclass

from recflow.data.records import FeedbackRecord, ItemRecord, Record, UserRecord

__all__ = ["FeedbackRecord", "ItemRecord", "Record", "Rejected", "UserRecord"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not become a record.

    Args:
        file: name of the file, without its folder.
        line: line number, the first is 1; in a JSON stream the record number, the first is 0 as in Gorse.
        reason: one sentence.
        text: the row as it came, cut to a length that can be shown.
    """

    file: str
    line: int
    reason: str
    text: str
