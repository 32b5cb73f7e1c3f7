"""Every error RecFlow raises on purpose.

RecflowError
+- FlowError      the drawing is wrong; node_id, field
|  +- UnknownNodeType, FlowTooLarge
+- ExpressionError  a score, filter or column expression is wrong; position
+- DataError      the data cannot answer
|  +- NoFeedback, UnknownItem, NotTrained, BadRecord
+- ServiceError   another machine failed; retryable
|  +- ServiceTimeout, ReplyUnreadable (keeps the raw reply), ServiceRefused, AddressRefused, BudgetExceeded
|  +- NoUsableAnswer  what a node was told is of no use to it; details, field
+- SandboxError   a template or script of a user failed; line, column
|  +- SandboxLimit  it ran too long, took too much memory or wrote too much
+- NodeError      wraps whatever a node raised; node_id, node_type
+- RunCancelled   somebody pressed Stop

A message is one sentence for the person at the editor, with the value in it.
"""

from __future__ import annotations


class RecflowError(Exception):
    """Root of all errors that carry a sentence for the user."""

    @property
    def message(self) -> str:
        return str(self)


class FlowError(RecflowError):
    """The drawing is wrong."""

    def __init__(self, message: str, *, node_id: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.field = field


class UnknownNodeType(FlowError):
    """A node of a type this server does not have."""


class FlowTooLarge(FlowError):
    """The document passes one of its limits."""


class ExpressionError(RecflowError):
    """An expression cannot be understood or has the wrong type.

    Args:
        position: 0-based character offset in the expression, None when unknown.
        length: characters from ``position`` that are at fault.
    """

    def __init__(self, message: str, *, position: int | None = None, length: int = 1) -> None:
        super().__init__(message)
        self.position = position
        self.length = length


class DataError(RecflowError):
    """The data cannot answer."""


class NoFeedback(DataError):
    """There is no feedback of the kind that is needed."""


class UnknownItem(DataError):
    """An item id that is not in the catalogue."""


class NotTrained(DataError):
    """The model that a node needs has not been fitted yet."""


class BadRecord(DataError):
    """A row of somebody's file or request cannot be read."""


class ServiceError(RecflowError):
    """Another machine failed.

    Args:
        retryable: the same call may go through later.
        status: HTTP status, None when there was no answer.
        kind: short machine word for the class of failure ("rate_limited", "auth", "context_length", ...).
        retry_after_s: seconds the other side asked us to wait.
        attempts: calls made before giving up.
        history: one record per call made, as ``recflow.outbound.call`` keeps them.
        request_id: what the other side calls the last request, for its support desk.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        status: int | None = None,
        kind: str = "error",
        retry_after_s: float | None = None,
        attempts: int = 1,
        history: tuple = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.attempts = attempts
        self.history = history
        self.request_id = request_id


class ServiceTimeout(ServiceError):
    """The deadline passed before the whole answer was here."""


class ServiceRefused(ServiceError):
    """The circuit is open: the service failed too often a moment ago."""


class AddressRefused(ServiceError):
    """The address is not one the administrator allows."""


class BudgetExceeded(ServiceError):
    """The call would pass a token, money or rate limit."""


class ReplyUnreadable(ServiceError):
    """An answer came, but not one that can be read.

    Args:
        raw: the reply as it came, cut to a size that can be shown.
    """

    def __init__(self, message: str, *, raw: str = "", **kwargs) -> None:
        super().__init__(message, **kwargs)
        self.raw = raw


class NoUsableAnswer(ServiceError):
    """Another machine, or what was to be asked of it, gave a node nothing to go on with.

    Args:
        details: what was asked and answered, as the node's panel shows it.
        field: the setting that is at fault, None when none is.
    """

    def __init__(
        self, message: str, *, details: dict | None = None, field: str | None = None, **kwargs
    ) -> None:
        super().__init__(message, **kwargs)
        self.details = details
        self.field = field


class SandboxError(RecflowError):
    """A template or script of a user failed.

    Args:
        line: 1-based line in the user's text, None when unknown.
        column: 1-based column, None when unknown.
        part: which of the texts that were given together, counted from 0; None when unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        part: int | None = None,
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.part = part


class SandboxLimit(SandboxError):
    """It ran too long, took too much memory or wrote too much."""


class NodeError(RecflowError):
    """Whatever a node raised, with the node it happened in."""

    def __init__(self, message: str, *, node_id: str, node_type: str, field: str | None = None) -> None:
        super().__init__(message)
        self.node_id = node_id
        self.node_type = node_type
        self.field = field


class RunCancelled(RecflowError):
    """Somebody pressed Stop."""
