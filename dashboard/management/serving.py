"""Run the web server in this process, on a port that was found free before anything is said."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Any

import uvicorn
from django.core.management.base import CommandError

from dashboard.management.heads import BoundedHeads

#: Seconds that requests in flight get when the server is told to stop.
GRACE_S = 5


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens there; it goes to the server as it is, so nobody can take the port in between.

    Raises:
        CommandError: the port is taken, may not be used, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CommandError(_sentence(error, host, port)) from error
    return listener


def serve(listener: socket.socket, *, behind_proxy: bool, app: Any = "recflow.asgi:application") -> None:
    """Answer requests until Ctrl+C or SIGTERM.

    Args:
        listener: from ``open_port``.
        behind_proxy: believe a proxy on this machine about the client's address.
        app: what answers; a measurement puts something beside the usual one.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=behind_proxy,
        server_header=False,
        http=BoundedHeads,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=4 * 2**20,
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has closed everything and raises it once more
        server.run(sockets=[listener])
    if not server.started:
        raise CommandError("The server did not start; the lines above say why")


def _sentence(error: OSError | OverflowError, host: str, port: int) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} is taken: stop what uses it, or choose another with --port"
    if number == errno.EACCES:
        return f"Port {port} may not be used by this account: choose one above 1023 with --port"
    if isinstance(error, OverflowError):
        return f"A port is a number from 0 to 65535, got {port}"
    return f"The server cannot listen on {host}: {error.strerror or error}"
