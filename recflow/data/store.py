"""What the engine asks of any storage."""

from __future__ import annotations

from typing import Protocol

from recflow.data.feedback import UserHistory
from recflow.data.snapshot import Snapshot


class Store(Protocol):
    """Where rows become arrays."""

    def snapshot(self) -> Snapshot:
        """The newest snapshot that is ready; the same object until the data change."""
        ...

    def history(self, user_id: str, snapshot: Snapshot) -> UserHistory:
        """The user's feedback as it is this moment; an empty one for an unknown user."""
        ...
