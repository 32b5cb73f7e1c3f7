"""The flow that answers requests: the active version, or with none the one from the configuration file.

Gorse's ``[recommend]`` rules until somebody activates a version, and rules again after a reset. Without that
section it is the first of the starters.
"""

from __future__ import annotations

import functools
import json
import logging
from typing import Any

import tomlkit
from django.conf import settings
from django.db import transaction

from dashboard import drafts
from dashboard.activation import active_version, held_version, refuse_unless_newest
from dashboard.models import Activation, ActiveVersion, FlowVersion
from dashboard.models import Flow as FlowRow
from dashboard.shared_flow import tell
from recflow.engine.check import blocking, check
from recflow.engine.flow import Flow, load_flow
from recflow.errors import RecflowError
from recflow.interop.gorse_config import config_to_flow
from recflow.nodes.starters import DEFAULT, STARTERS

logger = logging.getLogger(__name__)

#: What lists and headers call the flow that answers while no version is active.
UNSAVED = "default"
#: Name of the flow whose versions came as configurations.
CONFIGURED = "From config.toml"

_newest: dict[str, Flow] = {}


def active_flow() -> tuple[Flow, str]:
    """The flow that answers, parsed once, and its name "flow id@number"; UNSAVED while none is active."""
    active = active_version()
    if active is None:
        return _configured_flow(json.dumps(settings.CONFIGURATION.recommend, sort_keys=True, default=str))
    label = f"{active.flow_id}@{active.number}"
    flow = _newest.get(active.hash)
    if flow is None:
        flow = load_flow(active.document)
        _newest.clear()  # a version is active for days; only the newest is worth keeping
        _newest[active.hash] = flow
    return flow, label


def configured_document() -> tuple[dict[str, Any], list[str]]:
    """The drawing that the configuration file stands for, and what it could not express."""
    return _drawn(settings.CONFIGURATION.recommend)


def reset(author: str, *, takes_back: Activation | None = None) -> Activation:
    """Let the configuration file rule again, as if no version had ever been activated.

    What the file says is kept as a version too, so that the list of activations tells what became active.

    Raises:
        Conflict: ``takes_back`` is not the newest activation any more.
    """
    document, notes = configured_document()
    with transaction.atomic():
        version = keep_as_version(document, author, f"Reset to the configuration file; {_counted(notes)}")
        previous = held_version()  # whoever activates something meanwhile has to wait, or was first
        if takes_back is not None:
            refuse_unless_newest(takes_back)
        ActiveVersion.objects.all().delete()
        if previous is not None:
            tell(previous.flow_id, "activated", author, previous.flow.revision)
        return Activation.objects.create(
            version=version,
            previous=previous,
            author=author,
            note="Reset to the configuration file",
            takes_back=takes_back,
        )


def keep_as_version(document: dict[str, Any], author: str, note: str) -> FlowVersion:
    """The document as a version of the flow that holds configurations; what was drawn there is kept first."""
    with transaction.atomic():
        row = FlowRow.objects.filter(name=CONFIGURED, archived=False).order_by("pk").first()
        if row is None:
            row = drafts.create(CONFIGURED, document, author)
        before = drafts.draft_of(row)
        if drafts.version_of(before) is None and row.revision > 1:
            drafts.keep(row.pk, "Kept before a configuration took its place", row.revision, author)
        draft = drafts.save(row.pk, row.revision, document, author)
        return drafts.version_of(draft) or drafts.keep(row.pk, note, draft.revision, author)


def _counted(notes: list[str]) -> str:
    return f"{len(notes)} things have no place in a drawing" if notes else "all of it is drawn"


@functools.lru_cache(maxsize=2)
def _configured_flow(recommend: str) -> tuple[Flow, str]:
    document, notes = _drawn(json.loads(recommend))
    flow = load_flow(document)
    problems = blocking(check(flow))
    for note in notes:
        logger.info("[recommend]: %s", note)
    if problems:
        logger.warning(
            "[recommend] cannot be served: %s; the flow %r answers instead",
            problems[0].message,
            STARTERS[DEFAULT].label,
        )
        flow = load_flow(STARTERS[DEFAULT].document)
    return flow, UNSAVED


def _drawn(recommend: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    if not recommend:
        return STARTERS[DEFAULT].document, []
    try:
        return config_to_flow(tomlkit.dumps({"recommend": recommend}))
    except RecflowError as error:
        logger.warning("[recommend] is no flow: %s", error.message)
        return STARTERS[DEFAULT].document, [error.message]
