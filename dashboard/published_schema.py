"""The table of node types as browsers get it: one text for the life of the process, with its version."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from recflow.engine.registry import schema


@cache
def schema_text() -> bytes:
    """JSON, as docs/protocol.md describes it."""
    return json.dumps(schema(), ensure_ascii=False, separators=(",", ":")).encode()


@cache
def schema_version() -> str:
    """Changes when the table does: what was fetched under one version may be kept for ever."""
    return hashlib.sha256(schema_text()).hexdigest()[:12]
