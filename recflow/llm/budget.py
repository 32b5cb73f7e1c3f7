"""What asking a model may cost: a limit of tokens and money that several calls share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from recflow.errors import BudgetExceeded

#: Replaces an estimate by the tokens and the money that were used, failed attempts included: they may have
#: been billed.
Settle = Callable[[int, float | None], None]


class Budget(Protocol):
    """What the rankers ask of a budget; one for a run, one for a day, or both behind one face."""

    def reserve(self, tokens: int, cost: float | None) -> Settle:
        """Books an estimate before a call.

        Returns:
            What is to be called after it.

        Raises:
            BudgetExceeded: it does not fit any more.
        """


@dataclass
class Limit:
    """A budget kept in memory.

    Args:
        name: as it stands in a message: "this run", "today".
        max_tokens, max_cost: None is no limit. A limit of money refuses calls of unknown price: it could
            not be kept otherwise.
    """

    name: str
    max_tokens: int | None = None
    max_cost: float | None = None
    tokens: int = 0
    cost: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reserve(self, tokens: int, cost: float | None) -> Settle:
        with self._lock:
            if self.max_tokens is not None and self.tokens + tokens > self.max_tokens:
                raise _exceeded(
                    f"The limit of {self.max_tokens} tokens for {self.name} would be passed: "
                    f"{self.tokens} are used, this call needs about {tokens}."
                )
            if self.max_cost is not None and cost is None:
                raise _exceeded(
                    f"The limit of {self.max_cost:g} for {self.name} cannot be kept "
                    "because the price of this model is unknown."
                )
            if self.max_cost is not None and self.cost + (cost or 0.0) > self.max_cost:
                raise _exceeded(
                    f"The limit of {self.max_cost:g} for {self.name} would be passed: "
                    f"{self.cost:.4g} is spent, this call costs about {cost:.4g}."
                )
            self.tokens += tokens
            self.cost += cost or 0.0

        def settle(used: int, paid: float | None) -> None:
            self.correct(used - tokens, (paid or 0.0) - (cost or 0.0))

        return settle

    def correct(self, tokens: int, cost: float) -> None:
        """Counts so much more, or less where it is below 0."""
        with self._lock:
            self.tokens += tokens
            self.cost += cost


def _exceeded(sentence: str) -> BudgetExceeded:
    return BudgetExceeded(sentence, kind="budget", attempts=0)
