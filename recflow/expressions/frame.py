"""Where an expression runs: what it can see, and how much work it may do."""

from __future__ import annotations

from collections.abc import Callable

from recflow.expressions.values import Fault, ItemRecord, Time, UserRecord

#: Nodes one item may evaluate, and how many more for each row of its feedback.
STEPS_PER_ITEM = 100_000
STEPS_PER_FEEDBACK = 200


class Frame:
    """Everything an expression can see while it runs for one item or user.

    Args:
        now: what now() gives.
        item: the item, None where there is none.
        feedback: its positive feedback, oldest first.
        user: the user, None where there is none.
        steps: nodes that may be evaluated inside closures, so that no expression runs for ever.
    """

    __slots__ = ("acc", "element", "feedback", "index", "item", "now", "steps", "user", "variables")

    def __init__(
        self,
        now: int,
        item: ItemRecord | None = None,
        feedback: list | None = None,
        user: UserRecord | None = None,
        steps: int | None = None,
    ) -> None:
        self.now = Time(now)
        self.item = item
        self.feedback = feedback
        self.user = user
        self.steps = STEPS_PER_ITEM + STEPS_PER_FEEDBACK * len(feedback or ()) if steps is None else steps
        self.variables: dict[str, object] = {}
        self.element: object = None
        self.acc: object = None
        self.index = 0

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Fault("The evaluation was stopped: this takes too many steps.")


Run = Callable[[Frame], object]
