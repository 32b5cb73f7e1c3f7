"""Which users belong to which part of a refresh: who was active last comes first.

A part has to hold the same users in every process and in every snapshot while the job lasts. So activity is
counted up to the moment the job was cut up, and a part is told by the place where it begins: the last
activity and the hash of the id of its first user.
"""

from __future__ import annotations

import numpy as np

from recflow.data.feedback import FeedbackLog
from recflow.data.snapshot import Snapshot
from recflow.data.types import NO_TIME, BoolVector, IndexVector, TimeVector

#: Last activity in microseconds and hash of the id: where a part begins, as JSON holds it.
Place = list[int]


def last_active(log: FeedbackLog, until_us: int) -> TimeVector:
    """(n_users,) time of the newest feedback that is not newer than ``until_us``; NO_TIME without any."""
    n_newer = np.bincount(log.users[log.times > until_us], minlength=log.n_users)
    ends = log.user_starts[1:] - n_newer
    has_any = ends > log.user_starts[:-1]
    found = np.full(log.n_users, NO_TIME, dtype=np.int64)
    found[has_any] = log.times[ends[has_any] - 1]  # rows of a user are sorted by time
    return found


def cut(snapshot: Snapshot, until_us: int, per_part: int) -> list[Place]:
    """Where each part of so many users begins; one part when there are no users."""
    last, hashes = last_active(snapshot.feedback, until_us), _hashes(snapshot)
    firsts = _ordered(last, hashes)[::per_part]
    return [[int(last[user]), int(hashes[user])] for user in firsts] or [[NO_TIME, 0]]


def users_of_part(
    snapshot: Snapshot, until_us: int, first: Place | None, following: Place | None
) -> IndexVector:
    """The users of one part, who was active last first.

    Args:
        snapshot: may be newer than the one that was cut.
        until_us: up to when activity counts: the moment of the cut.
        first: where the part begins; None for the first one.
        following: where the next part begins; None for the last one.
    """
    last, hashes = last_active(snapshot.feedback, until_us), _hashes(snapshot)
    inside = np.ones(snapshot.n_users, dtype=bool)
    if first is not None:
        inside &= ~_is_before(last, hashes, first)
    if following is not None:
        inside &= _is_before(last, hashes, following)
    users = np.flatnonzero(inside)
    return users[_ordered(last[users], hashes[users])].astype(np.int32)


def _is_before(last: TimeVector, hashes: TimeVector, place: Place) -> BoolVector:
    return (last > place[0]) | ((last == place[0]) & (hashes < place[1]))


def _ordered(last: TimeVector, hashes: TimeVector) -> np.ndarray:
    return np.lexsort((hashes, -last))


def _hashes(snapshot: Snapshot) -> np.ndarray:
    """(n_users,) hash of the id of each user."""
    arrays = snapshot.users.ids.arrays
    hashes = np.empty(snapshot.n_users, dtype=np.int64)
    hashes[arrays["order"]] = arrays["hashes"]
    return hashes
