"""Keeps child processes at hand, gives each one job at a time, and replaces those that had to be killed.

Everything here blocks and may be used from any thread. Async callers send it to a thread
(``await asyncio.to_thread(render, ...)``): a render takes about a millisecond, at worst the time limit.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recflow.errors import SandboxError, SandboxLimit

from .frames import HEADER, pack, unpack

_ROOT = Path(__file__).parents[2]
_START_S = 30.0  # a fresh interpreter on a machine under load
_GRACE_S = 0.5  # the child's own alarm comes first; this is for a child that is stuck in the kernel
_JOBS_BEFORE_RETIREMENT = 1000  # so that a slow leak never reaches the memory limit
_FRAME_CAP = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use.

    Args:
        seconds: wall clock, waiting for a fetch excepted.
        output_chars: characters of result.
    """

    seconds: float = 1.0
    output_chars: int = 1_000_000


Answering = Callable[[dict], dict | None]
"""Takes a frame that a running job sends; returns the answer, or None when the frame asks nothing."""


class _Died(Exception):
    """The child is gone; ``status`` as subprocess reports it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it ended with status {status}")
        self.status = status


class _Worker:
    """One child process and its pipe."""

    def __init__(self, task: str, memory_bytes: int) -> None:
        self._process = subprocess.Popen(
            # -P and -s: nothing is imported from the working directory or a home directory
            [sys.executable, "-P", "-s", "-m", "recflow.sandbox.child", task, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env={
                "PYTHONPATH": str(_ROOT),
                "PYTHONUTF8": "1",
            },  # nothing of ours: keys live in the environment
            start_new_session=True,  # Ctrl-C in a terminal is for the server
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._writing, self._reading = self._process.stdin, self._process.stdout
        os.set_blocking(self._writing.fileno(), False)
        os.set_blocking(self._reading.fileno(), False)
        self.jobs = 0
        try:
            self._receive(time.monotonic() + _START_S)
        except BaseException:
            self.end()
            raise

    def run(self, job: dict, seconds: float, answering: Answering) -> dict:
        """One job from its first frame to its result."""
        self.jobs += 1
        frame: dict | None = job
        while True:
            end = time.monotonic() + seconds + _GRACE_S
            if frame is not None:
                self._send(frame, end)
            received = self._receive(end)
            if "ok" in received or "error" in received:
                return received
            frame = answering(received)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """Kills the process, if it still lives, and returns its status."""
        # A child whose pipe just closed is about to have a status of its own, which says why.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.05 if self._process.poll() is None else 0)
        self._process.kill()
        status = self._process.wait()
        self._writing.close()
        self._reading.close()
        return status

    def _send(self, value: dict, end: float) -> None:
        data = memoryview(pack(value))
        while data:
            try:
                data = data[os.write(self._writing.fileno(), data) :]
            except BlockingIOError:
                _wait(self._writing.fileno(), select.POLLOUT, end)
            except BrokenPipeError:
                raise _Died(self.end()) from None

    def _receive(self, end: float) -> dict:
        size = HEADER.unpack(self._exactly(HEADER.size, end))[0]
        if size > _FRAME_CAP:
            raise SandboxLimit(f"Its result is longer than {_FRAME_CAP:,} bytes.")
        frame = unpack(self._exactly(size, end))
        if not isinstance(frame, dict):
            raise SandboxError("It answered in a form that cannot be read.")
        return frame

    def _exactly(self, size: int, end: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = os.read(self._reading.fileno(), min(size - len(parts), 1 << 20))
            except BlockingIOError:
                _wait(self._reading.fileno(), select.POLLIN, end)
                continue
            if not part:
                raise _Died(self.end())
            parts += part
        return bytes(parts)


def _wait(pipe: int, event: int, end: float) -> None:
    """Until the pipe is ready.

    Raises:
        TimeoutError: the time is over.
    """
    waiting = select.poll()
    waiting.register(pipe, event)
    if not waiting.poll(max(0.0, end - time.monotonic()) * 1000):
        raise TimeoutError


class Pool:
    """At most ``size`` children of one kind, started when first needed.

    Args:
        task: ``template`` or ``script``. They share no child: one runs C code of strangers' making.
    """

    def __init__(self, task: str, size: int = 4, memory_bytes: int = 256 * 1024 * 1024) -> None:
        self._task = task
        self._memory_bytes = memory_bytes
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._owner = os.getpid()
        atexit.register(self.close)

    def run(self, job: dict, limits: Limits, answering: Answering | None = None) -> object:
        """Runs one job and returns its result.

        Raises:
            SandboxError: the job failed. SandboxLimit: it was stopped. Either way the next job finds a
                working child.
        """
        job = job | {"seconds": limits.seconds, "output_chars": limits.output_chars}
        with self._places:
            worker = self._take()
            try:
                reply = worker.run(job, limits.seconds, answering or _nothing_to_answer)
            except TimeoutError:
                worker.end()
                raise _too_slow(limits.seconds) from None
            except _Died as death:
                raise _reason(death.status, limits.seconds) from None
            except BaseException:
                worker.end()
                raise
            if reply.get("last"):
                worker.end()
            else:
                self._give_back(worker)
        if "ok" in reply:
            return reply["ok"]
        error = reply["error"]
        kind = SandboxLimit if error.get("limit") else SandboxError
        raise kind(
            error["message"], line=error.get("line"), column=error.get("column"), part=error.get("part")
        )

    def close(self) -> None:
        """Ends the idle children; a later job starts new ones."""
        with self._lock:
            workers, self._idle = self._idle, []
        if os.getpid() == self._owner:
            for worker in workers:
                worker.end()

    def _take(self) -> _Worker:
        if os.getpid() != self._owner:  # forked: those children belong to somebody else
            with self._lock:
                self._idle, self._owner = [], os.getpid()
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._start()
            if worker.is_alive():
                return worker
            worker.end()

    def _start(self) -> _Worker:
        try:
            return _Worker(self._task, self._memory_bytes)
        except TimeoutError:
            raise SandboxError("No child process could be started to run it: it took too long.") from None
        except (_Died, OSError) as error:
            raise SandboxError(f"No child process could be started to run it ({error}).") from error

    def _give_back(self, worker: _Worker) -> None:
        if worker.jobs >= _JOBS_BEFORE_RETIREMENT:
            worker.end()
            return
        with self._lock:
            self._idle.append(worker)


def _nothing_to_answer(frame: dict) -> None:
    raise SandboxError("It asked for something that is not offered here.")


def _too_slow(seconds: float) -> SandboxLimit:
    return SandboxLimit(f"It ran longer than {seconds:g} s and was stopped.")


def _reason(status: int, seconds: float) -> SandboxError:
    """Why a child that said nothing is gone."""
    if status == -signal.SIGALRM:
        return _too_slow(seconds)
    if status < 0:  # killed by the kernel: memory, or the C stack
        return SandboxLimit("It needs too much memory or is nested too deeply, and was stopped.")
    return SandboxError(f"The process that ran it failed with status {status}.")
