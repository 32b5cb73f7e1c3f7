"""Drafts and versions of flows: create, save, keep, restore.

A draft is saved with the revision it was made from. When somebody else saved in between, nothing is
overwritten: the answer holds both documents and the one both began with, so that the editor can merge them.
Whoever else has the flow open hears of each change at once.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from dashboard.errors import BadRequest, Conflict, NotFound
from dashboard.models import ActiveVersion, Draft, Flow, FlowVersion
from dashboard.models.flows import NOTE_LENGTH, to_text
from dashboard.outside.directory import endpoint_problems
from dashboard.shared_flow import tell
from dashboard.written_keys import written_keys
from recflow.engine import flow as documents
from recflow.engine.check import Problem, check

#: Saves kept of each draft, for merging and for a version of a moment ago.
KEPT_DRAFTS = 50
#: Of older saves, those are kept after which somebody else went on: so the author of a change stays known.
KEPT_TURNS = 1_000


def all_problems(flow: documents.Flow) -> list[Problem]:
    """Everything that is wrong with a drawing on this server: also endpoints that are not set up here, and
    keys that should stand under Secrets."""
    return [*check(flow), *endpoint_problems(flow), *written_keys(flow)]


def problems_of(flow: documents.Flow) -> list[dict[str, Any]]:
    """The same as the editor gets it."""
    return [problem.as_dict() for problem in all_problems(flow)]


def create(name: str, document: object, author: str) -> Flow:
    """A new flow whose draft is the document."""
    drawing = documents.load_flow(document)
    with transaction.atomic():
        flow = Flow.objects.create(name=checked_name(name), revision=1)
        _store(flow, drawing, author)
    return flow


def find(flow_id: int) -> Flow:
    """The flow of that id.

    Raises:
        NotFound: there is none.
    """
    return _found(Flow.objects.all(), flow_id)


def locked(flow_id: int) -> Flow:
    """The flow, held until the transaction ends, so that saves and activations take turns.

    Raises:
        NotFound: there is none; it may have been deleted while others held it.
    """
    return _found(Flow.objects.select_for_update(), flow_id)


def find_version(flow: Flow, number: int) -> FlowVersion:
    """One version of a flow.

    Raises:
        NotFound: there is none of that number.
    """
    version = flow.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"{flow.name} has no version {number}")
    return version


def change(flow_id: int, author: str, *, name: str | None = None, archived: bool | None = None) -> Flow:
    """Rename a flow, or put it away or back.

    Raises:
        Conflict: the active flow cannot be put away.
    """
    with transaction.atomic():
        flow = locked(flow_id)
        if archived and ActiveVersion.objects.filter(version__flow=flow).exists():
            raise Conflict(f"{flow.name} is active: activate another flow before archiving it")
        if name is not None:
            flow.name = checked_name(name)
        if archived is not None:
            flow.archived = archived
        flow.save()
        tell(flow_id, "changed", author, flow.revision)
    return flow


def delete(flow_id: int, author: str) -> None:
    """Take a flow out of all lists; nothing of it is lost, see ``undelete``.

    Raises:
        Conflict: the active flow cannot be deleted.
    """
    with transaction.atomic():
        flow = locked(flow_id)
        if ActiveVersion.objects.filter(version__flow=flow).exists():
            raise Conflict(f"{flow.name} is active: activate another flow before deleting it")
        flow.deleted_at = timezone.now()
        flow.save(update_fields=["deleted_at"])
        tell(flow_id, "changed", author, flow.revision)


def undelete(flow_id: int) -> Flow:
    """Bring a deleted flow back as it was; one that is there stays as it is.

    Raises:
        NotFound: there never was such a flow.
    """
    Flow.with_deleted.filter(pk=flow_id).update(deleted_at=None)
    return find(flow_id)


def unarchive(flow: Flow) -> str:
    """Put a flow back into the list, if it was put away; the caller holds its lock. Says so in a sentence."""
    if not flow.archived:
        return ""
    flow.archived = False
    flow.save(update_fields=["archived"])
    return f"{flow.name} had been archived and is back"


def draft_of(flow: Flow) -> Draft:
    return flow.drafts.get(revision=flow.revision)


def saved_drawing(flow_id: int, number: int | None) -> Draft | FlowVersion:
    """A version of a flow, or without a number its draft.

    Raises:
        NotFound: there is no such flow or version.
    """
    flow = find(flow_id)
    return draft_of(flow) if number is None else find_version(flow, number)


def version_of(saved: Draft) -> FlowVersion | None:
    """The newest version that says the same as a draft."""
    return saved.flow.versions.filter(hash=saved.hash).order_by("-number").first()


def save(flow_id: int, base_revision: int, document: object, author: str) -> Draft:
    """Keep a document as the newest draft.

    Saving what is saved already changes nothing, so a client that lost the answer may ask again.

    Raises:
        Conflict: the draft has moved on from ``base_revision``.
    """
    drawing = documents.load_flow(document)
    with transaction.atomic():
        flow = locked(flow_id)
        current = draft_of(flow)
        if current.hash == drawing.content_hash():
            return current
        if base_revision != flow.revision:
            base = flow.drafts.filter(revision=base_revision).first()
            raise Conflict(
                f"{current.author or 'Somebody'} saved revision {flow.revision} of {flow.name} in between",
                revision=flow.revision,
                document=current.document,
                base=base and base.document,
                author=current.author,
                saved_at=current.saved_at,
            )
        return _store_next(flow, drawing, author)


def keep(flow_id: int, note: str, revision: int, author: str) -> FlowVersion:
    """Keep one save of the draft for ever, under the next number.

    Raises:
        Conflict: that save is no longer there.
    """
    with transaction.atomic():
        flow = locked(flow_id)
        draft = flow.drafts.filter(revision=revision).first()
        if draft is None:
            raise Conflict(
                f"Revision {revision} of {flow.name} is not kept; its draft is revision {flow.revision}"
            )
        return keep_draft(flow, draft, note, author)


def keep_draft(flow: Flow, draft: Draft, note: str, author: str) -> FlowVersion:
    """The draft as a new version; the caller holds the flow's lock."""
    newest = flow.versions.order_by("-number").first()
    tell(flow.pk, "kept", author, flow.revision)
    return FlowVersion.objects.create(
        flow=flow,
        number=newest.number + 1 if newest else 1,
        text=draft.text,
        hash=draft.hash,
        note=checked_note(note),
        author=author,
    )


