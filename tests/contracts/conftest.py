"""The playground's library with a quarter of its readers, as a snapshot, made once."""

import pytest

import recflow.nodes  # noqa: F401  fills the registry
from recflow.data.building import build_snapshot
from recflow.playground import make_playground

NOW = 1_780_000_000_000_000


@pytest.fixture(scope="session")
def library():
    made = make_playground(now_us=NOW)
    return build_snapshot(
        [user.row() for user in made.users[:200]],
        [item.row() for item in made.items],
        [(row.user_id, row.item_id, row.type, row.value, row.time_us) for row in made.feedback],
        version="library",
        taken_at=NOW,
    )
