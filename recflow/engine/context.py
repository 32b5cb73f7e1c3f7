"""What a node is given beside its inputs: the clock, the data, models, cancel and progress."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recflow.data.feedback import UserHistory
from recflow.data.snapshot import Snapshot, TrainingView
from recflow.engine.memo import Memo
from recflow.engine.registry import ModelSpec
from recflow.engine.values import RunOptions, UserContext
from recflow.errors import RunCancelled

#: Feedback dated up to this far ahead counts as now: clocks of other machines differ.
CLOCK_ERROR_US = 5_000_000


class ModelStore(Protocol):
    """Where fitted models are."""

    def version(self, spec: ModelSpec) -> str | None:
        """What changes whenever the model does; None while there is none."""
        ...

    def get(
        self,
        spec: ModelSpec,
        view: TrainingView,
        *,
        progress: Callable[[float, str], None],
        check: Callable[[], None],
    ) -> Any:
        """The model; one that is missing and cheap is fitted at once.

        Raises:
            NotTrained: it is missing and not cheap.
        """
        ...


@dataclass(frozen=True, eq=False)
class RunRequest:
    """Whom a run is for and how much is wanted.

    Args:
        history: the user's feedback as of now.
        n: items wanted.
        categories: items must carry all of these.
        until: run only what this node needs, and let its list be the result.
        now: microseconds since 1970.
        seed: of all randomness in the run.
        use_pins: pinned lists count; False when serving.
    """

    history: UserHistory
    n: int = 10
    categories: tuple[str, ...] = ()
    until: str | None = None
    now: int = 0
    seed: int = 0
    use_pins: bool = True

    @property
    def is_preview(self) -> bool:
        """Whether somebody only looks: it may cost something, but leaves nothing behind."""
        return self.use_pins


@dataclass(eq=False)
class RunContext:
    """One node's window on the run.

    Args:
        source: signature of the node; goes into the steps it records.
        node_id: the node in the drawing.
        node_name: what sentences call it.
        request: whom the run is for.
        snapshot: the data.
        options: what the Recommend node says about the whole run.
        user: the Data Source's output; None before it ran.
        models: fitted models.
        resources: other services by name, for nodes that need them; what is under "outside" stands in
            recflow/nodes/outside.py.
        memo: results that runs share.
        pool: threads for arithmetic.
        cancelled: set when somebody pressed Stop.
        report: hears how far the node is.
        flow_name: what the log calls the drawing.
        has_fallback: somebody else answers when this node gives nothing.
        name_of: signature of a node that has run -> its name, "" for one that is not in this run.
        clock_error_us: feedback dated up to this far ahead counts as now.
    """

    source: str
    node_id: str
    node_name: str
    request: RunRequest
    snapshot: Snapshot
    options: RunOptions
    user: UserContext | None
    models: ModelStore
    resources: Mapping[str, Any]
    memo: Memo
    pool: Executor
    cancelled: threading.Event
    report: Callable[[float, str], None] = field(default=lambda share, text: None)
    flow_name: str = ""
    has_fallback: bool = False
    name_of: Callable[[str], str] = field(default=lambda signature: "")
    clock_error_us: int = CLOCK_ERROR_US

    @property
    def now(self) -> int:
        return self.request.now

    @property
    def pool_size(self) -> int:
        return self.options.pool_size

    @property
    def rng(self) -> np.random.Generator:
        """Randomness that is the same for the same node, settings and seed."""
        digest = hashlib.blake2b(self.source.encode(), digest_size=8).digest()
        return np.random.default_rng([self.request.seed, int.from_bytes(digest, "little")])

    def check(self) -> None:
        """Stop here if the run was cancelled; call it between blocks of arithmetic.

        Raises:
            RunCancelled: it was.
        """
        if self.cancelled.is_set():
            raise RunCancelled("The run was cancelled")

    def progress(self, share: float, text: str = "") -> None:
        """Tell the screen how far this node is; ``share`` in [0, 1]."""
        self.report(share, text)

    async def in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        """Arithmetic of a node that otherwise waits: off the loop, in the run's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, call, *args)

    def model(self, spec: ModelSpec) -> Any:
        """A fitted model.

        Raises:
            NotTrained: there is none and it is too costly to fit now.
        """
        assert self.user is not None
        return self.models.get(spec, self.user.view, progress=self.report, check=self.check)

    def shared(self, key: tuple, compute: Callable[[], Any], keep_s: float = 60.0) -> Any:
        """Something that is the same for every user, computed once in a while and kept.

        Args:
            key: what it depends on beside the snapshot and the rules of the Data Source.
            compute: makes it.
            keep_s: seconds it stays good.
        """
        assert self.user is not None
        whole = repr((self.snapshot.version, self.user.view.rules.key(), key))
        found = self.memo.find(whole)
        if found is None:
            found = compute()
            self.memo.keep(whole, found, keep_s)
        return found