def restore(flow_id: int, number: int, author: str) -> Draft:
    """Let the draft equal a version again; the draft of now is kept as a version first."""
    with transaction.atomic():
        flow = locked(flow_id)
        version = find_version(flow, number)
        draft = draft_of(flow)
        if draft.hash == version.hash:
            return draft
        if version_of(draft) is None:
            keep_draft(flow, draft, f"Kept before version {number} was restored", author)
        return _store_next(flow, documents.load_flow(version.document), author)


def checked_note(note: str) -> str:
    """Raises BadRequest when the note is too long, or cannot be kept."""
    if len(note) > NOTE_LENGTH:
        raise BadRequest(f"A note may have {NOTE_LENGTH} characters, got {len(note):,}")
    if "\0" in note:
        raise BadRequest(f"A note may not hold a null character, got {note[:80]!r}")
    return note


def _found(flows: QuerySet[Flow], flow_id: int) -> Flow:
    flow = flows.filter(pk=flow_id).first()
    if flow is None:
        raise NotFound(f"There is no flow {flow_id}")
    return flow


def _store_next(flow: Flow, drawing: documents.Flow, author: str) -> Draft:
    flow.revision += 1
    flow.save(update_fields=["revision"])
    tell(flow.pk, "saved", author, flow.revision)
    draft = _store(flow, drawing, author)
    _forget_old(flow)
    return draft


def _forget_old(flow: Flow) -> None:
    old = flow.drafts.filter(revision__lte=flow.revision - KEPT_DRAFTS)
    went_on = Draft.objects.filter(flow=flow, revision=OuterRef("revision") + 1, author=OuterRef("author"))
    old.filter(Exists(went_on) | Q(revision__lte=flow.revision - KEPT_TURNS)).delete()


def _store(flow: Flow, drawing: documents.Flow, author: str) -> Draft:
    return Draft.objects.create(
        flow=flow,
        revision=flow.revision,
        text=to_text(drawing.document()),
        hash=drawing.content_hash(),
        author=author,
        saved_at=timezone.now(),
    )


def checked_name(name: str) -> str:
    """Raises BadRequest when no flow may be called so."""
    name = name.strip()
    if not 1 <= len(name) <= documents.MAX_NAME or "/" in name or "\0" in name:
        raise BadRequest(
            f'The name of a flow has 1 to {documents.MAX_NAME} characters, none of them "/" or null, '
            f"got {name[:80]!r}"
        )
    return name
