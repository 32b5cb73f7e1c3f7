"""Configurations of Gorse taken in as flows, and flows written back into them.

The file a flow was made of is kept beside the database, for the owner's eyes only, because it may hold keys:
written back into it, a flow leaves comments, unknown keys and other sections as they were.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from dashboard import activation, drafts
from dashboard.active import active_flow
from dashboard.models import Flow, FlowVersion
from recflow.configuration import keys_of_gorse
from recflow.errors import BadRecord
from recflow.interop.gorse_config import config_to_flow, flow_to_config, not_expressible
from recflow.interop.gorse_config.services import carry_over, without_keys

#: Key of a flow document under which the notes of its import stand.
NOTES = "import_notes"


@dataclass(frozen=True)
class TakenIn:
    """A configuration that became a flow; ``notes`` tell what a drawing cannot say."""

    flow: Flow
    version: FlowVersion
    notes: list[str]


def take_in(text: str, *, name: str = "", author: str = "", activate: bool = False) -> TakenIn:
    """Make a flow of a configuration.

    Args:
        text: the whole file.
        name: of the flow; the importer's own by default.
        author: goes into the version.
        activate: let it answer requests.

    Raises:
        BadRecord: it is no configuration.
        Blocked: it is to be activated and has blocking problems; then nothing is kept.
    """
    document, notes = config_to_flow(text)
    if name:
        document["name"] = name
    if notes:
        document[NOTES] = notes
    with transaction.atomic():
        flow = drafts.create(document["name"], document, author)
        version = drafts.keep(flow.pk, f"Imported from Gorse with {len(notes)} notes", 1, author)
        if activate:
            activation.activate(flow.pk, version.number, "Imported from Gorse", author)
        _keep_private(base_of(flow.pk), text)
    return TakenIn(flow, version, notes)


def write_out(flow_id: int | None = None, *, with_keys: bool = False) -> tuple[str, list[str]]:
    """A flow as a whole configuration file, and what Gorse cannot say of it or was left out.

    Args:
        flow_id: whose draft; None for the flow that answers requests.
        with_keys: write the keys and passwords that stand in the file the flow was made of.
    """
    document: dict[str, Any]
    if flow_id is not None:
        document = drafts.draft_of(drafts.find(flow_id)).document
    else:
        version = activation.active_version()
        flow_id = version and version.flow_id
        document = active_flow()[0].document()
    kept = [str(note) for note in document.get(NOTES, ())]
    text, notes = flow_to_config(document, _base_text(flow_id)), [*kept, *not_expressible(document)]
    if with_keys:
        return text, notes
    text, emptied = without_keys(text)
    return text, [
        *notes,
        *(f"{place} is a key and was left empty; --with-keys writes it" for place in emptied),
    ]


def copy_settings(text: str, own: Path) -> list[str]:
    """Copy what is a setting of ours as well to our configuration file, where it is not set there yet.

    Returns:
        A sentence for each key or section.
    """
    before = own.read_text(encoding="utf-8") if own.exists() else ""
    after, told = carry_over(text, before, keys_of_gorse())
    if after != before:
        _keep_private(own, after)
    return told


def configured_text() -> str | None:
    """Our own configuration file, when it has a ``[recommend]``."""
    file = settings.CONFIGURATION.file
    if file is None or not settings.CONFIGURATION.recommend:
        return None
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadRecord(f"{file} cannot be read any more: {error.strerror}") from error


def base_of(flow_id: int) -> Path:
    """Where the file is that a flow was made of."""
    return settings.DATA_DIR / "gorse" / f"flow-{flow_id}.toml"


def _base_text(flow_id: int | None) -> str | None:
    if flow_id is None:
        return configured_text()
    path = base_of(flow_id)
    return path.read_text(encoding="utf-8") if path.exists() else None


def _keep_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all; one that exists keeps its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
