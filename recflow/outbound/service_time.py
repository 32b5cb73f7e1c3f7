"""How long the other machine took, as the kernel saw it.

A clock around a call also counts how long an answer lay there until this process had time for it. Whoever
measures how busy a service was kept would take that for the service's own time.
"""

from __future__ import annotations

import socket
import struct
import sys

import httpcore

#: Where Linux' ``struct tcp_info`` says how many milliseconds ago data was last sent and last received.
_LAST_DATA_SENT = 44
_LAST_DATA_RECEIVED = 52


def service_ms(response: httpcore.Response) -> float | None:
    """Milliseconds from the last byte of the request to the last of the answer, which must have been read.

    Returns:
        None where the kernel does not tell: only Linux' does, in steps of a few milliseconds.
    """
    connection = response.extensions["network_stream"].get_extra_info("socket")
    if sys.platform != "linux" or connection is None:
        return None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
    except OSError:  # closed already, because the other side broke off behind its answer
        return None
    if len(told) < _LAST_DATA_RECEIVED + 4:
        return None
    sent_ago, received_ago = (
        struct.unpack_from("I", told, place)[0] for place in (_LAST_DATA_SENT, _LAST_DATA_RECEIVED)
    )
    return max(0.0, float(sent_ago - received_ago))
