"""What happens when a web process starts and ends."""

from __future__ import annotations

import gc
import logging
import sys
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from dashboard.store import store
from recflow.outbound.client import close_clients

logger = logging.getLogger(__name__)

#: A busy event loop keeps other threads waiting this long at each of their steps. A transaction has some
#: thirty of them: Python's own 5 ms made it three times as long.
SWITCH_S = 0.0005


async def lifespan(receive: Any, send: Any) -> None:
    """ASGI's lifespan: open the snapshot before the first request, so that nobody waits for it."""
    await receive()
    try:
        for key in settings.CONFIGURATION.ignored:
            logger.warning("%s: %s is not used by RecFlow", settings.CONFIGURATION.file, key)
        await sync_to_async(store.snapshot)()
        sys.setswitchinterval(SWITCH_S)
        # What lives from here on lives for ever: looking through it for garbage made requests wait 0.1 s.
        gc.collect()
        gc.freeze()
    except Exception as error:
        logger.exception("The server cannot start")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await close_clients()
    await send({"type": "lifespan.shutdown.complete"})
