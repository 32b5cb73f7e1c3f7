"""Take an activation back: what was active before it is active again.

That is an activation itself, recorded like every other, so it can be taken back in turn.
"""

from __future__ import annotations

from django.db import transaction

from dashboard import activation, active
from dashboard.errors import NotFound
from dashboard.models import Activation


def roll_back(activation_id: int, author: str) -> Activation:
    """Undo the newest activation.

    With nothing active before it, the configuration file rules again.

    Raises:
        NotFound: there was no such activation.
        Conflict: something else was activated since.
        Blocked: what was active before cannot be activated any more, say because an endpoint is gone.
    """
    with transaction.atomic():
        entry = Activation.objects.select_related("previous").filter(pk=activation_id).first()
        if entry is None:
            raise NotFound(f"There was no activation {activation_id}")
        before = entry.previous
        if before is not None:
            return activation.activate(before.flow_id, before.number, "", author, takes_back=entry)
        return active.reset(author, takes_back=entry)
