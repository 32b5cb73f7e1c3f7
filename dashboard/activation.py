"""Which version answers requests: make it active, look back; dashboard/review.py looks at it before.

The switch is one transaction that moves one pointer: a crash at any point leaves the old version active or
the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dashboard import drafts
from dashboard.errors import Blocked, Conflict
from dashboard.models import Activation, ActiveVersion, Flow, FlowVersion
from dashboard.models.flows import NOTE_LENGTH
from dashboard.shared_flow import tell
from recflow.engine.check import blocking
from recflow.engine.flow import load_flow


def active_version() -> FlowVersion | None:
    """The version that answers requests; None while none was ever activated.

    Its text, of a megabyte at most, is read when somebody asks for it: every write of feedback looks here.
    """
    pointer = ActiveVersion.objects.select_related("version__flow").defer("version__text").first()
    return pointer and pointer.version


def held_version() -> FlowVersion | None:
    """The active version, which stays that until the transaction ends."""
    pointer = ActiveVersion.objects.select_for_update().first()
    return pointer and pointer.version


def address_of(version: FlowVersion | None) -> dict[str, int] | None:
    """A version as messages name it."""
    return version and {"flow_id": version.flow_id, "version": version.number}


def activate(
    flow_id: int,
    number: int | None,
    note: str,
    author: str,
    *,
    reviewed: Mapping[str, Any] | None = None,
    takes_back: Activation | None = None,
) -> Activation:
    """Let a version answer requests; without a number the draft, which becomes a version first.

    A flow that was archived is back in the list: what answers has to be there. The note says so.

    Args:
        reviewed: what the review showed: ``revision`` of the draft and the address it ``replaces``. Each that
            is there has to hold still; None for ``replaces`` is what the configuration says.

    Raises:
        Blocked: the flow has blocking problems.
        Conflict: the draft or the active version is not the ``reviewed`` one any more, or ``takes_back`` not
            the newest activation.
    """
    reviewed = reviewed or {}
    with transaction.atomic():
        flow = drafts.locked(flow_id)
        if number is None:
            _refuse_another_draft(flow, reviewed.get("revision"))
        draft = drafts.draft_of(flow)
        saved = draft if number is None else drafts.find_version(flow, number)
        problems = blocking(drafts.all_problems(load_flow(saved.document)))
        if problems:
            raise Blocked(
                f"{flow.name} cannot be activated: {problems[0].message}"
                + (f", and {len(problems) - 1} more" if len(problems) > 1 else ""),
                problems=[problem.as_dict() for problem in problems],
            )
        version = (
            (drafts.version_of(draft) or drafts.keep_draft(flow, draft, note, author))
            if number is None
            else saved
        )
        previous = held_version()
        if "replaces" in reviewed and address_of(previous) != reviewed["replaces"]:
            raise Conflict(_since_then(newest_activation()))
        if takes_back is not None:
            refuse_unless_newest(takes_back)
        ActiveVersion.objects.update_or_create(id=1, defaults={"version": version})
        for changed in {flow, previous.flow} if previous else {flow}:
            tell(changed.pk, "activated", author, changed.revision)
        return Activation.objects.create(
            version=version,
            previous=previous,
            author=author,
            note=_joined(drafts.checked_note(note), drafts.unarchive(flow)),
            takes_back=takes_back,
        )


def newest_activation() -> Activation | None:
    """What made the version that is active now active; the only one that can be taken back."""
    return recorded().first()


def recorded() -> QuerySet[Activation]:
    """All activations, newest first, with the names of their flows and without their drawings."""
    entries = Activation.objects.select_related("version__flow", "previous__flow").order_by("-pk")
    return entries.defer("version__text", "previous__text")


def refuse_unless_newest(entry: Activation) -> None:
    """Raises Conflict when something else was activated since: who looked at ``entry`` looked at the past."""
    newest = newest_activation()
    if newest is not None and newest != entry:
        raise Conflict(_since_then(newest))


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))[:NOTE_LENGTH]


def _since_then(newest: Activation | None) -> str:
    if newest is None:
        return "Nothing was ever activated: look at what is live now"
    return (
        f"{newest.author or 'Somebody'} has activated version {newest.version.number} of "
        f"{newest.version.flow.name} since then: look at what is live now"
    )


def _refuse_another_draft(flow: Flow, revision: int | None) -> None:
    """Raises Conflict when the draft is not the one of that revision any more; None is any."""
    if revision is not None and revision != flow.revision:
        raise Conflict(
            f"{drafts.draft_of(flow).author or 'Somebody'} saved revision {flow.revision} of {flow.name} "
            f"since revision {revision} was reviewed: look at what changes now",
            revision=flow.revision,
        )
