"""Stored times as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

from recflow.data.types import NO_TIME


def moment(time_us: int) -> datetime | None:
    """Microseconds since 1970 as a time in UTC; None where none was given."""
    return None if time_us == NO_TIME else datetime.fromtimestamp(time_us / 1e6, UTC)
