"""Who has a flow open: the windows one window has heard of, told as people.

Plain values; shared_flow.py carries them between the windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Seconds after which a window that says nothing is forgotten; it speaks every ``shared_flow.BEAT_S``.
FORGET_S = 20.0


@dataclass(frozen=True)
class Window:
    """One browser tab.

    Args:
        window_id: names it among all tabs.
        account: whoever is logged in there; empty in the open playground, which knows nobody.
        name: how that person is called.
        is_editing: the drawing was changed there a moment ago.
        node_id: the node that is selected there.
    """

    window_id: str
    account: str
    name: str
    is_editing: bool = False
    node_id: str | None = None


class Roster:
    """The other windows of a flow, as one window knows them."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[Window, float]] = {}

    def hear(self, window: Window, now_s: float) -> None:
        """A window said that it is there; who came first stays first."""
        self._heard[window.window_id] = (window, now_s)

    def forget(self, window_id: str) -> None:
        self._heard.pop(window_id, None)

    def forget_silent(self, now_s: float) -> None:
        """Drop windows that say nothing any more: their server died, or was cut off."""
        self._heard = {
            window_id: (window, heard_at)
            for window_id, (window, heard_at) in self._heard.items()
            if now_s - heard_at <= FORGET_S
        }

    def people(self, mine: Window) -> list[dict[str, Any]]:
        """The others as the browser gets them: all tabs of one account are one person.

        Without accounts nobody can tell whose a tab is, so each stands for itself.
        """
        by_person: dict[str, list[Window]] = {}
        for window, _ in self._heard.values():
            key = f"account {window.account}" if window.account else f"window {window.window_id}"
            by_person.setdefault(key, []).append(window)
        return [
            {
                "id": key,
                "name": windows[0].name,
                "is_you": bool(mine.account) and windows[0].account == mine.account,
                "windows": len(windows),
                "is_editing": any(window.is_editing for window in windows),
                "node_ids": sorted({window.node_id for window in windows if window.node_id is not None}),
            }
            for key, windows in by_person.items()
        ]
