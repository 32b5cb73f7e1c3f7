"""Take an activation back: what was active before it is active again.

That is an activation itself, recorded like every other, so it can be taken back in turn.
"""

from __future__ import annotations

from django.db import transaction

from dashboard import activation, active, drafts
from dashboard.errors import NotFound
from dashboard.models import Activation


def roll_back(activation_id: int, author: str) -> Activation:
    """Undo the newest activation.

    With nothing active before it, the configuration file rules again. A flow that was deleted or archived
    since comes back with its version: whoever rolls back is in a hurry, and what answers has to be in the
    list of flows.

    Raises:
        NotFound: there was no such activation.
        Conflict: something else was activated since.
        Blocked: what was active before cannot be activated any more, say because an endpoint is gone.
    """
    with transaction.atomic():
        entry = Activation.objects.select_related("previous__flow").filter(pk=activation_id).first()
        if entry is None:
            raise NotFound(f"There was no activation {activation_id}")
        before = entry.previous
        if before is not None:
            note = ""
            if before.flow.deleted_at is not None:
                note = f"{before.flow.name} had been deleted and is back"
                drafts.undelete(before.flow_id)
            return activation.activate(before.flow_id, before.number, note, author, takes_back=entry)
        return active.reset(author, takes_back=entry)
