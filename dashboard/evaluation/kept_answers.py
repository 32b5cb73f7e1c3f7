"""Answers of model services that were paid for once, kept in a file so that no interruption pays twice.

One line an answer, appended in one write: a process that is killed leaves a cut last line at worst, which is
left out when the file is read. Each answer stands under a digest of all that the model was shown and how it
was asked, so it is used again only for the very same question.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from recflow.evaluation.questions import Status


@dataclass(frozen=True)
class KeptAnswer:
    """What a model said to one question.

    Args:
        order: places of the candidates as they were shown, best first; those left out are missing.
        status: "ok", "partial" or "failed".
        reason: why it is not "ok".
        usage: tokens, cost and seconds.
    """

    order: tuple[int, ...]
    status: Status
    reason: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)


class KeptAnswers:
    """A table from digest to answer, read from its file at once and added to line by line.

    Args:
        path: None keeps answers in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._answers: dict[str, KeptAnswer] = {}
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._answers = _read(path) if path.exists() else {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> KeptAnswer | None:
        return self._answers.get(key)

    def add(self, key: str, answer: KeptAnswer, *, in_file: bool = True) -> None:
        """Remember an answer; ``in_file`` False: until this process ends, so that a later one asks again."""
        with self._lock:
            self._answers[key] = answer
            if self._path is not None and in_file:
                line = orjson.dumps({"key": key, **asdict(answer)}) + b"\n"
                descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    # A line that was cut by a crash must not swallow this one.
                    os.write(descriptor, line if _ends_whole(descriptor) else b"\n" + line)
                finally:
                    os.close(descriptor)


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _read(path: Path) -> dict[str, KeptAnswer]:
    answers = {}
    for line in path.read_bytes().splitlines():
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # cut by a crash: that question is asked again
        key = fields.pop("key")
        answers[key] = KeptAnswer(**fields | {"order": tuple(fields["order"])})
    return answers
