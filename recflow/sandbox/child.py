"""The child process: one job at a time, under limits that the operating system enforces.

Started as ``python -m recflow.sandbox.child template|script MEMORY_BYTES``. A job that runs too long is
ended by SIGALRM with its default action: no handler, no cleanup, and no code of the job can stop it. When
the parent goes, reading yields nothing and the process ends.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable

from recflow.sandbox.frames import HEADER, pack, unpack


class Channel:
    """The pipe to the parent, and the alarm clock that runs while a job does."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def receive(self) -> dict:
        """The next frame. Without a parent there is no next frame and no next line of code."""
        return unpack(self._exactly(HEADER.unpack(self._exactly(HEADER.size))[0]))

    def send(self, value: dict) -> None:
        data = memoryview(pack(value))
        while data:
            try:
                data = data[os.write(self._writing, data) :]
            except BrokenPipeError:
                os._exit(0)

    def ask(self, value: dict) -> dict:
        """Sends a question and waits for its answer; the waiting is not the job's time."""
        left_s = signal.setitimer(signal.ITIMER_REAL, 0)[0]
        self.send(value)
        answer = self.receive()
        signal.setitimer(signal.ITIMER_REAL, max(left_s, 0.001))
        return answer

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = os.read(self._reading, min(size - len(parts), 1 << 20))
            if not part:
                os._exit(0)
            parts += part
        return bytes(parts)


def main(task: str, memory_bytes: int) -> None:
    channel = _private_channel()
    handle = _handler(task)  # before the limits: importing needs files
    _confine(memory_bytes)
    channel.send({"ready": True})
    while True:
        job = channel.receive()
        signal.setitimer(signal.ITIMER_REAL, job["seconds"])
        try:
            reply = handle(job, channel)
        except MemoryError:
            # What is left in such a process cannot be trusted to fit the next job.
            channel.send({"error": {"limit": True, "message": "It needs too much memory."}, "last": True})
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        channel.send(reply)


def _private_channel() -> Channel:
    """Moves the pipe off standard input and output, so that a stray print cannot speak to the parent."""
    reading, writing = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return Channel(reading, writing)


def _handler(task: str) -> Callable[[dict, Channel], dict]:
    if task == "template":
        from recflow.sandbox.rendering import handle
    else:
        from recflow.sandbox.javascript import handle
    return handle


def _confine(memory_bytes: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    limits = (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),  # writes no file
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    )
    for kind, value in limits:
        with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS but refuses it
            resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
