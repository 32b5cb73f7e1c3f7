"""What somebody who may only look may have asked of other machines: what was saved, and nothing they typed.

A run sends texts of its drawing to services that are paid, with secrets put in. Whoever could write those
texts without a right to save could send every secret to a machine of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import F
from pydantic import ValidationError

from dashboard.models import Draft, FlowVersion
from recflow.engine.block_run import waits
from recflow.engine.check import label_of
from recflow.engine.flow import Flow, Node
from recflow.engine.registry import NODE_TYPES
from recflow.errors import FlowError


def refuse_unsaved(flow: Flow) -> None:
    """See that each node that asks other machines stands, with these settings, in some draft or version.

    Raises:
        FlowError: one does not.
    """
    left = [node for node in flow.nodes if _may_ask(node)]
    for saved in _saved_nodes():
        if not left:
            return
        left = [node for node in left if (node.type, node.settings) != (saved["type"], saved["settings"])]
    if left:
        sentence = "asks other machines with settings that nobody has saved: running that takes an editor"
        raise FlowError(f"{label_of(left[0])} {sentence}", node_id=left[0].id)


def _may_ask(node: Node) -> bool:
    try:
        return node.type in NODE_TYPES and waits(node)
    except ValidationError:
        return True  # settings that cannot be read do not run, but are no reason to be let through


def _saved_nodes() -> Iterator[dict[str, Any]]:
    """Those of all drafts, then those of all versions, the newest first."""
    drafts = Draft.objects.filter(revision=F("flow__revision"), flow__deleted_at=None)
    versions = FlowVersion.objects.filter(flow__deleted_at=None)
    for drawings in (drafts, versions):
        for text in drawings.order_by("-pk").values_list("text", flat=True).iterator(chunk_size=20):
            yield from json.loads(text)["nodes"]
